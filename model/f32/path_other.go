package f32

func nativePaths() []*path { return nil }

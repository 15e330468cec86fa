package classify_test

import "log"

// must is what cells have predeclared.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

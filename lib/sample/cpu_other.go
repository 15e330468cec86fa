//go:build !unix

package sample

import "time"

// processorTime is not known here.
func processorTime() time.Duration { return 0 }

//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package repl

import (
	"os"
	"time"

	"golang.org/x/term"
)

// readable cannot know here; reading waits.
func readable(*os.File, time.Duration) bool { return true }

// noEcho leaves the console as it is where it cannot be told otherwise.
func noEcho(in *os.File) (*term.State, error) { return term.GetState(int(in.Fd())) }

package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptible makes the call's context one that ends when the process is
// asked to, so that what is half done can be put in order first.
func (c *call) interruptible() {
	c.ctx, c.stop = signal.NotifyContext(c.ctx, os.Interrupt, syscall.SIGTERM)
}

// catch has f called for every interrupt of the process until release.
func catch(f func()) (release func()) {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-interrupts:
				f()
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(interrupts)
		close(done)
		<-stopped
	}
}

// ended is done when the process is told to end, or its terminal is gone.
func ended(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGHUP)
}

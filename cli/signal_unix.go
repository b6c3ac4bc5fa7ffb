//go:build unix

package cli

import (
	"context"
	"os/signal"
	"syscall"
)

// diagnoseSignal asks for diagnostics.
const diagnoseSignal = syscall.SIGUSR2

// untilInterrupted is for commands that go on until the user has seen enough. A second signal does what it does to any
// process.
func untilInterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

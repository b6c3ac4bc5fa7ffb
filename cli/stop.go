package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"syscall"

	"gozilla/admin"
)

var stopCommand = &command{
	name: "stop", short: "end the gateway that runs in this directory",
	long: "Sends SIGTERM to the gateway and does not wait for its end. If none is running, it does nothing, with status 0.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		p := &propertyFlags{}
		p.declare(fs)
		return func(ctx context.Context, env *Env, args []string) error {
			if len(args) > 0 {
				return usagef("it takes no arguments")
			}
			dir, err := directoryOf(p)
			if err != nil {
				return err
			}
			return stop(ctx, dir)
		}
	},
	examples: []string{"gozilla stop", "gozilla stop -P zilla.engine.directory=/var/run/zilla"},
}

// stop asks the process itself who it is, so that no other one is ended that was given the number of a dead one.
func stop(ctx context.Context, dir string) error {
	status, err := admin.Dial(dir).Status(ctx)
	var none *admin.NotRunning
	if errors.As(err, &none) {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := os.FindProcess(status.PID)
	if err == nil {
		err = p.Signal(syscall.SIGTERM)
	}
	if err != nil {
		return fmt.Errorf("cannot end process %d: %w", status.PID, err)
	}
	return nil
}

package cli

import (
	"context"
	"fmt"

	"gozilla/internal/systemd"
	"gozilla/stream"
)

// notify says what became of telling systemd something: the gateway runs all the same.
func (s *starter) notify(err error) {
	if err != nil {
		s.log.Warn(err.Error())
	}
}

// notifyStopping tells systemd that the end has begun.
func (s *starter) notifyStopping(open int) {
	s.notify(s.notifier.Stopping(fmt.Sprintf("draining, open streams: %d", open)))
}

// keepAlive gives systemd its signs of life until the end, which is after that of ctx.
func (s *starter) keepAlive(ctx context.Context) (end func()) {
	ctx, end = context.WithCancel(context.WithoutCancel(ctx))
	go s.notifier.Watchdog(ctx, s.alive, s.notify)
	return end
}

// alive takes the locks that every connection takes. It does not return while one of them is held.
func (s *starter) alive() bool {
	s.host.Scopes(func(*stream.Scope) {})
	s.host.Log.Last(1)
	return true
}

// notifyReady tells systemd what runs.
func (s *starter) notifyReady() {
	text := fmt.Sprintf("runs configuration %d of %s", s.engine.Generation(), s.settings.config)
	if s.follower.State().Refusing {
		text += ", the one after it was refused"
	}
	s.notify(s.notifier.Ready(text))
}

// inherit hands the sockets to the engine that systemd has opened.
func (s *starter) inherit() {
	listeners, errs := systemd.Listeners()
	for _, err := range errs {
		s.notify(err)
	}
	s.engine.Inherit(listeners)
}

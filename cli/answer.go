package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"gozilla/admin"
	"gozilla/admin/page"
)

// openAdmin answers gozilla status, logs, stop and the like in the directory of the process. Where that cannot be, the
// gateway runs all the same.
func (s *starter) openAdmin(ctx context.Context) (closing func(), err error) {
	l, err := admin.Listen(s.settings.directory)
	var alive *admin.Alive
	switch {
	case errors.As(err, &alive):
		return nil, err
	case err != nil:
		s.log.Warn("gozilla status, logs, stop and the like will not find this process: " + err.Error())
		return func() {}, nil
	}
	return s.answer(ctx, l, admin.Handler(s)), nil
}

// openPage shows the page, if that is wanted.
func (s *starter) openPage(ctx context.Context) (closing func(), err error) {
	if s.page == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", s.page)
	if err != nil {
		var sys *os.SyscallError
		if errors.As(err, &sys) {
			err = sys.Err // without the address, which is said already
		}
		return nil, fmt.Errorf("cannot show the page at %s: %w", s.page, err)
	}
	s.log.Info("the page is at http://" + l.Addr().String() + "/")
	return s.answer(ctx, l, page.Handler(s, s.page)), nil
}

// answer answers what comes in on l, until closing is called, which waits for the end.
func (s *starter) answer(ctx context.Context, l net.Listener, h http.Handler) (closing func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go s.serveHTTP(ctx, l, h, done)
	return func() { cancel(); <-done }
}

// serveHTTP is the goroutine of the admin socket, and that of the page. It ends with ctx.
func (s *starter) serveHTTP(ctx context.Context, l net.Listener, h http.Handler, done chan struct{}) {
	defer close(done)
	if err := admin.Serve(ctx, l, h, s.log); err != nil {
		s.log.Error(err.Error())
	}
}

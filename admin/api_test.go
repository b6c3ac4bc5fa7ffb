package admin

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

// What a client asks for with a body may take longer than it has to send that.
func TestSlowAnswerToABody(t *testing.T) {
	before := endpoints
	defer func() { endpoints = before }()
	endpoints = append(endpoints, endpoint{method: "POST", path: "/v1/slow", body: "{}", answer: func(_ *API, w http.ResponseWriter, r *http.Request) {
		if err := readBody(r, &struct{}{}); err != nil {
			fail(w, http.StatusBadRequest, "%v", err)
			return
		}
		select {
		case <-time.After(2 * bodyTime):
			reply(w, http.StatusOK, "done")
		case <-r.Context().Done():
			fail(w, http.StatusInternalServerError, "it was cut short: %v", context.Cause(r.Context()))
		}
	}})
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error)
		go func() { served <- Serve(ctx, l, Handler(nil), slog.New(slog.DiscardHandler)) }()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
			c, s := net.Pipe()
			l.conns <- s
			return c, nil
		}}}
		for body, want := range map[string]int{"{}": 200, "{} ": 200, "{}{}": 400, "{": 400} {
			answer, err := client.Post("http://gozilla/v1/slow", "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != want {
				t.Errorf("%s: %d, want %d", body, answer.StatusCode, want)
			}
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// Package conntest is the conformance suite of the bytes protocol. Whatever carries bytes from who opened a stream to
// who serves it has to pass it: a relay, a tcp server in front of a tcp client, later tls or a proxy.
//
//	suite as client ═▶ what is tested ═▶ suite as server
//	suite as client ═▶ what is tested ─┐
//	               ◀═══════════════════┘  an echo
//
// A test says how a stream is opened, and the suite does everything that can be done with the two ends of it: it ends
// and aborts either direction, stops reading, and cancels. After each case nothing may be left behind.
package conntest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

// A Gateway is what is tested.
type Gateway struct {
	// Host is what its streams live on. The suite cancels them there, and finds their records in its log.
	Host *stream.Host
	// Open opens a stream and gives both ends of it: the client's, and the server's.
	Open func(t testing.TB) (client, server conn.Conn)
	// Hang opens a stream that stays in its dial until that is cancelled; nil if there is no such thing.
	Hang func(t testing.TB) (client conn.Conn)
	// Truncate ends an end that Open gave in a way that only looks orderly: the connection below it ends, and the
	// protocol on it has not said so. It reports false for an end on which there is no such thing; nil if there is none.
	Truncate func(end conn.Conn) bool
	// Holds is how many bytes may be on their way while nobody reads: what the gateway and the system buffer.
	Holds int
	// Parts says that the client is told of a drain in a protocol's own words, so that it sees an orderly end.
	Parts bool
	// Adds says that the record counts more than what the suite sends, such as a handshake.
	Adds bool
	// Blind says that an abort cannot be told from an orderly end, or is not passed on. Nothing about aborts is
	// tested then.
	Blind bool
}

// within is how soon an abort has to be passed on: a second, and some more for a machine that stands still.
const within = 8 * time.Second

// patience bounds everything that must happen, however slow the machine.
const patience = 30 * time.Second

// Run runs every case against a gateway of its own.
func Run(t *testing.T, make func(t *testing.T) *Gateway) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			leak.Check(t)
			g := make(t)
			switch {
			case c.abort && g.Blind, c.hang && g.Hang == nil, c.layer && g.Truncate == nil: // does not apply
			default:
				c.run(&test{t, g})
				g.rest(t)
			}
		})
	}
}

// RunEcho runs the cases that a gateway has to pass that sends everything back; open gives the client's end.
func RunEcho(t *testing.T, make func(t *testing.T) (host *stream.Host, open func(testing.TB) conn.Conn)) {
	for _, c := range echoCases {
		t.Run(c.name, func(t *testing.T) {
			leak.Check(t)
			host, open := make(t)
			g := &Gateway{Host: host}
			c.run(&test{t, g}, open)
			g.rest(t)
		})
	}
}

// rest fails t if a stream is left, or the place of one. The suite has ended all of them by then, or they end by
// themselves.
func (g *Gateway) rest(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := g.Host.AwaitIdle(ctx); err != nil {
		t.Errorf("%d streams are still open", g.Host.Open())
	}
	if n := g.Host.Connections.Used(); n != 0 {
		t.Errorf("%d connections are still counted", n)
	}
}

// test is one case at work.
type test struct {
	testing.TB
	g *Gateway
}

// open opens a stream whose ends are closed with the case, if the case has not done it.
func (t *test) open() (client, server *end) {
	t.Helper()
	c, s := t.g.Open(t)
	return t.end("client", c), t.end("server", s)
}

func (t *test) end(name string, c conn.Conn) *end {
	e := &end{Conn: c, t: t, name: name}
	t.Cleanup(func() { conn.Abort(c) })
	return e
}

// end is one end of a stream in the hands of the suite.
type end struct {
	conn.Conn
	t    *test
	name string
}

// send writes all of b, and fails the case if that takes too long.
func (e *end) send(b []byte) {
	e.t.Helper()
	e.SetWriteDeadline(time.Now().Add(patience))
	if n, err := e.Write(b); err != nil {
		e.t.Fatalf("the %s could send %d of %d bytes: %v", e.name, n, len(b), err)
	}
}

// receive reads exactly want.
func (e *end) receive(want string) {
	e.t.Helper()
	got := make([]byte, len(want))
	e.SetReadDeadline(time.Now().Add(patience))
	n, err := io.ReadFull(e.Conn, got)
	if err != nil || string(got) != want {
		e.t.Fatalf("the %s received %q and then %v, not %q", e.name, got[:n], err, want)
	}
}

// finish ends what the end sends, in order.
func (e *end) finish() {
	e.t.Helper()
	if err := e.CloseWrite(); err != nil {
		e.t.Fatalf("the %s could not end what it sends: %v", e.name, err)
	}
}

// sees reads to the end, which has to be how: "fin" or "rst". It gives how many bytes there were before it.
func (e *end) sees(how string, limit time.Duration) (n int64) {
	e.t.Helper()
	e.SetReadDeadline(time.Now().Add(limit))
	n, err := io.Copy(io.Discard, onlyReader{e.Conn})
	if got := How(err); got != how {
		e.t.Fatalf("after %d bytes the %s saw %s (%v), not %s", n, e.name, got, err, how)
	}
	return n
}

type onlyReader struct{ io.Reader }

// How is the end of a stream as who reads it sees it, by the error of io.Copy, or of Read if that is not io.EOF: "fin"
// for an orderly end, "rst" for an abort, "nothing" for none before the deadline.
func How(err error) string {
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return "fin"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "nothing"
	case errors.Is(err, net.ErrClosed):
		return "its own end" // the test has closed it
	}
	return "rst"
}

// cancel cancels every stream of the gateway, of which there is at least one: a client may know of its connection before
// the gateway does.
func (t *test) cancel(cause error) {
	t.Helper()
	for deadline := time.Now().Add(patience); t.g.Host.Open() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the gateway has no stream")
		}
		time.Sleep(time.Millisecond)
	}
	t.g.Host.Scopes(func(s *stream.Scope) { s.Cancel(cause) })
}

// record waits for the record of the stream that ends first.
func (t *test) record() telemetry.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for seq := uint64(0); ; {
		entries, next, _ := t.g.Host.Log.Since(seq)
		for _, e := range entries {
			if e.Record != nil {
				return *e.Record
			}
		}
		if seq = next; t.g.Host.Log.Wait(ctx, seq) != nil {
			t.Fatal("there is no record of the stream")
		}
	}
}

// ended fails the case unless the stream's record says who ended it and why.
func (t *test) ended(by telemetry.Side, reason string) {
	t.Helper()
	if r := t.record(); r.By != by || r.Reason != reason {
		t.Errorf("the record says %q, %q (%s), not %q, %q", r.By, r.Reason, r.Err, by, reason)
	}
}

// fill writes until the stream takes nothing more for a while, or until more is sent than most allows. It gives how
// many bytes were taken.
func (e *end) fill(most int) (n int) {
	e.t.Helper()
	const quiet = 150 * time.Millisecond
	block := make([]byte, 32<<10)
	for n <= most {
		e.SetWriteDeadline(time.Now().Add(quiet))
		m, err := e.Write(block)
		n += m
		if err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				e.t.Fatalf("the %s could send %d bytes: %v", e.name, n, err)
			}
			break
		}
	}
	e.SetWriteDeadline(time.Time{})
	return n
}

// both runs the functions at the same time, each on a goroutine, and waits for them.
func both(fs ...func()) {
	var wg sync.WaitGroup
	for _, f := range fs {
		wg.Go(f)
	}
	wg.Wait()
}

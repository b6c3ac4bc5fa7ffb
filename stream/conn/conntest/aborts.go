package conntest

import (
	"errors"
	"io"
	"syscall"
	"time"

	"gozilla/stream/conn"
	"gozilla/telemetry"
)

func clientAborts(t *test) {
	c, s := t.open()
	c.send([]byte("half of"))
	s.receive("half of")
	conn.Abort(c.Conn)
	s.sees("rst", within)
	t.ended(telemetry.Client, "rst")
}

func serverAborts(t *test) {
	c, s := t.open()
	s.send([]byte("half of"))
	c.receive("half of")
	conn.Abort(s.Conn)
	c.sees("rst", within)
	t.ended(telemetry.Server, "rst")
}

func clientTruncated(t *test) { c, s := t.open(); truncated(t, c, s, telemetry.Client) }
func serverTruncated(t *test) { c, s := t.open(); truncated(t, s, c, telemetry.Server) }

// truncated cuts a stream off so that a layer may take it for whole.
func truncated(t *test, from, to *end, side telemetry.Side) {
	from.send([]byte("half of"))
	to.receive("half of")
	if !t.g.Truncate(from.Conn) { // the layer is on the other side
		conn.Abort(from.Conn)
		conn.Abort(to.Conn)
		return
	}
	to.sees("rst", within)
	t.ended(side, "truncated")
}

func clientAbortsUnread(t *test) { c, s := t.open(); abortsUnread(t, c, s, telemetry.Client) }
func serverAbortsUnread(t *test) { c, s := t.open(); abortsUnread(t, s, c, telemetry.Server) }

// abortsUnread aborts while the gateway is stuck with bytes that the other end does not read, so that nobody reads the
// end that is aborted.
func abortsUnread(t *test, from, to *end, side telemetry.Side) {
	from.fill(2 * t.g.Holds)
	began := time.Now()
	conn.Abort(from.Conn)
	if r := t.record(); r.By != side || r.Reason != "rst" {
		t.Errorf("the record says %q, %q (%s)", r.By, r.Reason, r.Err)
	}
	if took := time.Since(began); took > within {
		t.Errorf("the abort was noticed after %v", took)
	}
	to.sees("rst", within)
}

// abortWhileBothSend aborts while the gateway reads and writes the end, so that either may be the first to notice.
func abortWhileBothSend(t *test) {
	for range 20 {
		c, s := t.open()
		var wrote, read error
		both(
			func() { sendUntilError(c) },
			func() { wrote = sendUntilError(s) },
			func() {
				io.ReadFull(c, make([]byte, 64<<10)) // both are at it by then
				conn.Abort(c.Conn)
			},
			func() {
				s.SetReadDeadline(time.Now().Add(patience))
				_, read = io.Copy(io.Discard, onlyReader{s.Conn})
			},
		)
		// The system gives the error of an abort once. Who comes later reads the end, and writes EPIPE, as after a FIN.
		if How(read) != "rst" && !errors.Is(wrote, syscall.ECONNRESET) {
			t.Errorf("the server read %v and wrote %v", read, wrote)
		}
		s.Close()
	}
}

func sendUntilError(e *end) error {
	b := make([]byte, 8<<10)
	for {
		e.SetWriteDeadline(time.Now().Add(patience))
		if _, err := e.Write(b); err != nil {
			return err
		}
	}
}

func clientAbortsAfterEnd(t *test) {
	c, s := t.open()
	c.finish()
	s.sees("fin", patience)
	conn.Abort(c.Conn)
	t.ended(telemetry.Client, "rst")
	awaitBroken(t, s)
}

func serverAbortsAfterEnd(t *test) {
	c, s := t.open()
	s.finish()
	c.sees("fin", patience)
	conn.Abort(s.Conn)
	t.ended(telemetry.Server, "rst")
	awaitBroken(t, c)
}

func clientAbortsAfterServerEnd(t *test) {
	c, s := t.open()
	s.finish()
	c.sees("fin", patience)
	c.send([]byte("half"))
	s.receive("half")
	conn.Abort(c.Conn)
	s.sees("rst", within)
	t.ended(telemetry.Client, "rst")
}

// awaitBroken writes until the end is known to be aborted; there is nothing to be read that would tell.
func awaitBroken(t *test, e *end) {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		e.SetWriteDeadline(deadline)
		_, err := e.Write([]byte("x"))
		if err != nil {
			if How(err) == "nothing" {
				t.Errorf("the %s is not told of the abort", e.name)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the %s is not told of the abort", e.name)
		}
		time.Sleep(time.Millisecond) // the peer's answer is not to be awaited but by writing again
	}
}

func abortInDial(t *test) {
	c := t.end("client", t.g.Hang(t))
	began := time.Now()
	conn.Abort(c.Conn)
	t.ended(telemetry.Client, "rst")
	if took := time.Since(began); took > within {
		t.Errorf("the abort was noticed after %v", took)
	}
}

var errTest = errors.New("the test says so")

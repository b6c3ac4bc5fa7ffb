package conn_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"gozilla/stream/conn"
	"gozilla/stream/conn/conntest"
)

func conntestHow(err error) string { return conntest.How(err) }

func TestPipeHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := conn.Pipe()
		a.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := a.Write(make([]byte, 1<<20))
		if n != 64<<10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("it took %d bytes: %v", n, err)
		}
		a.SetWriteDeadline(time.Time{})
		go func() { a.Write([]byte("more")); a.CloseWrite() }()
		got, err := io.ReadAll(b)
		if len(got) != 64<<10+4 || err != nil {
			t.Errorf("it gave %d bytes: %v", len(got), err)
		}
	})
}

func TestPipeReads(t *testing.T) {
	a, b := conn.Pipe()
	text := make([]byte, 200<<10)
	for i := range text {
		text[i] = byte(i * 31)
	}
	go func() { a.Write(text); a.CloseWrite() }()
	if err := iotest.TestReader(b, text); err != nil {
		t.Error(err)
	}
}

func TestPipeDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := conn.Pipe()
		began := time.Now()
		a.SetReadDeadline(began.Add(time.Minute))
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		var timeout net.Error
		if _, err := a.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("got %v", err)
		}
		// A later one replaces it, whose timer then means nothing.
		a.SetReadDeadline(time.Now().Add(time.Second))
		a.SetReadDeadline(time.Now().Add(time.Hour))
		go func() { time.Sleep(time.Minute); b.Write([]byte("x")) }()
		if n, err := a.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		// A past one ends who reads already.
		go func() { time.Sleep(time.Minute); a.SetDeadline(time.Unix(1, 0)) }()
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPipeEnds(t *testing.T) {
	read := func(c *conn.PipeConn) error { _, err := c.Read(make([]byte, 10)); return err }
	write := func(c *conn.PipeConn) error { _, err := c.Write([]byte("x")); return err }
	f := func(name string, end func(a *conn.PipeConn), do func(*conn.PipeConn) error, on string, want string) {
		t.Helper()
		a, b := conn.Pipe()
		end(a)
		c := a
		if on == "b" {
			c = b
		}
		got := "nil"
		switch err := do(c); {
		case err == io.EOF:
			got = "EOF"
		case errors.Is(err, net.ErrClosed):
			got = "closed"
		case errors.Is(err, io.ErrClosedPipe):
			got = "broken"
		case err != nil:
			got = "aborted"
		}
		if got != want {
			t.Errorf("%s: got %s, not %s", name, got, want)
		}
	}
	half := func(a *conn.PipeConn) { a.CloseWrite() }
	whole := func(a *conn.PipeConn) { a.Close() }
	abort := func(a *conn.PipeConn) { conn.Abort(a) }
	f("the other end reads a half-close", half, read, "b", "EOF")
	f("the other end writes on after a half-close", half, write, "b", "nil")
	f("one does not write after a half-close", half, write, "a", "closed")
	f("the other end reads a close", whole, read, "b", "EOF")
	f("the other end cannot write after a close", whole, write, "b", "broken")
	f("one does not read after a close", whole, read, "a", "closed")
	f("the other end reads an abort", abort, read, "b", "aborted")
	f("the other end writes after an abort", abort, write, "b", "aborted")
}

// TestPipeAbortDiscards is that an abort leaves nothing that could look whole.
func TestPipeAbortDiscards(t *testing.T) {
	a, b := conn.Pipe()
	a.Write([]byte("half of"))
	a.Abort()
	if n, err := b.Read(make([]byte, 10)); n != 0 || conntestHow(err) != "rst" {
		t.Errorf("got %d bytes, %v", n, err)
	}
}

func TestPipeCloseKeepsWhatWasSent(t *testing.T) {
	a, b := conn.Pipe()
	a.Write([]byte("all of it"))
	a.Close()
	if got, err := io.ReadAll(b); string(got) != "all of it" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

package h1_test

import (
	"bufio"
	"io"
	"testing"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
)

// TestBuffered is that who reads on as long as some of a body is at hand does not wait for what has not been sent, such as the
// next event, with the last one in hand.
func TestBuffered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ head, sent string }{
		{"transfer-encoding: chunked", "3\nabc\n"},
		{"transfer-encoding: chunked", "3\nabc\n0004;x=y"},
		{"transfer-encoding: chunked", "2\nab\n1\nc\n4\n"},
		{"content-length: 4", "abc"},
		{"connection: close", "abc"},
	} {
		r := newRig(t)
		read := make(chan struct{})
		p := r.pool(r.Pipes(r.backend(func(s conn.Conn, in *bufio.Reader, _ int) {
			request(in)
			say(s, "HTTP/1.1 200 OK\n"+c.head+"\n\n"+c.sent)
			<-read
		})))
		s := stream.Begin(r.Context(), node("client"))
		y, err := p.OpenExchange(s, &web.Request{Method: "GET", Authority: "a", Path: "/"})
		if err != nil {
			t.Fatal(err)
		}
		y.End(nil)
		if _, err := y.Response(); err != nil {
			t.Fatal(err)
		}
		if got := atHand(t, y); got != "abc" {
			t.Errorf("%q: got %q", c.sent, got)
		}
		close(read)
		y.Close()
		s.End(nil)
		p.close()
		r.done()
	}
}

// atHand reads a body as long as some is at hand.
func atHand(t *testing.T, y io.Reader) string {
	buf := make([]byte, 16)
	for n := 0; ; {
		k, err := y.Read(buf[n:])
		if err != nil {
			t.Error(err)
		}
		if n += k; err != nil || y.(interface{ Buffered() int }).Buffered() == 0 {
			return string(buf[:n])
		}
	}
}

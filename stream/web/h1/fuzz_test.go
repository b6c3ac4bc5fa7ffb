package h1_test

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/webtest"
)

// FuzzServer is a client that says anything, in two pieces, and ends: so does the server.
func FuzzServer(f *testing.F) {
	for _, c := range conversations {
		if len(c.say) < 2000 {
			f.Add([]byte(crlf(c.say)), uint16(len(c.say)/2), len(c.say)%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, at uint16, relayed bool) {
		r := newRig(t)
		var h web.Handler = webtest.Func(app)
		if relayed {
			h = web.Dialing(web.Serving(h))
		}
		c := r.client(r.Pipes(&h1.Server{Node: node("server"), Handler: h}))
		go func() { // ends with what is said, or with the connection
			n := min(int(at), len(b))
			if _, err := c.Write(b[:n]); err == nil {
				if _, err = c.Write(b[n:]); err == nil {
					c.CloseWrite()
				}
			}
		}()
		c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, c.Conn); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("it does not end: %v", err)
		}
		c.Close()
		r.done()
		r.Blameless()
	})
}

// FuzzPeer is a server that says anything, and ends: so does the exchange, and a body that was cut off is not whole.
func FuzzPeer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\ncontent-length: 2\n\nok", "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n2\nok\n0\nx: y\n\n",
		"HTTP/1.1 103 Hints\n\nHTTP/1.1 204 OK\n\n", "HTTP/1.0 200 OK\n\nall", "HTTP/1.1 101 Up\nconnection: upgrade\nupgrade: x\n\nraw",
	} {
		f.Add([]byte(crlf(s)), "GET", "")
		f.Add([]byte(crlf(s)), "HEAD", "x")
		f.Add([]byte(crlf(s)), "CONNECT", "")
	}
	f.Fuzz(func(t *testing.T, b []byte, method, protocol string) {
		r := newRig(t)
		p := r.pool(r.Pipes(r.backend(func(c conn.Conn, in *bufio.Reader, _ int) {
			if request(in) != "" {
				c.Write(b)
			}
		})))
		s := stream.Begin(r.Context(), node("test"))
		y, err := p.OpenExchange(s, &web.Request{Method: method, Authority: "a:1", Path: "/", Protocol: protocol, Interim: len(b)%2 == 0})
		if err == nil {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			stop := context.AfterFunc(ctx, func() { t.Error("it does not end"); s.Cancel(nil) })
			r.Swallow(method, y)
			y.Close()
			stop()
			cancel()
		}
		s.End(nil)
		p.close()
		r.done()
		r.Blameless()
	})
}

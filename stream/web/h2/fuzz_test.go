package h2_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h2"
	"gozilla/stream/web/webtest"
	wire "gozilla/wire/h2"
)

// FuzzServer is a client that says anything behind the preface, in two pieces, and ends: so does the server.
func FuzzServer(f *testing.F) {
	add := func(b []byte) {
		if len(b) < 2000 {
			f.Add(b, uint16(len(b)/2), len(b)%2 == 0)
		}
	}
	for _, c := range conversations {
		add(c.say)
	}
	for _, c := range malformed {
		add(heads(1, wire.EndStream, c.block))
	}
	for _, c := range faults {
		add(c.say)
	}
	add(cat(post(1, "/echo"), data(1, "bo"), post(3, "/unread"), get(5, "/stream"), reset(3, wire.Cancel), settings(wire.Setting{ID: wire.InitialWindow, Value: 1}), last(1, "dy"), window(1, 10), get(7, "/big")))
	f.Fuzz(func(t *testing.T, b []byte, at uint16, relayed bool) {
		r := newRig(t)
		var h web.Handler = webtest.Func(waits)
		if relayed {
			h = web.Dialing(web.Serving(h))
		}
		c := r.greeted(r.Pipes(&h2.Server{Node: node("server"), Handler: h}))
		go func() { // ends with what is said, or with the connection
			n := min(int(at), len(b))
			if _, err := c.Write(b[:n]); err == nil {
				if _, err = c.Write(b[n:]); err == nil {
					c.CloseWrite()
				}
			}
		}()
		if _, err := io.Copy(io.Discard, c.Conn); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("it does not end: %v", err)
		}
		c.Close()
		r.Rested()
		r.Blameless()
	})
}

// says is a server that says anything when it has heard the preface, and ends.
type says []byte

func (s says) ServeConn(_ context.Context, c conn.Conn, _ *stream.Info) error {
	if _, err := io.ReadFull(c, make([]byte, len(wire.Preface))); err != nil {
		return err
	}
	if _, err := c.Write(s); err != nil {
		return err
	}
	c.CloseWrite()
	io.Copy(io.Discard, c)
	return nil
}

// FuzzClient is a server that says anything, and ends: so does the exchange, and a body that was cut off is not whole.
func FuzzClient(f *testing.F) {
	for _, s := range [][]byte{
		cat(answer("200", "content-length", "2"), last(1, "ok")), cat(answer("200"), data(1, "ok"), heads(1, wire.EndStream, fields("x", "y"))),
		cat(answer("103"), whole("204")), cat(answer("200"), data(1, "raw"), ping("12345678")), whole("304", "content-length", "4"),
		cat(wire.AppendGoAway(nil, 0, wire.NoError, "")), reset(1, wire.RefusedStream), heads(1, wire.EndStream, []byte{number62}),
		cat(answer("200", "content-length", "4"), last(1, "ok")), cat(data(1, "x"), whole("200")), wire.AppendPromise(nil, 1, 2, nil),
	} {
		for _, first := range [][]byte{settings(), settings(wire.Setting{ID: wire.EnableConnect, Value: 1}), nil} {
			f.Add(cat(first, s), "GET", "")
			f.Add(cat(first, s), "HEAD", "x")
			f.Add(cat(first, s), "CONNECT", "")
			f.Add(cat(first, s), "POST", "")
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, method, protocol string) {
		r := newRig(t)
		r.Host.Limits.Dial = 100 * time.Millisecond // for as long as that it is asked again
		p := r.pool(r.Pipes(says(b)))
		s := r.begin()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		stop := context.AfterFunc(ctx, func() { t.Error("it does not end"); s.Cancel(nil) })
		tries := 0
		q := &web.Request{Method: method, Scheme: "http", Authority: "a:1", Path: "/", Protocol: protocol, Interim: len(b)%2 == 0}
		if method == "POST" {
			q.Length = -1
		}
		var y web.Opened
		for tries < 5 { // that the pool gives up is a matter of the pool
			c, err := p.Another(s, nil)
			if err == nil {
				if y, err = c.Begin(s, q); err == nil {
					break
				}
			}
			y = nil
			tries++
		}
		if y != nil {
			r.Swallow(method, y)
			y.Close()
		}
		stop()
		cancel()
		s.End(nil)
		p.close()
		r.Rested()
		r.Blameless()
	})
}

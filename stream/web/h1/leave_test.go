package h1_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/webtest"
	"gozilla/telemetry"
)

// busy is after how many requests a connection surely serves its own.
const busy = 20

// ask makes requests and wants them answered.
func (c *client) ask(times int) {
	c.Helper()
	for range times {
		c.say("GET / HTTP/1.1\n" + host + "\n")
		c.hear(ok("GET http x /"))
	}
}

// TestLeaveHalfHead is a client that has said some of a head when the gateway leaves. Whether that was received already
// makes no difference.
func TestLeaveHalfHead(t *testing.T) {
	for _, o := range webtest.Over {
		for _, c := range []struct {
			before     int // requests
			half, rest string
			body       string // of the answer
		}{
			{0, "G", "ET / HTTP/1.1\n" + host + "\n", "GET http x /"},
			{0, "GET / HTTP/1.1\nho", "st: x\n\n", "GET http x /"},
			{1, "GET / HTTP/1.1\nho", "st: x\n\n", "GET http x /"},
			{busy, "GET / HTTP/1.1\nho", "st: x\n\n", "GET http x /"},
			{1, "POST /echo HTTP/1.1\n" + host + "content-length: 4\n\nbo", "dy", "body"},
			{busy, "POST /echo HTTP/1.1\n" + host + "content-len", "gth: 4\n\nbody", "body"},
		} {
			for _, pause := range []time.Duration{0, 20 * time.Millisecond} {
				r := newRig(t)
				cl := r.client(o.Of(r.Rig, &h1.Server{Node: node("server"), Handler: webtest.Func(app), Name: "S"}))
				cl.ask(c.before)
				cl.say(c.half)
				time.Sleep(pause)
				r.Host.Leave()
				time.Sleep(pause)
				cl.say(c.rest)
				cl.hear(closing(c.body))
				cl.ends("fin")
				r.done()
			}
		}
	}
}

// TestLeaveUnread is a request of which nothing was received when the gateway leaves.
func TestLeaveUnread(t *testing.T) {
	for _, o := range webtest.Over {
		for _, before := range []int{0, busy} {
			r := newRig(t)
			began, proceed := make(chan struct{}), make(chan struct{})
			cl := r.client(o.Of(r.Rig, &h1.Server{Node: node("server"), Name: "S", Handler: webtest.Func(func(ctx context.Context, q *web.Request, x web.Served) error {
				if q.Path == "/wait" {
					x.Respond(&web.Response{Status: 204})
					x.Flush()
					close(began)
					<-proceed
					return nil
				}
				return app(ctx, q, x)
			})}))
			cl.ask(before)
			cl.say("GET /wait HTTP/1.1\n" + host + "\n")
			<-began
			cl.hear("HTTP/1.1 204 No Content\ndate: D\nserver: S\n\n") // which does not say that it was the last
			cl.say("GET / HTTP/1.1\n" + host + "\n")
			r.Host.Leave()
			close(proceed)
			cl.hear(closing("GET http x /"))
			cl.ends("fin")
			r.done()
		}
	}
}

// TestLeaveBefore is a request that has come before anybody looks at its connection, which begins when the gateway leaves
// already.
func TestLeaveBefore(t *testing.T) {
	for _, pair := range []func(t *testing.T) (near, far conn.Conn){
		func(*testing.T) (near, far conn.Conn) { return conn.Pipe() },
		func(t *testing.T) (near, far conn.Conn) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			x, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			y, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			return x.(*net.TCPConn), y.(*net.TCPConn)
		},
	} {
		for _, c := range []struct{ say, hear string }{
			{"GET / HTTP/1.1\n" + host + "\n", closing("GET http x /")},
			{"\nPOST /echo HTTP/1.1\n" + host + "content-length: 4\n\nbodyGET / HTTP/1.1\n" + host + "\n", closing("body")},
			{"bad\n\n", refused(400, "Bad Request")},
			{"\n", ""},
			{"", ""},
		} {
			r := newRig(t)
			near, far := pair(t)
			cl := r.client(func() (conn.Conn, error) { return near, nil })
			cl.say(c.say)
			r.Host.Leave()
			r.Start(far, &h1.Server{Node: node("server"), Handler: webtest.Func(app), Name: "S"}, nil)
			cl.hear(c.hear)
			if strings.HasSuffix(c.say, host+"\n") && c.say[0] == '\n' { // what is left unread may reset it
				cl.Close()
			} else {
				cl.ends("fin")
			}
			r.done()
		}
	}
}

// TestLeaveMeanwhile has the gateway leave while a request with a body is received.
func TestLeaveMeanwhile(t *testing.T) {
	for _, o := range webtest.Over {
		for i := range 200 {
			r := newRig(t)
			cl := r.client(o.Of(r.Rig, &h1.Server{Node: node("server"), Handler: webtest.Func(app), Name: "S"}))
			cl.ask(i % (busy + 1))
			cl.say("POST /echo HTTP/1.1\n" + host + "content-length: 4\n\n")
			var all sync.WaitGroup
			all.Go(r.Host.Leave)
			all.Go(func() { io.WriteString(cl.Conn, "body") })
			b, err := io.ReadAll(cl.Conn)
			all.Wait()
			if got := normal(b); err != nil || got != ok("body") && got != closing("body") {
				t.Fatalf("heard %q, %v", got, err)
			}
			cl.Close()
			r.done()
		}
	}
}

// TestLeaveSlowHead is a head that is never complete: the gateway does not wait for longer than otherwise.
func TestLeaveSlowHead(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		c := r.bubbleClient(r.Pipes(&h1.Server{Node: node("server"), Handler: webtest.Func(app), Name: "S"}))
		began := time.Now()
		c.say("GET / HTTP/1.1\nho")
		time.Sleep(r.Host.Limits.HeadTime / 2)
		r.Host.Leave()
		c.hear(refused(408, "Request Timeout"))
		after(t, began, r.Host.Limits.HeadTime)
		c.ends("fin")
	})
}

// TestLeaveIdle is who has said nothing, or nothing but empty lines, or has ended in the middle of a head.
func TestLeaveIdle(t *testing.T) {
	for _, c := range []struct {
		say    string
		fin    bool
		by     telemetry.Side
		reason string
	}{
		{"", false, telemetry.Gateway, "drain"},
		{"\n", false, telemetry.Gateway, "drain"},
		{"G", true, telemetry.Client, "truncated"},
	} {
		inBubble(t, func(t *testing.T, r *rig) {
			cl := r.bubbleClient(r.Pipes(&h1.Server{Node: node("server"), Handler: webtest.Func(app), Name: "S"}))
			cl.ask(1)
			cl.say(c.say)
			synctest.Wait()
			began := time.Now()
			r.Host.Leave()
			if c.fin {
				cl.CloseWrite()
			}
			cl.ends("fin")
			after(t, began, 0)
			if got := r.connection("listener"); got.By != c.by || got.Reason != c.reason {
				t.Errorf("%q: got %q %q (%s)", c.say, got.By, got.Reason, got.Err)
			}
		})
	}
}

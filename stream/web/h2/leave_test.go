package h2_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/webtest"
	"gozilla/telemetry"
	wire "gozilla/wire/h2"
)

const warning = "goaway 2147483647 NO_ERROR"

// TestLeave is the end in order: the client is told that there will be one, and once it knows, which stream is the last.
func TestLeave(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		c := r.greeted(o.Of(r.Rig, server(app)))
		c.say(post(1, "/echo"), data(1, "bo"))
		c.works(3)
		r.Host.Leave()
		r.Host.Leave()
		c.hear(warning, "ping leaving\x00")
		c.works(5) // was on its way, as far as we know
		c.say(pong("leaving\x00"))
		c.hear("goaway 5 NO_ERROR")
		// All of these are too late. The client knows, and is told no more.
		c.say(get(7, "/"), post(9, "/echo"), data(9, "x"), heads(9, wire.EndStream, literal("a", "b")), window(9, 1), reset(9, wire.Cancel), data(9, "x"))
		c.say(post(11, "/echo"), long(11, wire.EndStream, nil), get(13, "/"), window(13, 1), post(15, "/"), reset(15, wire.Cancel))
		c.say(data(1, "dy"), heads(1, wire.EndStream, []byte{number62}))
		c.hear("1 200 a=b content-length=4 server=S|body")
		c.ends("fin")
		r.was(telemetry.Gateway, "drain")
	}
}

// TestLeaveLast is that the last stream does not change any more, whatever becomes of the connection.
func TestLeaveLast(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		c := r.greeted(o.Of(r.Rig, server(waits)))
		c.say(get(1, "/wait"))
		c.works(3)
		r.Host.Leave()
		c.hear(warning, "ping leaving\x00")
		c.say(pong("leaving\x00"))
		c.hear("goaway 3 NO_ERROR")
		c.say(get(5, "/"), data(0, "x"))
		c.hear("goaway 3 PROTOCOL_ERROR")
		c.ends("fin")
	}
}

// TestLeaveIdle is a connection on which nothing goes on, at different points of its life.
func TestLeaveIdle(t *testing.T) {
	for _, before := range []string{"", "PRI", wire.Preface, wire.Preface + string(settings()), wire.Preface + string(settings()) + string(get(1, "/204"))} {
		for _, answers := range []bool{true, false} {
			inBubble(t, func(t *testing.T, r *rig) {
				c := r.client(r.Pipes(server(app)))
				c.SetDeadline(time.Time{})
				c.say([]byte(before))
				synctest.Wait()
				last := "0"
				if len(before) > 40 {
					c.hear("1 204 server=S")
					last = "1"
				}
				began := time.Now()
				r.Host.Leave()
				c.hear(warning, "ping leaving\x00")
				if answers && len(before) > 24 {
					c.say(pong("leaving\x00"))
				}
				c.hear("goaway " + last + " NO_ERROR")
				c.ends("fin")
				if answers && len(before) > 24 {
					after(t, began, 0)
				} else {
					after(t, began, 1250*time.Millisecond) // looks come within a second, and it is the second one
				}
				r.was(telemetry.Gateway, "drain")
			})
		}
	}
}

// TestLeaveBefore is a request that has come before anybody looks at its connection, which begins when the gateway leaves already.
func TestLeaveBefore(t *testing.T) {
	r := newRig(t)
	r.Rests()
	near, far := conn.Pipe()
	c := r.greeted(func() (conn.Conn, error) { return near, nil })
	c.say(post(1, "/echo"), last(1, "body"))
	r.Host.Leave()
	r.Start(far, server(app), nil)
	for _, want := range []string{"1" + ok("body"), warning, "ping leaving\x00"} {
		got, err := c.event()
		if err != nil {
			t.Fatal(err)
		}
		if got == warning || got == want { // in whatever order
			continue
		}
		if got != "ping leaving\x00" && got != "1"+ok("body") {
			t.Errorf("heard %q", got)
		}
	}
	c.say(pong("leaving\x00"))
	c.hear("goaway 1 NO_ERROR")
	c.ends("fin")
}

// TestLeaveClients is clients that are busy, idle, and new when the gateway leaves.
func TestLeaveClients(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		began, proceed := make(chan struct{}), make(chan struct{})
		p := r.pool(o.Of(r.Rig, server(func(ctx context.Context, q *web.Request, x web.Served) error {
			if q.Path == "/wait" {
				close(began)
				<-proceed
			}
			return app(ctx, q, x)
		})))
		s := r.begin()
		y, err := p.OpenExchange(s, request("GET", "/wait"))
		if err != nil {
			t.Fatal(err)
		}
		y.Flush()
		<-began
		r.Host.Leave()
		close(proceed)
		resp, err := y.Response()
		if err != nil || resp.Status != 200 {
			t.Errorf("%s: got %v, %v", o.Name, resp, err)
		} else if b, err := io.ReadAll(y); string(b) != "GET http x /wait" || err != nil {
			t.Errorf("%s: read %q, %v", o.Name, b, err)
		}
		y.Close()
		s.End(nil)
	}
}

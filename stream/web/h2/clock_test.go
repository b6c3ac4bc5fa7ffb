package h2_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/telemetry"
	wire "gozilla/wire/h2"
)

// late is how much later than at its limit something may be noticed.
const late = 1500 * time.Millisecond

// inBubble runs f where time passes when everybody waits. What runs elsewhere has no part in that, so that the test is not
// parallel to others.
func inBubble(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	conn.Cold(true)
	defer conn.Cold(false)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		f(t, r)
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if r.Host.AwaitIdle(ctx) != nil {
			t.Errorf("%d connections are still open", r.Host.Open())
		}
		if held := r.Host.Bodies.Load(); held != 0 {
			t.Errorf("%d bytes of bodies are still held", held)
		}
	})
}

// after fails the test unless about d has passed.
func after(t *testing.T, began time.Time, d time.Duration) {
	t.Helper()
	if took := time.Since(began); took < d-250*time.Millisecond || took > d+late {
		t.Errorf("it took %v, not %v", took, d)
	}
}

// patient is a client that waits for as long as it takes, and has said what comes first.
func (r *rig) patient(d dial, settings ...wire.Setting) *hand {
	r.Helper()
	c := r.greeted(d, settings...)
	c.SetDeadline(time.Time{})
	return c
}

// was wants the record of the connection to tell that it ended like that.
func (r *rig) was(by telemetry.Side, reason string) {
	r.Helper()
	if got := r.connection("listener"); got.By != by || got.Reason != reason {
		r.Errorf("the connection ended by %q, with %q (%s), not %q, %q", got.By, got.Reason, got.Err, by, reason)
	}
}

// pings says every ten seconds that it is there, until stop is closed.
func (h *hand) pings(stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(10 * time.Second):
			h.Write(ping("12345678"))
		}
	}
}

// TestNoPreface is a client that does not say what comes first, or not all of it.
func TestNoPreface(t *testing.T) {
	for _, said := range []string{"", "PRI * HTTP", wire.Preface, wire.Preface + string(settings()[:5])} {
		inBubble(t, func(t *testing.T, r *rig) {
			c := r.client(r.Pipes(server(app)))
			c.SetDeadline(time.Time{})
			began := time.Now()
			for i := range said { // what comes meanwhile does not help
				c.say([]byte{said[i]})
				time.Sleep(100 * time.Millisecond)
			}
			c.hear("goaway 0 SETTINGS_TIMEOUT")
			after(t, began, r.Host.Limits.HeadTime)
			c.ends("fin")
			r.was(telemetry.Client, "invalid")
		})
	}
}

// TestIdle is a connection without streams.
func TestIdle(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d := r.Pipes(server(app))
		c := r.patient(d)
		began := time.Now()
		stop := make(chan struct{})
		defer close(stop)
		go c.pings(stop) // what is no request does not help
		for range 7 {
			c.hear("pong 12345678")
		}
		c.hear("goaway 0 NO_ERROR")
		c.ends("fin")
		after(t, began, r.Host.Limits.Idle)
		r.was(telemetry.Gateway, "idle timeout")

		c = r.patient(d)
		for i := range uint32(3) {
			c.works(1 + 2*i)
			time.Sleep(r.Host.Limits.Idle - 2*time.Second)
		}
		c.say(post(11, "/echo"))
		time.Sleep(r.Host.Limits.Body - 2*time.Second)
		c.say(last(11, "body"))
		c.hear("11" + ok("body"))
		began = time.Now()
		c.hear("goaway 11 NO_ERROR")
		c.ends("fin")
		after(t, began, r.Host.Limits.Idle)
	})
}

// TestSlowHead is a block that is never complete, though it grows.
func TestSlowHead(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		c := r.patient(r.Pipes(server(waits)))
		c.say(get(1, "/wait"))
		began := time.Now()
		c.say(frame(wire.Headers, wire.EndStream, 3, nil))
		for range 5 {
			time.Sleep(time.Second)
			c.say(frame(wire.Continuation, 0, 3, nil))
		}
		c.hear("goaway 1 ENHANCE_YOUR_CALM")
		after(t, began, r.Host.Limits.HeadTime)
		c.ends("fin")
	})
}

// TestSlowBody is a body that stands still: its stream is answered, others go on.
func TestSlowBody(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		c := r.patient(r.Pipes(server(app)))
		c.say(post(1, "/echo", "content-length", "10"))
		time.Sleep(r.Host.Limits.Body - 2*time.Second) // it may stand still that long, each time
		c.say(data(1, "bo"))
		began := time.Now()
		c.hear("ping \x00\x00\x00\x00\x00\x00\x00\x00") // it is silent, too
		c.say(pong("\x00\x00\x00\x00\x00\x00\x00\x00"))
		c.hear("1 408 content-length=0 server=S", "1 !NO_ERROR")
		after(t, began, r.Host.Limits.Body)
		c.works(3)
		c.Close()
	})
}

// TestPausingCalls is that a request of no length may be silent for long once both sides talk, and if it is a call of gRPC before that.
func TestPausingCalls(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		c := r.patient(r.Pipes(server(func(_ context.Context, q *web.Request, x web.Served) error {
			if q.Path == "/talk" {
				x.Respond(&web.Response{Status: 200, Length: -1})
				x.Flush()
			}
			b, err := io.ReadAll(x)
			if err != nil {
				return err
			}
			if q.Path != "/talk" {
				x.Respond(&web.Response{Status: 200, Length: -1})
			}
			x.Write(b)
			return nil
		})))
		c.say(post(1, "/talk"), post(3, "/listen", "content-type", "application/grpc+proto"), post(5, "/slow"))
		c.say(data(1, "a"), data(3, "b"), data(5, "c"))
		began := time.Now()
		var heard []string
		for time.Since(began) < 3*r.Host.Limits.Body {
			line, err := c.event()
			if err != nil {
				t.Fatal(err)
			}
			if pinged, ok := strings.CutPrefix(line, "ping "); ok {
				c.say(pong(pinged))
				continue
			}
			heard = append(heard, line)
		}
		if want := []string{"5 408 content-length=0 server=S", "5 !NO_ERROR"}; !slices.Equal(heard, want) {
			t.Errorf("heard %q, not %q", heard, want)
		}
		c.say(last(1, "z"))
		c.hear("1 200 server=S|az")
		c.say(last(3, "z"))
		c.hear("3 200 server=S|bz")
		c.Close()
	})
}

// TestSlowReaders is a hundred streams that are not read, with and without windows: each is given up, and the connection goes
// on, unless it is what is not read.
func TestSlowReaders(t *testing.T) {
	const streams = 100
	for _, c := range []struct {
		name     string
		settings []wire.Setting
		wait     int // for resets
		by       telemetry.Side
		reason   string
	}{
		{"no windows", []wire.Setting{{ID: wire.InitialWindow, Value: 0}}, streams, telemetry.Client, "fin"},
		{"the window of the connection", []wire.Setting{{ID: wire.InitialWindow, Value: 1 << 30}}, streams, telemetry.Client, "fin"},
		{"nothing is read", nil, 0, telemetry.Gateway, "slow reader"},
	} {
		inBubble(t, func(t *testing.T, r *rig) {
			failed := make(chan error, streams)
			h := r.patient(r.Pipes(server(func(ctx context.Context, q *web.Request, x web.Served) error {
				if q.Path == "/works" {
					return app(ctx, q, x)
				}
				x.Respond(&web.Response{Status: 200, Length: -1})
				for {
					if _, err := x.Write(make([]byte, 1000)); err != nil {
						failed <- err
						return err
					}
				}
			})), c.settings...)
			stop := make(chan struct{})
			defer close(stop)
			go h.pings(stop)
			if c.name == "nothing is read" {
				h.say(window(0, 1<<30), settings(wire.Setting{ID: wire.InitialWindow, Value: 1 << 30}))
			}
			for i := range uint32(streams) {
				h.say(get(1+2*i, "/"))
			}
			began := time.Now()
			for resets := 0; resets < c.wait; {
				f, err := h.next()
				if err != nil {
					t.Fatal(err)
				}
				if f.Type == wire.Reset {
					if resets++; f.Code != wire.Cancel {
						t.Errorf("%s: a stream was reset with %v", c.name, f.Code)
					}
				}
			}
			for range streams {
				var cut *stream.Cut
				if err := <-failed; !errors.As(err, &cut) || cut.Why != "slow reader" {
					t.Errorf("%s: got %v", c.name, err)
				}
			}
			after(t, began, r.Host.Limits.Body)
			if c.wait > 0 {
				h.table = wire.NewDecoder(func(string, string) {})
				h.say(window(0, 1<<20), settings(wire.Setting{ID: wire.InitialWindow, Value: 1 << 16}))
				h.say(get(1001, "/works"))
				for f, err := h.next(); f.Stream != 1001; f, err = h.next() {
					if err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				h.CloseWrite()
				h.drain()
			}
			h.Close()
			r.was(c.by, c.reason)
		})
	}
}

// TestKeepAlive is a client that is silent while something goes on. It is asked whether it is there.
func TestKeepAlive(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d := r.Pipes(server(waits))
		c := r.patient(d)
		c.say(get(1, "/wait"))
		for range 5 {
			began := time.Now()
			c.hear("ping \x00\x00\x00\x00\x00\x00\x00\x00")
			after(t, began, r.Host.Limits.Ping)
			c.say(pong("\x00\x00\x00\x00\x00\x00\x00\x00"))
		}
		c.say(reset(1, wire.Cancel))
		began := time.Now()
		c.hear("goaway 1 NO_ERROR") // without streams it is not asked
		after(t, began, r.Host.Limits.Idle)
		c.ends("fin")

		c = r.patient(d)
		c.say(get(1, "/wait"))
		synctest.Wait()
		began = time.Now()
		c.drain()
		after(t, began, 2*r.Host.Limits.Ping)
		c.Close()
	})
	inBubble(t, func(t *testing.T, r *rig) {
		c := r.patient(r.Pipes(server(waits)))
		c.say(get(1, "/wait"))
		c.drain()
		c.Close()
		r.was(telemetry.Client, "keep-alive timeout")
	})
}

// TestScopeEnds is what happens to exchanges when their connection's scope is cancelled.
func TestScopeEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		cause := errors.New("the test says so")
		ended, causes, began := make(chan error, 1), make(chan error, 2), make(chan struct{}, 2)
		near, far := conn.Pipe()
		s := r.Start(far, server(func(ctx context.Context, q *web.Request, x web.Served) error {
			began <- struct{}{}
			if q.Path == "/read" {
				_, err := io.ReadAll(x)
				causes <- context.Cause(ctx)
				return err
			}
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return context.Cause(ctx)
		}), func(err error) { ended <- err })
		c := r.byHand(near)
		c.say([]byte(wire.Preface), settings(), get(1, "/"), post(3, "/read"))
		<-began
		<-began
		s.Cancel(cause)
		for range 2 {
			if err := <-causes; !errors.Is(err, cause) {
				t.Errorf("an exchange ended with %v", err)
			}
		}
		if err := <-ended; !errors.Is(err, cause) {
			t.Errorf("it ended with %v", err)
		}
		near.Close()
	})
}

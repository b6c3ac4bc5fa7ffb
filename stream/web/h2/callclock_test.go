package h2_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/telemetry"
	wire "gozilla/wire/h2"
)

// acceptPatiently is accept, by who waits for as long as it takes.
func (b *backend) acceptPatiently(settings ...wire.Setting) *hand {
	h := b.accept(settings...)
	h.SetDeadline(time.Time{})
	return h
}

// TestNoAnswer is a server that does not answer in time.
func TestNoAnswer(t *testing.T) {
	for _, c := range []struct{ method, body, protocol string }{{"POST", "", ""}, {"POST", "body", ""}, {"GET", "", "websocket"}, {"CONNECT", "", ""}} {
		inBubble(t, func(t *testing.T, r *rig) {
			b := r.backend(false)
			q := request(c.method, "/")
			q.Length, q.Protocol = int64(len(c.body)), c.protocol
			began := time.Now()
			came := b.asks(q, c.body)
			h := b.acceptPatiently(wire.Setting{ID: wire.EnableConnect, Value: 1})
			go func() { // ends with the connection
				for {
					f, err := h.next()
					if err != nil {
						return
					}
					if f.Type == wire.Ping {
						h.Write(pong(string(f.Payload)))
					}
				}
			}()
			if got := <-came; got != "refused: timeout" {
				t.Errorf("there came %q", got)
			}
			after(t, began, r.Host.Limits.Answer)
			h.Close()
		})
	}
}

// TestSlowAnswer is a server whose body stands still: less long if it has said how long it is.
func TestSlowAnswer(t *testing.T) {
	for _, c := range []struct {
		head  []byte
		come  string
		after func(r *rig) time.Duration
	}{
		{answer("200", "content-length", "10"), "200 length 10|half, then cut: slow body", func(r *rig) time.Duration { return r.Host.Limits.Body }},
		{answer("200"), "200|half, then cut: slow body", func(r *rig) time.Duration { return r.Host.Limits.Pause }},
	} {
		inBubble(t, func(t *testing.T, r *rig) {
			b := r.backend(false)
			came := b.asks(request("GET", "/"), "")
			h := b.acceptPatiently()
			h.hear(asked(1, "GET", "/"))
			time.Sleep(r.Host.Limits.Answer - 35*time.Second)
			h.say(c.head, data(1, "half"))
			began := time.Now()
			for {
				got, err := h.event()
				if err != nil {
					t.Fatal(err)
				}
				if got == "1 !CANCEL" {
					break
				}
				h.say(pong(got[len("ping "):]))
			}
			after(t, began, c.after(r))
			if got := <-came; got != c.come {
				t.Errorf("there came %q", got)
			}
			h.Close()
		})
	}
}

// TestNoSettings is a server that says nothing.
func TestNoSettings(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		b := r.backend(false)
		q := request("POST", "/")
		q.Length = 4
		began := time.Now()
		came := b.asks(q, "body")
		h := b.silent()
		h.SetDeadline(time.Time{})
		h.hear("1 :method=POST :scheme=http :authority=x :path=/ content-length=4|body", "goaway 0 SETTINGS_TIMEOUT")
		after(t, began, r.Host.Limits.HeadTime)
		if got := <-came; got != "502" {
			t.Errorf("there came %q", got)
		}
		h.Close()
	})
}

// TestNoSettingsCancelled is a request that has to wait for the settings, until nobody wants it any more.
func TestNoSettingsCancelled(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		b := r.backend(false)
		q := request("GET", "/")
		q.Protocol = "websocket"
		cause := errors.New("the test says so")
		s := r.begin()
		began := time.Now()
		time.AfterFunc(3*time.Second, func() { s.Cancel(cause) })
		if _, err := b.OpenExchange(s, q); !errors.Is(err, cause) {
			t.Errorf("there came %v", err)
		}
		after(t, began, 3*time.Second)
		s.End(nil)
		b.silent().Close()
	})
}

// isThere is what a server is sent that is asked whether it is there, there what it answers.
const isThere = "ping \x00\x00\x00\x00\x00\x00\x00\x00"

var there = pong("\x00\x00\x00\x00\x00\x00\x00\x00")

// TestSilentServer is a server that is silent while it is asked something: it is asked whether it is there, and seldom again
// if it says nothing but that it is.
func TestSilentServer(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.Host.Limits.Answer = time.Hour
		limit, rarely := r.Host.Limits.Ping, 10*r.Host.Limits.Ping+time.Second
		b := r.backend(false)
		came := b.asks(request("POST", "/"), "")
		h := b.acceptPatiently()
		h.hear(asked(1, "POST", "/") + " content-length=0")
		for _, pause := range []time.Duration{limit, rarely, rarely} {
			began := time.Now()
			h.hear(isThere)
			after(t, began, pause)
			h.say(there)
		}
		h.say(answer("200"))
		began := time.Now()
		h.hear(isThere)
		after(t, began, limit)
		if got := <-came; got != "200, then cut: keep-alive timeout" {
			t.Errorf("there came %q", got)
		}
		after(t, began, 2*limit)
		h.Close()
	})
}

// TestSilentServerWithoutPatience is a server of whose clients none waits for long: that there is nobody who waits now and then
// does not hide that it is gone.
func TestSilentServerWithoutPatience(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		b := r.backend(false)
		began := time.Now()
		for i := range 6 {
			s := r.begin()
			time.AfterFunc(6*time.Second, func() { s.Cancel(errors.New("the test says so")) })
			y, err := b.OpenExchange(s, request("GET", "/"))
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 || i == 5 {
				go b.acceptPatiently().drain() // ends with the connection
			}
			if _, err := y.Response(); err == nil {
				t.Error("it was answered")
			}
			y.Close()
			s.End(nil)
			time.Sleep(3 * time.Second)
		}
		time.Sleep(time.Until(began.Add(2*r.Host.Limits.Ping + 12*time.Second)))
		if got := b.dials(); got != 2 {
			t.Errorf("there were %d connections", got)
		}
		if got := r.connection("pool"); got.Reason != "keep-alive timeout" {
			t.Errorf("the connection ended with %q", got.Reason)
		}
	})
}

// TestDoubted is a server that says nothing at all while somebody waits for its answer in vain: until it is known whether it
// is there, nothing else is asked of it.
func TestDoubted(t *testing.T) {
	for _, returns := range []bool{true, false} {
		inBubble(t, func(t *testing.T, r *rig) {
			r.Host.Limits.Answer = 5 * time.Second
			b := r.backend(false)
			works := func(h *hand, id int) *hand {
				t.Helper()
				came := b.asks(request("GET", "/"), "")
				if h == nil {
					h = b.acceptPatiently()
				}
				h.answers(id, "/")
				if got := <-came; got != "204" {
					t.Errorf("there came %q", got)
				}
				return h
			}
			first := works(nil, 1)
			time.Sleep(time.Second)
			came := b.asks(request("GET", "/"), "")
			first.hear(asked(3, "GET", "/"))
			began := time.Now()
			if got := <-came; got != "refused: timeout" {
				t.Errorf("there came %q", got)
			}
			after(t, began, r.Host.Limits.Answer)
			first.hear("3 !CANCEL", isThere)
			second := works(nil, 1)
			if returns {
				first.say(there)
				synctest.Wait()
				works(first, 5)
			} else {
				works(second, 3)
				began := time.Now()
				first.drain()
				after(t, began, r.Host.Limits.Ping)
				if got := r.connection("pool"); got.Reason != "keep-alive timeout" {
					t.Errorf("the connection ended with %q", got.Reason)
				}
			}
			second.Close()
			first.Close()
		})
	}
}

// TestDoubtedAgain is a server that says nothing but that it is there: that is not asked all the time, and who cannot be asked is
// left.
func TestDoubtedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.Host.Limits.Answer = 5 * time.Second
		b := r.backend(false)
		came := b.asks(request("GET", "/"), "")
		h := b.acceptPatiently()
		h.answers(1, "/")
		<-came
		for _, then := range []string{isThere, "goaway 0 NO_ERROR"} {
			time.Sleep(time.Second)
			came := b.asks(request("GET", "/"), "")
			id := 3
			if then != isThere {
				id = 5
			}
			h.hear(asked(id, "GET", "/"), itoa(id)+" !CANCEL", then)
			if got := <-came; got != "refused: timeout" {
				t.Errorf("there came %q", got)
			}
			if then == isThere {
				h.say(there)
				synctest.Wait()
			}
		}
		h.ends("fin")
		if got := r.connection("pool"); got.By != telemetry.Gateway || got.Reason != "no answer" {
			t.Errorf("the connection ended by %q, with %q", got.By, got.Reason)
		}
	})
}

// TestSpare is a connection that nobody has a use for.
func TestSpare(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		b := r.backend(false)
		came := b.asks(request("GET", "/"), "")
		h := b.acceptPatiently()
		h.answers(1, "/")
		<-came
		began := time.Now()
		h.hear("goaway 0 NO_ERROR")
		after(t, began, r.Host.Limits.Spare)
		h.ends("fin")
		if got := r.connection("pool"); got.Reason != "idle timeout" {
			t.Errorf("the connection ended with %q", got.Reason)
		}
	})
}

// TestClientLeaves is connections to servers when the gateway leaves: the idle one is closed, the busy one when it is idle.
func TestClientLeaves(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		b := r.backend(false)
		came := b.asks(request("GET", "/"), "")
		h := b.acceptPatiently()
		h.hear(asked(1, "GET", "/"))
		r.Host.Leave()
		synctest.Wait()
		time.Sleep(5 * time.Second)
		other := b.asks(request("GET", "/"), "")
		h2 := b.acceptPatiently()
		h2.answers(1, "/")
		if got := <-other; got != "204" {
			t.Errorf("there came %q", got)
		}
		h2.hear("goaway 0 NO_ERROR")
		h2.ends("fin")
		h.say(whole("204"))
		if got := <-came; got != "204" {
			t.Errorf("there came %q", got)
		}
		h.hear("goaway 0 NO_ERROR")
		h.ends("fin")
	})
}

// TestSlowTaker is a server that takes nothing of a body.
func TestSlowTaker(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		b := r.backend(false)
		s := r.begin()
		q := request("POST", "/")
		q.Length = -1
		y, err := b.OpenExchange(s, q)
		if err != nil {
			t.Fatal(err)
		}
		h := b.acceptPatiently(wire.Setting{ID: wire.InitialWindow, Value: 10})
		synctest.Wait()
		began := time.Now()
		go func() { // ends with the connection
			for {
				f, err := h.next()
				if err != nil {
					return
				}
				if f.Type == wire.Ping {
					h.Write(pong(string(f.Payload)))
				}
			}
		}()
		for err == nil {
			_, err = y.Write(make([]byte, 1000))
		}
		if got := told(err); got != "cut: slow reader" {
			t.Errorf("writing ended with %q", got)
		}
		after(t, began, r.Host.Limits.Body)
		y.Close()
		s.End(nil)
		h.Close()
	})
}

// TestCancelledLate is a request whose context ends while it waits for something.
func TestCancelledLate(t *testing.T) {
	for _, waits := range []func(y web.Opened) error{
		func(y web.Opened) error { y.End(nil); _, err := y.Response(); return err },
		func(y web.Opened) error { _, err := io.ReadAll(onlyReader{y}); return err },
		func(y web.Opened) error {
			for {
				if _, err := y.Write(make([]byte, 1000)); err != nil {
					return err
				}
			}
		},
	} {
		inBubble(t, func(t *testing.T, r *rig) {
			b := r.backend(false)
			cause := errors.New("the test says so")
			s := r.begin()
			q := request("POST", "/")
			q.Length = -1
			y, err := b.OpenExchange(s, q)
			if err != nil {
				t.Fatal(err)
			}
			y.Flush()
			h := b.acceptPatiently(wire.Setting{ID: wire.InitialWindow, Value: 10})
			synctest.Wait()
			began := time.Now()
			time.AfterFunc(3*time.Second, func() { s.Cancel(cause) })
			if err := waits(y); !errors.Is(err, cause) && context.Cause(s) != cause {
				t.Errorf("it ended with %v", err)
			}
			after(t, began, 3*time.Second)
			y.Close()
			s.End(nil)
			conn.Abort(h.Conn)
		})
	}
}

// TestRetriedInVain is a request that no server wants to look at: it is tried again after pauses that grow, and not for ever.
func TestRetriedInVain(t *testing.T) {
	for _, refuses := range [][]byte{
		append(wire.AppendGoAway(nil, 1, wire.NoError, ""), reset(1, wire.RefusedStream)...),
		wire.AppendGoAway(nil, 0, wire.NoError, ""),
	} {
		inBubble(t, func(t *testing.T, r *rig) {
			b := r.backend(false)
			began := time.Now()
			came := b.asks(request("GET", "/"), "")
			var at []time.Duration
			for got := ""; got == ""; {
				select {
				case c := <-b.conns:
					at = append(at, time.Since(began))
					b.conns <- c
					h := b.accept()
					h.hear(asked(1, "GET", "/"))
					h.say(refuses)
				case got = <-came:
					if got != "refused: unavailable" {
						t.Errorf("there came %q", got)
					}
				}
			}
			if took, most := time.Since(began), r.Host.Limits.Dial; took > most || took < most-time.Second {
				t.Errorf("it took %v", took)
			}
			if len(at) < 4 || at[1] != 0 || at[2] < 5*time.Millisecond || at[2] > 10*time.Millisecond || len(at) > 30 {
				t.Errorf("it was tried at %v", at)
			}
		})
	}
}

// TestRetriedUntilNobodyWaits is a request that no server wants to look at, and nobody any more.
func TestRetriedUntilNobodyWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		b := r.backend(false)
		cause := errors.New("the test says so")
		s := r.begin()
		began := time.Now()
		time.AfterFunc(3*time.Second, func() { s.Cancel(cause) })
		go func() { // ends with the exchange
			for s.Err() == nil {
				select {
				case c := <-b.conns:
					b.conns <- c
					h := b.accept()
					h.hear(asked(1, "GET", "/"))
					h.say(wire.AppendGoAway(nil, 0, wire.NoError, ""))
				case <-s.Done():
				}
			}
		}()
		y, err := b.OpenExchange(s, request("GET", "/"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := y.Response(); !errors.Is(err, cause) {
			t.Errorf("it ended with %v", err)
		}
		after(t, began, 3*time.Second)
		y.Close()
		s.End(nil)
	})
}

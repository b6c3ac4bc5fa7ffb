package ws_test

import (
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/ws"
	"gozilla/telemetry"
)

// TestKeepAlive is a peer that says nothing: it is asked whether it is there, and given up if it is not.
func TestKeepAlive(t *testing.T) {
	inBubble(t, func(r *rig) {
		p, _ := r.client(echoes)
		patience := r.g.Host.Limits.Ping
		p.shaken()
		began := time.Now()
		for range 3 { // it is there
			p.wants(int(ping), "")
			r.after(began, patience)
			began = time.Now()
			p.say(0, frame{op: pong})
		}
		time.Sleep(patience / 2)
		p.say(0, frame{op: text, data: "hello"}) // which is a sign of life, too
		began = time.Now()
		p.wants(int(text), "hello")
		p.wants(int(ping), "")
		r.after(began, patience)
		_, err := p.next() // nothing more comes, but the end
		r.after(began, 2*patience)
		if err == nil {
			t.Error("it is not over")
		}
		r.ended(telemetry.Client, "silent")
	})
}

// TestKeepAliveOfServers is the same at the other end.
func TestKeepAliveOfServers(t *testing.T) {
	inBubble(t, func(r *rig) {
		p, y, _ := r.server()
		patience := r.g.Host.Limits.Ping
		received := make(chan error)
		go func() { // ends with the socket
			_, err := y.Receive()
			received <- err
		}()
		began := time.Now()
		p.wants(int(ping), "")
		r.after(began, patience)
		p.say(0, frame{op: pong})
		began = time.Now()
		p.wants(int(ping), "")
		r.after(began, patience)
		cut := (*stream.Cut)(nil)
		if err := <-received; !errors.As(err, &cut) || cut.By != telemetry.Server || cut.Why != "silent" {
			t.Error(err)
		}
		r.after(began, 2*patience)
		y.Close()
	})
}

// TestKeepAliveOfWhoIsNotRead is a peer whose messages wait, since who they are for does not take them: that is no silence.
func TestKeepAliveOfWhoIsNotRead(t *testing.T) {
	inBubble(t, func(r *rig) {
		proceed := make(chan struct{})
		p, _ := r.client(func(q *ws.Request, x ws.Served) error {
			if err := x.Accept(""); err != nil {
				return err
			}
			x.Flush()
			<-proceed
			return echoes(q, x)
		})
		p.shaken()
		p.say(0, frame{op: text, data: "hello"})
		time.Sleep(5 * r.g.Host.Limits.Ping)
		close(proceed)
		for {
			m, err := p.next()
			if err != nil {
				t.Fatal(err)
			}
			if m.op == text {
				break
			}
		}
		p.say(0, frame{op: bye, data: closing(1000, "")})
		p.leaves(1000)
		p.ends()
		r.ended(telemetry.Client, "fin")
	})
}

// TestKeepAliveOfWhoReadsSlowly is a peer that comes to read a ping only after all that was sent before: as long as it reads, it
// is not silent.
func TestKeepAliveOfWhoReadsSlowly(t *testing.T) {
	inBubble(t, func(r *rig) {
		const most = 2 << 20
		p, _ := r.client(func(_ *ws.Request, x ws.Served) error {
			var listens sync.WaitGroup
			listens.Go(func() { x.Receive() })
			defer listens.Wait()
			defer x.StopReceive()
			p := ws.Piece{Kind: ws.Binary, Last: true, Data: make([]byte, 64<<10)}
			for range most / len(p.Data) {
				if err := x.Send(p); err != nil {
					return err
				}
			}
			return x.SendClose(3000, "")
		})
		p.shaken()
		began := time.Now()
		for b := make([]byte, 64<<10); time.Since(began) < 4*r.g.Host.Limits.Ping; time.Sleep(r.g.Host.Limits.Body / 3) {
			if _, err := io.ReadFull(p.rw, b); err != nil {
				t.Fatal(err, time.Since(began))
			}
		}
		if n, err := io.Copy(io.Discard, p.rw); n < most/2 {
			t.Error(n, err)
		}
	})
}

// TestNoGoodbye is a peer that does not answer a goodbye.
func TestNoGoodbye(t *testing.T) {
	inBubble(t, func(r *rig) {
		p, _ := r.client(func(_ *ws.Request, x ws.Served) error { return x.SendClose(3000, "go") })
		p.shaken()
		began := time.Now()
		p.wants(int(bye), closing(3000, "go"))
		_, err := p.next()
		r.after(began, 5*time.Second)
		if err == nil {
			t.Error("it is not over")
		}
		rec := r.g.RecordOf(func(rec *telemetry.Record) bool { return rec.Connection != 0 })
		if rec.WS.By != telemetry.Server || rec.WS.Code != 3000 || rec.WS.Reason != "go" {
			t.Errorf("%+v", rec.WS)
		}
	})
	inBubble(t, func(r *rig) {
		p, _ := r.client(func(_ *ws.Request, x ws.Served) error {
			x.SendClose(3000, "")
			_, err := x.Receive()
			return err
		})
		p.shaken()
		began := time.Now()
		p.leaves(3000)
		for range 10 { // what it says meanwhile does not help
			p.say(0, frame{op: ping})
			time.Sleep(500 * time.Millisecond)
		}
		io.ReadAll(p.rw)
		r.after(began, 5*time.Second)
		r.ended(telemetry.Client, "no goodbye")
	})
	inBubble(t, func(r *rig) { // a server
		p, y, _ := r.server()
		y.SendClose(1000, "")
		p.leaves(1000)
		began := time.Now()
		_, err := y.Receive()
		r.after(began, 5*time.Second)
		if cut := (*stream.Cut)(nil); !errors.As(err, &cut) || cut.Why != "no goodbye" || cut.By != telemetry.Server {
			t.Error(err)
		}
	})
}

// TestGoodbyeIsAnswered is a server that takes its leave from a client that does not answer: it is answered all the same.
func TestGoodbyeIsAnswered(t *testing.T) {
	inBubble(t, func(r *rig) {
		p, y, _ := r.server()
		p.say(0, frame{op: bye, data: closing(3001, "")})
		if _, err := y.Receive(); !errors.As(err, new(*ws.Closed)) {
			t.Errorf("there came %v", err)
		}
		closed := make(chan struct{})
		go func() {
			y.Close()
			close(closed)
		}()
		p.leaves(3001)
		<-closed
	})
}

// TestMemberGoes is a member of a fan that is silent, or goes without a goodbye: it is told nothing, as elsewhere, and nobody has
// taken leave.
func TestMemberGoes(t *testing.T) {
	for reason, goes := range map[string]func(p *peer){
		"silent":    func(p *peer) { p.wants(int(ping), "") },
		"truncated": func(p *peer) { p.finish() },
	} {
		t.Run(reason, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				p, _ := r.clientOf("test:group")
				p.shaken()
				p.say(0, frame{op: text, data: "hello"})
				p.wants(int(text), "hello")
				goes(p)
				if m, err := p.next(); err == nil {
					t.Errorf("then there is %v", m)
				}
				if rec := r.ended(telemetry.Client, reason); rec.WS.By != "" || rec.WS.Code != 0 {
					t.Errorf("%+v", rec.WS)
				}
			})
		})
	}
}

// TestSlowReader is a peer that does not read.
func TestSlowReader(t *testing.T) {
	inBubble(t, func(r *rig) {
		sent := make(chan error, 1)
		p, _ := r.client(func(_ *ws.Request, x ws.Served) error {
			var err error
			for data := make([]byte, 10000); err == nil; {
				err = x.Send(ws.Piece{Kind: ws.Binary, Last: true, Data: data})
			}
			sent <- err
			return err
		})
		p.shaken()
		began := time.Now()
		if err := <-sent; err == nil {
			t.Error("all was sent")
		}
		r.after(began, r.g.Host.Limits.Body)
		if rec := r.ended(telemetry.Gateway, "slow reader"); rec.WS.By != "" || rec.WS.Code != 0 {
			t.Errorf("it could not be told, and %+v", rec.WS)
		}
	})
}

// TestReceivesBesideSender is a peer that sends before it reads: who receives from it is not held up by who sends to it, nor by
// pings.
func TestReceivesBesideSender(t *testing.T) {
	inBubble(t, func(r *rig) {
		received := make(chan int, 1)
		p, _ := r.client(func(_ *ws.Request, x ws.Served) error {
			sent := make(chan error)
			go func() { // ends when the peer has read all
				var err error
				for i := 0; i < 100 && err == nil; i++ {
					err = x.Send(ws.Piece{Kind: ws.Binary, Last: true, Data: make([]byte, 10000)})
				}
				sent <- err
			}()
			n := 0
			for range 1000 {
				if _, err := x.Receive(); err != nil {
					break
				}
				n++
			}
			received <- n
			return <-sent
		})
		p.shaken()
		for range 1000 {
			p.say(0, frame{op: text, data: "hello"})
		}
		p.say(0, frame{op: ping, data: "hello"})
		if n := <-received; n != 1000 {
			t.Errorf("%d messages were received", n)
		}
		got, code := p.hears()
		if len(got) != 100 || code != 1000 {
			t.Errorf("%d messages come, and %d", len(got), code)
		}
		p.say(0, frame{op: bye, data: closing(1000, "")})
		p.ends()
	})
}

// TestSlowDrip is a peer whose frames come a byte at a time, slowly: that is no reason to give it up.
func TestSlowDrip(t *testing.T) {
	inBubble(t, func(r *rig) {
		p, _ := r.client(echoes)
		p.shaken()
		hello := frame{op: text, data: "hello, world"}
		for _, c := range hello.append(nil, true) {
			time.Sleep(r.g.Host.Limits.Ping - 2*time.Second)
			p.rw.Write([]byte{c})
		}
		p.wants(int(text), "hello, world")
		p.say(0, frame{op: bye, data: closing(1000, "")})
		p.leaves(1000)
		p.ends()
	})
}

// TestLeave is a gateway that ends while a socket is open.
func TestLeave(t *testing.T) {
	inBubble(t, func(r *rig) {
		p, _ := r.client(echoes)
		p.shaken()
		p.say(0, frame{op: text, data: "hello"})
		p.wants(int(text), "hello")
		r.g.Host.Leave()
		p.wants(int(bye), closing(1001, "the gateway ends"))
		p.say(0, frame{op: text, data: "late"}, frame{op: bye, data: closing(1001, "")})
		p.ends()
		if rec := r.ended(telemetry.Gateway, "drain"); rec.WS.By != telemetry.Gateway || rec.WS.Code != 1001 {
			t.Errorf("%+v", rec.WS)
		}
	})
}

// TestLeaveUnanswered is a gateway that ends, and a client that does not mind.
func TestLeaveUnanswered(t *testing.T) {
	inBubble(t, func(r *rig) {
		p, _ := r.client(echoes)
		p.shaken()
		r.g.Host.Leave()
		began := time.Now()
		p.leaves(1001)
		io.ReadAll(p.rw)
		r.after(began, 5*time.Second)
		r.ended(telemetry.Client, "no goodbye")
	})
}

// TestCancel is a socket that the gateway ends: the client is told why.
func TestCancel(t *testing.T) {
	for _, c := range []struct {
		name   string
		cause  error
		code   int
		reason string
	}{
		{"policy", &stream.Cut{By: telemetry.Gateway, Why: "closed by an operator"}, 1008, "closed by an operator"},
		{"drained", stream.ErrDrained, 1012, "the configuration has changed"},
		{"anything", errors.New("anything"), 1011, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				p, scope := r.client(echoes)
				p.shaken()
				p.say(0, frame{op: text, data: "hello"})
				p.wants(int(text), "hello")
				scope.Cancel(c.cause)
				p.leaves(c.code)
				io.ReadAll(p.rw)
				rec := r.g.RecordOf(func(rec *telemetry.Record) bool { return rec.Connection != 0 })
				if want := (telemetry.WS{Received: 1, Sent: 1, By: telemetry.Gateway, Code: uint16(c.code), Reason: c.reason}); rec.WS != want {
					t.Errorf("%+v, not %+v", rec.WS, want)
				}
			})
		})
	}
}

// session is what a guard knows of somebody, until it expires.
type session struct{ until time.Time }

func (s session) Identity() string                { return "somebody" }
func (s session) Attribute(string) (string, bool) { return "", false }
func (s session) Verify([]string) bool            { return true }
func (s session) Expires() time.Time              { return s.until }
func (s session) Release()                        {}

// TestExpiry is a session that comes to its end.
func TestExpiry(t *testing.T) {
	inBubble(t, func(r *rig) {
		p, scope := r.client(echoes)
		p.shaken()
		p.say(0, frame{op: text, data: "open"})
		p.wants(int(text), "open") // so that the socket knows of no session
		began := time.Now()
		scope.Admit("guard", session{time.Now().Add(10 * time.Second)})
		p.leaves(1008)
		r.after(began, 10*time.Second)
		io.ReadAll(p.rw)
	})
}

// TestExpiryIsTold is a session that has let a socket in and comes to its end: the client is told a little before, so that the
// socket ends in order.
func TestExpiryIsTold(t *testing.T) {
	inBubble(t, func(r *rig) {
		admitted := make(chan struct{})
		p, scope := r.client(func(q *ws.Request, x ws.Served) error {
			<-admitted
			return echoes(q, x)
		})
		began := time.Now()
		scope.Admit("guard", session{began.Add(10 * time.Second)})
		close(admitted)
		p.shaken()
		p.leaves(1008)
		if took := time.Since(began); took < 8*time.Second || took >= 10*time.Second {
			t.Errorf("it is told after %v", took)
		}
		p.say(0, frame{op: bye, data: closing(1008, "")})
		p.ends()
		if rec := r.ended(telemetry.Gateway, "session expired"); rec.WS.By != telemetry.Gateway || rec.WS.Code != 1008 {
			t.Errorf("%+v", rec.WS)
		}
	})
}

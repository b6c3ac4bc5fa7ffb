package h1_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/conn/conntest"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/webtest"
)

// late is how much later than at its limit something may be noticed.
const late = 1500 * time.Millisecond

// inBubble runs f where time passes when everybody waits.
func inBubble(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		f(t, r)
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if r.Host.AwaitIdle(ctx) != nil {
			t.Errorf("%d connections are still open", r.Host.Open())
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

// bubbleClient is a client without patience.
func (r *rig) bubbleClient(d dial) *client {
	c := r.client(d)
	c.SetDeadline(time.Time{})
	return c
}

func TestSlowHead(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d := r.Pipes(&h1.Server{Node: node("server"), Handler: webtest.Func(app), Name: "S"})
		for _, said := range []string{"G", "GET / HTTP/1.1\nhost: x\n", "GET / HTTP/1.1\n" + host + "\nGET"} {
			c := r.bubbleClient(d)
			began := time.Now()
			c.say(said)
			if said[len(said)-1] == 'T' {
				c.hear(ok("GET http x /"))
			}
			for range 5 { // what comes meanwhile does not help
				time.Sleep(time.Second)
				c.say("x")
			}
			c.hear(refused(408, "Request Timeout"))
			after(t, began, r.Host.Limits.HeadTime)
			c.ends("fin")
		}
	})
}

func TestIdle(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d := r.Pipes(&h1.Server{Node: node("server"), Handler: webtest.Func(app), Name: "S"})
		c := r.bubbleClient(d)
		began := time.Now()
		c.ends("fin")
		after(t, began, r.Host.Limits.Idle)
		c = r.bubbleClient(d)
		for range 3 {
			c.say("GET / HTTP/1.1\n" + host + "\n")
			c.hear(ok("GET http x /"))
			time.Sleep(r.Host.Limits.Idle - 2*time.Second)
		}
		c.say("POST /echo HTTP/1.1\n" + host + "content-length: 4\n\n")
		time.Sleep(r.Host.Limits.Body - 2*time.Second)
		c.say("body")
		c.hear(ok("body"))
		began = time.Now()
		c.ends("fin")
		after(t, began, r.Host.Limits.Idle)
	})
}

func TestSlowBody(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d := r.Pipes(&h1.Server{Node: node("server"), Handler: webtest.Func(app), Name: "S"})
		for _, framing := range []string{"content-length: 10\n\n", "transfer-encoding: chunked\n\na\n"} {
			c := r.bubbleClient(d)
			c.say("POST /echo HTTP/1.1\n" + host + framing)
			time.Sleep(r.Host.Limits.Body - 2*time.Second) // it may stand still that long, each time
			c.say("bo")
			began := time.Now()
			c.hear("HTTP/1.1 408 Request Timeout\ncontent-length: 0\ndate: D\nserver: S\nconnection: close\n\n")
			after(t, began, r.Host.Limits.Body)
			c.ends("fin")
		}
	})
}

// TestSlowBodyUnread is a client that never sends the body that it was answered without.
func TestSlowBodyUnread(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		c := r.bubbleClient(r.Pipes(&h1.Server{Node: node("server"), Handler: webtest.Func(app), Name: "S"}))
		c.say("POST /unread HTTP/1.1\n" + host + "content-length: 10\n\nbo")
		began := time.Now()
		c.hear(ok("unread"))
		after(t, began, 0)
		c.ends("fin")
		after(t, began, r.Host.Limits.Body)
	})
}

func TestSlowReader(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		failed := make(chan error, 1)
		c := r.bubbleClient(r.Pipes(&h1.Server{Node: node("server"), Handler: webtest.Func(func(_ context.Context, _ *web.Request, x web.Served) error {
			x.Respond(&web.Response{Status: 200, Length: -1})
			for {
				if _, err := x.Write(make([]byte, 1000)); err != nil {
					failed <- err
					return err
				}
			}
		})}))
		c.say("GET / HTTP/1.1\n" + host + "\n")
		began := time.Now()
		var cut *stream.Cut
		if err := <-failed; !errors.As(err, &cut) || cut.Why != "slow reader" {
			t.Errorf("got %v", err)
		}
		after(t, began, r.Host.Limits.Body)
		if _, err := io.ReadAll(c); conntest.How(err) != "rst" {
			t.Errorf("the client saw %v", err)
		}
	})
}

func TestNoAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d, back := r.relay((*webtest.Rig).Pipes, func(c conn.Conn, in *bufio.Reader, n int) {
			request(in)
			if n%2 == 0 {
				say(c, "HTTP/1.1 200 OK\nx: ")
			}
			io.Copy(io.Discard, in)
		})
		for _, q := range []string{"GET / HTTP/1.1\n" + host + "\n", "GET / HTTP/1.1\n" + host + "\n",
			"GET / HTTP/1.1\n" + host + "connection: upgrade\nupgrade: x\n\n", "CONNECT a:1 HTTP/1.1\n" + host + "\n",
			"POST / HTTP/1.1\n" + host + "content-length: 4\n\nbody", "POST / HTTP/1.1\n" + host + "transfer-encoding: chunked\n\n4\nbody\n0\n\n"} {
			c := r.bubbleClient(d)
			began := time.Now()
			c.say(q)
			answer := bad(504, "Gateway Timeout", "")
			if strings.Contains(q, "chunked") { // whose body there was a goroutine for
				answer = strings.TrimSuffix(answer, "\n") + "connection: close\n\n"
			}
			c.hear(answer)
			after(t, began, r.Host.Limits.Answer)
			c.Close()
		}
		back.close()
		for _, fault := range back.faults {
			if got := fault.Error(); got != "cut by the server: no answer: no answer has come within 1m0s" {
				t.Errorf("the pool was told %q", got)
			}
		}
	})
}

// TestGoneBeforeTheUpgrade is a client that ends while a server is asked to switch protocols: it is not waited for.
func TestGoneBeforeTheUpgrade(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d, back := r.relay((*webtest.Rig).Pipes, func(c conn.Conn, in *bufio.Reader, n int) {
			request(in)
			io.Copy(io.Discard, in)
		})
		c := r.bubbleClient(d)
		began := time.Now()
		c.say("GET / HTTP/1.1\n" + host + "connection: upgrade\nupgrade: x\n\n")
		c.Close()
		r.Host.AwaitIdle(context.Background())
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it is waited for %v", took)
		}
		back.close()
	})
}

// TestSlowAnswer is a server whose body stands still.
func TestSlowAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d, back := r.relay((*webtest.Rig).Pipes, func(c conn.Conn, in *bufio.Reader, n int) {
			request(in)
			time.Sleep(r.Host.Limits.Answer - 2*time.Second)
			say(c, "HTTP/1.1 200 OK\ncontent-length: 10\n\nhalf")
			request(in)
		})
		c := r.bubbleClient(d)
		c.say("GET / HTTP/1.1\n" + host + "\n")
		c.hear("HTTP/1.1 200 OK\ncontent-length: 10\ndate: D\nserver: S\n\nhalf")
		began := time.Now()
		if b, _ := io.ReadAll(c); len(b) > 0 {
			t.Errorf("then it heard %q", b)
		}
		after(t, began, r.Host.Limits.Body)
		back.close()
	})
}

// TestQuietTunnel is an upgraded connection on which nothing moves for long.
func TestQuietTunnel(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d, back := r.relay((*webtest.Rig).Pipes, func(c conn.Conn, in *bufio.Reader, n int) {
			request(in)
			say(c, "HTTP/1.1 101 Up\nconnection: upgrade\nupgrade: x\n\n")
			io.Copy(c, in)
		})
		c := r.bubbleClient(d)
		c.say("GET / HTTP/1.1\n" + host + "connection: upgrade\nupgrade: x\n\n")
		c.hear("HTTP/1.1 101 Switching Protocols\nconnection: upgrade\nupgrade: x\ndate: D\nserver: S\n\n")
		for range 3 {
			time.Sleep(time.Hour)
			c.say("still here")
			c.hear("still here")
		}
		c.CloseWrite()
		c.ends("fin")
		back.close()
	})
}

// TestHalfTunnel is an upgraded connection of which one side has ended its direction long before the other.
func TestHalfTunnel(t *testing.T) {
	for _, first := range []string{"client", "server"} {
		inBubble(t, func(t *testing.T, r *rig) {
			d, back := r.relay((*webtest.Rig).Pipes, func(c conn.Conn, in *bufio.Reader, n int) {
				request(in)
				say(c, "HTTP/1.1 101 Up\nconnection: upgrade\nupgrade: x\n\nwelcome")
				if first == "server" {
					c.CloseWrite()
				}
				b, err := io.ReadAll(in)
				if string(b) != "all I have" || err != nil {
					t.Errorf("the server got %q, %v", b, err)
				}
				time.Sleep(time.Minute)
				say(c, "bye")
			})
			c := r.bubbleClient(d)
			c.say("GET / HTTP/1.1\n" + host + "connection: upgrade\nupgrade: x\n\n")
			c.hear("HTTP/1.1 101 Switching Protocols\nconnection: upgrade\nupgrade: x\ndate: D\nserver: S\n\nwelcome")
			if first == "server" {
				time.Sleep(time.Minute)
			}
			c.say("all I have")
			c.CloseWrite()
			if first == "client" {
				c.hear("bye")
			}
			c.ends("fin")
			back.close()
		})
	}
}

// TestContinueLate is a server that never says 100: the client is asked for the body after a second.
func TestContinueLate(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d, back := r.relay((*webtest.Rig).Pipes, func(c conn.Conn, in *bufio.Reader, n int) {
			request(in)
			io.ReadFull(in, make([]byte, 4))
			say(c, "HTTP/1.1 200 OK\ncontent-length: 2\n\nok")
			request(in)
		})
		c := r.bubbleClient(d)
		began := time.Now()
		c.say("POST / HTTP/1.1\n" + host + "expect: 100-continue\ncontent-length: 4\n\n")
		c.hear("HTTP/1.1 100 Continue\n\n")
		after(t, began, time.Second)
		c.say("body")
		c.hear(ok("ok"))
		c.Close()
		back.close()
	})
}

// TestContinueRefusedSlowly is a server that refuses an expected body and takes its time to say why: the client is not
// asked for the body any more.
func TestContinueRefusedSlowly(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		d, back := r.relay((*webtest.Rig).Pipes, func(c conn.Conn, in *bufio.Reader, n int) {
			request(in)
			say(c, "HTTP/1.1 413 No\ncontent-length: 2\n\n")
			time.Sleep(5 * time.Second)
			say(c, "no")
			request(in)
		})
		c := r.bubbleClient(d)
		began := time.Now()
		c.say("POST / HTTP/1.1\n" + host + "expect: 100-continue\ncontent-length: 4\n\n")
		c.hear("HTTP/1.1 413 Content Too Large\ncontent-length: 2\ndate: D\nserver: S\nconnection: close\n\nno")
		c.ends("fin")
		after(t, began, 5*time.Second)
		back.close()
	})
}

// TestSpare is a connection to a server that nobody has a use for.
func TestSpare(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		p := r.pool(r.Pipes(r.backend(answers("HTTP/1.1 200 OK\ncontent-length: 0\n\n"))))
		s := stream.Begin(r.Context(), node("test"))
		y, err := p.OpenExchange(s, &web.Request{Method: "GET", Authority: "a", Path: "/"})
		if err != nil {
			t.Fatal(err)
		}
		y.End(nil)
		y.Response()
		y.Close()
		s.End(nil)
		began := time.Now()
		r.Host.AwaitIdle(context.Background())
		after(t, began, r.Host.Limits.Spare)
	})
}

// TestSpareLeaves is the same when the gateway leaves.
func TestSpareLeaves(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		p := r.pool(r.Pipes(r.backend(answers("HTTP/1.1 200 OK\ncontent-length: 0\n\n"))))
		s := stream.Begin(r.Context(), node("test"))
		for range 2 {
			y, err := p.OpenExchange(s, &web.Request{Method: "GET", Authority: "a", Path: "/"})
			if err != nil {
				t.Fatal(err)
			}
			y.End(nil)
			y.Response()
			r.Host.Leave() // the second time there is nobody left who does not know
			y.Close()
		}
		if n := p.dials(); n != 2 {
			t.Errorf("there were %d connections", n)
		}
		s.End(nil)
	})
}

// TestScopeEnds is what happens to an exchange when its connection's scope is cancelled.
func TestScopeEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		cause := errors.New("the test says so")
		ended, began := make(chan error, 1), make(chan struct{})
		near, far := conn.Pipe()
		s := r.Start(far, &h1.Server{Node: node("server"), Handler: webtest.Func(func(ctx context.Context, q *web.Request, x web.Served) error {
			close(began)
			<-ctx.Done()
			return context.Cause(ctx)
		})}, func(err error) { ended <- err })
		c := &client{r, near}
		c.say("GET / HTTP/1.1\n" + host + "\n")
		<-began
		s.Cancel(cause)
		if err := <-ended; !errors.Is(err, cause) {
			t.Errorf("it ended with %v", err)
		}
		near.Close()
	})
}

package conn_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

// byLength is a Decider whose head begins with its length: of that many bytes, those before the first zero say how many
// are taken off. What does not fit is refused.
type byLength struct{ to conn.Port }

func (d byLength) Decide(_ context.Context, about *stream.Info, head []byte) (conn.Decision, error) {
	if len(head) == 0 || len(head) < 1+int(head[0]) {
		return conn.Decision{}, nil
	}
	body := head[1 : 1+int(head[0])]
	i := bytes.IndexByte(body, 0)
	if i < 0 && len(body) > 0 {
		return conn.Decision{}, stream.Refuse(stream.Invalid, "no zero in %d bytes", len(body))
	}
	return conn.Decision{To: d.to, About: &stream.Info{Authority: string(body[:max(i, 0)])}, Used: 1 + max(i, 0)}, nil
}

// outcome is what comes of a stream whose bytes arrive in pieces of some lengths.
type outcome struct {
	authority string
	rest      string
	err       string
}

// pieces is a Conn from which bytes come in pieces.
type pieces struct {
	*conn.PipeConn // for all but Read
	data, lengths  []byte
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := len(p.data)
	if len(p.lengths) > 0 {
		n, p.lengths = 1+int(p.lengths[0]), p.lengths[1:]
	}
	n = copy(b, p.data[:min(n, len(p.data))])
	p.data = p.data[n:]
	return n, nil
}

func decide(t testing.TB, data, lengths []byte) (o outcome) {
	r := newRig(t, nil, nil)
	port := conn.Deciding(byLength{conn.Serving(serverFunc(func(_ context.Context, c conn.Conn, about *stream.Info) error {
		o.authority = about.Authority
		rest, err := io.ReadAll(c)
		o.rest = string(rest)
		return err
	}))})
	s := r.host.Arrive(r.ctx, r.node)
	defer s.End(nil)
	other, _ := conn.Pipe()
	if err := port.ServeConn(s, &pieces{other, data, lengths}, &stream.Info{}); err != nil {
		o.err = err.Error()
	}
	return o
}

// FuzzDeciding gives the same bytes at once and in any pieces: that must make no difference.
func FuzzDeciding(f *testing.F) {
	f.Add([]byte("\x03ab\x00rest"), []byte{0, 0, 0})
	f.Add([]byte("\x03abcrest"), []byte{2})
	f.Add([]byte("\x00"), []byte{})
	f.Add([]byte("\x09short"), []byte{1, 1})
	f.Add(append([]byte("\xff\x00"), make([]byte, 3000)...), []byte{200, 0, 100})
	f.Fuzz(func(t *testing.T, data, lengths []byte) {
		whole := decide(t, data, nil)
		parts := decide(t, data, lengths)
		if whole != parts {
			t.Errorf("at once: %+v\nin pieces: %+v", whole, parts)
		}
	})
}

// ended is how a stream ended that a Decider had to do with.
func ended(t *testing.T, r *rig) (reason stream.Reason, err error) {
	t.Helper()
	entries, _, _ := r.host.Log.Since(0)
	if len(entries) != 1 || entries[0].Record == nil {
		t.Fatalf("the log has %d entries", len(entries))
	}
	rec := entries[0].Record
	return stream.Reason(rec.Reason), errors.New(rec.Err)
}

type never struct{}

func (never) Decide(context.Context, *stream.Info, []byte) (conn.Decision, error) {
	return conn.Decision{}, nil
}

func TestDecidingIsBounded(t *testing.T) {
	f := func(name string, want stream.Reason, text, sees string, client func(*conn.PipeConn)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, pipes, nil)
			r.port = conn.Deciding(never{})
			c := r.arrive(t, &stream.Info{}).(*conn.PipeConn)
			client(c)
			synctest.Wait()
			if reason, err := ended(t, r); reason != want || err.Error() != text {
				t.Errorf("%s: it ended with %q, %v", name, reason, err)
			}
			if _, err := c.Read(make([]byte, 1)); conntestHow(err) != sees {
				t.Errorf("%s: the client saw %v", name, err)
			}
		})
	}
	f("bytes", stream.Invalid, "undecided after 65536 bytes", "fin", func(c *conn.PipeConn) {
		c.SetWriteDeadline(time.Now().Add(time.Second))
		c.Write(make([]byte, 1<<20))
	})
	f("time", stream.Timeout, "undecided after 3 bytes and 10s", "fin", func(c *conn.PipeConn) {
		c.Write([]byte("abc"))
		time.Sleep(10 * time.Second)
	})
	f("slowly", stream.Timeout, "undecided after 10 bytes and 10s", "fin", func(c *conn.PipeConn) {
		for range 12 {
			c.Write([]byte("x"))
			time.Sleep(1100 * time.Millisecond)
		}
	})
	f("end", stream.Invalid, "the stream ended after 3 bytes, undecided", "fin", func(c *conn.PipeConn) {
		c.Write([]byte("abc"))
		c.CloseWrite()
	})
}

func TestDecidingIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, pipes, nil)
		r.port = conn.Deciding(never{})
		r.arrive(t, &stream.Info{})
		synctest.Wait()
		r.host.Scopes(func(s *stream.Scope) { s.Cancel(stream.ErrDrained) })
		synctest.Wait()
		if reason, _ := ended(t, r); reason != "drain" {
			t.Errorf("it ended with %q", reason)
		}
	})
}

// TestDecidingLeavesNoDeadline has the server wait for longer than the head may take.
func TestDecidingLeavesNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, pipes, nil)
		r.port = conn.Deciding(prefaced{conn.Serving(serverFunc(func(ctx context.Context, c conn.Conn, _ *stream.Info) error {
			return conn.Echo(ctx, c)
		}))})
		c := r.arrive(t, &stream.Info{})
		c.Write([]byte(preface))
		time.Sleep(time.Hour)
		c.Write([]byte("hello"))
		got := make([]byte, 5)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
			t.Errorf("got %q, %v", got, err)
		}
		c.Close()
		synctest.Wait()
	})
}

// TestReadAheadIsPassedOn sends the head and more at once, through one decision and through two, to all that bytes can
// go to.
func TestReadAheadIsPassedOn(t *testing.T) {
	for name, pair := range map[string]pairOf{"pipe": pipes, "socket": sockets} {
		for _, twice := range []bool{false, true} {
			r := newRig(t, pair, pair)
			r.port = conn.Deciding(prefaced{r.port})
			head := preface
			if twice {
				r.port = conn.Deciding(prefaced{r.port})
				head += preface
			}
			c := r.arrive(t, &stream.Info{})
			c.Write([]byte(head + "and more"))
			c.CloseWrite()
			server := <-r.servers
			server.SetReadDeadline(time.Now().Add(patience))
			if got, err := io.ReadAll(server); string(got) != "and more" || err != nil {
				t.Errorf("%s, two decisions: %v: the server read %q, %v", name, twice, got, err)
			}
			server.Close()
			c.Close()
			if err := r.host.AwaitIdle(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestDecidingDials(t *testing.T) {
	r := newRig(t, pipes, pipes)
	s := r.host.Arrive(r.ctx, r.node)
	defer s.End(nil)
	c, _, err := conn.Deciding(prefaced{r.port}).DialConn(s, &stream.Info{})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, preface+"hello") // what is dialled decides by its own bytes
	c.CloseWrite()
	server := <-r.servers
	server.SetReadDeadline(time.Now().Add(patience))
	if got, err := io.ReadAll(server); string(got) != "hello" || err != nil {
		t.Errorf("the server read %q, %v", got, err)
	}
	server.Close()
	c.Close()
}

// faulty panics wherever it is called.
type faulty struct{}

func (faulty) ServeConn(context.Context, conn.Conn, *stream.Info) error { panic("a fault of ours") }

func (faulty) DialConn(context.Context, *stream.Info) (conn.Conn, *stream.Info, error) {
	panic("a fault of ours")
}

// TestFaultsOfOurs is that a panic costs one stream, wherever it happens.
func TestFaultsOfOurs(t *testing.T) {
	for name, port := range map[string]conn.Port{
		"served": conn.Serving(faulty{}),
		"dialed": conn.Dialing(faulty{}),
		"far":    conn.Dialing(conn.Serving(faulty{})),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, pipes, nil)
			r.port = port
			c := r.arrive(t, &stream.Info{})
			c.SetReadDeadline(time.Now().Add(patience))
			if _, err := c.Read(make([]byte, 1)); conntestHow(err) != "rst" {
				t.Errorf("the client saw %v", err)
			}
			if err := r.host.AwaitIdle(t.Context()); err != nil {
				t.Error(err)
			}
			entries, _, _ := r.host.Log.Since(0)
			if e := entries[0].Event; e == nil || e.ID != "engine.stream.failed" || !e.Warning {
				t.Errorf("the first entry is %+v", entries[0])
			}
			if rec := entries[len(entries)-1].Record; name != "far" && (rec.Reason != "internal error" || rec.By != telemetry.Gateway) {
				t.Errorf("the record is %s", rec.Text())
			}
		})
	}
}

// TestUndecidedBytesAreCounted for those of which nobody else will know.
func TestUndecidedBytesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, pipes, nil)
		r.port = conn.Deciding(never{})
		c := r.arrive(t, &stream.Info{}).(*conn.PipeConn)
		c.Write([]byte("abc"))
		c.CloseWrite()
		synctest.Wait()
		entries, _, _ := r.host.Log.Since(0)
		if len(entries) != 1 || entries[0].Record.Received != 3 || entries[0].Record.Sent != 0 {
			t.Errorf("the log has %+v", entries)
		}
		if n := r.node.Streams.Received.Bytes.Load(); n != 3 {
			t.Errorf("%d bytes were counted", n)
		}
	})
}

// TestDecided comes to the same as a stream that brings all of a head at once.
func TestDecided(t *testing.T) {
	f := func(head string, want string) {
		t.Helper()
		how, err := conn.Decided(t.Context(), byLength{conn.Serving(nil)}, &stream.Info{}, []byte(head))
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = how.About.Authority
		}
		if got != want {
			t.Errorf("%q is decided as %q, not %q", head, got, want)
		}
	}
	f("\x05name\x00", "name")
	f("\x01\x00", "")
	f("\x02ab", "refused: invalid: no zero in 2 bytes")
	f("\x05na", "refused: invalid: the stream ended after 3 bytes, undecided")
}

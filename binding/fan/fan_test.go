package fan_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/binding"
	"gozilla/component"
	"gozilla/config"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/sse"
	"gozilla/stream/sse/ssetest"
	"gozilla/telemetry"
)

// reflect sends back to all what one has sent.
const reflect = `name: test
bindings:
  north:
    type: tcp
    kind: server
    options: { host: 127.0.0.1, port: 0 }
    exit: fan
  fan:
    type: fan
    kind: server
    exit: echo
  echo:
    type: echo
    kind: server
`

// relayed leads to the test's server.
var relayed = strings.Replace(reflect, "type: echo\n    kind: server", "type: tcp\n    kind: client\n    options: { host: 127.0.0.1, port: \"${{env.SERVER}}\" }", 1)

// members makes clients that are members, each of which has seen a message of its own come back.
func members(t *testing.T, g *gwtest.Gateway, n int) []*net.TCPConn {
	t.Helper()
	all := make([]*net.TCPConn, n)
	for i := range all {
		all[i] = g.Dial("north")
		gwtest.Send(t, all[i], ".")
		for _, c := range all[:i+1] {
			gwtest.Receive(t, c, ".")
		}
	}
	return all
}

func TestEveryMemberReceivesEverything(t *testing.T) {
	g := gwtest.Start(t, reflect)
	all := members(t, g, 5)
	for i, c := range all {
		text := fmt.Sprintf("message %d", i)
		gwtest.Send(t, c, text)
		for _, c := range all {
			gwtest.Receive(t, c, text)
		}
	}
	if n := g.Metric("echo", "stream.opens.received"); n != 1 {
		t.Errorf("the group was opened %d times", n)
	}
	if n := g.Metric("fan", "stream.active.received"); n != 5 {
		t.Errorf("fan has %d streams", n)
	}
}

// TestBytesAreCountedOnce compares the counters of the fan and of its exit, which is served within the process.
func TestBytesAreCountedOnce(t *testing.T) {
	g := gwtest.Start(t, reflect)
	c := members(t, g, 1)[0]
	gwtest.Send(t, c, "hello")
	gwtest.Receive(t, c, "hello")
	c.Close()
	g.Record()
	ctx, cancel := context.WithTimeout(t.Context(), gwtest.Patience)
	defer cancel()
	g.Drain(ctx)
	if r := g.Record(); r.Received != 6 || r.Sent != 6 {
		t.Errorf("the record of the group is %s", r.Text())
	}
}

func TestMetrics(t *testing.T) {
	g := gwtest.Start(t, reflect)
	c := members(t, g, 1)[0]
	gwtest.Send(t, c, "hello")
	gwtest.Receive(t, c, "hello")
	c.Close()
	g.Record()
	for _, m := range []struct {
		binding, name string
		want          int64
	}{
		{"north", "opens.received", 1}, {"north", "closes.sent", 1}, {"north", "data.received", 6}, {"north", "data.sent", 6},
		{"fan", "opens.received", 1}, {"fan", "closes.sent", 1}, {"fan", "data.received", 6}, {"fan", "data.sent", 6},
		{"fan", "active.received", 0}, {"fan", "errors.received", 0},
		{"echo", "opens.received", 1}, {"echo", "active.received", 1}, {"echo", "data.received", 6}, {"echo", "data.sent", 6},
	} {
		name, late := "stream."+m.name, time.Now().Add(gwtest.Patience)
		for g.Metric(m.binding, name) != m.want && time.Now().Before(late) { // what is sent may be received before it is counted
			time.Sleep(time.Millisecond)
		}
		if got := g.Metric(m.binding, name); got != m.want {
			t.Errorf("%s of %s is %d, not %d", name, m.binding, got, m.want)
		}
	}
}

// TestStoppedReader has one member of many stop reading while the others go on: it is reset, and they miss nothing.
func TestStoppedReader(t *testing.T) {
	const readers, pieces, size = 99, 80, 256 << 10 // 20 MB for each
	server := gwtest.Listen(t, "")
	// Two hundred goroutines of this test alone want the processor: who is behind gets five seconds.
	patient := gwtest.Limits(func(l *stream.Limits) { l.Stall = 100 * time.Second })
	g := gwtest.Start(t, relayed, gwtest.Env("SERVER", server.Port()), patient)
	var all []*net.TCPConn
	for range readers + 1 {
		all = append(all, g.Dial("north"))
	}
	group := server.Next()
	for _, c := range all { // all are members once the server has heard of each
		gwtest.Send(t, c, "x")
		gwtest.Receive(t, group, "x")
	}
	stopped := all[readers]
	stopped.SetReadBuffer(8 << 10)
	piece := make([]byte, size)
	for i := range piece {
		piece[i] = byte(i * 7)
	}
	var before, most runtime.MemStats
	runtime.ReadMemStats(&before)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range pieces {
			group.SetWriteDeadline(time.Now().Add(4 * gwtest.Patience))
			if _, err := group.Write(piece); err != nil {
				t.Error(err)
				return
			}
			var now runtime.MemStats
			if runtime.ReadMemStats(&now); now.HeapInuse > most.HeapInuse {
				most = now
			}
		}
	})
	for i, c := range all[:readers] {
		wg.Go(func() {
			got := make([]byte, size)
			for n := range pieces {
				c.SetReadDeadline(time.Now().Add(4 * gwtest.Patience))
				if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, piece) {
					t.Errorf("member %d: piece %d: %v, or other bytes", i, n, err)
					return
				}
			}
		})
	}
	r := g.Record()
	if r.By != telemetry.Gateway || r.Reason != "slow reader" {
		t.Errorf("the record of who stopped reading is %s", r.Text())
	}
	e := g.Event("binding.fan.member.reset")
	if e.Scope != r.ID || !strings.Contains(e.Message, stopped.LocalAddr().String()) {
		t.Errorf("the event is %s", e.Text())
	}
	stopped.SetReadDeadline(time.Now().Add(gwtest.Patience))
	if _, err := io.Copy(io.Discard, onlyReader{stopped}); gwtest.How(err) != "rst" {
		t.Errorf("who stopped reading saw %v", err)
	}
	wg.Wait()
	if grown := int64(most.HeapInuse) - int64(before.HeapInuse); grown > 128<<20 {
		t.Errorf("the heap has grown by %d MB", grown>>20)
	}
}

type onlyReader struct{ io.Reader }

// TestSingleMemberThrottlesItself sends more than anything could hold, and reads more slowly than it sends.
func TestSingleMemberThrottlesItself(t *testing.T) {
	const total = 50 << 20
	g := gwtest.Start(t, reflect)
	c := g.Dial("north")
	piece := bytes.Repeat([]byte("0123456789abcdef"), 16<<10)
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; n < total; n += len(piece) {
			c.SetWriteDeadline(time.Now().Add(gwtest.Patience))
			if _, err := c.Write(piece); err != nil {
				t.Errorf("after %d bytes: %v", n, err)
				return
			}
		}
	})
	got := make([]byte, len(piece))
	for n := 0; n < total; n += len(got) {
		c.SetReadDeadline(time.Now().Add(gwtest.Patience))
		if m, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, piece) {
			t.Fatalf("after %d bytes: %v, or other bytes", n+m, err)
		}
		if n == total/2 || n == 0 {
			time.Sleep(time.Second) // everything fills up meanwhile
		}
	}
	wg.Wait()
	c.Close()
	if r := g.Record(); r.Reason != "fin" || r.Sent != total {
		t.Errorf("the record is %s", r.Text())
	}
}

// TestHalfClose is that a member that has ended still receives what was sent before.
func TestHalfClose(t *testing.T) {
	server := gwtest.Listen(t, "")
	g := gwtest.Start(t, relayed, gwtest.Env("SERVER", server.Port()))
	one, two := g.Dial("north"), g.Dial("north")
	group := server.Next()
	for _, c := range []*net.TCPConn{one, two} {
		gwtest.Send(t, c, "x")
		gwtest.Receive(t, group, "x")
	}
	text := strings.Repeat("y", 100_000)
	gwtest.Send(t, group, text)
	gwtest.Receive(t, two, text) // so it is queued for one, too
	one.CloseWrite()
	gwtest.Receive(t, one, text)
	gwtest.Sees(t, one, "fin")
	gwtest.Send(t, group, "z")
	gwtest.Receive(t, two, "z")
}

// TestAbortedMember is that the others do not notice.
func TestAbortedMember(t *testing.T) {
	g := gwtest.Start(t, reflect)
	all := members(t, g, 3)
	conn.Abort(all[1])
	if r := g.Record(); r.By != telemetry.Client || r.Reason != "rst" {
		t.Errorf("the record is %s", r.Text())
	}
	gwtest.Send(t, all[0], "hello")
	gwtest.Receive(t, all[0], "hello")
	gwtest.Receive(t, all[2], "hello")
}

// TestRefusal is that what the exit refuses is refused to the members, and asked again for the next one.
func TestRefusal(t *testing.T) {
	port := gwtest.ClosedPort(t)
	g := gwtest.Start(t, relayed, gwtest.Env("SERVER", port))
	for range 2 {
		gwtest.Refused(t, g.Addr("north"))
		for range 2 { // the group's and the member's
			if r := g.Record(); r.By != telemetry.Server || r.Reason != "dial failed" {
				t.Errorf("the record is %s", r.Text())
			}
		}
	}
	server := gwtest.Listen(t, "127.0.0.1:"+port)
	c := g.Dial("north")
	group := server.Next()
	gwtest.Send(t, c, "hello")
	gwtest.Receive(t, group, "hello")
}

// TestDrainEndsTheGroup is that the group ends with its last member when the gateway drains, and not before.
func TestDrainEndsTheGroup(t *testing.T) {
	server := gwtest.Listen(t, "")
	g := gwtest.Start(t, relayed, gwtest.Env("SERVER", server.Port()))
	c := g.Dial("north")
	gwtest.Send(t, c, "x")
	group := server.Next()
	gwtest.Receive(t, group, "x")
	ctx, cancel := context.WithTimeout(t.Context(), gwtest.Patience)
	defer cancel()
	stopped := make(chan struct{})
	go func() { g.Drain(ctx); close(stopped) }()
	gwtest.Send(t, group, "still")
	gwtest.Receive(t, c, "still")
	c.CloseWrite()
	gwtest.Sees(t, c, "fin")
	gwtest.Sees(t, group, "fin")
	group.Close()
	<-stopped
	if ctx.Err() != nil {
		t.Error("the gateway waited for its deadline")
	}
}

// fake is a fan over pipes, and over a fake of streams of events, whose clock is that of synctest.
type fake struct {
	host   *stream.Host
	fan    conn.Port
	topics sse.Port
	group  chan *conn.PipeConn
	source ssetest.Fake
	node   *stream.Node // of the fan
	stop   func()
}

type exit struct{ to chan *conn.PipeConn }

func (e exit) DialConn(context.Context, *stream.Info) (conn.Conn, *stream.Info, error) {
	near, far := conn.Pipe()
	e.to <- far
	return near, &stream.Info{}, nil
}

func newFake(t *testing.T) *fake {
	t.Helper()
	r := &config.Report{}
	docs := config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte("type: fan\nkind: server\nexit: exit\n")})
	spec := binding.Decode(r, docs[0], "test", "fan")
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	f := &fake{
		host:  stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 4096, false)),
		group: make(chan *conn.PipeConn, 1),
	}
	b := &component.Builder{Node: &stream.Node{Namespace: "test", Name: "fan"}, Host: f.host}
	built, err := spec.Build(b, binding.Parts{})
	if err != nil {
		t.Fatal(err)
	}
	to := &stream.Node{Namespace: "test", Name: "exit"}
	stream.Offer(to, conn.Protocol, conn.Dialing(exit{f.group}))
	stream.Offer(to, sse.Protocol, sse.Port(&f.source))
	built.Link(spec, func(string, string) *stream.Node { return to })
	f.node = built.Node
	face, _ := stream.TargetOf(conn.Protocol, built.Node)
	f.fan = face.Port
	topics, _ := stream.TargetOf(sse.Protocol, built.Node)
	f.topics = topics.Port
	ctx, cancel := context.WithCancel(stream.WithHost(context.Background(), f.host))
	var tasks sync.WaitGroup
	for _, task := range b.Tasks() {
		tasks.Go(func() { task.Run(ctx) })
	}
	f.stop = func() { cancel(); tasks.Wait() }
	return f
}

func (f *fake) join() (client *conn.PipeConn) {
	client, ours := conn.Pipe()
	s := f.host.Arrive(stream.WithHost(context.Background(), f.host), &stream.Node{Namespace: "test", Name: "north"})
	s.OnEnd(func(err error) {
		if err != nil {
			ours.Abort()
			return
		}
		ours.Close()
	})
	conn.Start(s, ours, &stream.Info{}, f.fan)
	return client
}

// TestStall is that a byte may wait five seconds for a member that does not read, and no longer.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		slow, quick := f.join(), f.join()
		group := <-f.group
		go io.Copy(io.Discard, quick)
		// What the pipe of the member holds, and some more: that waits.
		synctest.Wait()
		for range 3 {
			group.Write(make([]byte, 32<<10))
			synctest.Wait()
		}
		time.Sleep(4900 * time.Millisecond)
		synctest.Wait()
		if n := f.host.Open(); n != 3 {
			t.Errorf("%d streams are open before the time is over, not 2 members and the group", n)
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if n := f.host.Open(); n != 2 {
			t.Errorf("%d streams are open after it, not 1 member and the group", n)
		}
		if _, err := slow.Read(make([]byte, 10)); gwtest.How(err) != "rst" {
			t.Errorf("the member saw %v", err)
		}
		entries, _, _ := f.host.Log.Since(0)
		reasons := ""
		for _, e := range entries {
			switch {
			case e.Record != nil:
				reasons += string(e.Record.By) + " " + e.Record.Reason + "; "
			case e.Event != nil:
				reasons += e.Event.ID + "; "
			}
		}
		if reasons != "binding.fan.member.reset; gateway slow reader; " {
			t.Errorf("the log says %s", reasons)
		}
		quick.Close()
		group.Close()
		synctest.Wait()
	})
}

// TestQueue is that a member may have so many bytes wait for it, and no more.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		defer f.stop()
		slow := f.join()
		group := <-f.group
		synctest.Wait()
		held := 64<<10 + f.host.Limits.Queue // in the pipe, and in the queue
		for range held / (32 << 10) {
			group.Write(make([]byte, 32<<10))
			synctest.Wait()
		}
		if n := f.host.Open(); n != 2 {
			t.Errorf("%d streams are open while no more waits than may", n)
		}
		for range 2 { // one piece may be in the hands of who sends
			group.Write(make([]byte, 32<<10))
			synctest.Wait()
		}
		time.Sleep(f.host.Limits.Stall / 20) // for which the group waits for its member
		synctest.Wait()
		if n := f.host.Open(); n != 1 {
			t.Errorf("%d streams are open when more waits than may", n)
		}
		if _, err := slow.Read(make([]byte, 10)); gwtest.How(err) != "rst" {
			t.Errorf("the member saw %v", err)
		}
		group.Close()
		synctest.Wait()
	})
}

// TestMemberIsCancelledWhileItJoins has the group hang in its dial.
func TestMemberIsCancelledWhileItJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.group <- nil // the dial of the group waits for room
		member := f.join()
		synctest.Wait()
		f.host.Scopes(func(s *stream.Scope) { s.Cancel(stream.ErrDrained) })
		synctest.Wait()
		if _, err := member.Read(make([]byte, 1)); gwtest.How(err) != "rst" {
			t.Errorf("the member saw %v", err)
		}
		<-f.group
		f.stop()
		synctest.Wait()
		if n := f.host.Open(); n != 0 {
			t.Errorf("%d streams are left", n)
		}
	})
}

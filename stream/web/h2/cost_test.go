package h2_test

import (
	"context"
	"io"
	"runtime"
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

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// loop asks a server, or a relay, again and again, by a connection to it.
type loop struct {
	c       *hand
	block   []byte
	ask     []byte
	id      uint32
	seen    int // bytes of bodies that the window of the connection was not opened by again
	cleanup []func()
}

func newLoop(tb testing.TB, of func(*webtest.Rig, conn.Server) dial, relayed bool, more string) *loop {
	r := newRig(tb)
	body := []byte("Hello, World!")
	head := web.Fields("content-type", "text/plain")
	var h web.Handler = webtest.Func(func(_ context.Context, _ *web.Request, x web.Served) error { return web.Reply(x, 200, head, body) })
	l := &loop{id: 1}
	if relayed {
		p := r.pool(of(r.Rig, plain{}))
		l.cleanup = append(l.cleanup, p.close)
		h = web.Dialing(p)
	}
	l.c = r.greeted(of(r.Rig, &h2.Server{Node: node("front"), Handler: h}))
	l.c.SetDeadline(time.Time{})
	l.block = ask("GET", "/path")
	for _, line := range strings.Split(strings.TrimSpace(more), "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			l.block = append(l.block, fields(name, value)...)
		}
	}
	l.turn(tb)
	return l
}

func (l *loop) turn(tb testing.TB) {
	b := l.ask[:0]
	if l.seen > 30_000 {
		b = wire.AppendWindow(b, 0, uint32(l.seen))
		l.seen = 0
	}
	at := len(b)
	b = append(wire.BeginBlock(b), l.block...)
	l.ask = wire.EndBlock(b, at, l.id, wire.EndStream, wire.FrameSize)
	if _, err := l.c.Write(l.ask); err != nil {
		tb.Fatal(err)
	}
	for {
		f, err := l.c.next()
		if err != nil {
			tb.Fatal(err)
		}
		if f.Type == wire.Data {
			l.seen += f.Size
		}
		if f.Stream == l.id && f.Type <= wire.Headers && f.Flags&wire.EndStream != 0 {
			break
		}
	}
	l.id += 2
}

func (l *loop) close() {
	l.c.Close()
	for _, f := range l.cleanup {
		f()
	}
}

// plain is a server that answers as simply as can be, so that what is measured is the gateway.
type plain struct{}

func (plain) ServeConn(_ context.Context, c conn.Conn, _ *stream.Info) error {
	h := (&rig{&webtest.Rig{}}).byHand(c)
	if _, err := c.Write(settings()); err != nil {
		return err
	}
	head := fields(":status", "200", "content-type", "text/plain", "content-length", "13")
	if _, err := io.ReadFull(c, h.buf[:len(wire.Preface)]); err != nil {
		return err
	}
	for out := []byte(nil); ; {
		f, err := h.next()
		if err != nil {
			return nil
		}
		if f.Type == wire.Headers {
			out = append(wire.BeginBlock(out[:0]), head...)
			out = wire.EndBlock(out, 0, f.Stream, 0, wire.FrameSize)
			out = wire.AppendData(out, f.Stream, wire.EndStream, []byte("Hello, World!"))
			if _, err := c.Write(out); err != nil {
				return nil
			}
		}
	}
}

// rich are the fields of a browser's request.
var rich = `user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36
accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8
accept-encoding: gzip, deflate, br
accept-language: en-US,en;q=0.9,de;q=0.8
cache-control: no-cache
cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes
referer: https://example.com/another/page?with=query
sec-fetch-dest: document
sec-fetch-mode: navigate
traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01
x-request-id: 0123456789abcdef`

var costs = []struct {
	name    string
	of      func(*webtest.Rig, conn.Server) dial
	relayed bool
	more    string
	most    float64 // allocations of a request
}{
	{"served", (*webtest.Rig).TCP, false, "", 3},
	{"served, rich", (*webtest.Rig).TCP, false, rich, 17},
	{"relayed", (*webtest.Rig).TCP, true, "", 9},
	{"relayed, rich", (*webtest.Rig).TCP, true, rich, 25},
}

func TestAllocs(t *testing.T) {
	if race {
		t.Skip("the race detector allocates")
	}
	for _, c := range costs {
		l := newLoop(t, c.of, c.relayed, c.more)
		for range 100 { // pools and fields have their sizes then
			l.turn(t)
		}
		n := testing.AllocsPerRun(1000, func() { l.turn(t) })
		t.Logf("%s: %v allocations a request", c.name, n)
		if n > c.most+spare {
			t.Errorf("%s: %v allocations a request, not %v", c.name, n, c.most)
		}
		l.close()
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, c := range costs {
		b.Run(c.name, func(b *testing.B) {
			l := newLoop(b, c.of, c.relayed, c.more)
			defer l.close()
			b.ReportAllocs()
			for b.Loop() {
				l.turn(b)
			}
		})
	}
}

package h1_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/webtest"
)

// TestPipelined is a client that asks a hundred thousand times before it reads: what it is answered is not kept for it.
func TestPipelined(t *testing.T) {
	const requests = 100_000
	r := newRig(t)
	var served atomic.Int64
	c := r.client(r.Pipes(&h1.Server{Node: node("server"), Handler: webtest.Func(func(_ context.Context, q *web.Request, x web.Served) error {
		served.Add(1)
		return web.Reply(x, 200, nil, []byte("ok"))
	})}))
	before := heap()
	go func() { // ends with the requests
		b := bytes.Repeat([]byte(crlf("GET / HTTP/1.1\n"+host+"\n")), 1000)
		for range requests / 1000 {
			if _, err := c.Write(b); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for last := int64(-1); last != served.Load() || last == 0; time.Sleep(50 * time.Millisecond) { // nothing tells that nothing happens
		last = served.Load()
	}
	if n := served.Load(); n > 10_000 {
		t.Errorf("%d requests were served, and nobody reads", n)
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("%d bytes more are in use", grown)
	}
	size := len(crlf("HTTP/1.1 200 OK\ncontent-length: 2\ndate: Mon, 02 Jan 2006 15:04:05 GMT\n\nok"))
	if n, err := io.CopyN(io.Discard, c.Conn, int64(size*requests)); err != nil {
		t.Errorf("heard %d of %d answers: %v", n/int64(size), requests, err)
	}
	c.Close()
	r.done()
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// loop asks a relay, again and again, by a connection to it.
type loop struct {
	c       conn.Conn
	ask     []byte
	got     []byte
	cleanup []func()
}

func newLoop(tb testing.TB, of func(*webtest.Rig, conn.Server) dial, relayed bool, fields string) *loop {
	r := newRig(tb)
	answer := []byte("Hello, World!")
	head := web.Fields("content-type", "text/plain")
	var h web.Handler = webtest.Func(func(_ context.Context, _ *web.Request, x web.Served) error { return web.Reply(x, 200, head, answer) })
	l := &loop{}
	if relayed {
		p := r.pool(of(r.Rig, r.backend(hello)))
		l.cleanup = append(l.cleanup, p.close)
		h = web.Dialing(p)
	}
	c := r.client(of(r.Rig, &h1.Server{Node: node("front"), Handler: h}))
	c.SetDeadline(time.Time{})
	l.c, l.ask = c, []byte(crlf("GET /path HTTP/1.1\nhost: example.com\n"+fields+"\n"))
	l.got = make([]byte, 4096)
	l.turn(tb)
	return l
}

// hello answers as simply as can be, so that what is measured is the gateway.
func hello(c conn.Conn, _ *bufio.Reader, _ int) {
	answer := []byte(crlf("HTTP/1.1 200 OK\ncontent-type: text/plain\ncontent-length: 13\n\nHello, World!"))
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		if bytes.HasSuffix(b[:n], []byte("\r\n\r\n")) {
			c.Write(answer)
		}
	}
}

func (l *loop) turn(tb testing.TB) {
	if _, err := l.c.Write(l.ask); err != nil {
		tb.Fatal(err)
	}
	for n := 0; ; {
		m, err := l.c.Read(l.got[n:])
		if err != nil {
			tb.Fatal(err)
		}
		if n += m; bytes.HasSuffix(l.got[:n], []byte("Hello, World!")) {
			return
		}
	}
}

func (l *loop) close() {
	l.c.Close()
	for _, f := range l.cleanup {
		f()
	}
}

// rich are the fields of a browser's request.
var rich = strings.ReplaceAll(`user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36
accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8
accept-encoding: gzip, deflate, br
accept-language: en-US,en;q=0.9,de;q=0.8
cache-control: no-cache
cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes
referer: https://example.com/another/page?with=query
sec-fetch-dest: document
sec-fetch-mode: navigate
traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01
x-request-id: 0123456789abcdef
`, "\t", "")

func TestAllocs(t *testing.T) {
	if race {
		t.Skip("the race detector allocates")
	}
	for _, c := range []struct {
		name    string
		of      func(*webtest.Rig, conn.Server) dial
		relayed bool
		fields  string
		most    float64
	}{
		{"served", (*webtest.Rig).TCP, false, "", 2},
		{"relayed", (*webtest.Rig).TCP, true, "", 2},
		{"relayed, rich", (*webtest.Rig).TCP, true, rich, 2},
	} {
		l := newLoop(t, c.of, c.relayed, c.fields)
		for range 100 { // pools and fields have their sizes then
			l.turn(t)
		}
		if n := testing.AllocsPerRun(1000, func() { l.turn(t) }); n > c.most+spare {
			t.Errorf("%s: %v allocations a request, not %v", c.name, n, c.most)
		}
		l.close()
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, c := range []struct {
		name    string
		of      func(*webtest.Rig, conn.Server) dial
		relayed bool
		fields  string
	}{
		{"served by tcp", (*webtest.Rig).TCP, false, ""},
		{"relayed by tcp", (*webtest.Rig).TCP, true, ""},
		{"relayed by tcp, rich", (*webtest.Rig).TCP, true, rich},
		{"served by pipe", (*webtest.Rig).Pipes, false, ""},
		{"relayed by pipe", (*webtest.Rig).Pipes, true, ""},
		{"relayed by pipe, rich", (*webtest.Rig).Pipes, true, rich},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := newLoop(b, c.of, c.relayed, c.fields)
			defer l.close()
			b.ReportAllocs()
			for b.Loop() {
				l.turn(b)
			}
		})
	}
}

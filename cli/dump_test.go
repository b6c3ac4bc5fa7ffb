package cli

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"gozilla/admin"
	"gozilla/engine"
	"gozilla/internal/gwtest"
)

// watchedGateway is an admin.Source that can be watched.
type watchedGateway struct {
	testGateway
	g *gwtest.Gateway
}

func (w *watchedGateway) Watch(f engine.Filter) (*engine.Watcher, error) { return w.g.Watch(f) }

// runEcho runs a gateway that echoes, and its API in dir.
func runEcho(t *testing.T) (g *gwtest.Gateway, dir string) {
	t.Helper()
	g = gwtest.Start(t, `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: south }
  south: { type: echo, kind: server }
`)
	dir = t.TempDir()
	l, err := admin.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var served sync.WaitGroup
	served.Go(func() {
		if err := admin.Serve(ctx, l, admin.Handler(&watchedGateway{g: g}), slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); served.Wait() })
	return g, dir
}

// dumped is what the command shows of one echo.
func dumped(t *testing.T, terminal bool, o dumpOptions) *shown {
	t.Helper()
	g, dir := runEcho(t)
	env := newShown(terminal)
	begun := make(chan struct{})
	env.Stderr = &awaited{Writer: env.Stderr, seen: begun}
	o.Bytes = 10
	over := make(chan error, 1)
	go func() { over <- runDump(t.Context(), &env.Env, dir, o) }()
	select {
	case <-begun:
	case err := <-over:
		t.Fatal("it has ended before it began: ", err)
	}
	c := g.Dial("north")
	gwtest.Send(t, c, "hello")
	gwtest.Receive(t, c, "hello")
	if err := <-over; err != nil {
		t.Error(err)
	}
	return env
}

// awaited tells of the first write.
type awaited struct {
	Writer interface{ Write([]byte) (int, error) }
	once   sync.Once
	seen   chan struct{}
}

func (a *awaited) Write(b []byte) (int, error) {
	defer a.once.Do(func() { close(a.seen) })
	return a.Writer.Write(b)
}

func TestDump(t *testing.T) {
	env := dumped(t, false, dumpOptions{})
	lines := strings.Split(env.take(), "\n")
	for i, want := range []string{"-- begins: bytes from 127.0.0.1:", "->     5  hello", "<-     5  hello", ""} {
		_, text, _ := strings.Cut(lines[i], "test:north > south  ")
		if !strings.HasPrefix(text, want) {
			t.Errorf("line %d is %q", i, lines[i])
		}
	}
	if got := env.err.String(); got != "gozilla: watching\ngozilla: 3 chunks, 10 bytes of data, 0 lost\n" {
		t.Errorf("it says %q", got)
	}
	env = dumped(t, true, dumpOptions{Dump: admin.Dump{Binding: "south"}})
	if got := env.take(); !strings.Contains(got, green+"->     5  hello"+plain+"\n") || !strings.Contains(got, cyan+"<-     5  hello"+plain+"\n") {
		t.Errorf("on a terminal it shows %q", got)
	}
	env = dumped(t, false, dumpOptions{json: true})
	var kinds []string
	for line := range strings.Lines(env.take()) {
		var l admin.DumpLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, l.Kind)
	}
	if got := strings.Join(kinds, " "); got != "begin data data" {
		t.Errorf("as JSON it shows %s", got)
	}
}

func TestDumpOfPackets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	env := dumped(t, false, dumpOptions{file: file})
	if got := env.take(); got != "" {
		t.Errorf("it shows %q", got)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := payloads(t, b); fmt.Sprint(got) != "[> hello < hello]" {
		t.Errorf("it holds %q", got)
	}
	env = dumped(t, false, dumpOptions{file: "-"})
	if got := payloads(t, []byte(env.take())); fmt.Sprint(got) != "[> hello < hello]" {
		t.Errorf("it holds %q", got)
	}
}

// payloads are what the segments of a file carry, each behind its direction.
func payloads(t testing.TB, b []byte) (all []string) {
	t.Helper()
	for _, s := range segments(t, b) {
		if len(s.data) > 0 {
			all = append(all, s.direction+" "+string(s.data))
		}
	}
	return all
}

// segment is one of TCP.
type segment struct {
	client, server netip.AddrPort
	direction      string
	seq            uint32
	flags          byte
	data           []byte
}

// segments reads those of IPv4.
func segments(t testing.TB, b []byte) (all []segment) {
	t.Helper()
	clients := map[netip.AddrPort]bool{}
	for len(b) > 0 {
		typ, n := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if typ == 6 {
			ip := b[28 : 28+binary.LittleEndian.Uint32(b[20:])]
			tcp := ip[20:]
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[12:])), binary.BigEndian.Uint16(tcp))
			to := netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[16:])), binary.BigEndian.Uint16(tcp[2:]))
			s := segment{from, to, ">", binary.BigEndian.Uint32(tcp[4:]), tcp[13], tcp[tcp[12]>>4*4:]}
			if s.flags == 2 {
				clients[from] = true
			}
			if !clients[from] {
				s.client, s.server, s.direction = to, from, "<"
			}
			all = append(all, s)
		}
		b = b[n:]
	}
	return all
}

func TestDumpFailures(t *testing.T) {
	_, dir := runEcho(t)
	f := func(o dumpOptions, want string) {
		t.Helper()
		env := newShown(false)
		if err := runDump(t.Context(), &env.Env, dir, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, not %s", err, want)
		}
		if env.err.Len() > 0 {
			t.Errorf("it says %q", &env.err)
		}
	}
	f(dumpOptions{Dump: admin.Dump{Binding: "sotuh"}}, `there is no binding "sotuh", did you mean south?`)
	f(dumpOptions{file: filepath.Join(dir, "none", "file")}, "cannot write packets: ")
	ctx, cancel := context.WithCancel(t.Context())
	env := newShown(false)
	env.Stderr = &awaited{Writer: env.Stderr, seen: make(chan struct{})}
	go func() { <-env.Stderr.(*awaited).seen; cancel() }()
	if err := runDump(ctx, &env.Env, dir, dumpOptions{}); err != nil {
		t.Errorf("the user ends it, with %v", err)
	}
	if got := env.err.String(); got != "gozilla: watching\ngozilla: 0 chunks, 0 bytes of data, 0 lost\n" {
		t.Errorf("it says %q", got)
	}
}

func TestDumpOptions(t *testing.T) {
	f := func(o dumpOptions, source, bytes, want string) {
		t.Helper()
		if err := o.read(source, bytes); err == nil || err.Error() != want {
			t.Errorf("got %v, not %s", err, want)
		}
	}
	f(dumpOptions{json: true, file: "x"}, "", "", "packets and JSON cannot be asked for together")
	f(dumpOptions{Dump: admin.Dump{For: -1}}, "", "", "the duration cannot be negative")
	f(dumpOptions{}, "x", "", `the source must be a network like 10.0.0.0/8, or an address, not "x"`)
	f(dumpOptions{}, "", "10 apples", `the bytes must be a number of at least 1, such as 1000, 10MB or 512KiB, not "10 apples"`)
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "1000": 1000, "10B": 10, "10MB": 10e6, "10mb": 10e6, "512KiB": 512 << 10, "1 GiB": 1 << 30, "2kb": 2000, "3GB": 3e9, "4MiB": 4 << 20,
		"": 0, "0": 0, "-1": 0, "MB": 0, "1.5MB": 0, "9999999999GiB": 0, "10TB": 0,
	} {
		n, ok := parseBytes(text)
		if ok != (want > 0) || ok && n != want {
			t.Errorf("%q is %d, %v", text, n, ok)
		}
	}
}

// chunk makes one of a stream of protocol http.
func chunk(kind, direction string, lines ...string) *engine.Chunk {
	return &engine.Chunk{
		Time: time.Date(2026, 8, 1, 14, 5, 6, 7000, time.Local), Stream: 1, Connection: 3, Exchange: 5, From: "test:north", To: "test:south", Protocol: "http",
		Source: "10.0.0.1:5555", Dest: "10.0.0.2:7114", Kind: kind, Direction: direction, Lines: lines,
	}
}

func body(kind, direction string, offset int64, data string) *engine.Chunk {
	c := chunk(kind, direction)
	c.Offset, c.Data = offset, []byte(data)
	return c
}

func TestDumpText(t *testing.T) {
	f := func(c *engine.Chunk, want string) {
		t.Helper()
		var b bytes.Buffer
		(&textDump{out: &b}).write(&admin.DumpLine{Chunk: c})
		if got := b.String(); got != "14:05:06.000007  3/5      test:north > south  "+want+"\n" {
			t.Errorf("it shows %q", got)
		}
	}
	f(chunk(engine.Begin, ""), "-- begins: http from 10.0.0.1:5555 to 10.0.0.2:7114")
	f(chunk(engine.Head, engine.Received, "GET / HTTP/1.1", "host: example.com"), "-> GET / HTTP/1.1 | host: example.com")
	f(body(engine.Body, engine.Sent, 0, "a\x1b[31m\x00é\u202e\xff\\\r\n\t"), `<-    17  a\x1b[31m\x00é\u{202e}\xff\\\r\n\t`)
	f(body(engine.Data, engine.Sent, 0, strings.Repeat("x", 101)), "<-   101  "+strings.Repeat("x", 100)+" ...")
	event := body(engine.Message, engine.Sent, 0, "data:x\n\n")
	f(event, `<-     8  data:x\n\n`)
	event.Label = "event"
	f(event, `<-     8  event  data:x\n\n`)
	f(chunk(engine.Trailer, engine.Sent, "a: b"), "<- a: b")
	f(chunk(engine.Finish, engine.Received), "-> ends")
	f(chunk(engine.End, ""), "-- is over")
	broken := chunk(engine.End, "")
	broken.Error = "cut by the client: rst\x1b"
	f(broken, `-- is cut off: cut by the client: rst\x1b`)
	f(chunk("\x1b", ""), `-- \x1b`)
}

// TestPacketsOfEvents has events as they are, and what is lost between them as a gap.
func TestPacketsOfEvents(t *testing.T) {
	begun := chunk(engine.Begin, "")
	all := []*engine.Chunk{begun, body(engine.Message, engine.Sent, 0, "data:1\n\n"), body(engine.Message, engine.Sent, 16, "data:3\n\n"), chunk(engine.End, "")}
	for _, c := range all {
		c.Protocol = "sse"
	}
	got := ""
	for _, s := range packets(t, all...) {
		if s.direction == "<" {
			got += string(s.data)
		}
	}
	if got != "data:1\n\ndata:3\n\n" {
		t.Errorf("the packets have %q", got)
	}
}

// FuzzPrintable wants nothing that a terminal obeys to.
func FuzzPrintable(f *testing.F) {
	f.Add("hello\x1b]0;title\x07", 10)
	f.Fuzz(func(t *testing.T, s string, most int) {
		for _, r := range printable(s, max(0, most%1000)) {
			if !unicode.IsPrint(r) {
				t.Errorf("%q lets %q through", s, r)
			}
		}
	})
}

// packets writes chunks and gives the segments.
func packets(t *testing.T, chunks ...*engine.Chunk) []segment {
	t.Helper()
	var file bytes.Buffer
	d, err := newPacketDump(&file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range chunks {
		if err := d.write(&admin.DumpLine{Chunk: c}); err != nil {
			t.Fatal(err)
		}
		segments(t, file.Bytes()) // it is whole at any moment
	}
	d.write(&admin.DumpLine{Lost: 7})
	return segments(t, file.Bytes())
}

func TestPacketsOfHTTP(t *testing.T) {
	all := packets(t,
		chunk(engine.Begin, ""),
		chunk(engine.Head, engine.Received, "POST / HTTP/1.1", "host: a\r\nb: c", "transfer-encoding: chunked"),
		body(engine.Body, engine.Received, 0, "hello"),
		chunk(engine.Trailer, engine.Received, "t: 1"),
		chunk(engine.Finish, engine.Received),
		chunk(engine.Head, engine.Sent, "HTTP/1.1 200 OK", "content-length: 3"),
		body(engine.Body, engine.Sent, 0, "yes"),
		chunk(engine.Finish, engine.Sent),
		chunk(engine.End, ""),
	)
	var got [2]string
	for _, s := range all {
		i := strings.Index("><", s.direction)
		got[i] += string(s.data)
		if s.client.String() != "10.0.0.1:5555" || s.server.String() != "10.0.0.2:80" {
			t.Errorf("a segment is between %v and %v", s.client, s.server)
		}
	}
	if want := "POST / HTTP/1.1\r\nhost: a  b: c\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nt: 1\r\n\r\n"; got[0] != want {
		t.Errorf("the request is %q", got[0])
	}
	if want := "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes"; got[1] != want {
		t.Errorf("the response is %q", got[1])
	}
	if last := all[len(all)-2]; last.flags&1 == 0 {
		t.Errorf("it does not end: %v", last)
	}
}

// TestPacketsOfGaps leaves out what was lost.
func TestPacketsOfGaps(t *testing.T) {
	all := packets(t, body(engine.Data, engine.Received, 100, "abc"), body(engine.Data, engine.Received, 103, "d"), body(engine.Data, engine.Received, 1104, "e"))
	var at []uint32
	for _, s := range all {
		if len(s.data) > 0 {
			at = append(at, s.seq-all[0].seq)
		}
	}
	if fmt.Sprint(at) != "[101 104 1105]" {
		t.Errorf("the data stands at %v", at)
	}
}

// TestPacketsOfSeveralEdges tells the streams apart that know the same addresses.
func TestPacketsOfSeveralEdges(t *testing.T) {
	f := func(id uint64, edit func(*engine.Chunk)) *engine.Chunk {
		c := chunk(engine.Begin, "")
		c.Stream = id
		edit(c)
		return c
	}
	same := func(*engine.Chunk) {}
	over := f(1, func(c *engine.Chunk) { c.Kind, c.Error = engine.End, "rst" })
	all := packets(t, f(1, same), f(2, same), over, f(3, same),
		f(4, func(c *engine.Chunk) { c.Source, c.Dest = "", "example.com:8080" }),
		f(5, func(c *engine.Chunk) { c.Protocol, c.Dest, c.Secure = "bytes", "10.0.0.2:443", true }),
		f(6, func(c *engine.Chunk) { c.Protocol, c.Dest = "bytes", "10.0.0.2:443" }))
	var got []string
	for _, s := range all {
		if s.flags == 2 || s.flags&4 != 0 {
			got = append(got, fmt.Sprintf("%v>%v %d", s.client, s.server, s.flags))
		}
	}
	want := []string{
		"10.0.0.1:5555>10.0.0.2:80 2", "10.0.0.1:49152>10.0.0.2:80 2", "10.0.0.1:5555>10.0.0.2:80 20", "10.0.0.1:5555>10.0.0.2:80 2",
		"192.0.2.1:49153>192.0.2.2:8080 2", "10.0.0.1:49154>10.0.0.2:80 2", "10.0.0.1:5555>10.0.0.2:443 2",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%q\nnot\n%q", got, want)
	}
}

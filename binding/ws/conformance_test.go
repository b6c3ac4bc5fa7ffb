package ws_test

import (
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"gozilla/internal/gwtest"
	"gozilla/wire/websocket"
)

// echoing is a gateway that sends back messages, compressed and not.
const echoing = `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: http }
  http: { type: http, kind: server, exit: ws }
  ws: { type: ws, kind: server, options: { compression: permessage-deflate }, exit: echo }
  echo: { type: echo, kind: server }
`

// leading is one that goes on to a server.
const leading = `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: http }
  http: { type: http, kind: server, exit: ws }
  ws:
    type: ws
    kind: server
    routes:
      - { when: [ { path: /deflate } ], exit: deflate }
    exit: plain
  plain: { type: ws, kind: client, exit: web }
  deflate: { type: ws, kind: client, options: { compression: permessage-deflate }, exit: web }
  web: { type: http, kind: client, exit: out }
  out: { type: tcp, kind: client, options: { host: 127.0.0.1, port: "${{env.BACK}}" } }
`

// table is all rows.
var table = sync.OnceValue(func() []row {
	most := 16 << 20
	if raceEnabled || testing.Short() {
		most = 64 << 10
	}
	return slices.Concat(framing(), pings(), reserved(), opcodes(), fragments(), texts(), closes(), large(most), masks(), compressed())
})

// TestServer is the table, with clients of HTTP/1.1.
func TestServer(t *testing.T) {
	g := gwtest.Start(t, echoing)
	rows := table()
	t.Logf("%d rows", len(rows))
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) { r.run(t, opens(t, g, "/", offers(r.deflate)...)) })
	}
}

// TestServerInPieces is the rows that are short, a byte at a time.
func TestServerInPieces(t *testing.T) {
	if raceEnabled {
		t.Skip("nothing else runs at a time than otherwise")
	}
	g := gwtest.Start(t, echoing)
	for _, r := range table() {
		if r.bytes() > 1000 || r.chop == 1 {
			continue
		}
		r.chop = 1
		t.Run(r.name, func(t *testing.T) { r.run(t, opens(t, g, "/", offers(r.deflate)...)) })
	}
}

// TestServerH2 is the table, with clients of HTTP/2.
func TestServerH2(t *testing.T) {
	g := gwtest.Start(t, echoing)
	for i, r := range table() {
		if raceEnabled && i%8 != 0 || r.bytes() > 1<<20 {
			continue
		}
		t.Run(r.name, func(t *testing.T) { r.run(t, opensH2(t, g, "/", r.deflate)) })
	}
}

// TestClient is the table from the side of servers: the gateway's client sends on what it gets to a client of its own, which
// sends it back.
func TestClient(t *testing.T) {
	back := gwtest.Listen(t, "")
	g := gwtest.Start(t, leading, gwtest.Env("BACK", back.Port()))
	for i, r := range table() {
		if raceEnabled && i%3 != 0 || r.bytes() > 4<<20 {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			path := "/plain"
			if r.deflate {
				path = "/deflate"
			}
			c := g.Dial("north")
			asks(t, c, path)
			p, _ := accepts(t, back.Next())
			far := answered(t, c)
			var mirrored sync.WaitGroup
			mirrored.Go(func() { far.mirror() })
			r.run(t, p)
			mirrored.Wait()
		})
	}
}

// mirror sends back every message until the other end takes its leave, and then does so too.
func (p *peer) mirror() {
	for {
		m, err := p.next()
		if err != nil {
			p.t.Errorf("the client behind the gateway: %v", err)
			return
		}
		p.say(0, frame{op: m.op, data: m.data})
		if m.op == bye {
			p.ends()
			return
		}
	}
}

func (r *row) bytes() (n int) {
	for _, f := range r.sends {
		n += len(f.data)
	}
	return n
}

// run has a peer send what the row says, and wants what it says.
func (r *row) run(t *testing.T, p *peer) {
	p.t = t
	want := r.code
	sends := slices.Clone(r.sends)
	if want == 0 {
		want = websocket.Normal
		sends = append(sends, frame{op: bye, data: closing(want, "")})
	}
	var sent sync.WaitGroup
	sent.Go(func() { p.say(r.chop, sends...) })
	got, code := p.hears()
	if code != want {
		t.Fatalf("the goodbye has the code %d, not %d", code, want)
	}
	sent.Wait()
	r.compare(t, got, p.client)
	if r.deflate && p.packed == 0 && slices.ContainsFunc(got, func(m message) bool { return len(m.data) >= 64 && !m.op.Control() }) {
		t.Error("no message came compressed")
	}
	p.ends()
}

// hears is what comes before a goodbye, and its code.
func (p *peer) hears() (got []message, code websocket.Code) {
	p.t.Helper()
	for {
		m, err := p.next()
		if err != nil {
			p.t.Fatalf("%v, behind %v", err, got)
		}
		if m.op != bye {
			got = append(got, m)
			continue
		}
		if code, _, err = websocket.ParseClose([]byte(m.data)); err != nil {
			p.t.Fatal(err)
		}
		return got, code
	}
}

// compare wants messages in their order, and pongs in theirs. What passes through a gateway may not have come back yet when a
// fault ends all.
func (r *row) compare(t *testing.T, got []message, exact bool) {
	t.Helper()
	of := func(all []message, control bool) []message {
		return slices.DeleteFunc(slices.Clone(all), func(m message) bool { return m.op.Control() != control })
	}
	for _, control := range []bool{true, false} {
		have, want := of(got, control), of(r.gets, control)
		if !exact && r.code != 0 && len(have) < len(want) {
			want = want[:len(have)]
		}
		if !slices.Equal(have, want) {
			t.Fatalf("got %.500v, not %.500v", have, want)
		}
	}
}

// ends wants nothing behind a goodbye but the end of the connection.
func (p *peer) ends() {
	p.t.Helper()
	p.finish()
	rest, err := io.ReadAll(p.rw)
	if len(p.in)+len(rest) > 0 || err != nil {
		p.t.Errorf("%q and %q behind the goodbye, %v", p.in, rest, err)
	}
	if c, ok := p.rw.(net.Conn); ok {
		c.Close()
	}
}

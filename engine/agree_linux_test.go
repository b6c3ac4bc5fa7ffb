package engine_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gozilla/engine"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/telemetry"
	"gozilla/wire/proxyproto"
)

// All of 127.0.0.0/8 is this machine on Linux: so clients of many addresses are to be had.

// How many routes a binding has, and how many streams are tried on it.
const (
	manyRoutes  = 1000
	manyStreams = 10_000
)

// fewer is how many streams there is time for.
func fewer(n int) int {
	if raceEnabled {
		return n / 10
	}
	return n
}

// agreement is a gateway that runs, and an explainer of the same file.
type agreement struct {
	*gwtest.Gateway
	*engine.Explainer
	t    *testing.T
	rand *rand.Rand
	port []uint16       // of the listeners
	nets []netip.Prefix // that routes ask for
}

// agreeing runs a file whose binding under test has many routes of those that route makes. PORTS in the file are those
// of its listeners, %d in a route is where an exit of ten stands.
func agreeing(t *testing.T, file string, route func(a *agreement) string) *agreement {
	a := &agreement{t: t, rand: rand.New(rand.NewPCG(7, 42))}
	for range 4 {
		port, _ := strconv.Atoi(gwtest.ClosedPort(t))
		a.port = append(a.port, uint16(port))
	}
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(file, "PORTS", fmt.Sprintf("[%d, %d, %d, %d]", a.port[0], a.port[1], a.port[2], a.port[3])))
	for range manyRoutes {
		fmt.Fprintf(&b, "      - { when: %s, exit: end%d }\n", route(a), a.rand.IntN(10))
	}
	for i := range 10 {
		fmt.Fprintf(&b, "  end%d: { type: echo, kind: server }\n", i)
	}
	yaml := b.String()
	a.Gateway = gwtest.Start(t, yaml, gwtest.Limits(func(l *stream.Limits) { l.Records = 2 * manyStreams }))
	a.Explainer = load(yaml, engine.Options{}).Explainer()
	return a
}

// one is any of some texts.
func (a *agreement) one(of ...string) string { return of[a.rand.IntN(len(of))] }

// local is an address of this machine; those of near ones are alike.
func (a *agreement) local() netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(a.rand.IntN(16)), byte(a.rand.IntN(40)), byte(1 + a.rand.IntN(250))})
}

// network is one of those addresses' network, for a route.
func (a *agreement) network() string {
	n := netip.PrefixFrom(a.local(), []int{24, 24, 28, 30, 32}[a.rand.IntN(5)]).Masked()
	a.nets = append(a.nets, n)
	return n.String()
}

// near is an address that a route asks for by its network, mostly.
func (a *agreement) near() netip.Addr {
	if a.rand.IntN(4) == 0 {
		return a.local()
	}
	return a.nets[a.rand.IntN(len(a.nets))].Addr().Next()
}

func (a *agreement) anyPort() uint16 { return a.port[a.rand.IntN(len(a.port))] }

// pathOf is a path as records have it.
func pathOf(steps []telemetry.Step) string {
	var words []string
	for _, s := range steps {
		words = append(words, strings.TrimPrefix(s.Binding, "test:")+" "+s.Route)
	}
	return strings.Join(words, " ")
}

// explained is the path of an explanation, from the binding at an index on.
func explained(e *engine.Explanation, from int) string {
	var steps []telemetry.Step
	for _, s := range e.Steps[min(from, len(e.Steps)):] {
		steps = append(steps, telemetry.Step{Binding: s.Binding, Route: s.Took})
	}
	return pathOf(steps)
}

// records are those of all streams, which must have ended, by what key makes of them.
func (a *agreement) records(key func(*telemetry.Record) string) map[string]*telemetry.Record {
	a.AwaitIdle()
	all := map[string]*telemetry.Record{}
	entries, _, _ := a.Host.Log.Since(0)
	for _, e := range entries {
		if e.Record != nil {
			all[key(e.Record)] = e.Record
		}
	}
	return all
}

// inParallel calls do with all numbers below n.
func inParallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	const workers = 4
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				do(i)
			}
		})
	}
	wg.Wait()
}

// connect makes a connection as a query says, sends what first is and reads an end, or so many bytes of it as come back.
// It gives its addresses, as ends does. The connection is reset then, so that nothing of it is left.
func (a *agreement) connect(q *engine.Query, from netip.Addr, first []byte, back int) string {
	d := net.Dialer{Timeout: gwtest.Patience, LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}
	c, err := d.DialContext(a.t.Context(), "tcp", netip.AddrPortFrom(q.Dest, q.Port).String())
	if err != nil {
		a.t.Error(err)
		return ""
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(gwtest.Patience))
	c.Write(first)
	io.ReadFull(c, make([]byte, back))
	c.(*net.TCPConn).SetLinger(0)
	return c.LocalAddr().String() + " " + c.RemoteAddr().String()
}

// ends are the addresses of a connection. One that had the same before wanted the same.
func ends(r *telemetry.Record) string { return r.Source.String() + " " + r.Dest.String() }

// compare explains queries and compares that with what the gateway has done: the path from a binding on, and why it ended.
func (a *agreement) compare(queries []*engine.Query, keys []string, from int, records map[string]*telemetry.Record) {
	var served, wrong atomic.Int64
	inParallel(len(queries), func(i int) {
		e, r := a.Explain(a.t.Context(), queries[i]), records[keys[i]]
		if r == nil {
			a.t.Errorf("there is no record of %s, %+v", keys[i], queries[i])
			return
		}
		if e.Served {
			served.Add(1)
		}
		if got, want := explained(e, from), pathOf(r.Path); got != want || !e.Served && e.Reason != r.Reason {
			if wrong.Add(1) < 6 {
				a.t.Errorf("%+v is explained as %s %s, and goes %s %s", queries[i], got, e.Reason, want, r.Reason)
			}
		}
	})
	if n := int64(len(queries)); served.Load() < n/10 || served.Load() > n-n/10 {
		a.t.Errorf("%d of %d streams are served: that says little", served.Load(), n)
	}
	if n := wrong.Load(); n > 0 {
		a.t.Errorf("%d are explained wrong", n)
	}
}

// TestAgreesByAddress has clients of many addresses connect to many addresses.
func TestAgreesByAddress(t *testing.T) {
	a := agreeing(t, `name: test
bindings:
  north:
    type: tcp
    kind: server
    options: { host: 0.0.0.0, port: PORTS }
    routes:
`, func(a *agreement) string {
		item := func() string {
			text := fmt.Sprintf("{ port: %d, source: [ %s, %s ]", a.anyPort(), a.network(), a.network())
			return text + a.one("", ", cidr: "+a.network()) + " }"
		}
		return "[ " + item() + a.one("", ", "+item()) + " ]"
	})
	queries := make([]*engine.Query, fewer(manyStreams))
	for i := range queries {
		queries[i] = &engine.Query{Port: a.anyPort(), Dest: a.near(), Source: netip.AddrPortFrom(a.near(), 0)}
	}
	keys := make([]string, len(queries))
	inParallel(len(queries), func(i int) { keys[i] = a.connect(queries[i], queries[i].Source.Addr(), []byte("hello"), 5) })
	a.compare(queries, keys, 0, a.records(ends))
}

// TestAgreesByPROXY has a proxy speak for clients of anywhere.
func TestAgreesByPROXY(t *testing.T) {
	anywhere := func(a *agreement) netip.Addr {
		if a.rand.IntN(3) == 0 {
			return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(a.rand.IntN(6)), 15: byte(a.rand.IntN(250))})
		}
		return netip.AddrFrom4([4]byte{10, byte(a.rand.IntN(6)), byte(a.rand.IntN(12)), byte(a.rand.IntN(250))})
	}
	a := agreeing(t, `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 0.0.0.0, port: PORTS }, exit: middle }
  middle:
    type: proxy
    kind: server
    routes:
`, func(a *agreement) string {
		source := anywhere(a)
		text := fmt.Sprintf("source: { host: \"%s\" }", netip.PrefixFrom(source, source.BitLen()-[]int{0, 2, 4}[a.rand.IntN(3)]).Masked())
		text += a.one("", fmt.Sprintf(", destination: { port: %d }", a.anyPort()))
		text += a.one("", ", transport: stream", ", family: "+map[bool]string{true: "inet4", false: "inet6"}[source.Is4()])
		return "[ { " + text + a.one("", ", info: { authority: a.example }", ", info: { alpn: h2 }") + " } ]"
	})
	queries := make([]*engine.Query, fewer(manyStreams/5))
	heads := make([][]byte, len(queries))
	for i := range queries {
		q := &engine.Query{
			Port: a.anyPort(), Dest: a.local(), Proxy: a.local(), SNI: a.one("", "a.example", "b.example"),
			Source: netip.AddrPortFrom(anywhere(a), uint16(1+i)),
		}
		h := proxyproto.Header{Version: 2, Family: proxyproto.Inet4, Transport: proxyproto.Stream, Source: q.Source, Authority: q.SNI}
		if h.ALPN = a.one("", "h2", "http/1.1"); h.ALPN != "" {
			q.ALPN = []string{h.ALPN}
		}
		to := q.Dest
		if q.Source.Addr().Is6() {
			h.Family, to = proxyproto.Inet6, netip.AddrFrom16(to.As16())
		}
		h.Dest = netip.AddrPortFrom(to, q.Port)
		var err error
		if heads[i], err = h.Append(nil); err != nil {
			t.Fatal(err)
		}
		queries[i] = q
	}
	keys := make([]string, len(queries))
	inParallel(len(queries), func(i int) {
		keys[i] = a.connect(queries[i], queries[i].Proxy, append(heads[i], "hello"...), 5)
	})
	records := a.records(ends)
	for i, q := range queries {
		if said := q.Source.String() + " " + netip.AddrPortFrom(q.Dest, q.Port).String(); records[said] != nil { // the header was taken
			keys[i] = said
		}
	}
	a.compare(queries, keys, 0, records)
}

// TestAgreesBySNI has clients ask for names and protocols.
func TestAgreesBySNI(t *testing.T) {
	name := func(a *agreement) string {
		return a.one("a", "b", "c", "d", "e", "f") + strconv.Itoa(a.rand.IntN(60)) + a.one(".example", ".Example", ".test")
	}
	a := agreeing(t, `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 0.0.0.0, port: PORTS }, exit: middle }
  middle:
    type: tls
    kind: proxy
    routes:
`, func(a *agreement) string {
		text := fmt.Sprintf("{ authority: \"%s\"", a.one(name(a), "*"+strconv.Itoa(a.rand.IntN(60))+".test"))
		return "[ " + text + a.one("", ", alpn: h2", ", alpn: http/*") + a.one("", fmt.Sprintf(", port: %d", a.anyPort())) + " } ]"
	})
	queries := make([]*engine.Query, fewer(manyStreams/5))
	for i := range queries {
		q := &engine.Query{Port: a.anyPort(), Dest: a.local(), Source: netip.AddrPortFrom(a.local(), 0), SNI: name(a)}
		q.ALPN = [][]string{nil, {"h2"}, {"h2", "http/1.1"}, {"http/1.1"}}[a.rand.IntN(4)]
		queries[i] = q
	}
	keys := make([]string, len(queries))
	inParallel(len(queries), func(i int) {
		hello := helloOf(queries[i])
		keys[i] = a.connect(queries[i], queries[i].Source.Addr(), hello, len(hello))
	})
	a.compare(queries, keys, 0, a.records(ends))
}

// helloOf is what a client says first.
func helloOf(q *engine.Query) []byte {
	near, far := net.Pipe()
	defer far.Close()
	go tls.Client(near, &tls.Config{ServerName: q.SNI, NextProtos: q.ALPN, InsecureSkipVerify: true}).Handshake() // ends with far
	b := make([]byte, 16<<10)
	n, _ := far.Read(b)
	return b[:n]
}

// TestAgreesByRequest has clients ask for pages.
func TestAgreesByRequest(t *testing.T) {
	path := func(a *agreement) string {
		return fmt.Sprintf("/v%d/%s/%d", a.rand.IntN(3), a.one("items", "users", "carts"), a.rand.IntN(40))
	}
	host := func(a *agreement) string { return fmt.Sprintf("h%d.example", a.rand.IntN(5)) }
	a := agreeing(t, `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 0.0.0.0, port: PORTS }, exit: middle }
  middle:
    type: http
    kind: server
    options:
      forwarded: x-forwarded
      overrides: { x-seen: yes }
    routes:
`, func(a *agreement) string {
		item := func() string {
			text := fmt.Sprintf("\":path\": \"%s\"", a.one(path(a), path(a)+"*", path(a)+"?n=7*", "/v1/{kind}/"+strconv.Itoa(a.rand.IntN(40))))
			text += a.one("", ", \":method\": "+a.one("GET", "PUT", "DELETE"), ", \":authority\": \""+host(a)+":*\"")
			return "{ headers: { " + text + a.one("", ", x-key: \""+strconv.Itoa(a.rand.IntN(4))+"\"", ", x-forwarded-for: \"127.1.*\"") + " } }"
		}
		return "[ " + item() + a.one("", ", "+item()) + " ]"
	})
	queries := make([]*engine.Query, fewer(manyStreams))
	keys := make([]string, len(queries))
	for i := range queries {
		keys[i] = path(a) + "?n=" + strconv.Itoa(i)
		header := []stream.Field{{Name: ":method", Value: a.one("GET", "PUT", "DELETE")}, {Name: ":path", Value: keys[i]}, {Name: ":authority", Value: host(a)}}
		for range a.rand.IntN(3) {
			header = append(header, stream.Field{Name: a.one("x-key", "X-Key", "x-forwarded-for"), Value: strconv.Itoa(a.rand.IntN(4))})
		}
		queries[i] = &engine.Query{Port: a.port[0], Dest: a.local(), Header: header}
	}
	inParallel(4, func(w int) {
		from := netip.AddrFrom4([4]byte{127, byte(w), 0, 9})
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}).DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", a.port[0]))
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(gwtest.Patience))
		r := bufio.NewReader(c)
		for i := w; i < len(queries); i += 4 {
			queries[i].Source, queries[i].Dest = netip.AddrPortFrom(from, 0), netip.MustParseAddr("127.0.0.1")
			if err := ask(c, r, queries[i]); err != nil {
				t.Error(err)
				return
			}
		}
	})
	a.compare(queries, keys, 1, a.records(func(r *telemetry.Record) string { return r.HTTP.Path }))
}

// ask sends the request of a query, and reads the answer.
func ask(c net.Conn, r *bufio.Reader, q *engine.Query) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", q.Header[0].Value, q.Header[1].Value, q.Header[2].Value)
	for _, f := range q.Header[3:] {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	if _, err := io.WriteString(c, b.String()+"\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(r, nil)
	if err == nil {
		_, err = io.Copy(io.Discard, answer.Body)
	}
	return err
}

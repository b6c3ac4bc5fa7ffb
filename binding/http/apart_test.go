package http_test

import (
	"bufio"
	"context"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

// agreeing is a test binding in place of a tls client: it dials its exit, and says that HTTP/2 was agreed on, but HTTP/1.1
// where that is the only one wanted and it offers it.
type agreeing struct {
	exit   conn.Port
	offers bool
}

// agreeingConfig is an agreeing in a file.
type agreeingConfig struct {
	binding.Head
	binding.Exited
}

func (a *agreeing) DialConn(ctx context.Context, about *stream.Info) (conn.Conn, *stream.Info, error) {
	c, told, err := a.exit.DialConn(ctx, about)
	if err != nil {
		return nil, nil, err
	}
	agreed := *told
	if agreed.ALPN = "h2"; a.offers && about.ALPN == "http/1.1" {
		agreed.ALPN = about.ALPN
	}
	return c, &agreed, nil
}

// Offers is part of conn.Offerer.
func (a *agreeing) Offers() []conn.Offer {
	if !a.offers {
		return nil
	}
	return []conn.Offer{{Protocols: []string{"h2", "http/1.1"}}}
}

// asked is a test binding in place of a tls server that may agree on all there is. It warns of what its exit does not speak.
type asked struct {
	b    *binding.Builder
	exit conn.Port
	at   config.Pos
}

// askedConfig is an asked in a file.
type askedConfig struct {
	binding.Head
	binding.Exited
}

func newAsked(b *binding.Builder, c *askedConfig) (*asked, error) {
	return &asked{b, binding.ExitOf(b, conn.Protocol), b.Report.At(c)}, nil
}

func (a *asked) ServeConn(ctx context.Context, c conn.Conn, about *stream.Info) error {
	return a.exit.ServeConn(ctx, c, about)
}

func (a *asked) check([]string) {
	for _, alpn := range []string{"h2", "http/1.1", "x"} {
		if by := conn.Declines(a.exit, alpn); by != nil {
			a.b.Report.Warnf(a.at, "%s does not speak %s", by.Name, alpn)
		}
	}
}

func init() {
	binding.Register(binding.Type{Name: "asked", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(newAsked, binding.Face(conn.Protocol, func(a *asked) conn.Port { return conn.Serving(a) }),
			binding.Exits[*asked](conn.Protocol), binding.Checks((*asked).check)),
	}})
	for name, offers := range map[string]bool{"agreeing": true, "insisting": false} {
		binding.Register(binding.Type{Name: name, Kinds: map[binding.Kind]binding.Form{
			binding.Client: binding.In(func(b *binding.Builder, _ *agreeingConfig) (*agreeing, error) {
				return &agreeing{binding.ExitOf(b, conn.Protocol), offers}, nil
			}, binding.Face(conn.Protocol, func(a *agreeing) conn.Port { return conn.Dialing(a) }), binding.Exits[*agreeing](conn.Protocol)),
		}})
	}
}

// both is a server of both versions, which takes upgrades over HTTP/1.1 only. It answers with the version of a request.
type both struct {
	*httptest.Server
	mu  sync.Mutex
	new int // connections
}

func startBoth(t *testing.T) *both {
	b := &both{}
	b.Server = httptest.NewUnstartedServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		switch {
		case r.URL.Path == "/refused":
			w.WriteHeader(403)
			fallthrough
		case r.Header.Get("Upgrade") == "":
			io.WriteString(w, r.Proto)
			return
		}
		c, buffered, err := w.(nethttp.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\n")
		io.Copy(c, buffered)
	}))
	b.Config.Protocols = &nethttp.Protocols{}
	b.Config.Protocols.SetHTTP1(true)
	b.Config.Protocols.SetUnencryptedHTTP2(true)
	b.Config.ConnState = func(_ net.Conn, state nethttp.ConnState) {
		if state == nethttp.StateNew {
			b.mu.Lock()
			b.new++
			b.mu.Unlock()
		}
	}
	b.Start()
	t.Cleanup(b.Close)
	return b
}

// conns is how many connections it was given.
func (b *both) conns() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.new
}

// gateway has one connection to the server, and what is apart; more are bindings.
func (b *both) gateway(t *testing.T, between, options, more string) *gwtest.Gateway {
	text := strings.Replace(relaying, "kind: client, exit: south }", "kind: client, options: "+options+", exit: between }", 1) + "  between: " + between + "\n" + more
	_, port, _ := net.SplitHostPort(b.Listener.Addr().String())
	return gwtest.Start(t, text, gwtest.Env("SERVER", port), gwtest.Limits(func(l *stream.Limits) { l.Pool = 1 }))
}

// What is between an http client and its server.
const (
	agrees  = "{ type: agreeing, kind: client, exit: south }"
	insists = "{ type: insisting, kind: client, exit: south }"
)

// answers sends a request, and wants an answer with that status and body.
func answers(t *testing.T, g *gwtest.Gateway, text string, status int, body string) {
	t.Helper()
	c := g.Dial("north")
	defer c.Close()
	r := asking(t, c, text)
	if b, err := io.ReadAll(r.Body); r.StatusCode != status || string(b) != body || err != nil {
		t.Errorf("%q: got %s, %q, %v", text, r.Status, b, err)
	}
}

func upgradeAt(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
}

const plain = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

// tunnels begins an upgrade, which has an echo.
func tunnels(t *testing.T, g *gwtest.Gateway) (echo func(text string)) {
	t.Helper()
	c := g.Dial("north")
	gwtest.Send(t, c, upgradeAt("/"))
	in := bufio.NewReader(c)
	if r, err := nethttp.ReadResponse(in, nil); err != nil || r.StatusCode != 101 || r.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("got %+v, %v", r, err)
	}
	return func(text string) {
		t.Helper()
		gwtest.Send(t, c, text)
		b := make([]byte, len(text))
		if _, err := io.ReadFull(in, b); string(b) != text || err != nil {
			t.Errorf("got %q, %v", b, err)
		}
	}
}

// TestUpgradesGoApart is upgrades to a server of HTTP/2 that does not take them there: they go by HTTP/1.1, all else does not.
func TestUpgradesGoApart(t *testing.T) {
	b := startBoth(t)
	g := b.gateway(t, agrees, "{}", "")
	conns := func(want int) {
		t.Helper()
		if got := b.conns(); got != want {
			t.Errorf("the server was given %d connections, not %d", got, want)
		}
	}
	one := tunnels(t, g) // before anything is known of the server
	one("first")
	conns(2)
	answers(t, g, plain, 200, "HTTP/2.0")
	conns(2)
	two := tunnels(t, g)
	conns(3)
	answers(t, g, upgradeAt("/refused"), 403, "HTTP/1.1")
	conns(4)
	answers(t, g, plain, 200, "HTTP/2.0") // though a connection of HTTP/1.1 is idle
	answers(t, g, upgradeAt("/refused"), 403, "HTTP/1.1")
	conns(4)
	one("again")
	two("too")
}

// TestUpgradesAtOnce begin together, while nothing is known of the server.
func TestUpgradesAtOnce(t *testing.T) {
	b := startBoth(t)
	g := b.gateway(t, agrees, "{}", "")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			answers(t, g, upgradeAt("/refused"), 403, "HTTP/1.1")
			answers(t, g, plain, 200, "HTTP/2.0")
		})
	}
	all.Wait()
	if got := b.conns(); got != 2 {
		t.Errorf("the server was given %d connections, not 2", got)
	}
}

// TestUpgradesHaveNoWay is what is told where HTTP/1.1 is not to be had.
func TestUpgradesHaveNoWay(t *testing.T) {
	for _, c := range []struct{ between, options, says string }{
		{insists, "{}", "let alpn of the tls client have http/1.1"},
		{agrees, "{ versions: [ h2 ] }", "the server does not take websocket over HTTP/2"},
	} {
		b := startBoth(t)
		g := b.gateway(t, c.between, c.options, "")
		for range 2 {
			answers(t, g, upgradeAt("/"), 503, "")
			r := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Status != 0 })
			if r.HTTP.Status != 503 || !strings.Contains(r.Err, c.says) {
				t.Errorf("the record says %d, %q", r.HTTP.Status, r.Err)
			}
			answers(t, g, plain, 200, "HTTP/2.0")
			g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Status == 200 })
		}
	}
}

// TestUpgradesStay is upgrades to a server that takes them over HTTP/2: another http binding.
func TestUpgradesStay(t *testing.T) {
	g := startBoth(t).gateway(t, "{ type: agreeing, kind: client, exit: taking }", "{}", `  taking: { type: http, kind: server, exit: end }
  end: { type: http, kind: client, exit: south }
`)
	for range 2 {
		tunnels(t, g)("hello")
		answers(t, g, upgradeAt("/refused"), 403, "HTTP/1.1")
		g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Status == 403 && r.HTTP.Version == "HTTP/2" })
	}
}

// TestVersionsNarrowWhatIsOffered is a client of one version, and a server that would choose the other.
func TestVersionsNarrowWhatIsOffered(t *testing.T) {
	for options, speaks := range map[string]string{"{ versions: [ http/1.1 ] }": "HTTP/1.1", "{ versions: [ h2 ] }": "HTTP/2.0", "{}": "HTTP/2.0"} {
		answers(t, startBoth(t).gateway(t, agrees, options, ""), plain, 200, speaks)
	}
}

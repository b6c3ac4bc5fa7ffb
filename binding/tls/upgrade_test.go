package tls_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"gozilla/internal/gwtest"
	"gozilla/vault"
)

// TestUpgradesBehindAProxy has upgrades go to a server that agrees on HTTP/2 and takes none there, through a proxy client:
// the http client wants HTTP/1.1 for them, which the tls client is told.
func TestUpgradesBehindAProxy(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{Keys: []vault.Key{key("localhost", w.server)}, Trust: []vault.Certificate{trust("ca", w.ca)}})
	server := httptest.NewUnstartedServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.Header.Get("Upgrade") == "" {
			io.WriteString(w, r.Proto)
			return
		}
		c, _, err := w.(nethttp.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello")
	}))
	server.Config.Protocols = &nethttp.Protocols{}
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	g := gwtest.Start(t, `name: test
vaults: { safe: { type: test, options: { holds: keys } } }
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: web }
  web: { type: http, kind: server, exit: out }
  out: { type: http, kind: client, exit: told }
  told: { type: proxy, kind: client, exit: secured }
  secured: { type: tls, kind: client, vault: safe, options: { trust: [ ca ], sni: [ localhost ], alpn: [ h2, http/1.1 ] }, exit: agreed }
  agreed: { type: tls, kind: server, vault: safe, options: { keys: [ localhost ], alpn: [ h2, http/1.1 ] }, exit: untold }
  untold: { type: proxy, kind: server, exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: "${{env.SERVER}}" } }
`, gwtest.Env("SERVER", port))
	asks := func(header string, status int, body string) {
		t.Helper()
		c := g.Dial("north")
		defer c.Close()
		c.SetDeadline(time.Now().Add(gwtest.Patience))
		gwtest.Send(t, c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"+header+"\r\n")
		in := bufio.NewReader(c)
		r, err := nethttp.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		from := io.Reader(r.Body)
		if r.StatusCode == 101 {
			from = in
		}
		if b, err := io.ReadAll(from); r.StatusCode != status || string(b) != body || err != nil {
			t.Errorf("got %s, %q, %v", r.Status, b, err)
		}
	}
	for range 2 {
		asks("Connection: upgrade\r\nUpgrade: websocket\r\n", 101, "hello")
		asks("Connection: close\r\n", 200, "HTTP/2.0")
	}
}

// TestTunnelsWithoutGoodbye has peers that answer the end of a tunnel by closing the connection, without a close_notify, as nginx
// does: that is in order. Before that end, it is not.
func TestTunnelsWithoutGoodbye(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{Keys: []vault.Key{key("localhost", w.server)}, Trust: []vault.Certificate{trust("ca", w.ca)}})
	l, err := tls.Listen("tcp", "127.0.0.1:0", w.serverConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	g := gwtest.Start(t, `name: test
vaults: { safe: { type: test, options: { holds: keys } } }
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: secured }
  secured: { type: tls, kind: server, vault: safe, options: { keys: [ localhost ] }, exit: web }
  web: { type: http, kind: server, exit: out }
  out: { type: http, kind: client, exit: securing }
  securing: { type: tls, kind: client, vault: safe, options: { trust: [ ca ], sni: [ localhost ] }, exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: "${{env.SERVER}}" } }
`, gwtest.Env("SERVER", port))
	ends := func(c *tls.Conn, first bool) {
		if first {
			c.CloseWrite()
			io.Copy(io.Discard, c)
			return
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Error(err)
		}
		c.NetConn().Close()
	}
	serve := func(who string) {
		a, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer a.Close()
		c := a.(*tls.Conn)
		nethttp.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
		if who == "nobody" {
			c.NetConn().Close()
			return
		}
		ends(c, who == "server")
	}
	for _, who := range []string{"client", "server", "nobody"} { // begins to end in order
		var server sync.WaitGroup
		server.Go(func() { serve(who) })
		c := tls.Client(g.Dial("north"), w.clientConfig())
		c.SetDeadline(time.Now().Add(gwtest.Patience))
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
		if r, err := nethttp.ReadResponse(bufio.NewReader(c), nil); err != nil || r.StatusCode != 101 {
			t.Fatal(r, err)
		}
		if who != "nobody" {
			ends(c, who == "client")
		}
		var reasons []string
		for range 3 { // of the exchange, and of both connections
			reasons = append(reasons, g.Record().Reason)
		}
		if cut := slices.Contains(reasons, "truncated"); cut != (who == "nobody") {
			t.Errorf("%s: the records say %q", who, reasons)
		}
		c.Close()
		server.Wait()
	}
}

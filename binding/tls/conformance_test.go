package tls_test

import (
	"crypto/tls"
	"net"
	"testing"

	"gozilla/internal/gwtest"
	"gozilla/stream/conn"
	"gozilla/stream/conn/conntest"
	"gozilla/vault"
)

const vaults = `name: test
vaults:
  keys: { type: test, options: { holds: keys } }
  trust: { type: test, options: { holds: trust } }
`

const (
	terminate = vaults + `bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: inside }
  inside: { type: tls, kind: server, vault: keys, exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: "${{env.SERVER}}" } }
`
	originate = vaults + `bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: outside }
  outside: { type: tls, kind: client, vault: trust, options: { sni: [ localhost ] }, exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: "${{env.SERVER}}" } }
`
	both = vaults + `bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: inside }
  inside: { type: tls, kind: server, vault: keys, exit: outside }
  outside: { type: tls, kind: client, vault: trust, options: { sni: [ localhost ] }, exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: "${{env.SERVER}}" } }
`
	through = `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: pass }
  pass:
    type: tls
    kind: proxy
    routes:
      - when: [ { authority: LocalHost } ]
        exit: south
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: "${{env.SERVER}}" } }
`
)

// TestConformance runs the suite of the bytes protocol over gateways that end TLS, begin it, and do both.
func TestConformance(t *testing.T) {
	f := func(name, yaml string, clientTLS, serverTLS bool, version uint16, opts ...gwtest.Option) {
		t.Run(name+" "+tls.VersionName(version), func(t *testing.T) {
			conntest.Run(t, func(t *testing.T) *conntest.Gateway {
				w := theWorld()
				put(t, "keys", &vault.Contents{Keys: []vault.Key{key("localhost", w.server)}})
				put(t, "trust", &vault.Contents{Trust: []vault.Certificate{trust("ca", w.ca)}})
				server := gwtest.Listen(t, "")
				g := gwtest.Start(t, yaml, append(opts, gwtest.Env("SERVER", server.Port()))...)
				open := func(t testing.TB) (conn.Conn, conn.Conn) {
					accepted := make(chan conn.Conn, 1)
					go func() {
						c := server.Next()
						if !serverTLS {
							accepted <- c
							return
						}
						config := w.serverConfig()
						config.MaxVersion = version
						accepted <- peer(t, c, tls.Server, config)
					}()
					client := conn.Conn(g.Dial("north"))
					if clientTLS {
						config := w.clientConfig()
						config.MaxVersion = version
						client = peer(t, client.(*net.TCPConn), tls.Client, config)
					}
					return client, <-accepted
				}
				return &conntest.Gateway{Host: g.Host, Holds: 64 << 20, Parts: clientTLS, Adds: clientTLS, Open: open, Truncate: truncate}
			})
		})
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		f("server", terminate, true, false, version)
		f("client", originate, false, true, version)
		f("server and client", both, true, true, version)
	}
	f("server and client, watched", both, true, true, tls.VersionTLS13, gwtest.Watched())
}

// TestProxyConformance does so over a gateway that passes TLS on, of which it knows the first message only.
func TestProxyConformance(t *testing.T) {
	first := string(hello(&tls.Config{ServerName: "localhost"}))
	conntest.Run(t, func(t *testing.T) *conntest.Gateway {
		server := gwtest.Listen(t, "")
		g := gwtest.Start(t, through, gwtest.Env("SERVER", server.Port()))
		return &conntest.Gateway{Host: g.Host, Holds: 64 << 20, Adds: true, Open: func(t testing.TB) (conn.Conn, conn.Conn) {
			client := g.Dial("north")
			gwtest.Send(t, client, first)
			to := server.Next()
			gwtest.Receive(t, to, first)
			return client, to
		}}
	})
}

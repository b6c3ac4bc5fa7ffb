package tls_test

import (
	"context"
	"strings"
	"testing"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/engine"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/vault"
)

// picky is a test binding that does not speak the protocol b.
type picky struct{ b *binding.Builder }

// pickyConfig is a picky in a file.
type pickyConfig struct{ binding.Head }

func (p *picky) ServeConn(context.Context, conn.Conn, *stream.Info) error { return nil }

// Declines is part of conn.Decliner.
func (p *picky) Declines(alpn string) *stream.Node {
	if alpn == "b" {
		return p.b.Node
	}
	return nil
}

func init() {
	binding.Register(binding.Type{Name: "picky", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(func(b *binding.Builder, _ *pickyConfig) (*picky, error) { return &picky{b}, nil },
			binding.Face(conn.Protocol, func(p *picky) conn.Port { return conn.Serving(p) })),
	}})
}

// TestFaults has the body of the tls binding, and what is told of it: faults, and warnings after "warning:".
func TestFaults(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{Keys: []vault.Key{key("localhost", w.server)}, Trust: []vault.Certificate{trust("clients", w.clients)}})
	put(t, "trust", &vault.Contents{})
	f := func(kind, body string, want ...string) {
		t.Helper()
		yaml := "name: test\nvaults: { keys: { type: test, options: { holds: keys } }, empty: { type: test, options: { holds: trust } } }\n" +
			"guards: { who: { type: test } }\nbindings:\n" +
			"  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: it }\n  echo: { type: echo, kind: server }\n" +
			"  it: { type: tls, kind: " + kind + ", exit: echo" + body + " }\n"
		if kind == "client" {
			yaml = strings.Replace(yaml, "exit: echo", "exit: south", 1) + "  south: { type: tcp, kind: client }\n"
		}
		if strings.Contains(body, "alpn: [ a, b, c ]") {
			yaml = strings.Replace(yaml, "exit: echo", "exit: picky", 1) + "  picky: { type: picky, kind: server }\n"
		}
		plan := engine.Load(context.Background(), config.Source{Name: "zilla.yaml", Text: []byte(yaml)}, engine.Options{})
		var got []string
		for _, fault := range plan.Report.Faults() {
			if strings.Contains(fault.Text, "no stream comes to") {
				continue
			}
			text := fault.Text
			if fault.Warning {
				text = "warning: " + text
			}
			if fault.Hint != "" {
				text += " (" + fault.Hint + ")"
			}
			got = append(got, text)
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s%s:\n%s\nnot\n%s", kind, body, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	f("server", ", vault: keys")
	f("server", "", "a tls server needs vault")
	f("server", ", vault: kyes", "there is no vault kyes (did you mean keys?)")
	f("server", ", vault: empty", "a tls server needs a key, and the vault empty has none for it")
	f("server", ", vault: keys, options: { alpn: [ h2 ] }", "the options of a tls server need keys, or signers (without options it uses all keys of the vault)")
	f("server", ", vault: keys, options: { keys: [ localhost ], signers: [ ca ] }",
		"keys are chosen by their own aliases or by those of their signers, not by both")
	f("server", ", vault: keys, options: { keys: [ LOCALHOST, locahlost ], trust: [ other, clients ] }",
		`warning: the vault keys has no key "locahlost" (did you mean "localhost"?)`,
		`warning: the vault keys has no trusted certificate "other" (it has clients)`)
	f("server", ", vault: keys, options: { keys: [ localhost ], trust: [ other ] }", // else everybody would be let in
		"the vault keys has nothing of what is to be trusted", `warning: the vault keys has no trusted certificate "other" (it has clients)`)
	f("server", ", vault: keys, options: { keys: [ localhost ], mutual: required }",
		"warning: certificates of every authority that the system knows are good here (say whom to trust with trust)")
	f("server", ", vault: keys, options: { keys: [ localhost ], mutual: requested }",
		"warning: certificates of every authority that the system knows are good here (say whom to trust with trust)")
	f("server", ", vault: keys, options: { keys: [ localhost ], trust: [] }",
		"warning: no client is asked for a certificate, since there is nobody to trust")
	f("server", ", vault: keys, options: { keys: [ localhost ], mutual: none }, routes: [ { when: [ { mutual: required } ], exit: echo } ]",
		"warning: this never holds: no client is asked for a certificate (say mutual: requested in the options)")
	f("server", ", vault: keys, options: { keys: [ localhost ], alpn: [ \"\" ], sni: [ \"a b\" ] }",
		`"" is no name of a protocol`, `"a b" is no name of a host`)
	options := ", vault: keys, options: { keys: [ localhost ], alpn: [ a, b, c ] }"
	f("server", options, "warning: picky does not speak b: clients that agree on it are let go (leave it out of alpn)")
	f("server", options+", routes: [ { when: [ { alpn: b } ], exit: echo } ]")
	f("server", options+", routes: [ { when: [ { alpn: c } ], exit: echo } ]", "warning: picky does not speak b: clients that agree on it are let go (leave it out of alpn)")
	f("server", options+", routes: [ { when: [ { authority: a }, { port: 1 } ], exit: echo } ]")
	f("server", ", vault: keys, routes: [ { when: [ { trust: [] } ], exit: echo } ]",
		"a condition that trusts nobody never holds (leave trust out, or name whom to trust)")
	f("client", ", options: { trust: [ ca ], keys: [ a ] }",
		"there is no vault that these could be taken from (name one with vault)",
		"there is no vault that these could be taken from (name one with vault)")
	f("client", ", vault: keys, options: { trust: [ other ] }", // else all authorities would be trusted
		"the vault keys has nothing of what is to be trusted", `warning: the vault keys has no trusted certificate "other" (it has clients)`)
	f("client", ", vault: keys, options: { trust: [ clients ] }, routes: [ { with: { certificate: { subject.cn: a } }, exit: south } ]",
		"warning: the client has no key to choose from (name some with keys or signers in the options)")
	f("server", ", vault: keys, options: { keys: [ other ] }",
		"a tls server needs a key, and the vault keys has none for it", `warning: the vault keys has no key "other" (it has localhost)`)
	f("server", ", vault: keys, options: { keys: [ localhost ], version: TLSv1.1 }",
		`version must be TLS, TLSv1.2 or TLSv1.3, not "TLSv1.1" (did you mean "TLSv1.2"?)`)
	f("server", ", vault: keys, options: { keys: [ localhost ], trustcacerts: true }",
		"warning: trustcacerts has no effect on a tls server: it trusts clients by its vault only")
	f("server", ", vault: keys, options: { keys: [ localhost ], authorization: { who: { credentials: { certificates: pem } } } }")
	f("server", ", vault: keys, options: { keys: [ localhost ], authorization: { whom: { credentials: { certificates: pem } } } }",
		"there is no guard whom (did you mean who?)")
	f("server", ", vault: keys, routes: [ { when: [ { trust: [ clients ], mutual: none } ], exit: echo } ]",
		"a client without a certificate cannot be trusted by one (leave trust out, or mutual)")
	f("server", ", vault: keys, routes: [ { when: [ { trust: [ other ] } ], exit: echo } ]",
		`warning: the vault keys has no trusted certificate "other" (it has clients)`)
	f("server", ", vault: keys, routes: [ { with: { certificate: { subject.cn: x } }, exit: echo } ]", "a route of a tls server takes no with")
	f("client", "")
	f("client", ", vault: keys, options: { mutual: none, trustcacerts: true }")
	f("client", ", options: { authorization: { who: { credentials: { certificates: pem } } } }",
		`unknown key "authorization" in the options of a tls client (the keys are version, keys, signers, trust, trustcacerts, sni, alpn, mutual)`)
	f("client", ", routes: [ { with: { certificate: {} }, exit: south } ]", "a certificate is chosen by exactly one of subject.cn and subject.dn")
	f("client", ", routes: [ { with: { certificate: { subject.cn: a, subject.dn: CN=a } }, exit: south } ]",
		"a certificate is chosen by exactly one of subject.cn and subject.dn")
	f("client", ", routes: [ { with: { certificate: { subject.dn: Alice } }, exit: south } ]",
		`"Alice": it is no distinguished name, such as CN=client,O=Example`)
	f("client", ", routes: [ { with: { certificate: { san.dns: a } }, exit: south } ]",
		`unknown key "san.dns" in the certificate of the with of a route of a tls client (the keys are subject.cn, subject.dn)`)
	f("client", ", routes: [ { with: { certificate: { subject.cn: \"${guarded['whom'].identity}\" } }, exit: south } ]",
		"there is no guard whom (did you mean who?)")
	f("client", ", routes: [ { when: [ { mutual: required } ], exit: south } ]",
		"warning: this never holds: nobody shows a certificate to a tls client before it is one")
	f("proxy", ", vault: keys")
	f("proxy", ", options: {}", "a tls proxy takes no options")
	f("proxy", ", routes: [ { when: [ { trust: [ clients ] } ], exit: echo } ]", "warning: this never holds: a tls proxy does not see the client's certificate")
}

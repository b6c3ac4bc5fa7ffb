package tls_test

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"gozilla/config"
	"gozilla/engine"
	"gozilla/internal/certs"
	"gozilla/internal/gwtest"
	"gozilla/telemetry"
	"gozilla/vault"
)

// TestExplainAgrees has clients shake hands in all the ways that there are, and compares what becomes of each with what
// is explained.
func TestExplainAgrees(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{
		Keys:  []vault.Key{key("localhost", w.server)},
		Trust: []vault.Certificate{trust("clients", w.clients), trust("strangers", w.strangers)},
	})
	known := issue(w.clients, certs.Request{CommonName: "client-1"})
	stranger := issue(w.strangers, certs.Request{CommonName: "client-2"})
	nobody := issue(authority("Nobody"), certs.Request{CommonName: "client-3"})
	const routes = `    routes:
      - { when: [ { trust: [ strangers ] } ], exit: echo }
      - { when: [ { authority: "*.example", alpn: two }, { alpn: one, mutual: required } ], exit: echo }
      - { when: [ { alpn: "o*", mutual: none } ], exit: echo }
      - { guarded: { who: [] }, when: [ { authority: localhost } ], exit: echo }
      - { when: [ { authority: "b.*" } ], exit: echo }
`
	const guarded = "authorization: { who: { credentials: { certificates: pem } } }"
	seen := map[string]bool{}
	for _, options := range []string{
		"mutual: none", "mutual: requested, trust: [ clients, strangers ], " + guarded, "mutual: required, trust: [ clients ]",
		"mutual: none, alpn: [ two, three ], sni: [ a.example ]", "mutual: none, version: TLSv1.2",
	} {
		yaml := "name: test\nguards: { who: { type: test } }\n" + strings.TrimPrefix(secured("    options: { keys: [ localhost ], "+options+" }\n"+routes), "name: test\n")
		g := gwtest.Start(t, yaml)
		x := engine.Load(t.Context(), config.Source{Name: "zilla.yaml", Text: []byte(yaml)}, engine.Options{}).Explainer()
		for _, name := range []string{"", "localhost", "a.example", "B.example", "127.0.0.1"} {
			for _, offers := range []string{"", "one", "two one", "three", "x"} {
				for who, show := range map[string]*certs.Pair{"nobody": nil, "known": known, "stranger": stranger, "unknown": nobody} {
					r, e := shaken(t, g, name, offers, show), explained(t, x, name, offers, show)
					took := ""
					for _, s := range e.Steps {
						took += s.Binding + " " + s.Took + " "
					}
					var went string
					for _, s := range r.Path {
						went += strings.TrimPrefix(s.Binding, "test:") + " " + s.Route + " "
					}
					if served := r.Reason == "fin"; took != went || e.Served != served || served && fact(e, "alpn")+fact(e, "tls") != r.ALPN+r.TLS {
						t.Errorf("%s: %s who asks for %q by %q is explained as %s%s, and goes %s%s (%s)", options, who, name, offers, took, e.Reason, went, r.Reason, r.Err)
					}
					seen[took] = true
				}
			}
		}
	}
	if len(seen) < 6 {
		t.Errorf("the ways that were taken are %v", seen)
	}
}

// shaken is the record of a connection.
func shaken(t *testing.T, g *gwtest.Gateway, name, offers string, show *certs.Pair) telemetry.Record {
	c := tls.Client(g.Dial("north"), &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: strings.Fields(offers),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // whoever it is to be signed by
			if show == nil {
				return &tls.Certificate{}, nil
			}
			own := show.TLS()
			return &own, nil
		}})
	c.SetDeadline(time.Now().Add(gwtest.Patience))
	if c.HandshakeContext(t.Context()) == nil {
		c.CloseWrite()
		c.Read(make([]byte, 1)) // the end
	}
	c.Close()
	return g.Record()
}

// explained is what would become of it.
func explained(t *testing.T, x *engine.Explainer, name, offers string, show *certs.Pair) *engine.Explanation {
	q := &engine.Query{SNI: name, ALPN: strings.Fields(offers)}
	if show != nil {
		q.Shows = []*x509.Certificate{show.Leaf()}
	}
	return x.Explain(t.Context(), q)
}

// fact is what is known at the last binding.
func fact(e *engine.Explanation, name string) string {
	for _, f := range e.Steps[len(e.Steps)-1].Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

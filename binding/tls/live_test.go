package tls_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gozilla/internal/certs"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/telemetry"
	"gozilla/vault"
)

// TestTrustChanges ends the connections of clients that are not trusted any more, and of no others.
func TestTrustChanges(t *testing.T) {
	w := theWorld()
	one, two := issue(w.clients, certs.Request{CommonName: "client-1"}), issue(w.strangers, certs.Request{CommonName: "client-2"})
	keys := []vault.Key{key("localhost", w.server)}
	both := []vault.Certificate{trust("clients", w.clients), trust("strangers", w.strangers)}
	revoked := func(serial *x509.Certificate) func(context.Context, []*x509.Certificate) error {
		return func(_ context.Context, chain []*x509.Certificate) error {
			if serial != nil && chain[0].Equal(serial) {
				return errors.New("the certificate is revoked")
			}
			return nil
		}
	}
	f := func(name string, before, after *vault.Contents) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			safe := put(t, "keys", before)
			g := gwtest.Start(t, secured("    options: { keys: [ localhost ], trust: [ clients, strangers ], mutual: requested }\n"+plain))
			lives, anybody, ends := mustShake(t, g, w.clientConfig(one)), mustShake(t, g, w.clientConfig()), mustShake(t, g, w.clientConfig(two))
			for _, c := range []io.ReadWriter{lives, anybody, ends} {
				if _, err := io.WriteString(c, "x"); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
			safe.exchange(after)
			g.Event("binding.tls.peer.not.verified")
			r := g.Record()
			if r.By != telemetry.Gateway || r.Reason != "no longer trusted" || r.Identity != "client-2" {
				t.Errorf("the record says %q: %q of %q (%s)", r.By, r.Reason, r.Identity, r.Err)
			}
			if _, err := ends.Read(make([]byte, 1)); err == nil || err == io.EOF {
				t.Errorf("who is not trusted any more saw %v", err)
			}
			if !echoes(t, lives) || !echoes(t, anybody) {
				t.Error("others were ended too")
			}
			if c, err := shake(t, g, w.clientConfig(two)); err == nil && strings.Contains(name, "revoked") {
				if _, err := c.Read(make([]byte, 1)); err == nil {
					t.Error("who is not trusted is let in")
				}
			}
			if n := len(g.Events("binding.tls.peer.not.verified")); n > 2 {
				t.Errorf("there are %d events", n)
			}
		})
	}
	f("an authority is gone", &vault.Contents{Keys: keys, Trust: both}, &vault.Contents{Keys: keys, Trust: both[:1]})
	f("a certificate is revoked", &vault.Contents{Keys: keys, Trust: both, Revoked: revoked(nil)},
		&vault.Contents{Keys: keys, Trust: both, Revoked: revoked(two.Leaf())})

	// What is known of revocations changes, and the vault's contents do not.
	var now atomic.Pointer[x509.Certificate]
	same := &vault.Contents{Keys: keys, Trust: both, Revoked: func(ctx context.Context, chain []*x509.Certificate) error {
		return revoked(now.Load())(ctx, chain)
	}}
	safe := put(t, "keys", same)
	g := gwtest.Start(t, secured("    options: { keys: [ localhost ], trust: [ clients, strangers ] }\n"+plain))
	c := mustShake(t, g, w.clientConfig(two))
	if !echoes(t, c) {
		t.Fatal("not let in")
	}
	now.Store(two.Leaf())
	safe.exchange(same)
	if r := g.Record(); r.Reason != "no longer trusted" {
		t.Errorf("the record says %q", r.Reason)
	}
}

// TestKeysChange uses the new key for new connections; those that are open live. Contents without a key are not taken.
func TestKeysChange(t *testing.T) {
	w := theWorld()
	safe := put(t, "keys", &vault.Contents{Keys: []vault.Key{key("localhost", w.server)}})
	g := gwtest.Start(t, secured(plain))
	before := mustShake(t, g, w.clientConfig())
	if !echoes(t, before) {
		t.Fatal("not let in")
	}
	next := issue(w.ca, certs.Request{CommonName: "localhost", DNS: []string{"localhost"}})
	safe.exchange(&vault.Contents{Keys: []vault.Key{key("localhost", next)}})
	for deadline := time.Now().Add(gwtest.Patience); ; {
		c := mustShake(t, g, w.clientConfig())
		got := c.ConnectionState().PeerCertificates[0]
		c.Close()
		if got.Equal(next.Leaf()) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the new key is not used")
		}
	}
	safe.exchange(&vault.Contents{})
	g.Event("binding.tls.key.rejected")
	if !echoes(t, mustShake(t, g, w.clientConfig())) || !echoes(t, before) {
		t.Error("contents without a key were taken")
	}
}

// TestTrustIsLost keeps to what was trusted before, rather than to let everybody in, when nothing of it is there any more.
func TestTrustIsLost(t *testing.T) {
	w := theWorld()
	keys := []vault.Key{key("localhost", w.server)}
	safe := put(t, "keys", &vault.Contents{Keys: keys, Trust: []vault.Certificate{trust("clients", w.clients)}})
	g := gwtest.Start(t, secured("    options: { keys: [ localhost ], trust: [ clients ] }\n"+plain))
	safe.exchange(&vault.Contents{Keys: keys, Trust: []vault.Certificate{trust("others", w.strangers)}})
	g.Event("binding.tls.key.rejected")
	if !echoes(t, mustShake(t, g, w.clientConfig(issue(w.clients, certs.Request{CommonName: "client-1"})))) {
		t.Error("who was trusted is not")
	}
	c, err := shake(t, g, w.clientConfig())
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	if err == nil {
		t.Error("who has shown no certificate was let in")
	}
}

// TestAGuardIsToldOfTheClient wants routes to be guarded by what the guard makes of the client's certificate.
func TestAGuardIsToldOfTheClient(t *testing.T) {
	w := theWorld()
	put(t, "keys", &vault.Contents{Keys: []vault.Key{key("localhost", w.server)}, Trust: []vault.Certificate{trust("clients", w.clients)}})
	client := issue(w.clients, certs.Request{CommonName: "client-1"})
	yaml := strings.Replace(secured(`    options:
      keys: [ localhost ]
      trust: [ clients ]
      mutual: requested
      authorization: { who: { credentials: { certificates: pem } } }
    routes: [ { guarded: { who: [ role ] }, exit: echo } ]`), "vaults:", "guards: { who: { type: test } }\nvaults:", 1)
	g := gwtest.Start(t, yaml)
	opened.Store(0)
	c := mustShake(t, g, w.clientConfig(client))
	if !echoes(t, c) {
		t.Error("who has a session was not let in")
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d sessions are open", n)
	}
	c.Close()
	if r := g.Record(); r.Identity != "somebody" {
		t.Errorf("the record says that it was %q", r.Identity)
	}
	if n := opened.Load(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	if echoes(t, mustShake(t, g, w.clientConfig())) {
		t.Error("who has shown no certificate was let in")
	}
	if r := g.Record(); r.Reason != string(stream.Unauthenticated) {
		t.Errorf("the record says %q (%s)", r.Reason, r.Err)
	}
	expires.Store(time.Now().Add(200 * time.Millisecond).UnixNano())
	defer expires.Store(0)
	c = mustShake(t, g, w.clientConfig(client))
	if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("a connection whose session is over saw %v", err)
	}
	if r := g.Record(); r.Reason != "session expired" {
		t.Errorf("the record says %q (%s)", r.Reason, r.Err)
	}
}

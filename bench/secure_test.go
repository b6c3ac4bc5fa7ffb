//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// secureServer stands in for a proxy and what is behind it, until the test ends.
func secureServer(t *testing.T, config *tls.Config, serve func(*tls.Conn)) (port int, cert string) {
	t.Helper()
	dir := t.TempDir()
	if err := makeKeys(dir); err != nil {
		t.Fatal(err)
	}
	cert = keyFile(dir, modeTLS, ".pem")
	pair, err := tls.LoadX509KeyPair(cert, cert)
	if err != nil {
		t.Fatal(err)
	}
	config.Certificates = []tls.Certificate{pair}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go serveAll(l, func(c net.Conn) { go serve(tls.Server(c, config)) })
	return l.Addr().(*net.TCPAddr).Port, cert
}

func echoInOrder(c *tls.Conn) {
	if _, err := io.Copy(c, c); err == nil {
		c.Close()
	}
}

func sourceForever(c *tls.Conn) {
	for at := 0; ; at += bulkSize {
		if _, err := c.Write(patternAt(at, bulkSize)); err != nil {
			return
		}
	}
}

func TestSecureLoad(t *testing.T) {
	f := func(spec loadSpec, tickets, resume bool, serve func(*tls.Conn), least int64) {
		t.Helper()
		var cert string
		spec.Port, cert = secureServer(t, &tls.Config{}, serve)
		spec.Secure = &secureSpec{Name: serverName, Cert: cert, Tickets: tickets, Resume: resume}
		spec.Warm, spec.Window = 50*time.Millisecond, 300*time.Millisecond
		r, err := load(context.Background(), spec)
		if err != nil || r.Ops == 0 || r.Bytes < least || r.Seconds < 0.3 {
			t.Errorf("%s: %+v, %v", spec.Mode, r, err)
		}
	}
	f(loadSpec{Mode: "pingpong", Conns: 1, Size: 64}, false, false, echoInOrder, 64)
	f(loadSpec{Mode: "pingpong", Conns: 50, Size: 20000}, false, false, echoInOrder, 20000)
	f(loadSpec{Mode: "churn", Conns: 4, Size: 64}, false, false, echoInOrder, 64)
	f(loadSpec{Mode: "churn", Conns: 4, Size: 64}, true, false, echoInOrder, 64)
	f(loadSpec{Mode: "churn", Conns: 4, Size: 64}, true, true, echoInOrder, 64)
	f(loadSpec{Mode: "receive", Conns: 1}, false, false, sourceForever, 1e5)
	f(loadSpec{Mode: "receive", Conns: 3}, false, false, sourceForever, 1e5)
	f(loadSpec{Mode: "send", Conns: 1}, false, false, func(c *tls.Conn) { io.Copy(io.Discard, c) }, 1e5)
	f(loadSpec{Mode: "send", Conns: 3}, false, false, func(c *tls.Conn) { io.Copy(io.Discard, c) }, 1e5)
}

// What is sent is the pattern.
func TestSecureSend(t *testing.T) {
	fault := make(chan error, 1)
	port, cert := secureServer(t, &tls.Config{}, func(c *tls.Conn) {
		b := make([]byte, 10*bulkSize)
		_, err := io.ReadFull(c, b)
		for at := 0; err == nil && at < len(b); at += bulkSize {
			if !isPattern(b[at:at+bulkSize], at) {
				err = errors.New("not the pattern")
			}
		}
		fault <- err
		io.Copy(io.Discard, c)
	})
	_, err := load(context.Background(), loadSpec{
		Mode: "send", Port: port, Conns: 1, Window: 100 * time.Millisecond, Secure: &secureSpec{Name: serverName, Cert: cert},
	})
	if err != nil {
		t.Error(err)
	}
	if err := <-fault; err != nil {
		t.Error(err)
	}
}

func TestSecureHold(t *testing.T) {
	port, cert := secureServer(t, &tls.Config{}, echoInOrder)
	called := false
	spec := loadSpec{Mode: "hold", Port: port, Conns: 20, Size: 64, Secure: &secureSpec{Name: serverName, Cert: cert}}
	err := whileHeld(context.Background(), spec, func() error {
		called = true
		return nil
	})
	if err != nil || !called {
		t.Errorf("called %v, %v", called, err)
	}
}

// A proxy that errs, or does not do what the others do, fails the load.
func TestSecureLoadFails(t *testing.T) {
	f := func(mode, want string, config *tls.Config, serve func(*tls.Conn), edit func(*loadSpec)) {
		t.Helper()
		port, cert := secureServer(t, config, serve)
		spec := loadSpec{
			Mode: mode, Port: port, Conns: 1, Size: 64, Warm: 100 * time.Millisecond, Window: 10 * time.Second,
			Secure: &secureSpec{Name: serverName, Cert: cert},
		}
		if edit != nil {
			edit(&spec)
		}
		_, err := load(context.Background(), spec)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	plain := func() *tls.Config { return &tls.Config{} }
	f("pingpong", "closed a connection", plain(), func(c *tls.Conn) { io.CopyN(c, c, 64); c.Close() }, nil)
	f("pingpong", "other bytes", plain(), func(c *tls.Conn) { io.CopyN(io.Discard, c, 64); c.Write(make([]byte, 64)) }, nil)
	f("pingpong", "more bytes", plain(), func(c *tls.Conn) { c.Write(make([]byte, 65)) }, nil)
	f("churn", "more bytes", plain(), func(c *tls.Conn) { io.CopyN(c, c, 64); c.Write(make([]byte, 1)) }, nil)
	f("receive", "wrong bytes", plain(), func(c *tls.Conn) { c.Write(make([]byte, 100)) }, nil)
	f("churn", "protocol version", &tls.Config{MaxVersion: tls.VersionTLS12}, echoInOrder, nil)
	f("churn", "did not resume", &tls.Config{SessionTicketsDisabled: true}, echoInOrder, func(s *loadSpec) { s.Secure.Resume = true })
	f("churn", "another certificate", plain(), echoInOrder, func(s *loadSpec) {
		dir := t.TempDir()
		if err := makeKeys(dir); err != nil {
			t.Fatal(err)
		}
		s.Secure.Cert = keyFile(dir, modeTLS, ".pem")
	})
	f("nonsense", "unknown load", plain(), echoInOrder, nil)
}

// A server that reads the hello is asked for the name.
func TestHello(t *testing.T) {
	hello, err := helloOf(serverName)
	if err != nil {
		t.Fatal(err)
	}
	if len(hello) != 5+int(hello[3])<<8+int(hello[4]) {
		t.Errorf("the hello is not one record: % x", hello[:5])
	}
	ours, theirs := net.Pipe()
	defer ours.Close()
	go ours.Write(hello) // ends with the pipe
	asked := ""
	tls.Server(theirs, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		asked = h.ServerName
		theirs.Close()
		return nil, errEnough
	}}).Handshake()
	if asked != serverName {
		t.Errorf("asked for %q", asked)
	}
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	if err := makeKeys(dir); err != nil {
		t.Fatal(err)
	}
	f := func(m mode, want string) {
		t.Helper()
		name := keyFile(dir, m, ".pem")
		pair, err := tls.LoadX509KeyPair(name, name)
		if err != nil {
			t.Fatal(err)
		}
		if got := pair.Leaf.PublicKeyAlgorithm.String(); got != want || pair.Leaf.VerifyHostname(serverName) != nil {
			t.Errorf("%s: %s for %v", m, got, pair.Leaf.DNSNames)
		}
	}
	f(modeTLS, "ECDSA")
	f(modeResume, "ECDSA")
	f(modeRSA, "RSA")
}

package certs

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func authority(t testing.TB, name string, opts ...Option) *Authority {
	t.Helper()
	a, err := NewAuthority(name, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t testing.TB, a *Authority, r Request) *Pair {
	t.Helper()
	p, err := a.Issue(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func intermediate(t testing.TB, a *Authority, name string) *Authority {
	t.Helper()
	below, err := a.Intermediate(name)
	if err != nil {
		t.Fatal(err)
	}
	return below
}

// TestHandshake proves to both sides who the other is, over two intermediates.
func TestHandshake(t *testing.T) {
	ca := authority(t, "Test CA")
	below := intermediate(t, intermediate(t, ca, "First"), "Second")
	server := issue(t, below, Request{CommonName: "localhost", DNS: []string{"localhost"}})
	client := issue(t, below, Request{CommonName: "client-1", RSA: true})
	if _, ok := client.Key.(*rsa.PrivateKey); !ok {
		t.Errorf("the key is a %T", client.Key)
	}
	a, b := net.Pipe()
	defer a.Close()
	s := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{server.TLS()}, ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert})
	done := make(chan error, 1)
	go func() { done <- s.Handshake() }()
	c := tls.Client(b, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{client.TLS()}})
	defer b.Close()
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	go c.Read(make([]byte, 1)) // takes the session tickets; ends with the pipe
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := len(s.ConnectionState().PeerCertificates); got != 3 {
		t.Errorf("the client sent %d certificates", got)
	}
	if got := s.ConnectionState().PeerCertificates[0].Subject.CommonName; got != "client-1" {
		t.Errorf("the client is %s", got)
	}
}

func TestRequest(t *testing.T) {
	from, until := time.Unix(1e9, 0).UTC(), time.Unix(2e9, 0).UTC()
	c := issue(t, authority(t, "Test CA"), Request{
		CommonName: "alice",
		Subject:    pkix.Name{Organization: []string{"Acme"}, OrganizationalUnit: []string{"a", "b"}},
		DNS:        []string{"alice.example"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Emails: []string{"a@example.com"},
		URIs:      []*url.URL{{Scheme: "spiffe", Host: "example", Path: "/alice"}},
		NotBefore: from, NotAfter: until, CRLs: []string{"http://localhost/ca.crl"},
		Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		Edit:   func(c *x509.Certificate) { c.Subject.Locality = []string{"Bern"} },
	}).Leaf()
	for what, got := range map[string]bool{
		"subject": c.Subject.String() == "CN=alice,OU=a+OU=b,O=Acme,L=Bern",
		"names":   c.DNSNames[0] == "alice.example" && c.EmailAddresses[0] == "a@example.com",
		"address": c.IPAddresses[0].Equal(net.IPv4(127, 0, 0, 1)),
		"uri":     c.URIs[0].String() == "spiffe://example/alice",
		"time":    c.NotBefore.Equal(from) && c.NotAfter.Equal(until),
		"list":    c.CRLDistributionPoints[0] == "http://localhost/ca.crl",
		"usages":  len(c.ExtKeyUsage) == 1 && c.ExtKeyUsage[0] == x509.ExtKeyUsageClientAuth,
		"leaf":    !c.IsCA,
	} {
		if !got {
			t.Errorf("the %s is wrong: %s", what, c.Subject)
		}
	}
}

func TestDefaults(t *testing.T) {
	ca := authority(t, "Test CA")
	c := issue(t, ca, Request{CommonName: "alice"}).Leaf()
	now := time.Now()
	if now.Before(c.NotBefore) || now.AddDate(1, 0, 0).Sub(c.NotAfter).Abs() > time.Hour {
		t.Errorf("valid from %v until %v", c.NotBefore, c.NotAfter)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if _, err := c.Verify(x509.VerifyOptions{Roots: ca.Pool(), KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
			t.Error(err)
		}
	}
	if again := issue(t, ca, Request{CommonName: "alice"}).Leaf(); again.SerialNumber.Cmp(c.SerialNumber) == 0 {
		t.Error("two certificates have the same serial number")
	}
}

func TestOptions(t *testing.T) {
	from, until := time.Unix(1e9, 0), time.Unix(2e9, 0)
	c := authority(t, "", Subject(pkix.Name{CommonName: "Test CA", Country: []string{"CH"}}), Valid(from, until)).Certificate
	if c.Subject.String() != "CN=Test CA,C=CH" || !c.NotBefore.Equal(from) || !c.NotAfter.Equal(until) {
		t.Errorf("%s, from %v until %v", c.Subject, c.NotBefore, c.NotAfter)
	}
}

func TestParseAuthority(t *testing.T) {
	ca := authority(t, "Test CA")
	again, err := ParseAuthority(ca.PEM(), ca.KeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	c := issue(t, again, Request{CommonName: "alice"})
	if err := c.Leaf().CheckSignatureFrom(ca.Certificate); err != nil {
		t.Error(err)
	}
	if _, err := ParseAuthority(c.CertPEM(), c.KeyPEM()); err == nil {
		t.Error("a leaf is taken for an authority")
	}
	if _, err := ParseAuthority(ca.PEM(), authority(t, "Other CA").KeyPEM()); err == nil {
		t.Error("the key of another authority is taken")
	}
	if pair, err := tls.X509KeyPair(c.CertPEM(), c.KeyPEM()); err != nil || !bytes.Equal(pair.Leaf.Raw, c.Leaf().Raw) {
		t.Errorf("the pair as PEM: %v", err)
	}
}

func TestRevoke(t *testing.T) {
	ca := authority(t, "Test CA")
	alice, bob := issue(t, ca, Request{CommonName: "alice"}), issue(t, ca, Request{CommonName: "bob"})
	for _, next := range []time.Time{time.Now().Add(time.Hour), time.Now().Add(-time.Hour)} {
		der, err := ca.Revoke(7, next, alice.Leaf())
		if err != nil {
			t.Fatal(err)
		}
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := list.CheckSignatureFrom(ca.Certificate); err != nil {
			t.Error(err)
		}
		entries := list.RevokedCertificateEntries
		if len(entries) != 1 || entries[0].SerialNumber.Cmp(alice.Leaf().SerialNumber) != 0 || entries[0].SerialNumber.Cmp(bob.Leaf().SerialNumber) == 0 {
			t.Errorf("revoked are %v", entries)
		}
		if list.Number.Int64() != 7 || list.NextUpdate.Sub(next).Abs() > time.Second || !list.ThisUpdate.Before(list.NextUpdate) {
			t.Errorf("number %v, from %v until %v", list.Number, list.ThisUpdate, list.NextUpdate)
		}
	}
}

// openssl shows what is in a store, but for the values.
func openssl(t *testing.T, store []byte, args ...string) string {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	name := filepath.Join(t.TempDir(), "store.p12")
	if err := os.WriteFile(name, store, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, append([]string{"pkcs12", "-in", name}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestPKCS12(t *testing.T) {
	ca := authority(t, "Test CA")
	below := intermediate(t, ca, "Below")
	first := issue(t, below, Request{CommonName: "first"})
	second := issue(t, below, Request{CommonName: "second", RSA: true})
	store, err := PKCS12("naïve €",
		Entry{Alias: "one", Pair: first}, Entry{Alias: "zwölf", Pair: second}, Entry{Alias: "test-ca", Trusted: ca.Certificate})
	if err != nil {
		t.Fatal(err)
	}
	got := openssl(t, store, "-nodes", "-info", "-passin", "pass:naïve €")
	for want, times := range map[string]int{
		"MAC: sha256, Iteration 10000":                                    1,
		"PBES2, PBKDF2, AES-256-CBC, Iteration 10000, PRF hmacWithSHA256": 3,
		"friendlyName: one\n":                                             2, // of the key, and of its certificate
		"localKeyID: 00 00 00 01":                                         2,
		"localKeyID: 00 00 00 02":                                         2,
		"friendlyName: test-ca\n":                                         1,
		"2.16.840.1.113894.746875.1.1:":                                   1,
		"BEGIN CERTIFICATE":                                               4, // what is a link of both chains is there once
		"BEGIN PRIVATE KEY":                                               2,
		string(first.KeyPEM()):                                            1,
		string(second.KeyPEM()):                                           1,
		string(first.CertPEM()[:400]):                                     1,
	} {
		if n := strings.Count(got, want); n != times {
			t.Errorf("%q is there %d times, not %d", want, n, times)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// TestTrustStore has no safe for keys.
func TestTrustStore(t *testing.T) {
	store, err := PKCS12("", Entry{Alias: "client-ca", Trusted: authority(t, "Test Client CA").Certificate},
		Entry{Alias: "other-ca", Trusted: authority(t, "Other CA").Certificate})
	if err != nil {
		t.Fatal(err)
	}
	got := openssl(t, store, "-nokeys", "-info", "-passin", "pass:")
	if strings.Count(got, "BEGIN CERTIFICATE") != 2 || strings.Contains(got, "PKCS7 Data") {
		t.Error(got)
	}
}

func TestPKCS12Refuses(t *testing.T) {
	ca := authority(t, "Test CA").Certificate
	for _, test := range []struct {
		password string
		entries  []Entry
		want     string
	}{
		{"\U0001F600", nil, "the password has characters that it may not have"},
		{"a", []Entry{{Trusted: ca}}, `the alias "" has characters that it may not have, or none`},
		{"a", []Entry{{Alias: "\xff", Trusted: ca}}, `the alias "\xff" has characters that it may not have, or none`},
		{"a", []Entry{{Alias: "Ca", Trusted: ca}, {Alias: "cA", Trusted: ca}}, `the alias "cA" is there twice`},
		{"a", []Entry{{Alias: "ca"}}, "an entry holds neither a pair nor a certificate"},
	} {
		if _, err := PKCS12(test.password, test.entries...); err == nil || err.Error() != "cannot make a PKCS12 store: "+test.want {
			t.Errorf("%q: %v", test.want, err)
		}
	}
}

func BenchmarkPKCS12(b *testing.B) {
	p := issue(b, authority(b, "Test CA"), Request{CommonName: "alice"})
	for b.Loop() {
		if _, err := PKCS12("generated", Entry{Alias: "alice", Pair: p}); err != nil {
			b.Fatal(err)
		}
	}
}

package filesystem

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gozilla/internal/certs"
)

func parse(der []byte) *x509.Certificate { return must(x509.ParseCertificate(der)) }

// TestPKCS12 reads a store as Java has it: several keys, links of chains, trusted certificates with Oracle's attribute.
func TestPKCS12(t *testing.T) {
	f, p := newFolder(t), known()
	f.p12("all.p12", certs.Entry{Alias: "North", Pair: p.north}, certs.Entry{Alias: "south", Pair: p.south},
		certs.Entry{Alias: "Root", Trusted: p.root.Certificate}, certs.Entry{Alias: "other", Trusted: p.other.Certificate})
	c := f.holds(`
keys: { store: all.p12, password: changeit }
trust: { store: all.p12, type: PKCS12, password: changeit }
signers: { store: all.p12, type: p12, password: changeit, entries: [ other ] }`)
	same(t, "keys", entries(c.Keys), "North: north, root", "south: south, sub, root")
	same(t, "trust", trusts(c.Trust), "Root: root", "other: other")
	same(t, "signers", trusts(c.Signers), "other: other")
	if c.Revoked != nil {
		t.Error("revocations are looked up")
	}
	if err := c.Keys[0].Certificate.Leaf.CheckSignatureFrom(p.root.Certificate); err != nil {
		t.Error(err)
	}
	if !p.south.Leaf().Equal(c.Keys[1].Certificate.Leaf) {
		t.Error("the leaf is another one")
	}
}

// TestFixtures reads stores that others have written, which hold no keys: keytool of Java 17, with and without
// keystore.pkcs12.legacy, openssl 3.0 with -legacy, and go-pkcs12, with PBMAC1 as of Java 26, and without a password.
func TestFixtures(t *testing.T) {
	f := newFolder(t)
	for _, name := range []string{"java.p12", "java-legacy.p12", "openssl-legacy.p12", "java.jks", "pbmac1.p12", "open.p12"} {
		f.write(name, must(os.ReadFile("testdata/"+name)))
	}
	trust := func(name string, want ...string) {
		t.Helper()
		same(t, name, trusts(f.holds("trust: { store: "+name+", password: changeit }").Trust), want...)
	}
	trust("java.p12", "One: fixture one", "two: fixture two")
	trust("java-legacy.p12", "One: fixture one")
	trust("openssl-legacy.p12", "1: fixture one")
	trust("pbmac1.p12", "One: fixture one")
	trust("open.p12", "One: fixture one")
	f.faults("trust: { store: pbmac1.p12, password: x }", "3:41: the password does not open pbmac1.p12")
	f.faults("trust: { store: java.jks, password: changeit }",
		"3:19: cannot read java.jks: it is a store of the type jks ["+convertHint+"]")
}

// openssl makes stores of PEM files as people do; without it, the test is left out.
func (f folder) openssl(args ...string) {
	f.t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = f.path
	if out, err := cmd.CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") != "true" {
			f.t.Skip("there is no openssl")
		}
		f.t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestOpenSSL(t *testing.T) {
	f, p := newFolder(t), known()
	f.pem("south.pem", p.south.KeyPEM(), p.south.CertPEM())
	f.pem("north.pem", p.north.KeyPEM(), p.north.CertPEM())
	f.pem("ca.pem", p.root.PEM(), p.other.PEM())
	_, edward, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f.write("ed.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(edward))}))
	f.openssl("req", "-x509", "-key", "ed.key", "-subj", "/CN=ed", "-out", "ed.crt")

	export := func(args ...string) {
		t.Helper()
		f.openssl(append([]string{"pkcs12", "-export", "-out", "out.p12"}, args...)...)
	}
	const pass = "pass:" + password
	keys := func(want string, args ...string) {
		t.Helper()
		export(args...)
		c := f.holds("keys: { store: out.p12, password: changeit }")
		same(t, strings.Join(args, " "), entries(c.Keys), want)
	}
	keys("1: south, sub", "-in", "south.pem", "-passout", pass)
	keys("1: south, sub", "-in", "south.pem", "-passout", pass, "-legacy")
	keys("South ☀: south, sub", "-in", "south.pem", "-passout", pass, "-name", "South ☀")
	keys("x: north, root", "-in", "north.pem", "-certfile", "ca.pem", "-passout", pass, "-name", "x", "-legacy")
	keys("1: ed", "-inkey", "ed.key", "-in", "ed.crt", "-passout", pass)
	keys("1: south, sub", "-in", "south.pem", "-passout", pass, "-nomac")
	keys("1: south, sub", "-in", "south.pem", "-passout", pass, "-keypbe", "NONE", "-certpbe", "NONE")
	keys("1: south, sub", "-in", "south.pem", "-passout", pass, "-macalg", "sha512", "-keypbe", "AES-128-CBC", "-certpbe", "AES-192-CBC")
	keys("1: south, sub", "-in", "south.pem", "-passout", pass, "-macalg", "sha384", "-keypbe", "DES-EDE3-CBC", "-certpbe", "DES-EDE3-CBC")
	keys("1: south, sub", "-in", "south.pem", "-passout", pass, "-macalg", "sha1", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-RC2-128", "-legacy")
	keys("1: south, sub", "-in", "south.pem", "-passout", pass, "-iter", "100000")

	export("-nokeys", "-in", "ca.pem", "-passout", pass)
	same(t, "trust", trusts(f.holds("trust: { store: out.p12, password: changeit }").Trust), "1: root", "2: other")
	export("-nokeys", "-in", "ca.pem", "-passout", pass, "-caname", "a", "-caname", "b")
	same(t, "trust", trusts(f.holds("trust: { store: out.p12, password: changeit }").Trust), "a: root", "b: other")

	// A certificate that is there for a chain is not trusted.
	export("-in", "south.pem", "-certfile", "ca.pem", "-passout", pass)
	same(t, "trust", trusts(f.holds("trust: { store: out.p12, password: changeit }").Trust), "2: other")

	for _, legacy := range [][]string{nil, {"-legacy"}} {
		export(append(legacy, "-in", "south.pem", "-passout", "pass:")...)
		same(t, "no password", entries(f.holds("keys: { store: out.p12 }").Keys), "1: south, sub")
	}
	export("-in", "south.pem", "-passout", "pass:größe☀")
	same(t, "other characters", entries(f.holds("keys: { store: out.p12, password: größe☀ }").Keys), "1: south, sub")
	export("-in", "south.pem", "-passout", "pass:größe☀", "-legacy")
	same(t, "other characters", entries(f.holds("keys: { store: out.p12, password: größe☀ }").Keys), "1: south, sub")
	export("-in", "south.pem", "-passout", pass, "-keypbe", "PBE-SHA1-RC4-128", "-legacy")
	f.faults("keys: { store: out.p12, password: changeit }",
		"3:18: cannot read out.p12: its key 1 cannot be read: it is encrypted in a way that is not supported (1.2.840.113549.1.12.1.1) ["+encryptHint+"]")
}

func TestWrongPassword(t *testing.T) {
	f, p := newFolder(t), known()
	f.p12("all.p12", certs.Entry{Alias: "north", Pair: p.north})
	f.faults("keys: { store: all.p12, password: secret }", "3:37: the password does not open all.p12")
	f.faults("keys: { store: all.p12, password: \"${{env.PASS}}x\" }", "3:37: the password does not open all.p12")
	f.faults("keys: { store: all.p12 }", "3:9: all.p12 needs a password")
	f.faults("keys: { store: all.p12, password: \"${{env.PASS}}\" }")
	// Without a MAC, only what comes out of it tells.
	f.pem("north.pem", p.north.KeyPEM(), p.north.CertPEM())
	f.openssl("pkcs12", "-export", "-in", "north.pem", "-passout", "pass:"+password, "-nomac", "-out", "out.p12")
	if _, _, got := f.load("keys: { store: out.p12, password: secret }"); !strings.Contains(got, "out.p12") || strings.Contains(got, "warning") {
		t.Errorf("faults: %s", got)
	}
}

// TestDamaged has stores that end early, and one that was changed.
func TestDamaged(t *testing.T) {
	p := known()
	whole := must(certs.PKCS12(password, certs.Entry{Alias: "north", Pair: p.north}, certs.Entry{Alias: "root", Trusted: p.root.Certificate}))
	for n := range len(whole) {
		if _, err := parsePKCS12(whole[:n], password); err == nil || errors.Is(err, errPassword) {
			t.Fatalf("%d of %d bytes are taken: %v", n, len(whole), err)
		}
	}
	changed := bytes.Clone(whole)
	changed[len(changed)/2] ^= 1
	if _, err := parsePKCS12(changed, password); err == nil {
		t.Error("a store is taken that was changed")
	}
}

// TestIterations has stores that would keep the gateway busy for days.
func TestIterations(t *testing.T) {
	whole := must(certs.PKCS12(password, certs.Entry{Alias: "north", Pair: known().north}))
	var p pfx
	if err := unmarshal(whole, &p); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{-1, 0, mostIterations + 1, 1<<31 - 1} {
		p.MAC.Iterations = n
		content := p.AuthSafe.Content
		p.AuthSafe.Content = asn1.RawValue{FullBytes: content.FullBytes}
		hostile := must(asn1.Marshal(p))
		p.AuthSafe.Content = content
		began := time.Now()
		if _, err := parsePKCS12(hostile, password); err == nil || errors.Is(err, errPassword) || time.Since(began) > time.Minute {
			t.Errorf("%d iterations: %v after %v", n, err, time.Since(began))
		}
	}
	o := newOpener(password)
	for range 4 {
		if err := o.spend(mostIterations / 4); err != nil {
			t.Fatal(err)
		}
	}
	if o.spend(1) == nil {
		t.Error("there is no end to it")
	}
}

func TestConverted(t *testing.T) { // by openssl, which writes the aliases into PEM
	f, p := newFolder(t), known()
	f.p12("all.p12", certs.Entry{Alias: "North", Pair: p.north}, certs.Entry{Alias: "south", Pair: p.south})
	f.openssl("pkcs12", "-in", "all.p12", "-passin", "pass:"+password, "-nodes", "-out", "all.pem")
	c := f.holds("keys: { type: pem, store: all.pem }")
	same(t, "keys", entries(c.Keys), "North: north", "south: south, sub")
}

// plain is a store without encryption but that of keys, and without a MAC, so that changes of it are not found at once.
func plain(store []byte) []byte {
	var p pfx
	var content []byte
	var safes []contentInfo
	for _, err := range []error{unmarshal(store, &p), unmarshal(p.AuthSafe.Content.Bytes, &content), unmarshal(content, &safes)} {
		if err != nil {
			panic(err)
		}
	}
	octets := func(b []byte) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: must(asn1.Marshal(b))}
	}
	for i := range safes {
		if safes[i].Type.Equal(oidEncryptedData) {
			var e encryptedData
			if err := unmarshal(safes[i].Content.Bytes, &e); err != nil {
				panic(err)
			}
			safes[i] = contentInfo{oidData, octets(must(newOpener(password).decrypt(e.Content.Algorithm, e.Content.Content)))}
		}
	}
	return must(asn1.Marshal(struct {
		Version  int
		AuthSafe contentInfo
	}{3, contentInfo{oidData, octets(must(asn1.Marshal(safes)))}}))
}

func FuzzPKCS12(f *testing.F) {
	root := must(certs.NewAuthority("root"))
	pair := must(root.Issue(certs.Request{CommonName: "north"}))
	f.Add(plain(must(certs.PKCS12(password, certs.Entry{Alias: "north", Pair: pair}, certs.Entry{Alias: "root", Trusted: root.Certificate}))))
	f.Add(must(os.ReadFile("testdata/openssl-legacy.p12")))
	f.Fuzz(func(t *testing.T, b []byte) {
		o := newOpener(password)
		o.left = 50_000
		s, err := o.parse(b)
		if (s == nil) != (err != nil) {
			t.Errorf("%v and %v", s, err)
		}
	})
}

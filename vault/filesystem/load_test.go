package filesystem

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"reflect"
	"strings"
	"testing"
	"time"

	"gozilla/component"
	"gozilla/config"
	"gozilla/internal/certs"
	"gozilla/vault"
)

// TestRegistered decodes a vault by way of the registry.
func TestRegistered(t *testing.T) {
	f := newFolder(t)
	f.p12("all.p12", certs.Entry{Alias: "north", Pair: known().north})
	r := &config.Report{}
	docs := config.Parse(r, config.Source{Name: "f", Text: []byte("type: filesystem\noptions: { keys: { store: all.p12, password: secret } }")})
	typ, ok := vault.Registry.Get("filesystem")
	if !ok {
		t.Fatal("it is not registered")
	}
	draft := typ.Decode(r, docs[0], "a filesystem vault")
	draft.Load(&component.Loader{Report: r, Read: func(string) ([]byte, error) {
		return must(certs.PKCS12("x", certs.Entry{Alias: "n", Pair: known().north})), nil
	}, Path: f.name})
	if r.Err() == nil || r.Err().Error() != "f:2:46: the password does not open all.p12" {
		t.Errorf("faults: %v", r.Err())
	}
}

func TestShape(t *testing.T) {
	if err := config.CheckShape(reflect.TypeFor[Config]()); err != nil {
		for line := range strings.Lines(err.Error()) { // comments are generated later
			if !strings.Contains(line, "it has no comment") {
				t.Error(line)
			}
		}
	}
}

func TestNothing(t *testing.T) {
	c := newFolder(t).holds("{}")
	if len(c.Keys)+len(c.Trust)+len(c.Signers) > 0 || c.Revoked != nil {
		t.Errorf("it holds %v", c)
	}
}

func TestEntries(t *testing.T) {
	f, p := newFolder(t), known()
	f.p12("all.p12", certs.Entry{Alias: "north", Pair: p.north}, certs.Entry{Alias: "south", Pair: p.south},
		certs.Entry{Alias: "root", Trusted: p.root.Certificate}, certs.Entry{Alias: "other", Trusted: p.other.Certificate})
	options := func(entries string) string {
		return "keys: { store: all.p12, password: changeit, entries: " + entries + " }"
	}
	same(t, "one", entries(f.holds(options("[ SOUTH ]")).Keys), "south: south, sub, root")
	same(t, "in the order of the store", entries(f.holds(options("[ south, north ]")).Keys), "north: north, root", "south: south, sub, root")
	same(t, "one of two", entries(f.holds(options("[ nort, south ]")).Keys), "south: south, sub, root")
	same(t, "trust", trusts(f.holds("trust: { store: all.p12, password: changeit, entries: [ Other ] }").Trust), "other: other")

	f.faults(options("[ nort, south ]"), `3:58: warning: all.p12 has no private key with the alias "nort" [did you mean "north"?]`)
	f.faults(options("[ a, norht ]"), `3:58: all.p12 has no private key with the alias "a" [it has north, south]`,
		`3:61: all.p12 has no private key with the alias "norht" [did you mean "north"?]`)
	f.faults(options("[]"), "3:56: with no entries, nothing of the store is taken [leave entries out to take all of it]")
	f.faults("trust: { store: all.p12, password: changeit, entries: [ south, root ] }", // a key is not trusted
		`3:59: warning: all.p12 has no trusted certificate with the alias "south" [it has root, other]`)
}

func TestFaults(t *testing.T) {
	f, p := newFolder(t), known()
	f.p12("trust.p12", certs.Entry{Alias: "root", Trusted: p.root.Certificate})
	f.p12("keys.p12", certs.Entry{Alias: "north", Pair: p.north})
	f.pem("north.crt", p.north.CertPEM())
	f.pem("north.key", p.north.KeyPEM())
	f.pem("south.key", p.south.KeyPEM())
	f.write("empty", nil)
	f.write("text", []byte("hello"))
	f.write("half.pem", p.north.CertPEM()[:100])
	f.pem("hole.pem", p.north.CertPEM()[:100], []byte("\n"), p.north.CertPEM())

	f.faults("keys: { store: none.p12 }", "3:18: cannot read none.p12: it is not there")
	f.faults("keys: { type: pem, store: [ north.crt, none.key ] }", "3:42: cannot read none.key: it is not there")
	f.faults("keys: { store: text }", "3:18: cannot read text: it is not in DER, or not whole [openssl pkcs12 tells more; it can also write it again, in DER]")
	f.faults("keys: { store: north.crt }", "3:18: cannot read north.crt: it is in PEM [say type: pem]")
	f.faults("keys: { store: keys.p12, type: pem }", "3:18: cannot read keys.p12: it is not in PEM [leave the type out if it is a PKCS12 store]")
	f.faults("keys: { store: empty, type: pem }", "3:18: cannot read empty: there is neither a key nor a certificate in it")
	f.faults("keys: { store: half.pem, type: pem }", "3:18: cannot read half.pem: it is not whole, or damaged")
	f.faults("trust: { store: hole.pem, type: pem }", "3:19: cannot read hole.pem: it is not whole, or damaged")
	f.faults("keys: { store: [ half.pem, text ], type: pem }", "3:20: cannot read half.pem: it is not whole, or damaged",
		"3:30: cannot read text: there is neither a key nor a certificate in it")
	f.faults("keys: { store: x, type: jks }", "3:27: stores of the type jks are not supported ["+convertHint+"]")
	f.faults("keys: { store: x, type: pkcs11 }", "3:27: stores of the type pkcs11 are not supported ["+convertHint+"]")
	f.faults("keys: { store: x, type: pkc12 }", `3:27: "pkc12" is no type of a store: it must be pkcs12 or pem [did you mean "pkcs12"?]`)
	f.faults("keys: { store: [] }", "3:18: store names no file")
	f.faults("keys: { password: x }", "3:9: the keys of the options of a filesystem vault need store")
	f.faults("keys: { store: trust.p12, password: changeit }", "3:18: there is no private key in trust.p12")
	f.faults("trust: { store: keys.p12, password: changeit }", "3:19: there is no trusted certificate in keys.p12 [certificates in the chain of a key are not trusted: write the others into a store of their own]")
	f.faults("keys: { type: pem, store: north.key }", "3:29: there is no certificate for the private key in north.key [name the file of the certificate too: [ tls.crt, tls.key ]]")
	f.faults("keys: { type: pem, store: north.crt }", "3:29: there is no private key in north.crt [name the file of the key too: [ tls.crt, tls.key ]]")
	f.faults("keys: { type: pem, store: [ north.crt, south.key ] }", "3:29: no certificate fits the private key in south.key")
	f.faults("secrets: { store: keys.p12 }", "3:12: the secrets of a vault are not built yet")
	f.faults("signers: { store: trust.p12, password: changeit }", "3:12: warning: signers have no effect without keys, which are chosen by them")
	f.faults("crls: x", "3:9: warning: crls have no effect without revocation: crl")
	f.faults("revocation: ocsp", "3:15: revocation must be none or crl, not \"ocsp\"")
	f.faults("revocation: crl\ncrls: [ none.crl, text ]", "4:11: cannot read none.crl: it is not there",
		"4:21: cannot read text: it is no revocation list: x509: malformed crl")
	f.faults("revocation: crl\ncrls: north.crt", "4:9: cannot read north.crt: there is no revocation list in it")
}

// TestStrict refuses what zilla does not take.
func TestStrict(t *testing.T) {
	f, p := newFolder(t), known()
	f.p12("keys.p12", certs.Entry{Alias: "north", Pair: p.north})
	expect := func(options, want string) {
		t.Helper()
		if _, _, got := f.load(options, true); got != want {
			t.Errorf("%s: %s, not %s", options, got, want)
		}
	}
	expect("keys: { store: keys.p12, password: changeit }\nrevocation: crl", "")
	expect("keys: { store: x, type: PEM }", "3:27: the type pem is an extension of gozilla: zilla does not take it")
	expect("keys: { store: [ x, y ] }", "3:18: several files are an extension of gozilla: zilla takes one")
	expect("revocation: none", "3:15: revocation: none is an extension of gozilla: zilla does not take it [leave it out]")
	expect("crls: x\nrevocation: crl", "3:3: crls is an extension of gozilla: zilla does not take it")
}

func TestExpired(t *testing.T) {
	f, p := newFolder(t), known()
	old := must(p.root.Issue(certs.Request{CommonName: "old", NotBefore: time.Unix(0, 0), NotAfter: time.Unix(86400, 0)}))
	early := must(p.root.Issue(certs.Request{CommonName: "early", NotBefore: time.Unix(1<<33, 0), NotAfter: time.Unix(1<<33+1, 0)}))
	authority := must(certs.NewAuthority("old root", certs.Valid(time.Unix(0, 0), time.Unix(86400, 0))))
	f.p12("all.p12", certs.Entry{Alias: "old", Pair: old}, certs.Entry{Alias: "early", Pair: early}, certs.Entry{Alias: "root", Trusted: authority.Certificate})
	f.faults("keys: { store: all.p12, password: changeit }\ntrust: { store: all.p12, password: changeit }",
		`3:18: warning: the certificate of "early" is not yet valid, until 2242-03-16 12:56 UTC`,
		`3:18: warning: the certificate of "old" is no longer valid, since 1970-01-02 00:00 UTC`,
		`4:19: warning: the certificate of "old root" is no longer valid, since 1970-01-02 00:00 UTC`)
}

// TestPEM has the files that Kubernetes and certbot give.
func TestPEM(t *testing.T) {
	f, p := newFolder(t), known()
	f.pem("secret/tls.crt", p.south.CertPEM())
	f.pem("secret/tls.key", p.south.KeyPEM())
	f.pem("secret/ca.crt", p.root.PEM(), p.other.PEM())
	f.pem("live/example.com/fullchain.pem", p.south.CertPEM())
	f.pem("live/example.com/privkey.pem", p.south.KeyPEM())
	f.pem("live/example.org/fullchain.pem", p.north.CertPEM())
	f.pem("live/example.org/privkey.pem", p.north.KeyPEM())
	f.pem("all.pem", p.north.CertPEM(), p.south.KeyPEM(), p.root.PEM(), p.north.KeyPEM(), p.south.CertPEM())
	f.pem("tls.crt", p.north.CertPEM())
	f.pem("tls.key", p.north.KeyPEM())
	c := f.holds(`
keys: { type: pem, store: [ secret/tls.crt, secret/tls.key ] }
trust: { type: pem, store: secret/ca.crt }
signers: { type: PEM, store: [ secret/ca.crt, all.pem ], entries: [ all ] }`)
	same(t, "keys", entries(c.Keys), "secret: south, sub")
	same(t, "trust", trusts(c.Trust), "secret: root", "secret: other")
	same(t, "signers", trusts(c.Signers), "all: north", "all: root", "all: south", "all: sub")
	same(t, "certbot", entries(f.holds(`
keys:
  type: pem
  store:
    - live/example.com/privkey.pem
    - live/example.com/fullchain.pem
    - live/example.org/fullchain.pem
    - live/example.org/privkey.pem
  entries: [ example.org, example.com ]`).Keys), "example.com: south, sub", "example.org: north")
	same(t, "one file", entries(f.holds("keys: { type: pem, store: all.pem }").Keys), "all: south, sub, root", "all: north, root")
	same(t, "no folder", entries(f.holds("keys: { type: pem, store: [ tls.key, tls.crt ] }").Keys), "tls: north")
}

func TestPEMKeys(t *testing.T) {
	f, p := newFolder(t), known()
	block := func(kind string, der []byte, err error) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: must(der, err)})
	}
	f.pem("rsa.pem", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(p.south.Key.(*rsa.PrivateKey)), nil), p.south.CertPEM())
	ec, err := x509.MarshalECPrivateKey(p.north.Key.(*ecdsa.PrivateKey))
	f.pem("ec.pem", block("EC PARAMETERS", []byte{1}, nil), block("EC PRIVATE KEY", ec, err), p.north.CertPEM())
	f.pem("strange.pem", block("DSA PRIVATE KEY", []byte{1}, nil))
	f.pem("broken.pem", block("CERTIFICATE", []byte{1}, nil))
	f.pem("north.key", p.north.KeyPEM())
	f.pem("north.crt", p.north.CertPEM())
	keys := func(file, want string) {
		t.Helper()
		same(t, file, entries(f.holds("keys: { type: pem, store: ["+file+"], password: changeit }").Keys), want)
	}
	keys("rsa.pem", "rsa: south, sub")
	keys("ec.pem", "ec: north")
	f.faults("keys: { type: pem, store: strange.pem }",
		"3:29: cannot read strange.pem: its private key cannot be read: it is of an unknown kind (DSA PRIVATE KEY)")
	if _, _, got := f.load("keys: { type: pem, store: broken.pem }"); !strings.HasPrefix(got, "3:29: cannot read broken.pem: its certificate 1 cannot be read: ") {
		t.Error(got)
	}

	f.openssl("pkcs8", "-topk8", "-in", "north.key", "-passout", "pass:changeit", "-out", "encrypted.key")
	keys("north.crt, encrypted.key", "north: north")
	f.openssl("pkcs8", "-topk8", "-in", "north.key", "-passout", "pass:changeit", "-v1", "PBE-SHA1-3DES", "-out", "old.key")
	keys("north.crt, old.key", "north: north")
	f.faults("keys: { type: pem, store: [north.crt, encrypted.key], password: secret }", "3:67: the password does not open encrypted.key")
	f.faults("keys: { type: pem, store: [north.crt, encrypted.key] }", "3:9: encrypted.key needs a password")
	f.openssl("pkcs8", "-topk8", "-in", "north.key", "-passout", "pass:changeit", "-scrypt", "-out", "scrypt.key")
	f.faults("keys: { type: pem, store: [north.crt, scrypt.key], password: changeit }",
		"3:41: cannot read scrypt.key: its private key cannot be read: it is encrypted in a way that is not supported (1.3.6.1.4.1.11591.4.11) ["+encryptHint+"]")
	f.openssl("ec", "-in", "north.key", "-aes128", "-passout", "pass:changeit", "-out", "ancient.key")
	f.faults("keys: { type: pem, store: [north.crt, ancient.key], password: changeit }",
		"3:41: cannot read ancient.key: its private key cannot be read: it is encrypted as openssl did of old [encrypt it anew: openssl pkcs8 -topk8 -in OLD -out NEW]")
}

func TestAliasOf(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := aliasOf(name); got != want {
			t.Errorf("%s: %s, not %s", name, got, want)
		}
	}
	f("server.crt", "server")
	f("a/b/server.PEM", "server")
	f("/etc/tls/edge/tls.crt", "edge")
	f("tls.crt", "tls")
	f("./tls.crt", "tls")
	f("../tls.crt", "tls")
	f("/tls.crt", "tls")
	f("example.com", "example.com")
	f(`c:\certs\edge\tls.crt`, "edge")
}

func FuzzPEM(f *testing.F) {
	root := must(certs.NewAuthority("root"))
	f.Add(append(root.PEM(), root.KeyPEM()...))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parsePEM("x", b, password)
		if (s == nil) != (err != nil) {
			t.Errorf("%v and %v", s, err)
		}
	})
}

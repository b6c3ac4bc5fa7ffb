package x509guard

import (
	"context"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/component"
	"gozilla/config"
	"gozilla/guard"
	"gozilla/internal/certs"
	"gozilla/stream"
	"gozilla/telemetry"
)

// decode reads a guard as it stands in a file.
func decode(t testing.TB, text string) (*Config, *config.Report) {
	t.Helper()
	r := &config.Report{}
	docs := config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte(text), Env: func(string) (string, bool) { return "", false }})
	if len(docs) != 1 {
		t.Fatalf("%s is %d documents: %v", text, len(docs), r.Err())
	}
	return config.Decode[Config](r, docs[0], "an x509 guard"), r
}

// A rig is a guard, and the events that it has emitted.
type rig struct {
	*keeper
	events []string
}

// with makes a guard with these options.
func with(t testing.TB, options string) *rig {
	t.Helper()
	c, r := decode(t, "type: x509\noptions: "+options+"\n")
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return rigOf(t, c)
}

func rigOf(t testing.TB, c *Config) *rig {
	t.Helper()
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 8, false))
	k, err := newGuard(&component.Builder{
		Node: &stream.Node{Namespace: "test", Name: "clients"}, Host: host, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, c)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{keeper: k.(*keeper)}
	t.Cleanup(host.Log.Handle(func(e *telemetry.Event) { r.events = append(r.events, e.ID+" "+e.Message) }))
	return r
}

// admit gives the session of a chain, which ends with the test.
func (r *rig) admit(t testing.TB, chain []byte) stream.Session {
	t.Helper()
	s, err := r.Authorize(t.Context(), string(chain))
	if err != nil {
		t.Fatal(err, r.events)
	}
	t.Cleanup(s.Release)
	return s
}

// ca issues all certificates of the tests.
var ca = sync.OnceValue(func() *certs.Authority {
	a, err := certs.NewAuthority("", certs.Subject(pkix.Name{CommonName: "Test Client CA", Organization: []string{"Acme Inc"}, Country: []string{"CH"}}))
	if err != nil {
		panic(err)
	}
	return a
})

func issue(t testing.TB, r certs.Request) *certs.Pair {
	t.Helper()
	p, err := ca().Issue(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// alice has a value for most fields, for some several.
func alice(t testing.TB) *certs.Pair {
	return issue(t, certs.Request{
		CommonName: "Alice",
		Subject: pkix.Name{
			Organization: []string{"Acme  Inc"}, OrganizationalUnit: []string{"Sales", "Support"}, Country: []string{"CH"}, SerialNumber: "42",
			ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 4}, Value: "Müller"}, {Type: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: "x"}},
		},
		DNS:    []string{"alice.example", "*.alice.example"},
		Emails: []string{"Alice@example.com"},
		URIs:   []*url.URL{{Scheme: "spiffe", Host: "example", Path: "/alice"}},
		IPs:    []net.IP{net.IPv4(192, 0, 2, 7), net.ParseIP("2001:db8::1")},
	})
}

func TestFields(t *testing.T) {
	p := alice(t)
	c, err := parse(fingerprintOf(p), p.Leaf().Raw)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(p.Leaf().Raw)
	for f, want := range map[Field][]string{
		"issuer.dn":              {"cn=test client ca,o=acme inc,c=ch"},
		"subject.cn":             {"Alice"},
		"subject.commonname":     {"Alice"},
		"subject.o":              {"Acme  Inc"},
		"subject.ou":             {"Sales", "Support"},
		"subject.c":              {"CH"},
		"subject.serialnumber":   {"42"},
		"subject.sn":             {"Müller"},
		"subject.surname":        {"Müller"},
		"subject.2.5.4.4":        {"Müller"},
		"subject.1.2.3.4":        {"x"},
		"subject.l":              nil,
		"issuer.cn":              {"Test Client CA"},
		"issuer.o":               {"Acme Inc"},
		"issuer.ou":              nil,
		"san.dns":                {"alice.example", "*.alice.example"},
		"san.email":              {"Alice@example.com"},
		"san.uri":                {"spiffe://example/alice"},
		"san.ip":                 {"192.0.2.7", "2001:db8::1", "2001:db8:0:0:0:0:0:1"},
		"x5t.s256":               {base64.RawURLEncoding.EncodeToString(sum[:])},
		"subject.givenname":      nil,
		"issuer.1.2.840.113549":  nil,
		"subject.emailaddress":   nil,
		"subject.jurisdictionst": nil,
	} {
		if got := f.reader()(c); !slices.Equal(got, want) {
			t.Errorf("%s: %q, not %q", f, got, want)
		}
	}
}

func fingerprintOf(p *certs.Pair) string {
	sum := sha256.Sum256(p.Leaf().Raw)
	return string(sum[:])
}
func TestIdentity(t *testing.T) {
	chain := alice(t).CertPEM()
	for options, want := range map[string]string{
		"{}":                        "1.2.3.4=#130178,2.5.4.4=#0c074dc3bc6c6c6572,2.5.4.5=#13023432,cn=alice,ou=sales+ou=support,o=acme inc,c=ch",
		"{ identity: subject.cn }":  "Alice",
		"{ identity: subject.ou }":  "Sales", // the first one
		"{ identity: san.email }":   "Alice@example.com",
		"{ identity: san.uri }":     "spiffe://example/alice",
		"{ identity: san.dns }":     "alice.example",
		"{ identity: subject.uid }": "", // there is none
	} {
		if got := with(t, options).admit(t, chain).Identity(); got != want {
			t.Errorf("%s: %s, not %s", options, got, want)
		}
	}
	c, r := decode(t, "type: x509")
	if err := r.Err(); err != nil || c.Options.Identity != "subject.dn" {
		t.Errorf("without options: %s, %v", c.Options.Identity, err)
	}
}

func TestAttributes(t *testing.T) {
	s := with(t, "{ attributes: { mail: san.email, unit: subject.ou, city: subject.l } }").admit(t, alice(t).CertPEM())
	for name, want := range map[string]string{"mail": "Alice@example.com", "unit": "Sales"} {
		if got, ok := s.Attribute(name); got != want || !ok {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
	for _, name := range []string{"city", "other"} {
		if got, ok := s.Attribute(name); got != "" || ok {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestRoles(t *testing.T) {
	chain := alice(t).CertPEM()
	for options, want := range map[string]bool{
		"[ { subject.cn: Alice } ]":                                     true,
		"[ { subject.cn: aLICE } ]":                                     true,
		"[ { subject.cn: \"*\" } ]":                                     true,
		"[ { subject.cn: A*e } ]":                                       true,
		"[ { subject.cn: Al?ce } ]":                                     true,
		"[ { subject.cn: lice } ]":                                      false, // it must match from the beginning
		"[ { subject.cn: Alic } ]":                                      false, // and to the end
		"[ { subject.cn: Bob } ]":                                       false,
		"[ { subject.ou: support } ]":                                   true, // the second value
		"[ { subject.l: \"*\" } ]":                                      false,
		"[ { subject.cn: Alice, issuer.cn: Test Client CA } ]":          true,
		"[ { subject.cn: Alice, issuer.cn: Other CA } ]":                false,
		"[ { subject.cn: Alice, subject.l: \"*\" } ]":                   false,
		"[ { subject.cn: Bob }, { san.uri: \"spiffe://example/*\" } ]":  true,
		"[ { san.ip: 192.0.2.* } ]":                                     true,
		"[ { san.ip: \"2001:db8:0:0:0:0:0:1\" } ]":                      true,
		"[ { subject.dn: \"*,cn=alice,*\", issuer.dn: \"cn=test*\" } ]": true,
		"[ { san.dns: \"*.alice.example\" } ]":                          true,
	} {
		s := with(t, "{ roles: { staff: "+options+" } }").admit(t, chain)
		if got := s.Verify([]string{"staff"}); got != want {
			t.Errorf("%s: %v", options, got)
		}
	}
}

func TestRolesAreJoined(t *testing.T) {
	s := with(t, "{ roles: { staff: [ { subject.o: \"Acme*\" } ], sales: [ { subject.ou: Sales } ], boss: [ { subject.cn: Bob } ] } }").admit(t, alice(t).CertPEM())
	for _, test := range []struct {
		roles []string
		want  bool
	}{
		{nil, true}, {[]string{"sales"}, true}, {[]string{"sales", "staff"}, true}, {[]string{"sales", "boss"}, false}, {[]string{"other"}, false},
	} {
		if got := s.Verify(test.roles); got != test.want {
			t.Errorf("%q: %v", test.roles, got)
		}
	}
}

func TestCredentials(t *testing.T) {
	p := alice(t)
	text := string(p.CertPEM())
	second := string(ca().PEM())
	for name, chain := range map[string]string{
		"leaf":                          text,
		"chain":                         text + second,
		"escaped":                       strings.ReplaceAll(text+second, "\n", `\n`),
		"escaped, with cr":              strings.ReplaceAll(text+second, "\n", `\r\n`),
		"with cr":                       strings.ReplaceAll(text, "\n", "\r\n"),
		"explained":                     "subject=CN = Alice\n" + text,
		"no last newline":               strings.TrimSpace(text),
		"what follows is not looked at": text + "-----BEGIN CERTIFICATE-----\nnonsense",
	} {
		r := with(t, "{ identity: subject.cn }")
		if got := r.admit(t, []byte(chain)).Identity(); got != "Alice" || len(r.events) > 0 {
			t.Errorf("%s: %s, %q", name, got, r.events)
		}
	}
}

func TestRefused(t *testing.T) {
	p := alice(t)
	text := string(p.CertPEM())
	const event = "guard.x509.authorization.failed X509 certificate chain authorization failed for identity "
	for name, test := range map[string]struct {
		chain string
		event string
		text  string
	}{
		"nothing":         {"", "(). Missing credentials.", "there are no credentials"},
		"white space":     {" \n\r\n\t", "(). Empty certificate chain.", "the certificate chain is empty"},
		"escaped newline": {`\n`, "(). Empty certificate chain.", "the certificate chain is empty"},
		"nonsense":        {"nonsense", "(). Unable to parse certificate chain.", "the certificate chain cannot be parsed"},
		"cut":             {text[:len(text)/2], "(). Unable to parse certificate chain.", "the certificate chain cannot be parsed"},
		"another block":   {string(p.KeyPEM()), "(). Unable to parse certificate chain.", "the certificate chain cannot be parsed"},
		"no base64":       {strings.Replace(text, "M", "!", 1), "(). Unable to parse certificate chain.", "the certificate chain cannot be parsed"},
		"no certificate":  {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "(). Unable to parse certificate chain.", "the certificate chain cannot be parsed"},
		"no bytes":        {"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "(). Unable to parse certificate chain.", "the certificate chain cannot be parsed"},
		"early": {string(issue(t, certs.Request{CommonName: "bob", NotBefore: time.Now().Add(time.Hour)}).CertPEM()),
			"(cn=bob). The certificate is not valid yet.", "the certificate is not valid yet"},
		"late": {string(issue(t, certs.Request{CommonName: "bob", NotAfter: time.Now().Add(-time.Second)}).CertPEM()),
			"(cn=bob). The certificate has expired.", "the certificate has expired"},
		"strange": {string(issue(t, certs.Request{CommonName: "a\nb" + strings.Repeat("x", 300), NotAfter: time.Now().Add(-time.Second)}).CertPEM()),
			`(cn=a\nb` + strings.Repeat("x", 193) + "…). The certificate has expired.", "the certificate has expired"},
	} {
		r := with(t, "{}")
		s, err := r.Authorize(t.Context(), test.chain)
		var refused *stream.Refused
		if s != nil || !errors.As(err, &refused) || refused.Err.Error() != test.text {
			t.Errorf("%s: %v, %v", name, s, err)
			continue
		}
		want := stream.Unauthenticated
		if strings.HasSuffix(test.text, "expired") {
			want = stream.Expired
		}
		if refused.Reason != want {
			t.Errorf("%s: %s", name, refused.Reason)
		}
		if len(r.events) != 1 || r.events[0] != event+test.event {
			t.Errorf("%s: %q, not %q", name, r.events, event+test.event)
		}
		if r.sessions.Len() != 0 {
			t.Errorf("%s: a session is left", name)
		}
	}
}

func TestSessionsAreShared(t *testing.T) {
	r := with(t, "{}")
	p := alice(t)
	first, err := r.Authorize(t.Context(), string(p.CertPEM()))
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Authorize(t.Context(), string(p.CertPEM())+string(ca().PEM()))
	if err != nil {
		t.Fatal(err)
	}
	other, err := r.Authorize(t.Context(), string(alice(t).CertPEM())) // the same name, not the same certificate
	if err != nil {
		t.Fatal(err)
	}
	if !first.Expires().Equal(p.Leaf().NotAfter) {
		t.Errorf("it ends at %v", first.Expires())
	}
	for _, s := range []stream.Session{first, other, again} {
		if r.sessions.Len() == 0 {
			t.Error("forgotten too early")
		}
		s.Release()
	}
	if r.sessions.Len() != 0 {
		t.Errorf("%d sessions are left", r.sessions.Len())
	}
}

func TestExpiresWhileHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := with(t, "{ identity: subject.cn }")
		p := issue(t, certs.Request{CommonName: "bob", NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)})
		s, err := r.Authorize(t.Context(), string(p.CertPEM()))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Release()
		time.Sleep(time.Hour)
		_, err = r.Authorize(t.Context(), string(p.CertPEM()))
		var refused *stream.Refused
		if !errors.As(err, &refused) || refused.Reason != stream.Expired || len(r.events) != 1 || !strings.Contains(r.events[0], "(bob). The certificate has expired.") {
			t.Errorf("%v, %q", err, r.events)
		}
	})
}

func TestFaults(t *testing.T) {
	for options, want := range map[string]string{
		"{ identity: subject.cnn }": `zilla.yaml:2:22: a certificate has no field "subject.cnn"
  hint: did you mean "subject.cn"?`,
		"{ identity: subject.CN }": `zilla.yaml:2:22: a certificate has no field "subject.CN"
  hint: did you mean "subject.cn"?`,
		"{ identity: fingerprint }": `zilla.yaml:2:22: a certificate has no field "fingerprint"
  hint: there are subject.dn, issuer.dn, attributes of both such as subject.cn, san.dns, san.email, san.uri, san.ip and x5t.s256`,
		"{ identity: subject.01.2 }":           `zilla.yaml:2:22: a certificate has no field "subject.01.2"`,
		"{ attributes: { mail: san.mail } }":   `zilla.yaml:2:26: a certificate has no field "san.mail"`,
		"{ roles: { a: [ { san.dsn: x } ] } }": `zilla.yaml:2:28: a certificate has no field "san.dsn"`,
		"{ roles: { a: [] } }":                 `zilla.yaml:2:21: the role a needs at least one match`,
		"{ roles: { a: [ {} ] } }":             `zilla.yaml:2:26: a match of the role a needs at least one field`,
	} {
		_, r := decode(t, "type: x509\noptions: "+options+"\n")
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", options, err, want)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, test := range []struct {
		glob, text string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"**", "", true}, {"?", "", false}, {"?", "ü", true}, {"??", "ü", false},
		{"a*c", "abc", true}, {"a*c", "ac", true}, {"a*c", "acb", false}, {"*b*", "abc", true}, {"a?c", "abc", true}, {"a?c", "ac", false},
		{"*ab", "aab", true}, {"*aab", "aaab", true}, {"*a?b*c", "xaxaybzc", true}, {"client-*", "CLIENT-1", true}, {"ZÜRICH", "zürich", true},
		{"a.c", "abc", false}, {"[a]", "a", false}, {`\*`, `\x`, true}, {"k", "\u212a", false}, {"s", "ſ", false}, {"*", "a\xff", true},
	} {
		if got := Glob(test.glob).Match(test.text); got != test.want {
			t.Errorf("%q, %q: %v", test.glob, test.text, got)
		}
	}
	began := time.Now()
	Glob(strings.Repeat("*a", 100) + "b").Match(strings.Repeat("a", 100_000))
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestShape is what the reference is made of, but for comments, which a build has once they were generated.
func TestShape(t *testing.T) {
	if err := component.VariantOf[Config]("").Check(); err != nil && !strings.Contains(err.Error(), "comment") {
		t.Error(err)
	}
	if _, ok := guard.Registry.Get("x509"); !ok {
		t.Error("the type is not registered")
	}
	for f := range maps.Keys(readers) {
		if f.reader() == nil {
			t.Errorf("%s cannot be read", f)
		}
	}
}

// FuzzAuthorize takes anything for credentials, and anything for a certificate.
func FuzzAuthorize(f *testing.F) {
	p := alice(f)
	f.Add(p.CertPEM())
	f.Add(p.Leaf().Raw)
	f.Add([]byte(strings.ReplaceAll(string(p.CertPEM()), "\n", `\n`)))
	r := with(f, "{ attributes: { a: subject.cn, b: san.ip, c: san.uri }, roles: { a: [ { subject.o: \"*a*\" } ] } }")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, credentials := range []string{string(b), "-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(b) + "\n-----END CERTIFICATE-----\n"} {
			s, err := r.Authorize(context.Background(), credentials)
			var refused *stream.Refused
			if err == nil {
				s.Release()
			} else if !errors.As(err, &refused) {
				t.Fatal(err)
			}
		}
		if r.sessions.Len() != 0 {
			t.Fatal("a session is left")
		}
	})
}

func BenchmarkAuthorize(b *testing.B) {
	chain := string(alice(b).CertPEM())
	for name, held := range map[string]bool{"first": false, "shared": true} {
		b.Run(name, func(b *testing.B) {
			r := with(b, "{ identity: subject.cn, roles: { a: [ { subject.o: \"Acme*\" } ] } }")
			if held {
				r.admit(b, []byte(chain))
			}
			b.ReportAllocs()
			for b.Loop() {
				s, err := r.Authorize(context.Background(), chain)
				if err != nil {
					b.Fatal(err)
				}
				s.Release()
			}
		})
	}
}

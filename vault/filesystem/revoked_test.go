package filesystem

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/internal/certs"
)

const address = "http://crl.test/root.crl"

// issue makes a certificate that names where its list is.
func issue(a *certs.Authority, name string, lists ...string) *x509.Certificate {
	return must(a.Issue(certs.Request{CommonName: name, CRLs: lists})).Leaf()
}

// crl makes a list in DER that is in force for a day.
func crl(a *certs.Authority, number int64, revoked ...*x509.Certificate) []byte {
	return must(a.Revoke(number, time.Now().Add(24*time.Hour), revoked...))
}

// special makes a list that says more.
func special(a *certs.Authority, edit func(*x509.RevocationList)) []byte {
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	edit(l)
	return must(x509.CreateRevocationList(rand.Reader, l, a.Certificate, a.Key))
}

func inPEM(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}) }

// verdict checks what is said of a chain; want is a part of that, "" if the chain is good.
func verdict(t *testing.T, check func(context.Context, []*x509.Certificate) error, want string, chain ...*x509.Certificate) {
	t.Helper()
	err := check(t.Context(), chain)
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%v, not %s", err, want)
	}
}

// TestListsOfFiles has lists in all places where files may have them.
func TestListsOfFiles(t *testing.T) {
	f, p := newFolder(t), known()
	alice, bob, carol := issue(p.root, "alice"), issue(p.sub, "bob"), issue(p.other, "carol")
	f.write("root.crl", crl(p.root, 1, alice))
	f.pem("all.pem", inPEM(crl(p.sub, 1, bob)), p.root.PEM(), inPEM(crl(p.root, 2)))
	f.pem("trust.pem", p.root.PEM(), inPEM(crl(p.other, 1)), p.other.PEM())
	f.write("old.crl", must(p.root.Revoke(1, time.Now().Add(-time.Hour))))

	check := f.holds("revocation: crl\ncrls: root.crl\ntrust: { type: pem, store: trust.pem }").Revoked
	verdict(t, check, `the certificate of "alice" has been revoked on 20`, alice, p.root.Certificate)
	verdict(t, check, "", p.north.Leaf(), p.root.Certificate)
	verdict(t, check, "", carol, p.other.Certificate)
	verdict(t, check, "", p.root.Certificate)
	verdict(t, check, `cannot find out whether the certificate of "bob" has been revoked: no file has a list of its issuer, and it names no place where one could be fetched`,
		bob, p.sub.Certificate, p.root.Certificate)

	check = f.holds("revocation: crl\ncrls: [ root.crl, all.pem, old.crl ]").Revoked
	verdict(t, check, `"bob" has been revoked`, bob, p.sub.Certificate, p.root.Certificate)
	verdict(t, check, "", p.south.Leaf(), p.sub.Certificate, p.root.Certificate)
	verdict(t, check, "", alice, p.root.Certificate) // by the second list, which is that in all.pem

	f.write("root.crl", crl(p.root, 3, p.sub.Certificate))
	check = f.holds("revocation: crl\ncrls: [ root.crl, all.pem ]").Revoked
	verdict(t, check, `"sub" has been revoked`, p.south.Leaf(), p.sub.Certificate, p.root.Certificate)

	f.faults("revocation: crl\ncrls: old.crl",
		`4:9: warning: the revocation list of "root" is out of date: certificates of its issuer are refused unless a newer one can be fetched`)
	check = f.holds("revocation: crl\ncrls: old.crl").Revoked
	verdict(t, check, "the revocation list is out of date since 20", alice, p.root.Certificate)

	if f.holds("crls: root.crl").Revoked != nil {
		t.Error("without revocation: crl, lists have an effect")
	}
}

// TestBadLists has lists that must not be believed.
func TestBadLists(t *testing.T) {
	f, p := newFolder(t), known()
	alice := issue(p.root, "alice", address)
	mute := must(certs.NewAuthority("mute", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }))
	impostor := must(certs.NewAuthority("root"))
	check := func(der []byte, want string, c, issuer *x509.Certificate) {
		t.Helper()
		f.write("x.crl", der)
		r := &revocation{must(parseLists(must(os.ReadFile(f.name("x.crl"))))), newRemote()}
		r.remote.get = func(context.Context, string) ([]byte, error) { return nil, errors.New("nobody answers") }
		verdict(t, r.check, want, c, issuer)
	}
	check(crl(impostor, 1), "is not signed by its issuer: x509: ECDSA verification failure\nnobody answers", alice, p.root.Certificate)
	check(crl(p.other, 1), "nobody answers", alice, p.root.Certificate)
	check(special(p.root, func(l *x509.RevocationList) { l.ThisUpdate = time.Now().Add(30 * time.Minute) }), "is not in force before", alice, p.root.Certificate)
	check(special(p.root, func(l *x509.RevocationList) { l.ThisUpdate = time.Now().Add(time.Minute) }), "", alice, p.root.Certificate)
	check(forged(mute), "cannot sign this kind of certificate", issue(mute, "dave"), mute.Certificate)

	extended := func(id asn1.ObjectIdentifier, critical bool, value []byte) []byte {
		return special(p.root, func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{{Id: id, Critical: critical, Value: value}}
		})
	}
	refuse := func(der []byte, want string) {
		t.Helper()
		if _, err := parseLists(der); err == nil || err.Error() != want {
			t.Errorf("%v, not %s", err, want)
		}
	}
	delta := asn1.ObjectIdentifier{2, 5, 29, 27}
	refuse(extended(delta, true, []byte{2, 1, 1}), "the revocation list has a critical extension that is not understood (2.5.29.27)")
	check(extended(asn1.ObjectIdentifier{1, 2, 3}, false, []byte{5, 0}), "", alice, p.root.Certificate)

	const several = "the revocation list is one of several issuers, of some reasons or of attributes, which is not supported"
	refuse(extended(oidIssuingDistributionPoint, true, []byte{0x30, 3, 0x84, 1, 0xFF}), several)
	refuse(extended(oidIssuingDistributionPoint, true, []byte{0x30, 3, 0x85, 1, 0xFF}), several)
	refuse(extended(oidIssuingDistributionPoint, true, []byte{0x30, 4, 0x83, 2, 4, 0x10}), several)
	check(extended(oidIssuingDistributionPoint, true, []byte{0x30, 3, 0x81, 1, 0xFF}), "", alice, p.root.Certificate)               // users only
	check(extended(oidIssuingDistributionPoint, true, []byte{0x30, 3, 0x82, 1, 0xFF}), "nobody answers", alice, p.root.Certificate) // authorities only
	check(extended(oidIssuingDistributionPoint, true, []byte{0x30, 3, 0x82, 1, 0xFF}), "", p.sub.Certificate, p.root.Certificate)   // and such a one
	check(extended(oidIssuingDistributionPoint, true, point(address)), "", alice, p.root.Certificate)                               // that part of the list
	check(extended(oidIssuingDistributionPoint, true, point(address+"2")), "nobody answers", alice, p.root.Certificate)             // another one
	check(extended(oidIssuingDistributionPoint, true, point(address)), "names no place", issue(p.root, "bob"), p.root.Certificate)  // of which this knows nothing
	check(extended(oidIssuingDistributionPoint, true, point("ldap:x")), "names no place", issue(p.root, "b", "ldap:y"), p.root.Certificate)

	refuse(special(p.root, func(l *x509.RevocationList) {
		l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: time.Now(),
			ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}}}}}
	}), "an entry of the revocation list has a critical extension that is not understood (2.5.29.29)")
	refuse(inPEM(crl(p.root, 1))[:100], "it is not whole, or damaged")
	refuse(nil, "it is no revocation list: x509: malformed crl")
}

// point is the extension that says that a list is about those certificates only that name an address.
func point(address string) []byte {
	name := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(address)}
	wrap := func(v asn1.RawValue) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: must(asn1.Marshal(v))}
	}
	return must(asn1.Marshal([]asn1.RawValue{wrap(wrap(name))}))
}

// forged is a list that an authority has signed that may not.
func forged(a *certs.Authority) []byte {
	issuer := *a.Certificate
	issuer.KeyUsage |= x509.KeyUsageCRLSign
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
	return must(x509.CreateRevocationList(rand.Reader, l, &issuer, a.Key))
}

// A place is where lists are fetched from, in the clock of a test.
type place struct {
	mu     sync.Mutex
	answer func() ([]byte, error)
	asked  int
	takes  time.Duration
}

func (p *place) get(ctx context.Context, _ string) ([]byte, error) {
	p.mu.Lock()
	p.asked++
	answer, takes := p.answer, p.takes
	p.mu.Unlock()
	select {
	case <-time.After(takes):
		return answer()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *place) gives(b []byte, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = func() ([]byte, error) { return b, err }
}

// times checks how often the place was asked since this was called last.
func (p *place) times(t *testing.T, want int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked != want {
		t.Errorf("asked %d times, not %d", p.asked, want)
	}
	p.asked = 0
}

// fetching runs a test with a vault whose lists come from a place.
func fetching(t *testing.T, test func(t *testing.T, s *service, p *place, root *certs.Authority, alice *x509.Certificate)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t)
		_, s := f.start("revocation: crl")
		p := &place{takes: time.Second}
		s.remote.get = p.get
		root := must(certs.NewAuthority("root"))
		stop := s.run(t)
		test(t, s, p, root, issue(root, "alice", "ldap://crl.test/x", address))
		stop()
	})
}

// TestFetchedOnce has many who wait for one answer, which serves all who come later.
func TestFetchedOnce(t *testing.T) {
	fetching(t, func(t *testing.T, s *service, p *place, root *certs.Authority, alice *x509.Certificate) {
		bob := issue(root, "bob", address)
		p.gives(crl(root, 1, bob), nil)
		began := time.Now()
		var waiting sync.WaitGroup
		for range 20 {
			waiting.Go(func() {
				verdict(t, s.Contents().Revoked, "", alice, root.Certificate)
				verdict(t, s.Contents().Revoked, `"bob" has been revoked`, bob, root.Certificate)
			})
		}
		waiting.Wait()
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
		p.times(t, 1)
		time.Sleep(59 * time.Minute)
		verdict(t, s.Contents().Revoked, "", alice, root.Certificate)
		p.times(t, 0)
		same(t, "events", s.events.rest())
	})
}

// TestImpatient leaves before the answer comes, which comes nevertheless.
func TestImpatient(t *testing.T) {
	fetching(t, func(t *testing.T, s *service, p *place, root *certs.Authority, alice *x509.Certificate) {
		p.gives(crl(root, 1), nil)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second/2, errors.New("too late"))
		defer cancel()
		err := s.Contents().Revoked(ctx, []*x509.Certificate{alice, root.Certificate})
		if want := `cannot find out whether the certificate of "alice" has been revoked: ` + address + " has not answered in time: too late"; err == nil || err.Error() != want {
			t.Errorf("%v, not %s", err, want)
		}
		verdict(t, s.Contents().Revoked, "", alice, root.Certificate)
		p.times(t, 1)
	})
}

// TestFailed does not ask again at once, but soon.
func TestFailed(t *testing.T) {
	fetching(t, func(t *testing.T, s *service, p *place, root *certs.Authority, alice *x509.Certificate) {
		verdictNow := func(want string) {
			t.Helper()
			verdict(t, s.Contents().Revoked, want, alice, root.Certificate)
		}
		p.gives(nil, errors.New("nobody answers"))
		verdictNow("nobody answers")
		verdictNow("nobody answers")
		p.times(t, 1)
		time.Sleep(failedFor)
		p.gives(crl(must(certs.NewAuthority("root")), 1), nil)
		verdictNow("cannot take what comes from " + address + ": the revocation list is not signed by its issuer")
		verdictNow("not signed by its issuer")
		p.times(t, 1)
		time.Sleep(failedFor)
		p.takes = time.Hour
		began := time.Now()
		verdictNow("deadline exceeded")
		if took := time.Since(began); took != fetchTime {
			t.Errorf("it took %v", took)
		}
		p.takes = time.Second
		time.Sleep(failedFor)
		p.gives(inPEM(crl(root, 1)), nil)
		verdictNow("")
		same(t, "events", s.events.rest())
	})
}

// TestRefreshed asks again before the list is out of date, and tells when it says something else.
func TestRefreshed(t *testing.T) {
	fetching(t, func(t *testing.T, s *service, p *place, root *certs.Authority, alice *x509.Certificate) {
		var told atomic.Int64
		undo := s.OnChange(func() { told.Add(1) })
		first := must(root.Revoke(1, time.Now().Add(40*time.Minute)))
		p.gives(first, nil)
		verdict(t, s.Contents().Revoked, "", alice, root.Certificate)
		p.times(t, 1)

		time.Sleep(31 * time.Minute) // after three quarters of its time, the same list
		p.times(t, 1)
		if told.Load() != 0 {
			t.Error("told of nothing")
		}
		p.gives(nil, errors.New("nobody answers"))
		time.Sleep(7 * time.Minute)
		verdict(t, s.Contents().Revoked, "", alice, root.Certificate) // that at hand is still in force
		events := s.events.rest()
		if len(events) != 1 || !strings.HasPrefix(events[0], "! vault.filesystem.crl.failed cannot refresh a revocation list, which is in force until 2000-01-01 00:40 UTC: nobody answers") {
			t.Errorf("events: %q", events)
		}
		p.gives(must(root.Revoke(2, time.Now().Add(40*time.Minute), alice)), nil)
		time.Sleep(time.Minute)
		if told.Load() != 1 {
			t.Errorf("told %d times", told.Load())
		}
		verdict(t, s.Contents().Revoked, "has been revoked", alice, root.Certificate)
		undo()
		same(t, "events", s.events.rest())

		p.gives(nil, errors.New("nobody answers"))
		time.Sleep(time.Hour)
		verdict(t, s.Contents().Revoked, "nobody answers", alice, root.Certificate) // now it is over
		p.gives(crl(root, 3), nil)
		time.Sleep(time.Minute)
		verdict(t, s.Contents().Revoked, "", alice, root.Certificate)
		if told.Load() != 1 {
			t.Error("told after undo")
		}
	})
}

// TestForgotten does not ask for ever for what nobody wants any more.
func TestForgotten(t *testing.T) {
	fetching(t, func(t *testing.T, s *service, p *place, root *certs.Authority, alice *x509.Certificate) {
		p.gives(must(root.Revoke(1, time.Now().Add(1000*time.Hour))), nil)
		verdict(t, s.Contents().Revoked, "", alice, root.Certificate)
		time.Sleep(2*unusedFor + time.Minute)
		p.times(t, 24)
		s.remote.mu.Lock()
		defer s.remote.mu.Unlock()
		if len(s.remote.sources) != 0 || s.remote.size != 0 {
			t.Errorf("%d sources of %d bytes are left", len(s.remote.sources), s.remote.size)
		}
	})
}

// TestBounds has more addresses than are remembered, and more at once than are asked.
func TestBounds(t *testing.T) {
	fetching(t, func(t *testing.T, s *service, p *place, root *certs.Authority, alice *x509.Certificate) {
		p.gives(crl(root, 1), nil)
		for i := range mostLists + 10 {
			if _, err := s.remote.find(t.Context(), fmt.Sprint(address, i), alice, root.Certificate); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(s.remote.sources); n != mostLists {
			t.Errorf("%d sources", n)
		}
		var waiting sync.WaitGroup
		var mu sync.Mutex
		var refused int
		for i := range mostFetching + 3 {
			waiting.Go(func() {
				if _, err := s.remote.find(t.Context(), fmt.Sprint(address, "/", i), alice, root.Certificate); err != nil {
					mu.Lock()
					defer mu.Unlock()
					refused++
				}
			})
		}
		waiting.Wait()
		if refused != 3 {
			t.Errorf("%d were refused", refused)
		}
	})
}

// TestMostSize keeps no more bytes than it may: what was not used for longest goes.
func TestMostSize(t *testing.T) {
	r := newRemote()
	for i := range 5 {
		s := r.source(sourceKey{fmt.Sprint(i), ""}, nil, time.Unix(int64(i), 0))
		s.asking, r.fetching = make(chan struct{}), 1
		l := &list{size: mostListSize, crl: &x509.RevocationList{NextUpdate: time.Now().Add(time.Hour)}}
		r.answered(s, []*list{l}, nil)
	}
	if r.size != mostSize || len(r.sources) != mostSize/mostListSize || r.sources[sourceKey{"0", ""}] != nil {
		t.Errorf("%d bytes in %d sources", r.size, len(r.sources))
	}
}

// TestHTTP fetches from a server.
func TestHTTP(t *testing.T) {
	root := must(certs.NewAuthority("root"))
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(crl(root, 1)) })
	mux.HandleFunc("/none", http.NotFound)
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), mostListSize+1))
	})
	mux.Handle("/elsewhere", http.RedirectHandler("/good", http.StatusFound))
	mux.Handle("/circle", http.RedirectHandler("/circle", http.StatusFound))
	server := httptest.NewServer(mux)
	defer server.Close()
	check := newFolder(t).holds("revocation: crl").Revoked
	f := func(path, want string) {
		t.Helper()
		verdict(t, check, want, issue(root, "alice", server.URL+path), root.Certificate)
	}
	f("/good", "")
	f("/elsewhere", "")
	f("/none", "404")
	f("/long", "more than 16777216 bytes")
	f("/circle", "without end")
	verdict(t, check, "", issue(root, "alice", server.URL+"/none", server.URL+"/good"), root.Certificate)
	verdict(t, check, "names no place", issue(root, "alice", "file:///etc/passwd", "ldap://x/y", "/x", "http:x"), root.Certificate)
}

func FuzzList(f *testing.F) {
	root := must(certs.NewAuthority("root"))
	f.Add(crl(root, 1, root.Certificate))
	f.Add(inPEM(special(root, func(l *x509.RevocationList) {
		l.ExtraExtensions = []pkix.Extension{{Id: oidIssuingDistributionPoint, Critical: true, Value: point(address)}}
	})))
	f.Fuzz(func(t *testing.T, b []byte) {
		lists, err := parseLists(b)
		if err == nil && len(lists) == 0 {
			t.Error("nothing, and no error")
		}
		for _, l := range lists {
			if err == nil {
				_ = l.inForce(root.Certificate)
				l.since(root.Certificate)
				l.part.has(root.Certificate)
			}
		}
	})
}

package filesystem

import (
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/internal/certs"
	"gozilla/internal/watch"
	"gozilla/vault"
)

// settled is how long it takes until a change is noticed.
const settled = 2*watch.Interval + time.Millisecond

// reloading runs a test with a vault in service, and counts how often it tells of a change.
func reloading(t *testing.T, f folder, options string, test func(s *service, told *atomic.Int64)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		_, s := f.start(options)
		var told atomic.Int64
		undo := s.OnChange(func() { told.Add(1) })
		stop := s.run(t)
		test(s, &told)
		undo()
		stop()
	})
}

// until puts the year of a certificate's end into what is said of it.
func until(c *certs.Pair) string { return day(c.Leaf().NotAfter) }

const kept = "! vault.filesystem.reload.failed The files have changed and cannot be taken, what was read before stays in use: "

// TestReload replaces a store, damages it, and repairs it.
func TestReload(t *testing.T) {
	f, p := newFolder(t), known()
	renewed := must(p.root.Issue(certs.Request{CommonName: "north again"}))
	first, second := certs.Entry{Alias: "north", Pair: p.north}, certs.Entry{Alias: "north", Pair: renewed}
	other := certs.Entry{Alias: "other", Trusted: p.other.Certificate}
	f.p12("all.p12", first, other)
	reloading(t, f, "keys: { store: all.p12, password: changeit }\ntrust: { store: all.p12, password: changeit }", func(s *service, told *atomic.Int64) {
		before := s.Contents()
		expect := func(what string, key string, n int64, events ...string) {
			t.Helper()
			time.Sleep(settled)
			same(t, what, entries(s.Contents().Keys), key)
			same(t, what, s.events.rest(), events...)
			if told.Swap(0) != n {
				t.Errorf("%s: told another number of times", what)
			}
		}
		expect("nothing", "north: north", 0)
		f.p12("all.p12", first, other)
		expect("the same in other bytes", "north: north", 0)
		if s.Contents() != before {
			t.Error("replaced by the same")
		}
		f.p12("all.p12", second, other)
		expect("a new certificate", "north: north again", 1, "vault.filesystem.reloaded The files have changed and were read again: "+
			"keys: new north (valid until "+until(renewed)+").")
		same(t, "what was given before", entries(before.Keys), "north: north")

		whole := must(os.ReadFile(f.name("all.p12")))
		f.write("all.p12", whole[:100])
		expect("half of it", "north: north again", 0, kept+"cannot read all.p12: it is not in DER, or not whole")
		f.write("all.p12", whole[:101])
		expect("a little more", "north: north again", 0) // for the same reason
		if err := os.Remove(f.name("all.p12")); err != nil {
			t.Fatal(err)
		}
		expect("nothing", "north: north again", 0, kept+"cannot read all.p12: it is not there")
		time.Sleep(10 * retryTime)
		expect("still nothing", "north: north again", 0)
		f.write("all.p12", must(certs.PKCS12("secret", second, other)))
		expect("another password", "north: north again", 0, kept+"the password does not open all.p12")
		f.p12("all.p12", second, other)
		expect("the same again", "north: north again", 0, "vault.filesystem.reloaded The files can be read again; they hold the same as before.")
		f.p12("all.p12", certs.Entry{Alias: "two", Pair: p.south}, certs.Entry{Alias: "root", Trusted: p.root.Certificate})
		expect("all else", "two: south, sub, root", 1, "vault.filesystem.reloaded The files have changed and were read again: "+
			"keys: new two (valid until "+until(p.south)+"), without north; "+
			`trust: new "root" (valid until `+day(p.root.Certificate.NotAfter)+`), without "other".`)
	})
}

// TestPairs replaces a key and its certificate in two steps, and never takes one without the other.
func TestPairs(t *testing.T) {
	f, p := newFolder(t), known()
	f.pem("tls.crt", p.north.CertPEM())
	f.pem("tls.key", p.north.KeyPEM())
	f.pem("root.pem", p.root.PEM())
	f.write("root.crl", special(p.root, func(l *x509.RevocationList) { l.ThisUpdate = time.Unix(0, 0) })) // also for the clock of synctest
	reloading(t, f, "keys: { type: pem, store: [ tls.crt, tls.key ] }\nsigners: { type: pem, store: root.pem }\nrevocation: crl\ncrls: root.crl", func(s *service, told *atomic.Int64) {
		f.pem("tls.crt", p.south.CertPEM())
		time.Sleep(settled)
		same(t, "keys", entries(s.Contents().Keys), "tls: north")
		f.pem("tls.key", p.south.KeyPEM())
		time.Sleep(settled)
		same(t, "keys", entries(s.Contents().Keys), "tls: south, sub")
		if s.events.rest(); told.Swap(0) != 1 {
			t.Error("told another number of times")
		}

		f.pem("root.pem", p.root.PEM(), p.other.PEM())
		time.Sleep(settled)
		same(t, "signers", trusts(s.Contents().Signers), "root: root", "root: other")
		verdict(t, s.Contents().Revoked, "", p.north.Leaf(), p.root.Certificate)
		f.write("root.crl", crl(p.root, 2, p.north.Leaf()))
		f.pem("root.pem", p.other.PEM(), p.root.PEM())
		time.Sleep(settled)
		verdict(t, s.Contents().Revoked, "has been revoked", p.north.Leaf(), p.root.Certificate)
		same(t, "events", s.events.rest(),
			`vault.filesystem.reloaded The files have changed and were read again: signers: new "other" (valid until `+day(p.other.Certificate.NotAfter)+").",
			"vault.filesystem.reloaded The files have changed and were read again: signers: other aliases, or another order; other revocation lists.")
	})
}

// TestKubernetes exchanges the folder of a volume.
func TestKubernetes(t *testing.T) {
	f, p := newFolder(t), known()
	n := 0
	mount := func(pair *certs.Pair) {
		n++
		folder := fmt.Sprint("edge/..", n)
		f.pem(folder+"/tls.crt", pair.CertPEM())
		f.pem(folder+"/tls.key", pair.KeyPEM())
		for _, err := range []error{
			os.Symlink(fmt.Sprint("..", n), f.name("edge/..tmp")),
			os.Rename(f.name("edge/..tmp"), f.name("edge/..data")),
			os.RemoveAll(f.name(fmt.Sprint("edge/..", n-1))),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	mount(p.north)
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink("..data/"+name, f.name("edge/"+name)); err != nil {
			t.Fatal(err)
		}
	}
	reloading(t, f, "keys: { type: pem, store: [ edge/tls.crt, edge/tls.key ] }", func(s *service, told *atomic.Int64) {
		same(t, "keys", entries(s.Contents().Keys), "edge: north")
		mount(p.south)
		time.Sleep(settled)
		same(t, "keys", entries(s.Contents().Keys), "edge: south, sub")
		same(t, "events", s.events.rest(), "vault.filesystem.reloaded The files have changed and were read again: keys: new edge (valid until "+until(p.south)+").")
	})
}

// TestChangesBeforeService is a file that changes between the reading of the configuration and the service.
func TestChangesBeforeService(t *testing.T) {
	f, p := newFolder(t), known()
	f.p12("all.p12", certs.Entry{Alias: "north", Pair: p.north})
	synctest.Test(t, func(t *testing.T) {
		_, s := f.start("keys: { store: all.p12, password: changeit }")
		f.p12("all.p12", certs.Entry{Alias: "south", Pair: p.south})
		stop := s.run(t)
		time.Sleep(settled)
		same(t, "keys", entries(s.Contents().Keys), "south: south, sub")
		stop()
	})
}

// TestTake is a configuration that was read together with files which the vault has not looked at yet.
func TestTake(t *testing.T) {
	f, p := newFolder(t), known()
	const options = "keys: { store: all.p12, password: changeit }"
	f.p12("all.p12", certs.Entry{Alias: "north", Pair: p.north})
	_, s := f.start(options)
	told := 0
	s.OnChange(func() { told++ })
	f.p12("all.p12", certs.Entry{Alias: "south", Pair: p.south})
	_, l, _ := f.load(options)
	s.Take(l)
	same(t, "keys", entries(s.Contents().Keys), "south: south, sub")
	s.Take(l)
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// TestStumble is a file system that fails for a moment, while the files look the same.
func TestStumble(t *testing.T) {
	f, p := newFolder(t), known()
	f.p12("all.p12", certs.Entry{Alias: "north", Pair: p.north})
	reloading(t, f, "keys: { store: all.p12, password: changeit }", func(s *service, told *atomic.Int64) {
		read, stumbles := s.read, atomic.Bool{}
		stumbles.Store(true)
		s.read = func(name string) ([]byte, error) {
			if stumbles.Load() {
				return nil, os.ErrPermission
			}
			return read(name)
		}
		f.p12("all.p12", certs.Entry{Alias: "south", Pair: p.south})
		time.Sleep(settled)
		same(t, "events", s.events.rest(), kept+"permission denied")
		stumbles.Store(false)
		time.Sleep(retryTime)
		same(t, "keys", entries(s.Contents().Keys), "south: south, sub")
	})
}

// TestOnChange calls who listens one at a time, and nobody who does not any more.
func TestOnChange(t *testing.T) {
	f := &files{}
	var calls []string
	var undoB func()
	undoA := f.OnChange(func() { calls = append(calls, "a"); undoB() })
	undoB = f.OnChange(func() { calls = append(calls, "b") })
	f.OnChange(func() { calls = append(calls, "c") })
	var both sync.WaitGroup
	for range 2 {
		both.Go(f.tell)
	}
	both.Wait()
	same(t, "calls", calls, "a", "c", "a", "c")
	undoA()
	undoA()
	f.tell()
	same(t, "calls", calls[4:], "c")
}

func TestSome(t *testing.T) {
	if got := some(slices.Repeat([]string{"x"}, 7)); got != "x, x, x, x, x and 2 more" {
		t.Error(got)
	}
}

var _ vault.Vault = (*files)(nil)

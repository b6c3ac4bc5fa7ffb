package tcp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
)

// slowNames is a resolver that takes a second for an answer, and counts how often it is asked.
type slowNames struct {
	mu    sync.Mutex
	asked int
	ip    string // "" fails
}

func (s *slowNames) forward(ctx context.Context, _ string) ([]netip.Addr, error) {
	s.mu.Lock()
	s.asked++
	ip := s.ip
	s.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if ip == "" {
		return nil, errors.New("no name server answers")
	}
	return []netip.Addr{netip.MustParseAddr(ip)}, nil
}

func (s *slowNames) set(ip string) {
	s.mu.Lock()
	s.ip = ip
	s.mu.Unlock()
}

func (s *slowNames) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// resolver is the names under test: resolve wants an answer and says how long it may take.
func resolver(t *testing.T, s *slowNames) (n *names, resolve func(want string, within time.Duration)) {
	n = newNames(stream.DefaultLimits())
	n.forward = s.forward
	return n, func(want string, within time.Duration) {
		t.Helper()
		began := time.Now()
		ips, err := n.resolve(t.Context(), "host")
		got := fmt.Sprint(ips)
		if err != nil {
			got = err.Error()
		}
		if got != want || time.Since(began) != within {
			t.Errorf("got %s after %v, want %s after %v", got, time.Since(began), want, within)
		}
	}
}

func TestNamesAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowNames{ip: "10.0.0.1"}
		_, resolve := resolver(t, s)
		resolve("[10.0.0.1]", time.Second)
		s.set("10.0.0.2")
		time.Sleep(freshFor - time.Millisecond)
		resolve("[10.0.0.1]", 0)
		if n := s.times(); n != 1 {
			t.Errorf("a fresh answer was asked for %d times", n)
		}
		// No longer fresh: given at once all the same, and asked again in the background, once.
		time.Sleep(time.Millisecond)
		resolve("[10.0.0.1]", 0)
		resolve("[10.0.0.1]", 0)
		time.Sleep(2 * time.Second)
		if n := s.times(); n != 2 {
			t.Errorf("an old answer was asked for %d times", n-1)
		}
		resolve("[10.0.0.2]", 0)
		// Too old: waited for.
		time.Sleep(staleFor)
		resolve("[10.0.0.2]", time.Second)
	})
}

func TestNamesSurviveAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowNames{ip: "10.0.0.1"}
		_, resolve := resolver(t, s)
		resolve("[10.0.0.1]", time.Second)
		s.set("")
		time.Sleep(freshFor)
		resolve("[10.0.0.1]", 0)
		time.Sleep(2 * time.Second) // the question in the background has failed
		resolve("[10.0.0.1]", 0)
		time.Sleep(staleFor)
		resolve("no name server answers", time.Second)
		s.set("10.0.0.3")
		resolve("no name server answers", 0) // a failure is remembered
		time.Sleep(failedFor)
		resolve("[10.0.0.3]", time.Second) // but not for long
	})
}

func TestNamesInTheBackgroundOutliveTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowNames{ip: "10.0.0.1"}
		n, resolve := resolver(t, s)
		resolve("[10.0.0.1]", time.Second)
		s.set("10.0.0.2")
		time.Sleep(freshFor)
		ctx, cancel := context.WithCancel(t.Context())
		n.resolve(ctx, "host")
		cancel()
		time.Sleep(2 * time.Second)
		resolve("[10.0.0.2]", 0)
	})
}

func TestNamesAreBounded(t *testing.T) {
	n := newNames(&stream.Limits{Names: 10})
	n.forward = func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{netip.IPv6Loopback()}, nil }
	for i := range 100 {
		n.resolve(t.Context(), fmt.Sprint("host", i))
	}
	if len(n.hosts) != 10 {
		t.Errorf("%d names are kept", len(n.hosts))
	}
	for host := range n.hosts {
		n.mu.Lock()
		remember(n, n.hosts, host, nil)
		n.mu.Unlock()
	}
	if len(n.hosts) != 10 {
		t.Errorf("%d names are kept after each was asked for again", len(n.hosts))
	}
}

func TestAddressesAreNotLookedUp(t *testing.T) {
	n := newNames(stream.DefaultLimits())
	n.forward = func(context.Context, string) ([]netip.Addr, error) { panic("looked up") }
	for host, want := range map[string]string{"10.0.0.1": "10.0.0.1", "::1": "::1", "::ffff:10.0.0.1": "10.0.0.1"} {
		if ips, err := n.resolve(t.Context(), host); err != nil || len(ips) != 1 || ips[0].String() != want {
			t.Errorf("%s is %v, %v", host, ips, err)
		}
	}
}

func TestReverseNames(t *testing.T) {
	n := newNames(stream.DefaultLimits())
	asked := 0
	n.reverse = func(context.Context, string) ([]string, error) {
		asked++
		return []string{"a.example.", "b.example"}, nil
	}
	ip := netip.MustParseAddr("10.0.0.1")
	if n.knows(ip) {
		t.Error("the names of an address are known before they were asked for")
	}
	for _, name := range []string{"a.example", "b.example", "a.example."} {
		if !n.any(t.Context(), ip, func(s string) bool { return s == name }) {
			t.Errorf("the address has not the name %s", name)
		}
	}
	var seen []string
	n.any(t.Context(), ip, func(s string) bool { seen = append(seen, s); return false })
	slices.Sort(seen)
	if seen = slices.Compact(seen); !slices.Equal(seen, []string{"a.example", "a.example.", "b.example"}) {
		t.Errorf("the names are %v", seen)
	}
	if asked != 1 || !n.knows(ip) {
		t.Errorf("the names were asked for %d times", asked)
	}
}

package tcp

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"gozilla/stream"
)

const (
	// freshFor is how long an answer is taken as it is, staleFor how long it is taken while it is asked again in the
	// background, so that streams do not wait for a name that is in use.
	freshFor = 30 * time.Second
	staleFor = 10 * time.Minute
	// failedFor is how long a name that could not be resolved is not asked for again, so that streams that want it ask the
	// name server, and tell of it, once a second in all.
	failedFor = time.Second
	// reaskFor bounds asking again in the background.
	reaskFor = 10 * time.Second
)

// names remembers what names and addresses were resolved to, so that a stream seldom waits for a name server.
type names struct {
	max     int
	forward func(ctx context.Context, host string) ([]netip.Addr, error)
	reverse func(ctx context.Context, addr string) ([]string, error)

	mu    sync.Mutex
	hosts map[string]*answer[netip.Addr]
	addrs map[netip.Addr]*answer[string]
}

// answer is what a name server said.
type answer[T any] struct {
	values []T
	err    error // not nil: there were none
	at     time.Time
	asking bool // it is being asked again
}

// lives is how long the answer counts for anything.
func (a *answer[T]) lives() bool {
	if a == nil {
		return false
	}
	if a.err != nil {
		return time.Since(a.at) < failedFor
	}
	return time.Since(a.at) < staleFor
}

// remembered is the error of a name that was asked for a moment ago.
type remembered struct{ error }

func (r remembered) Unwrap() error { return r.error }

func newNames(limits *stream.Limits) *names {
	return &names{
		max: int(limits.Names),
		forward: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
		reverse: net.DefaultResolver.LookupAddr,
		hosts:   map[string]*answer[netip.Addr]{},
		addrs:   map[netip.Addr]*answer[string]{},
	}
}

// resolve is all addresses of a host, in the resolver's order.
func (n *names) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	return recall(ctx, n, n.hosts, host, func(ctx context.Context) ([]netip.Addr, error) {
		ips, err := n.forward(ctx, host)
		for i := range ips {
			ips[i] = ips[i].Unmap()
		}
		return ips, err
	})
}

// any reports whether one of an address's names matches.
func (n *names) any(ctx context.Context, ip netip.Addr, match func(string) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, reaskFor)
	defer cancel()
	found, _ := recall(ctx, n, n.addrs, ip, func(ctx context.Context) ([]string, error) {
		return n.reverse(ctx, ip.String())
	})
	for _, name := range found {
		if match(name) || match(trimDot(name)) {
			return true
		}
	}
	return false
}

func trimDot(name string) string {
	if len(name) > 0 && name[len(name)-1] == '.' {
		return name[:len(name)-1]
	}
	return name
}

// knows reports whether the names of an address are at hand.
func (n *names) knows(ip netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.addrs[ip].lives()
}

// recall is what is known of key, and asks if that is nothing, or old. An answer that is not too old is given at once,
// and asked for again in the background; if that fails, it stays.
func recall[K comparable, T any](ctx context.Context, n *names, known map[K]*answer[T], key K, ask func(context.Context) ([]T, error)) ([]T, error) {
	n.mu.Lock()
	if a := known[key]; a.lives() {
		if a.err != nil {
			n.mu.Unlock()
			return nil, remembered{a.err}
		}
		if time.Since(a.at) >= freshFor && !a.asking {
			a.asking = true
			go reask(context.WithoutCancel(ctx), n, known, key, a, ask)
		}
		values := a.values
		n.mu.Unlock()
		return values, nil
	}
	n.mu.Unlock()
	values, err := ask(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, err // that is our impatience, not an answer
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	remember(n, known, key, &answer[T]{values: values, err: err, at: time.Now()})
	return values, err
}

// reask is the goroutine that asks again. It ends with the answer, at the latest after reaskFor.
func reask[K comparable, T any](ctx context.Context, n *names, known map[K]*answer[T], key K, old *answer[T], ask func(context.Context) ([]T, error)) {
	ctx, cancel := context.WithTimeout(ctx, reaskFor)
	defer cancel()
	values, err := ask(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	if old.asking = false; err == nil {
		remember(n, known, key, &answer[T]{values: values, at: time.Now()})
	}
}

// remember keeps an answer, and forgets any one if there are too many.
func remember[K comparable, T any](n *names, known map[K]*answer[T], key K, a *answer[T]) {
	if _, replaced := known[key]; !replaced && len(known) >= n.max {
		for k := range known {
			delete(known, k)
			break
		}
	}
	known[key] = a
}

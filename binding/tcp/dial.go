package tcp

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// attemptDelay is how long one address has before the next one is tried beside it: RFC 8305, section 5.
const attemptDelay = 250 * time.Millisecond

// dialer makes connections as a binding's options want them.
type dialer struct {
	net    *net.Dialer
	socket Socket
}

func newDialer(socket Socket) dialer {
	d := dialer{&net.Dialer{KeepAlive: -1}, socket}
	d.net.SetMultipathTCP(false)
	if socket.KeepAlive > 0 {
		d.net.KeepAliveConfig = keepAlive(socket.KeepAlive)
	}
	return d
}

// keepAlive is when the system probes: after d, and four times more often while there is no answer. A peer that is gone
// is noticed after twice d.
func keepAlive(d time.Duration) net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: d, Interval: max(time.Second, d/4), Count: 4}
}

// dial connects to the first address that answers. Each has a head start over the next one; one that fails lets the
// next one start at once.
func (d dialer) dial(ctx context.Context, to []netip.AddrPort) (*net.TCPConn, error) {
	if len(to) == 1 {
		return d.dialOne(ctx, to[0])
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan attempt, len(to))
	next := time.NewTimer(0)
	defer next.Stop()
	var first error
	for begun, ended := 0, 0; ended < len(to); {
		wake := next.C
		if begun == len(to) {
			wake = nil
		}
		select {
		case <-wake:
			go d.attempt(ctx, to[begun], results)
			begun++
			next.Reset(attemptDelay)
		case a := <-results:
			ended++
			if a.err == nil {
				go closeOthers(results, begun-ended)
				return a.conn, nil
			}
			if first == nil {
				first = a.err
			}
			next.Reset(0)
		}
	}
	return nil, first
}

type attempt struct {
	conn *net.TCPConn
	err  error
}

// attempt is the goroutine that tries one address. It ends with the dial.
func (d dialer) attempt(ctx context.Context, to netip.AddrPort, results chan<- attempt) {
	c, err := d.dialOne(ctx, to)
	results <- attempt{c, err}
}

// closeOthers closes what was reached too late. The attempts were cancelled, so that it soon ends.
func closeOthers(results <-chan attempt, n int) {
	for range n {
		if a := <-results; a.err == nil {
			a.conn.Close()
		}
	}
}

func (d dialer) dialOne(ctx context.Context, to netip.AddrPort) (*net.TCPConn, error) {
	c, err := d.net.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	t := c.(*net.TCPConn)
	if !d.socket.NoDelay {
		t.SetNoDelay(false)
	}
	return t, nil
}

package engine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
)

// accept has the listeners take connections: for other instances, what was handed over, for the first time, what is new.
func (d *draft) accept() {
	for _, h := range d.handed {
		if err := h.listener.hand(h.to); err != nil {
			h.to.in.builder.Log.Warn("a listener goes on with the options that it had", "address", h.listener.tcp.Addr(), "error", err)
		}
	}
	for _, l := range d.opened {
		l.accepting.Go(func() { l.run(d.engine) })
	}
}

// hand gives the listener another owner.
func (l *listener) hand(to *owner) error {
	before := l.owner.Swap(to)
	if before.Backlog == to.Backlog && before.KeepAlive == to.KeepAlive {
		return nil
	}
	return adjust(l.tcp, to.Listener)
}

// run is the goroutine that accepts on a listener. It ends when the listener is closed.
func (l *listener) run(e *Engine) {
	var wait time.Duration
	for {
		c, err := l.tcp.AcceptTCP()
		switch {
		case err == nil:
			wait = 0
			l.take(e, c)
		case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
			return
		case errors.Is(err, syscall.ECONNABORTED): // the client has left before we came to it
		default:
			wait = l.pause(err, wait)
		}
	}
}

// pause waits after a failure that may pass, such as a lack of descriptors.
func (l *listener) pause(err error, wait time.Duration) time.Duration {
	wait = min(max(2*wait, 5*time.Millisecond), time.Second)
	l.owner.Load().in.builder.Warn(nil, "engine.accept.failed", "Cannot accept connections on %s: %s. Next try in %v.", l.tcp.Addr(), reason(err), wait)
	select {
	case <-time.After(wait):
	case <-l.closed:
	}
	return wait
}

// take hands a connection to the component, or closes it if as many are open as may be: the port stays bound, and who
// probes it is answered.
func (l *listener) take(e *Engine, c *net.TCPConn) {
	o, slots := l.owner.Load(), &e.host.Connections
	if !slots.Take() {
		c.CloseWrite() // the end is in order, also if the client has said something already
		c.Close()
		l.tell(e.host, slots.Max())
		return
	}
	if o.Delay {
		c.SetNoDelay(false)
	}
	s := e.host.Arrive(o.base, o.in.node)
	s.OnEnd(func(error) { slots.Free() })
	o.serve(s, c)
}

// serve survives a fault of the component: one connection is lost then, not all.
func (o *owner) serve(s *stream.Scope, c *net.TCPConn) {
	defer func() {
		if fault := recover(); fault != nil {
			err := &stream.Cut{By: telemetry.Gateway, Why: "internal error", Err: fmt.Errorf("%v", fault)}
			o.in.builder.Warn(s, "engine.stream.failed", "%v", err)
			s.End(err)
			c.Close()
		}
	}()
	o.Serve(s, c)
}

// tell says that connections were closed at once, at most once a second.
func (l *listener) tell(h *stream.Host, limit int64) {
	l.refused++
	if time.Since(l.told) < time.Second {
		return
	}
	node := l.owner.Load().in.node
	h.Log.Event(&telemetry.Event{
		Time: time.Now(), Namespace: node.Namespace, Name: node.Name, ID: "engine.capacity.reached", Warning: true,
		Message: fmt.Sprintf("Closed %d connections at once: %d are open, as many as may be.", l.refused, limit),
	})
	l.refused, l.told = 0, time.Now()
}

// leaveTime is how long a listener that closes goes on taking what has come: those who wait at it would be reset.
const leaveTime = 10 * time.Millisecond

// closeAll closes the listeners of instances.
func closeAll(instances []*instance) {
	var all []*listener
	for _, in := range instances {
		all = append(all, in.listeners...)
	}
	closeListeners(all)
}

// release closes listeners that nobody wants any more, and keeps the inherited: who has opened them may have them open
// still, so that they cannot be opened again.
func (e *Engine) release(all []*listener) {
	endAccepting(all)
	for _, l := range all {
		if l.inherited {
			l.tcp.SetDeadline(time.Time{})
		}
		e.giveBack(l)
	}
}

// closeListeners closes listeners, and returns when nothing is taken any more.
func closeListeners(all []*listener) {
	endAccepting(all)
	for _, l := range all {
		l.tcp.Close()
	}
}

// endAccepting takes what has come to listeners, and returns when nothing is taken any more.
func endAccepting(all []*listener) {
	soon := time.Now().Add(leaveTime)
	for _, l := range all {
		select {
		case <-l.closed:
		default:
			l.tcp.SetDeadline(soon)
			close(l.closed)
		}
	}
	for _, l := range all {
		l.accepting.Wait()
	}
}

//go:build linux

package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// secureModes are the loads over TLS.
var secureModes = map[string]func(*loader) error{
	"pingpong": func(l *loader) error { return l.secured((*lane).pingpong) },
	"churn":    func(l *loader) error { return l.secured((*lane).churn) },
	"receive":  func(l *loader) error { return l.secured((*lane).receive) },
	"send":     func(l *loader) error { return l.secured((*lane).send) },
	"hold":     (*loader).secureHold,
}

// events are what the socket of a lane is watched for. In bulk a lane takes turns with the others though there is more
// for it to do. A socket that has room has room for a message.
func (l *loader) events() uint32 {
	switch l.spec.Mode {
	case "send":
		return unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP
	case "receive":
		return unix.EPOLLIN | unix.EPOLLRDHUP
	}
	return unix.EPOLLIN | unix.EPOLLRDHUP | edge
}

// secured runs a lane for each connection: first until all are up, then for the window, then until all have ended what
// they have begun.
func (l *loader) secured(body func(*lane) error) error {
	for i := range l.spec.Conns {
		l.lanes = append(l.lanes, l.newLane(i, body))
		if err := l.lanes[i].step(); err != nil {
			return err
		}
	}
	if err := l.resume(func(int64) (bool, error) { return l.up == len(l.lanes), nil }); err != nil {
		return err
	}
	l.going = true
	for _, n := range l.lanes {
		if err := n.step(); err != nil {
			return err
		}
	}
	if err := l.resume(l.turn); err != nil {
		return err
	}
	l.over = true
	if err := l.resume(func(int64) (bool, error) { return l.active == 0, nil }); err != nil {
		return fmt.Errorf("after the window: %w", err)
	}
	return nil
}

func (l *loader) resume(over func(int64) (bool, error)) error {
	if done, err := over(l.now()); done || err != nil {
		return err
	}
	return l.loop(func(i int, _ int64) error { return l.lanes[i].step() }, noPause, over)
}

// ready waits for the other lanes.
func (n *lane) ready() {
	for n.l.up++; !n.l.going; {
		n.wait()
	}
}

func (n *lane) pingpong() error {
	if err := n.open(); err != nil {
		return err
	}
	for n.ready(); !n.l.over; {
		begin := n.l.now()
		if err := n.exchange(); err != nil {
			return err
		}
		n.count(begin)
	}
	return nil
}

// count is one more round trip or connection.
func (n *lane) count(begin int64) {
	n.l.ops++
	n.l.bytes += int64(len(n.conn.out))
	n.l.hist.add(n.l.now() - begin)
}

// churn opens a connection, agrees, sends one message, takes its echo and closes in order.
func (n *lane) churn() error {
	for n.ready(); !n.l.over; {
		begin := n.l.now()
		if err := n.open(); err != nil {
			return err
		}
		if err := n.exchange(); err != nil {
			return err
		}
		n.count(begin)
		if err := n.part(); err != nil {
			return err
		}
	}
	return nil
}

func (n *lane) receive() error {
	n.bulk = true
	if err := n.open(); err != nil {
		return err
	}
	for n.ready(); !n.l.over; {
		k, err := n.tls.Read(n.plain)
		if err != nil {
			return orClosed(err)
		}
		if !isPattern(n.plain[:k], n.conn.offset) {
			return fmt.Errorf("wrong bytes near offset %d", n.conn.offset)
		}
		n.conn.offset += k
		n.l.ops++
		n.l.bytes += int64(k)
	}
	return nil
}

func (n *lane) send() error {
	if err := n.open(); err != nil {
		return err
	}
	for n.ready(); !n.l.over; {
		if err := n.write(patternAt(n.conn.offset, bulkSize)); err != nil {
			return err
		}
		n.conn.offset += bulkSize
		n.l.ops++
		n.l.bytes += bulkSize
		n.wait()
	}
	return nil
}

// secureHold opens one connection at a time and echoes one message on it, then keeps all open.
func (l *loader) secureHold() error {
	var fds []int
	for i := range l.spec.Conns {
		l.lanes = append(l.lanes, l.newLane(i, (*lane).once))
		if err := l.lanes[i].step(); err != nil {
			return err
		}
		if err := l.resume(func(int64) (bool, error) { return l.active == 0, nil }); err != nil {
			return fmt.Errorf("connection %d: %w", i+1, err)
		}
		fds = append(fds, l.lanes[i].conn.fd)
	}
	return l.keep(fds)
}

func (n *lane) once() error {
	if err := n.open(); err != nil {
		return err
	}
	return n.exchange()
}

//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// conn is one connection of the load.
type conn struct {
	fd      int
	out     []byte // the message on its way: number of the connection, of the message, pattern
	seq     uint64
	got     int   // bytes of the reply that have arrived
	sent    int64 // when the message was due
	waiting bool
	offset  int // bulk: place in the pattern

	fixed  bool   // out is always the same
	socket bool   // out is a message of a WebSocket
	back   []byte // what is to come back: out, or that as a server sends it

	in   []byte // of HTTP: the head, while it comes in pieces
	body int    // of HTTP: bytes of the body that have come, -1 before that
}

func newConn(i, fd, size int) conn {
	c := conn{fd: fd, out: bytes.Clone(patternAt(i, size))}
	if size >= 16 {
		binary.LittleEndian.PutUint64(c.out, uint64(i))
	}
	c.back = c.out
	return c
}

// send begins a round trip.
func (c *conn) send(due int64) error {
	c.next()
	return c.put(due)
}

// next makes the message another one.
func (c *conn) next() {
	c.seq++
	switch {
	case c.fixed:
		c.body = -1
	case c.socket:
		number(c.out, c.back, c.seq)
	case len(c.out) >= 16:
		binary.LittleEndian.PutUint64(c.out[8:], c.seq)
	}
}

// put sends the message. A socket whose last reply is complete has room for it.
func (c *conn) put(due int64) error {
	if err := sendWhole(c.fd, c.out); err != nil {
		return err
	}
	c.got, c.sent, c.waiting = 0, due, true
	return nil
}

// reply reads what has come on a connection, compares every byte with what was sent, and reports
// whether the round trip is complete.
func (l *loader) reply(i int, now int64) (bool, error) {
	if l.spec.Request != nil {
		return l.response(i, now)
	}
	c := &l.conns[i]
	n, e := recv(c.fd, l.buf)
	switch {
	case e == syscall.EAGAIN:
		return false, nil
	case e != 0:
		return false, fmt.Errorf("cannot receive: %w", e)
	case n == 0:
		return false, errClosed
	case !c.waiting || c.got+n > len(c.back):
		return false, errMore
	case !bytes.Equal(l.buf[:n], c.back[c.got:c.got+n]):
		return false, errOther
	}
	c.got += n
	if c.got < len(c.back) {
		return false, nil
	}
	c.waiting = false
	l.ops++
	l.bytes += int64(n)
	l.hist.add(now - c.sent)
	return true, nil
}

// pingpong sends a message on each connection as soon as its last one is back, or at a fixed rate
// over all connections. After the window it waits for every message that is still under way.
func (l *loader) pingpong() error {
	if err := l.dial(unix.EPOLLIN | unix.EPOLLRDHUP | edge); err != nil {
		return err
	}
	if err := l.greet(); err != nil {
		return err
	}
	step := l.saturate
	between := noPause
	if l.spec.Rate > 0 {
		p := newPace(l)
		step, between = p.step, p.between
	} else if err := l.sendAll(); err != nil {
		return err
	}
	if err := l.loop(step, between, l.turn); err != nil {
		return err
	}
	return l.drain()
}

func (l *loader) sendAll() error {
	for i := range l.conns {
		if err := l.conns[i].send(l.now()); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) saturate(i int, _ int64) error {
	// One reading of the clock ends this round trip and begins the next.
	now := l.now()
	done, err := l.reply(i, now)
	if err != nil || !done {
		return err
	}
	return l.conns[i].send(now)
}

// drain takes the replies that are outstanding: one that never comes fails the measurement.
func (l *loader) drain() error {
	open := 0
	for i := range l.conns {
		if l.conns[i].waiting {
			open++
		}
	}
	if open == 0 {
		return nil
	}
	err := l.loop(func(i int, now int64) error {
		done, err := l.reply(i, now)
		if done {
			open--
		}
		return err
	}, noPause, func(int64) (bool, error) { return open == 0, nil })
	if err != nil {
		return fmt.Errorf("with %d replies outstanding: %w", open, err)
	}
	return nil
}

// pace sends at moments laid down in advance. A message counts from the moment it was due, not
// from when a connection was free for it, so that a slow proxy cannot hide its delays.
type pace struct {
	l     *loader
	due   int64
	every int64 // between two messages
	idle  []int // connections that wait for nothing, first in, first out
	head  int
	size  int
}

func newPace(l *loader) *pace {
	p := &pace{l: l, due: l.now(), every: int64(time.Second) / int64(l.spec.Rate), idle: make([]int, len(l.conns))}
	for i := range l.conns {
		p.put(i)
	}
	return p
}

func (p *pace) put(i int) {
	p.idle[(p.head+p.size)%len(p.idle)] = i
	p.size++
}

func (p *pace) take() int {
	i := p.idle[p.head]
	p.head = (p.head + 1) % len(p.idle)
	p.size--
	return i
}

func (p *pace) step(i int, _ int64) error {
	done, err := p.l.reply(i, p.l.now())
	if done {
		p.put(i)
	}
	return err
}

// between sends what is due and waits for the next.
func (p *pace) between(now int64) (time.Duration, error) {
	for p.due <= now && p.size > 0 {
		if err := p.l.conns[p.take()].send(p.due); err != nil {
			return 0, err
		}
		p.due += p.every
	}
	if p.due <= now { // all connections are busy: the next reply goes on
		return tick, nil
	}
	return time.Duration(p.due - now), nil
}

// churn opens a connection, sends one message, takes its echo and closes, in as many lanes as the
// spec has connections. The proxy meets the end of the stream and must close the other side.
func (l *loader) churn() error {
	l.conns = make([]conn, l.spec.Conns)
	for i := range l.conns {
		l.conns[i] = newConn(i, -1, l.spec.Size)
		if err := l.reopen(i); err != nil {
			return err
		}
	}
	err := l.loop(func(i int, _ int64) error {
		done, err := l.reply(i, l.now())
		if err != nil || !done {
			return err
		}
		closeSocket(l.conns[i].fd)
		return l.reopen(i)
	}, noPause, l.turn)
	if err != nil {
		return err
	}
	return l.drain()
}

func (l *loader) reopen(i int) error {
	begin := l.now()
	fd, err := connect(l.spec.Port)
	if err != nil {
		return err
	}
	c := &l.conns[i]
	c.fd = fd
	if err := l.poll.add(fd, i, unix.EPOLLIN|unix.EPOLLRDHUP|edge); err != nil {
		return err
	}
	return c.send(begin)
}

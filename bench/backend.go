//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	backendLife  = time.Hour // an orphan ends by itself
	backendConns = 8192
	listenerFD   = 3  // first of exec.Cmd's ExtraFiles
	listenerTag  = -1 // epoll data of the listener; the others carry their descriptor
)

// backend is the party behind the proxy: one thread, one loop, its listener inherited.
type backend struct {
	poll   *poller
	conns  map[int]*peer
	buf    []byte
	events uint32 // watched on each accepted connection
	serve  func(*peer, uint32) (keep bool)

	answers map[string][]byte // http: by path
}

type peer struct {
	fd      int
	pending []byte // echo: not yet taken by the socket
	offset  int    // source and sink: place in the pattern

	skip   int    // http: bytes of the request's body that are yet to come
	answer []byte // http: to that request

	listens bool // events: what others say
}

// runBackend serves as "echo", "source", "sink", "http", "events" or "std" until it is killed.
func runBackend(kind string) error {
	if kind == "std" {
		return stdBackend()
	}
	runtime.LockOSThread()
	debug.SetGCPercent(-1) // next to nothing is allocated, and a collection would disturb the run
	time.AfterFunc(backendLife, func() { os.Exit(1) })
	b := &backend{conns: map[int]*peer{}, buf: make([]byte, bulkSize)}
	switch kind {
	case "echo":
		b.serve, b.events = b.echo, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|edge
	case "source":
		b.serve, b.events = b.source, unix.EPOLLOUT|unix.EPOLLRDHUP
	case "sink":
		b.serve, b.events = b.sink, unix.EPOLLIN|unix.EPOLLRDHUP
	case "events":
		b.serve, b.events = b.event, unix.EPOLLIN|unix.EPOLLRDHUP
	case "http":
		b.serve, b.events = b.http, unix.EPOLLIN|unix.EPOLLRDHUP
		b.answers = map[string][]byte{}
		for path, a := range answers {
			b.answers[path] = a.text()
		}
	default:
		return fmt.Errorf("unknown backend %q", kind)
	}
	if err := b.listen(); err != nil {
		return err
	}
	return b.loop()
}

func (b *backend) listen() (err error) {
	if b.poll, err = newPoller(); err != nil {
		return err
	}
	// On its way through os/exec the listener became a blocking one.
	if err := unix.SetNonblock(listenerFD, true); err != nil {
		return fmt.Errorf("cannot use inherited listener: %w", err)
	}
	// Accepted sockets inherit this.
	if err := unix.SetsockoptInt(listenerFD, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("cannot use inherited listener: %w", err)
	}
	return b.poll.add(listenerFD, listenerTag, unix.EPOLLIN)
}

func (b *backend) loop() error {
	for {
		events, err := b.poll.wait(time.Minute)
		if err != nil {
			return err
		}
		for i := range events {
			if events[i].Fd == listenerTag {
				err = b.accept()
			} else {
				b.handle(int(events[i].Fd), events[i].Events)
			}
			if err != nil {
				return err
			}
		}
	}
}

func (b *backend) accept() error {
	for range 64 {
		fd, _, e := syscall.RawSyscall6(syscall.SYS_ACCEPT4, listenerFD, 0, 0, unix.SOCK_CLOEXEC, 0, 0)
		switch {
		case e == syscall.EAGAIN:
			return nil
		case e == syscall.EINTR || e == syscall.ECONNABORTED:
			continue
		case e != 0:
			return fmt.Errorf("cannot accept: %w", e)
		case len(b.conns) == backendConns:
			return fmt.Errorf("more than %d connections", backendConns)
		}
		b.conns[int(fd)] = &peer{fd: int(fd)}
		if err := b.poll.add(int(fd), int(fd), b.events); err != nil {
			return err
		}
	}
	return nil
}

func (b *backend) handle(fd int, events uint32) {
	p := b.conns[fd]
	if p != nil && !b.serve(p, events) {
		delete(b.conns, fd)
		closeSocket(fd)
	}
}

// echo returns what it reads. It stops reading while the socket does not take its answer.
func (b *backend) echo(p *peer, events uint32) bool {
	ended := events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
	for {
		if len(p.pending) > 0 {
			n, e := send(p.fd, p.pending)
			if e != 0 {
				return e == syscall.EAGAIN
			}
			p.pending = p.pending[n:]
			continue
		}
		n, e := recv(p.fd, b.buf)
		if e != 0 || n == 0 {
			return e == syscall.EAGAIN
		}
		sent, e := send(p.fd, b.buf[:n])
		if e != 0 && e != syscall.EAGAIN {
			return false
		}
		if sent < n {
			p.pending = bytes.Clone(b.buf[sent:n])
		} else if n < len(b.buf) && !ended {
			return true
		}
	}
}

// source sends the pattern for as long as someone takes it.
func (b *backend) source(p *peer, events uint32) bool {
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		return false
	}
	n, e := send(p.fd, patternAt(p.offset, bulkSize))
	p.offset += n
	return e == 0 || e == syscall.EAGAIN
}

// sink takes the pattern; what is not the pattern ends the connection, which the sender reports.
func (b *backend) sink(p *peer, _ uint32) bool {
	n, e := recv(p.fd, b.buf)
	if e != 0 || n == 0 {
		return e == syscall.EAGAIN
	}
	ok := isPattern(b.buf[:n], p.offset)
	p.offset += n
	return ok
}

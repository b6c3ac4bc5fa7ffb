package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"sync"

	"github.com/gobwas/ws"
)

// gobwasSocket is a WebSocket by the low-level functions of the library, which are the faster ones.
type gobwasSocket struct {
	net.Conn
	in  *bufio.Reader // so that a header and what follows come by one call
	buf []byte        // the payload of a message, used again
	out bytes.Buffer  // a header and what follows, for one call
}

// gobwasServer gives each WebSocket to serve, in a goroutine.
func gobwasServer(l net.Listener, serve func(*gobwasSocket) error) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			if _, err := (ws.Upgrader{}).Upgrade(c); err == nil {
				_ = serve(&gobwasSocket{Conn: c, in: bufio.NewReader(c)}) // clients leave as they please
			}
		}()
	}
}

// receive waits for a message, and answers the control frames before it. What it returns is valid until the next call.
func (s *gobwasSocket) receive() (ws.OpCode, []byte, error) {
	for {
		h, err := ws.ReadHeader(s.in)
		if err != nil {
			return 0, nil, err
		}
		if !h.Fin || h.Length > messageMost {
			return 0, nil, errors.New("more than is expected")
		}
		s.buf = slices.Grow(s.buf[:0], int(h.Length))[:h.Length]
		if _, err := io.ReadFull(s.in, s.buf); err != nil {
			return 0, nil, err
		}
		ws.Cipher(s.buf, h.Mask, 0)
		switch h.OpCode {
		case ws.OpClose:
			_ = s.send(ws.OpClose, s.buf)
			return 0, nil, io.EOF
		case ws.OpPing:
			err = s.send(ws.OpPong, s.buf)
		case ws.OpText, ws.OpBinary:
			return h.OpCode, s.buf, nil
		}
		if err != nil {
			return 0, nil, err
		}
	}
}

func (s *gobwasSocket) send(op ws.OpCode, payload []byte) error {
	s.out.Reset()
	if err := ws.WriteHeader(&s.out, ws.Header{Fin: true, OpCode: op, Length: int64(len(payload))}); err != nil {
		return err
	}
	s.out.Write(payload)
	_, err := s.Write(s.out.Bytes())
	return err
}

func gobwasEcho(l net.Listener, _ string) error {
	return gobwasServer(l, func(s *gobwasSocket) error {
		for {
			op, message, err := s.receive()
			if err != nil {
				return err
			}
			if err := s.send(op, message); err != nil {
				return err
			}
		}
	})
}

// loops are how many goroutines write what all are to have: each to its part of the members.
const loops = 2

// gobwasFan makes a frame once, and writes it to all.
func gobwasFan(l net.Listener, _ string) error {
	var parts [loops]*gobwasPart
	for i := range parts {
		parts[i] = &gobwasPart{in: make(chan []byte, waiting)}
		go parts[i].run()
	}
	next := make(chan int, 1)
	next <- 0
	return gobwasServer(l, func(s *gobwasSocket) error {
		i := <-next
		next <- (i + 1) % loops
		parts[i].put(s.Conn)
		defer parts[i].drop(s.Conn)
		for {
			op, message, err := s.receive()
			if err != nil {
				return err
			}
			frame, err := ws.CompileFrame(ws.NewFrame(op, true, message))
			if err != nil {
				return err
			}
			for _, p := range parts {
				p.in <- frame
			}
		}
	})
}

// gobwasPart is a part of the members of a fan.
type gobwasPart struct {
	in      chan []byte
	mu      sync.Mutex // guards members
	members []net.Conn // a new one each time that it changes
}

// run writes what comes to all members, until the process ends.
func (p *gobwasPart) run() {
	for frame := range p.in {
		p.mu.Lock()
		members := p.members
		p.mu.Unlock()
		for _, c := range members {
			if _, err := c.Write(frame); err != nil {
				c.Close()
			}
		}
	}
}

func (p *gobwasPart) put(c net.Conn) {
	p.mu.Lock()
	p.members = append(slices.Clone(p.members), c)
	p.mu.Unlock()
}

func (p *gobwasPart) drop(c net.Conn) {
	p.mu.Lock()
	p.members = slices.DeleteFunc(slices.Clone(p.members), func(m net.Conn) bool { return m == c })
	p.mu.Unlock()
}

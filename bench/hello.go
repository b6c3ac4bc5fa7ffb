//go:build linux

package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
)

// helloOf is the first message of a client that asks for a name: what a proxy that passes TLS on reads. All
// that follows is opaque to it.
func helloOf(name string) ([]byte, error) {
	var c firstWrite
	err := tls.Client(&c, &tls.Config{ServerName: name}).Handshake()
	if c.hello == nil {
		return nil, fmt.Errorf("cannot make a hello: %w", err)
	}
	return c.hello, nil
}

// firstWrite is a connection that breaks when it has taken one.
type firstWrite struct {
	net.Conn
	hello []byte
}

func (c *firstWrite) Write(p []byte) (int, error) {
	if c.hello == nil {
		c.hello = bytes.Clone(p)
	}
	return len(p), nil
}

var errEnough = errors.New("enough was seen")

func (c *firstWrite) Read([]byte) (int, error) { return 0, errEnough }

// greet sends a hello on each connection, in place of a message, and waits until the backend has echoed all.
func (l *loader) greet() error {
	if l.spec.Hello == "" {
		return nil
	}
	hello, err := helloOf(l.spec.Hello)
	if err != nil {
		return err
	}
	for i := range l.conns {
		c := &l.conns[i]
		message := c.out
		c.out, c.back = hello, hello
		if err := c.put(l.now()); err != nil {
			return err
		}
		handle := func(i int, now int64) error { _, err := l.reply(i, now); return err }
		if err := l.loop(handle, noPause, func(int64) (bool, error) { return !c.waiting, nil }); err != nil {
			return fmt.Errorf("with the client's hello: %w", err)
		}
		c.out, c.back = message, message
	}
	return nil
}

//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// What stands before the payload of a binary message of up to 125 bytes (RFC 6455, section 5.2).
const (
	frameBinary = 0x82 // the last frame of it, and the first
	frameMasked = 0x80
	servedHead  = 2
	maskedHead  = servedHead + 4
)

var maskKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// maskWord is the key twice, for eight bytes whose place is a multiple of four.
var maskWord = uint64(binary.LittleEndian.Uint32(maskKey[:])) * (1<<32 + 1)

// served is a message as a server sends it.
func served(payload []byte) []byte {
	return append([]byte{frameBinary, byte(len(payload))}, payload...)
}

// masked is the same as a client sends it.
func masked(frame []byte) []byte {
	out := append([]byte{frame[0], frame[1] | frameMasked}, maskKey[:]...)
	for i, b := range frame[servedHead:] {
		out = append(out, b^maskKey[i%4])
	}
	return out
}

// number writes the number of a message into its payload, as both see it.
func number(out, back []byte, seq uint64) {
	binary.LittleEndian.PutUint64(back[servedHead+8:], seq)
	binary.LittleEndian.PutUint64(out[maskedHead+8:], seq^maskWord)
}

// The key of all handshakes, and what a server makes of it (RFC 6455, section 1.3).
const (
	shakeKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	shakeAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// shake makes a connection a WebSocket.
func shake(s io.ReadWriter, port int) error {
	_, err := fmt.Fprintf(s, "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", port, shakeKey)
	if err != nil {
		return fmt.Errorf("cannot send: %w", err)
	}
	head, rest, err := readHead(s, "HTTP/1.1 101 ")
	switch {
	case err != nil:
		return err
	case !bytes.Contains(head, []byte(shakeAccept)):
		return fmt.Errorf("%w: %q", errAnswer, head)
	case len(rest) > 0:
		return errMore
	}
	return nil
}

// readHead reads an answer's head, and what has come behind it.
func readHead(r io.Reader, status string) (head, rest []byte, err error) {
	buf := make([]byte, 4<<10)
	for n := 0; n < len(buf); {
		k, err := r.Read(buf[n:])
		if err != nil {
			return nil, nil, fmt.Errorf("cannot receive: %w", orClosed(err))
		}
		n += k
		head, rest, whole := bytes.Cut(buf[:n], headEnd)
		switch {
		case !whole:
			continue
		case !bytes.HasPrefix(head, []byte(status)):
			return nil, nil, fmt.Errorf("%w: %q", errAnswer, head)
		}
		return head, rest, nil
	}
	return nil, nil, fmt.Errorf("%w: %q", errAnswer, buf)
}

// blocking is a socket as long as calls may wait on it, which is before the load begins.
type blocking int

func (fd blocking) Write(p []byte) (int, error) { return unix.Write(int(fd), p) }

func (fd blocking) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), p)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// begin makes a new connection what the load is for.
func (l *loader) begin(c *conn) error {
	l.asks(c)
	if !l.spec.Socket && l.spec.Mode != "events" {
		return nil
	}
	limit := unix.NsecToTimeval(stall.Nanoseconds())
	if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return fmt.Errorf("cannot limit socket: %w", err)
	}
	if l.spec.Socket {
		c.socket, c.back = true, served(c.out)
		c.out = masked(c.back)
		return shake(blocking(c.fd), l.spec.Port)
	}
	return c.listen(l.spec.Port)
}

// talks is nil when a WebSocket can be opened, and answers a message.
func (r *rig) talks() error {
	c, err := r.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	return echoed(c, r.port)
}

func echoed(c net.Conn, port int) error {
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if err := shake(c, port); err != nil {
		return err
	}
	want := served([]byte("z"))
	if _, err := c.Write(masked(want)); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return errors.New("another message came back")
	}
	return nil
}

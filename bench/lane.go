//go:build linux

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// secureSpec says how a load secures its connections.
type secureSpec struct {
	Name    string // is asked for
	Cert    string // file with the certificate that the proxy has to show
	Tickets bool   // the client says that it can resume sessions, as nearly all do
	Resume  bool   // and does; else every handshake is a full one
}

// config is that of all connections of a load. Of OpenSSL's offers crypto/tls could agree to several; what came of it is
// checked after each handshake.
func (s *secureSpec) config() (*tls.Config, error) {
	text, err := os.ReadFile(s.Cert)
	if err != nil {
		return nil, fmt.Errorf("cannot read the proxy's certificate: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("no certificate in %s", s.Cert)
	}
	c := &tls.Config{
		ServerName:                  s.Name,
		MinVersion:                  tls.VersionTLS13,
		CurvePreferences:            []tls.CurveID{tls.X25519},
		DynamicRecordSizingDisabled: true,
		// The certificate is known; the proxy proves that it has the key all the same.
		InsecureSkipVerify: true,
		VerifyPeerCertificate: func(chain [][]byte, _ [][]*x509.Certificate) error {
			if len(chain) == 0 || !bytes.Equal(chain[0], block.Bytes) {
				return errors.New("the proxy shows another certificate")
			}
			return nil
		},
	}
	if s.Resume {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	} else if s.Tickets {
		c.ClientSessionCache = forgetful{}
	}
	return c, nil
}

// forgetful is the session cache of a client that is always there for the first time.
type forgetful struct{}

func (forgetful) Get(string) (*tls.ClientSessionState, bool) { return nil, false }
func (forgetful) Put(string, *tls.ClientSessionState)        {}

// lane is one secured connection after the other, as a net.Conn for crypto/tls: linear code on a coroutine that the loop
// resumes when the socket has something to tell. It does not need a thread or a wake-up of its own.
type lane struct {
	l    *loader
	i    int // its number
	tls  *tls.Conn
	conn conn // its socket, and the message

	out   []byte // written, not sent yet: what belongs together goes in one call
	early bool   // to wait is first, since there can be nothing yet, or it is the others' turn
	bulk  bool   // reads as much as there is, into a buffer that all share
	in    []byte // of that buffer, what tls has not taken; the lane does not wait before it is nothing
	plain []byte

	resume func() (struct{}, bool)
	pause  func(struct{}) bool
	err    error
}

// newLane is at rest before the first line of body.
func (l *loader) newLane(i int, body func(*lane) error) *lane {
	n := &lane{l: l, i: i, conn: newConn(i, -1, l.spec.Size), plain: make([]byte, max(2*l.spec.Size, recordMost))}
	l.active++
	n.resume, _ = iter.Pull(func(yield func(struct{}) bool) {
		n.pause = yield
		n.err = body(n)
		l.active--
	})
	return n
}

const recordMost = 16 << 10 // most plaintext in one record of TLS (RFC 8446, section 5.1)

// step goes on until the lane waits for its socket, or has ended.
func (n *lane) step() error {
	n.resume()
	return n.err
}

func (n *lane) wait() { n.pause(struct{}{}) }

// Read is part of net.Conn.
func (n *lane) Read(p []byte) (int, error) {
	if len(n.in) > 0 {
		k := copy(p, n.in)
		n.in = n.in[k:]
		return k, nil
	}
	if err := n.flush(); err != nil {
		return 0, err
	}
	if n.early {
		n.early = false
		n.wait()
	}
	if !n.bulk {
		return n.recv(p)
	}
	k, err := n.recv(n.l.buf)
	if err != nil {
		return 0, err
	}
	n.in, n.early = n.l.buf[:k], true
	return n.Read(p)
}

func (n *lane) recv(p []byte) (int, error) {
	for {
		k, e := recv(n.conn.fd, p)
		switch {
		case e == syscall.EAGAIN:
			n.wait()
		case e != 0:
			return 0, fmt.Errorf("cannot receive: %w", e)
		case k == 0:
			return 0, io.EOF
		default:
			return k, nil
		}
	}
}

// Write is part of net.Conn.
func (n *lane) Write(p []byte) (int, error) {
	n.out = append(n.out, p...)
	return len(p), nil
}

// flush sends what was written.
func (n *lane) flush() error {
	for rest := n.out; len(rest) > 0; {
		k, e := send(n.conn.fd, rest)
		if e == syscall.EAGAIN {
			n.wait()
			continue
		}
		if e != 0 {
			return fmt.Errorf("cannot send: %w", e)
		}
		rest = rest[k:]
		n.early = true
	}
	n.out = n.out[:0]
	return nil
}

// open connects and agrees with the proxy. What is wanted of TLS is checked: else figures would not compare.
func (n *lane) open() error {
	fd, err := connect(n.l.spec.Port)
	if err != nil {
		return err
	}
	n.conn.fd, n.early, n.in = fd, false, nil
	if err := n.l.poll.add(fd, n.i, n.l.events()); err != nil {
		return err
	}
	counted := n.l.window.open
	n.tls = tls.Client(n, n.l.config)
	if err := n.tls.Handshake(); err != nil {
		return fmt.Errorf("cannot agree with the proxy: %w", orClosed(err))
	}
	if err := n.flush(); err != nil { // the last message of the handshake is not kept for what comes next
		return err
	}
	now := n.tls.ConnectionState()
	switch {
	case now.Version != tls.VersionTLS13 || now.CipherSuite != tls.TLS_AES_128_GCM_SHA256 || now.CurveID != tls.X25519:
		return fmt.Errorf("the proxy agreed on %s, %s, %v", tls.VersionName(now.Version), tls.CipherSuiteName(now.CipherSuite), now.CurveID)
	case now.DidResume && !n.l.spec.Secure.Resume:
		return errors.New("the proxy resumed a session") // there is no way to
	case counted && !now.DidResume && n.l.spec.Secure.Resume: // at first there is none to resume
		return errors.New("the proxy did not resume a session")
	}
	return nil
}

// exchange sends a message and compares what comes back, every byte.
func (n *lane) exchange() error {
	n.conn.next()
	if err := n.write(n.conn.out); err != nil {
		return err
	}
	for got := 0; got < len(n.conn.out); {
		k, err := n.tls.Read(n.plain)
		if err != nil {
			return orClosed(err)
		}
		if got+k > len(n.conn.out) {
			return errMore
		}
		if !bytes.Equal(n.plain[:k], n.conn.out[got:got+k]) {
			return errOther
		}
		got += k
	}
	return nil
}

func (n *lane) write(p []byte) error {
	if _, err := n.tls.Write(p); err != nil {
		return fmt.Errorf("cannot send: %w", err)
	}
	return n.flush()
}

// part ends the connection in order: this side first, then the proxy.
func (n *lane) part() error {
	if err := errors.Join(n.tls.CloseWrite(), n.flush(), unix.Shutdown(n.conn.fd, unix.SHUT_WR)); err != nil {
		return fmt.Errorf("cannot close: %w", err)
	}
	k, err := n.tls.Read(n.plain)
	if k > 0 {
		return errMore
	}
	if err != io.EOF {
		return fmt.Errorf("the proxy did not close in order: %w", err)
	}
	closeSocket(n.conn.fd)
	return nil
}

// orClosed tells of an end that came too early in the words of the other loads.
func orClosed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errClosed
	}
	return err
}

func (n *lane) Close() error                     { return nil } // see part
func (n *lane) LocalAddr() net.Addr              { return nil }
func (n *lane) RemoteAddr() net.Addr             { return nil }
func (n *lane) SetDeadline(time.Time) error      { return nil } // a loop that nothing comes for ends by itself
func (n *lane) SetReadDeadline(time.Time) error  { return nil }
func (n *lane) SetWriteDeadline(time.Time) error { return nil }

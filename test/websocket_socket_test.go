package test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"

	"gozilla/stream/web"
	"gozilla/wire/websocket"
)

// A socket is one side of a websocket, played by hand with wire/websocket.
type socket struct {
	net.Conn
	t      testing.TB
	client bool
	order  websocket.Sequence // of what comes
	in     []byte
	packed int // messages that came compressed
	flate  *flate.Writer
}

// sockets are a socket and one of coder/websocket that it is connected with, after both have agreed on compression with the
// functions that a gateway uses.
func sockets(t testing.TB, client bool, mode coder.CompressionMode) (*socket, *coder.Conn) {
	t.Helper()
	near, far := net.Pipe()
	near.SetDeadline(time.Now().Add(20 * time.Second))
	s := &socket{Conn: near, t: t, client: client, order: websocket.Sequence{FromClient: !client}}
	var c *coder.Conn
	var err error
	if client {
		c, err = s.dial(far, mode)
	} else {
		c, err = s.accept(far, mode)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(-1)
	t.Cleanup(func() {
		near.Close()
		c.CloseNow()
	})
	return s, c
}

// dial asks coder for a websocket.
func (s *socket) dial(far net.Conn, mode coder.CompressionMode) (*coder.Conn, error) {
	r := httptest.NewRequest("GET", "/", nil)
	for name, value := range map[string]string{"Connection": "upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": web.NewKey(), "Sec-WebSocket-Extensions": websocket.OfferDeflate} {
		r.Header.Set(name, value)
	}
	w := hijacked{httptest.NewRecorder(), far}
	c, err := coder.Accept(w, r, &coder.AcceptOptions{CompressionMode: mode})
	if err != nil {
		return nil, err
	}
	s.order.Deflate, err = websocket.CheckDeflate(w.Header().Get("Sec-WebSocket-Extensions"))
	return c, err
}

// hijacked is a response whose connection is taken over.
type hijacked struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// accept answers coder, which asks for a websocket.
func (s *socket) accept(far net.Conn, mode coder.CompressionMode) (*coder.Conn, error) {
	c, _, err := coder.Dial(context.Background(), "ws://a/", &coder.DialOptions{CompressionMode: mode, HTTPClient: &http.Client{
		Transport: upgrader(func(r *http.Request) (*http.Response, error) {
			key := r.Header.Get("Sec-WebSocket-Key")
			if !websocket.ValidKey(key) {
				return nil, fmt.Errorf("the key is %q", key)
			}
			h := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Accept": {web.AcceptKey(key)}}
			answer, err := websocket.AcceptDeflate(r.Header.Get("Sec-WebSocket-Extensions"))
			if err != nil {
				return nil, err
			}
			if s.order.Deflate = answer != ""; s.order.Deflate {
				h.Set("Sec-WebSocket-Extensions", answer)
			}
			return &http.Response{StatusCode: 101, Header: h, Body: far}, nil
		})}})
	return c, err
}

type upgrader func(*http.Request) (*http.Response, error)

func (u upgrader) RoundTrip(r *http.Request) (*http.Response, error) { return u(r) }

// send writes a message in as many frames as there are to be, of random sizes.
func (s *socket) send(o websocket.Opcode, payload []byte, frames int, compressed bool) {
	s.t.Helper()
	if compressed {
		payload = s.deflated(payload)
	}
	for i := range frames {
		h := websocket.Header{Fin: i == frames-1, Opcode: o, Compressed: compressed && i == 0}
		piece := payload
		if i > 0 {
			h.Opcode = websocket.Continuation
		}
		if !h.Fin {
			piece = payload[:rand.IntN(len(payload)+1)]
		}
		payload = payload[len(piece):]
		s.frame(h, piece)
	}
}

func (s *socket) frame(h websocket.Header, payload []byte) {
	s.t.Helper()
	h.Length = int64(len(payload))
	if h.Masked = s.client; h.Masked {
		h.Key = websocket.Key(rand.Uint32())
	}
	if _, err := s.Write(websocket.AppendMasked(websocket.AppendHeader(nil, h), payload, h.Key)); err != nil {
		s.t.Fatal(err)
	}
}

// next is the message that follows, or a control frame.
func (s *socket) next() (websocket.Opcode, []byte) {
	s.t.Helper()
	var message []byte
	for {
		h, payload := s.nextFrame()
		if h.Opcode.Control() {
			return h.Opcode, payload
		}
		if message = append(message, payload...); !s.order.Within() {
			break
		}
	}
	o, compressed := s.order.Message()
	if compressed {
		s.packed++
		message = inflated(s.t, message)
	}
	var u websocket.UTF8
	if o == websocket.Text && (!u.Check(message[:len(message)/3]) || !u.Check(message[len(message)/3:]) || !u.Whole()) {
		s.t.Fatalf("a text is not UTF-8: %q", message[:min(len(message), 100)])
	}
	return o, message
}

func (s *socket) nextFrame() (websocket.Header, []byte) {
	s.t.Helper()
	for {
		h, n, err := websocket.ParseHeader(s.in)
		if err != nil {
			s.t.Fatal(err)
		}
		if end := n + int(h.Length); n > 0 && len(s.in) >= end {
			if err := s.order.Next(h); err != nil {
				s.t.Fatal(err)
			}
			payload := bytes.Clone(s.in[n:end])
			websocket.Mask(payload, h.Key)
			s.in = s.in[end:]
			return h, payload
		}
		b := make([]byte, 4096)
		read, err := s.Read(b)
		if err != nil {
			s.t.Fatalf("cannot read a frame: %v", err)
		}
		s.in = append(s.in, b[:read]...)
	}
}

// deflated is a message as it is sent (RFC 7692, 7.2.1), without what the one before it has left.
func (s *socket) deflated(payload []byte) []byte {
	var out bytes.Buffer
	if s.flate == nil {
		s.flate, _ = flate.NewWriter(nil, flate.BestSpeed) // which is a level that there is
	}
	s.flate.Reset(&out)
	s.flate.Write(payload)
	s.flate.Flush()
	return bytes.TrimSuffix(out.Bytes(), []byte("\x00\x00\xff\xff"))
}

// inflated is a message as it was (RFC 7692, 7.2.2). A last block that is empty ends what the sender did not.
func inflated(t testing.TB, message []byte) []byte {
	t.Helper()
	b, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(message), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mirror has coder send back what comes, in frames of 1000 bytes at most, until the connection ends, and gives how.
func mirror(c *coder.Conn) <-chan error {
	ended := make(chan error, 1)
	go func() { // ends with the connection
		b := make([]byte, 1000)
		for {
			typ, r, err := c.Reader(context.Background())
			if err != nil {
				ended <- err
				return
			}
			all, err := io.ReadAll(r) // since the other side of a pipe does not read while it writes
			if err != nil {
				ended <- err
				return
			}
			w, err := c.Writer(context.Background(), typ)
			if err == nil {
				_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{bytes.NewReader(all)}, b)
				err = errors.Join(err, w.Close())
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	return ended
}

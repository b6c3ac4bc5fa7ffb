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
			answer, ok := websocket.AcceptDeflate(r.Header.Get("Sec-WebSocket-Extensions"))
			if ok {
				h.Set("Sec-WebSocket-Extensions", answer)
			}
			s.order.Deflate = ok
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
		payload = deflated(s.t, payload)
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

// deflated is a message as it is sent (RFC 7692, 7.2.1).
func deflated(t testing.TB, payload []byte) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(payload)
	w.Flush()
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

// eachSocket runs a test as client and as server, with each way of compression.
func eachSocket(t *testing.T, run func(t *testing.T, client bool, mode coder.CompressionMode)) {
	for _, client := range []bool{true, false} {
		for i, mode := range []coder.CompressionMode{coder.CompressionDisabled, coder.CompressionNoContextTakeover, coder.CompressionContextTakeover} {
			if !client && mode == coder.CompressionContextTakeover {
				continue // which coder does as well, in the way that is agreed
			}
			t.Run(fmt.Sprintf("client %v %s", client, []string{"plain", "compressed", "taken over"}[i]), func(t *testing.T) { run(t, client, mode) })
		}
	}
}

// TestWebSocketMessages sends messages to coder/websocket and gets them back.
func TestWebSocketMessages(t *testing.T) {
	eachSocket(t, func(t *testing.T, client bool, mode coder.CompressionMode) {
		s, c := sockets(t, client, mode)
		if want := mode != coder.CompressionDisabled; s.order.Deflate != want {
			t.Fatalf("compressed: %v", s.order.Deflate)
		}
		mirror(c)
		for _, size := range []int{0, 1, 2, 7, 8, 31, 32, 33, 125, 126, 127, 128, 511, 512, 513, 1000, 4095, 4096, 4097, 65535, 65536, 65537, 300000} {
			text, noise := []byte(strings.Repeat("grüße, ", size/7+1)[:size/9*9]), make([]byte, size)
			for i := range noise {
				noise[i] = byte(rand.Uint32())
			}
			for frames := 1; frames < 5; frames++ {
				s.exchange(websocket.Text, text, frames, s.order.Deflate && frames != 2)
				s.exchange(websocket.Binary, noise, frames, s.order.Deflate && frames != 3)
			}
		}
		if s.order.Deflate != (s.packed > 0) {
			t.Errorf("%d messages came compressed", s.packed)
		}
	})
}

func (s *socket) exchange(o websocket.Opcode, payload []byte, frames int, compressed bool) {
	s.t.Helper()
	s.send(o, payload, frames, compressed)
	if got, back := s.next(); got != o || !bytes.Equal(back, payload) {
		s.t.Fatalf("%d bytes in %d frames, compressed %v: %d bytes of %v come back", len(payload), frames, compressed, len(back), got)
	}
}

// TestWebSocketPings has pings in both directions, within a message too.
func TestWebSocketPings(t *testing.T) {
	eachSocket(t, func(t *testing.T, client bool, mode coder.CompressionMode) {
		s, c := sockets(t, client, mode)
		mirror(c)
		ping := func(payload string) {
			t.Helper()
			s.frame(websocket.Header{Fin: true, Opcode: websocket.Ping}, []byte(payload))
			if o, back := s.next(); o != websocket.Pong || string(back) != payload {
				t.Fatalf("%q is answered by %v, %q", payload, o, back)
			}
		}
		ping("")
		s.frame(websocket.Header{Opcode: websocket.Text}, []byte("one "))
		ping("within")
		s.frame(websocket.Header{Opcode: websocket.Continuation}, nil)
		ping(strings.Repeat("x", 125))
		s.frame(websocket.Header{Fin: true, Opcode: websocket.Continuation}, []byte("two"))
		if o, back := s.next(); o != websocket.Text || string(back) != "one two" {
			t.Fatalf("%v, %q", o, back)
		}
		answered := make(chan error, 1)
		go func() { answered <- c.Ping(context.Background()) }() // ends with the pong
		o, payload := s.next()
		if o != websocket.Ping {
			t.Fatalf("%v", o)
		}
		s.frame(websocket.Header{Fin: true, Opcode: websocket.Pong}, payload)
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

// TestWebSocketCloses has each code that may be sent, in both directions, and some that may not.
func TestWebSocketCloses(t *testing.T) {
	codes := []websocket.Code{websocket.Normal, websocket.GoingAway, websocket.ProtocolError, websocket.Unsupported, websocket.InvalidPayload, websocket.Policy,
		websocket.TooBig, websocket.MandatoryExtension, websocket.InternalError, websocket.ServiceRestart, websocket.TryAgainLater, websocket.BadGateway, 3000, 4999}
	for _, client := range []bool{true, false} {
		closes := func(code websocket.Code, payload []byte) (told error, back []byte) {
			t.Helper()
			s, c := sockets(t, client, coder.CompressionDisabled)
			ended := mirror(c)
			s.frame(websocket.Header{Fin: true, Opcode: websocket.Close}, payload)
			o, back := s.next()
			if o != websocket.Close {
				t.Fatalf("%v is answered by %v", code, o)
			}
			return <-ended, back
		}
		for _, code := range codes {
			reason := strings.Repeat("ä", 61)
			told, back := closes(code, websocket.AppendClose(nil, code, reason+"too long"))
			var e coder.CloseError
			if !errors.As(told, &e) || e.Code != coder.StatusCode(code) || e.Reason != reason+"t" {
				t.Errorf("%d is told as %v", code, told)
			}
			if got, why, err := websocket.ParseClose(back); got != code || why != reason+"t" || err != nil {
				t.Errorf("%d is answered by %d, %q, %v", code, got, why, err)
			}
			coderCloses(t, client, code, reason)
		}
		if told, _ := closes(websocket.NoStatus, websocket.AppendClose(nil, websocket.NoStatus, "not said")); coder.CloseStatus(told) != coder.StatusNoStatusRcvd {
			t.Errorf("a close frame without a code is told as %v", told)
		}
		for _, bad := range []string{"\x03", "\x03\xed", "\x03\xee", "\x03\xf7", "\x03\xe7", "\x07\xd0", "\x13\x88", "\x00\x00"} {
			told, back := closes(0, []byte(bad))
			_, _, fault := websocket.ParseClose([]byte(bad))
			if coder.CloseStatus(told) != -1 || fault == nil {
				t.Errorf("% x is told as %v, and is %v to us", bad, told, fault)
			}
			if got, _, err := websocket.ParseClose(back); got != websocket.ProtocolError || err != nil {
				t.Errorf("% x is answered by %d, %v", bad, got, err)
			}
		}
	}
}

// coderCloses has coder begin to close.
func coderCloses(t *testing.T, client bool, code websocket.Code, reason string) {
	t.Helper()
	s, c := sockets(t, client, coder.CompressionDisabled)
	ended := make(chan error, 1)
	go func() { ended <- c.Close(coder.StatusCode(code), reason) }() // ends with our close frame
	o, payload := s.next()
	if got, why, err := websocket.ParseClose(payload); o != websocket.Close || got != code || why != reason || err != nil {
		t.Errorf("%d is sent as %v of %d, %q, %v", code, o, got, why, err)
	}
	s.frame(websocket.Header{Fin: true, Opcode: websocket.Close}, payload)
	if err := <-ended; err != nil {
		t.Errorf("%d: %v", code, err)
	}
}

// TestWebSocketFaults sends each first byte of a frame, masked and not, alone and within a message: coder refuses what we
// refuse. It does not mind that a server masks, which section 5.1 of RFC 6455 forbids.
func TestWebSocketFaults(t *testing.T) {
	eachSocket(t, func(t *testing.T, client bool, mode coder.CompressionMode) {
		if mode == coder.CompressionContextTakeover {
			return // as without it
		}
		for first := range 256 {
			for bits := range 4 {
				s, c := sockets(t, client, mode)
				masks, within := bits&1 != 0, bits&2 != 0
				if masks && !client {
					continue
				}
				ended := mirror(c)
				order := websocket.Sequence{FromClient: client, Deflate: s.order.Deflate}
				begins := websocket.Header{Opcode: websocket.Text, Masked: client}
				var b []byte
				if within {
					b = websocket.AppendHeader(b, begins)
					order.Next(begins)
				}
				b = append(b, byte(first), 0)
				if masks {
					b[len(b)-1] = 0x80
					b = append(b, 1, 2, 3, 4)
				}
				h, _, ours := websocket.ParseHeader(b[len(b)-2-4*(bits&1):])
				if ours == nil {
					ours = order.Next(h)
				}
				b = websocket.AppendHeader(b, websocket.Header{Fin: true, Opcode: websocket.Close, Masked: client, Length: 2})
				b = websocket.AppendClose(b, websocket.Normal, "")
				s.faulty(b, ended, ours)
			}
		}
	})
}

// faulty sends b, which ends with a close frame, and wants it to be reached if there is no fault before.
func (s *socket) faulty(b []byte, ended <-chan error, fault error) {
	s.t.Helper()
	drained := make(chan struct{})
	go func() { // ends with the connection
		io.Copy(io.Discard, s)
		close(drained)
	}()
	s.Write(b)
	theirs := <-ended
	reached := coder.CloseStatus(theirs) == coder.StatusNormalClosure || coder.CloseStatus(theirs) == coder.StatusNoStatusRcvd
	if reached != (fault == nil) {
		s.t.Errorf("% x: %v, and coder says %v", b, fault, theirs)
	}
	s.Close()
	<-drained
}

package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	coder "github.com/coder/websocket"

	"gozilla/wire/websocket"
)

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
		sizes := []int{0, 1, 2, 7, 8, 31, 32, 33, 125, 126, 127, 128, 511, 512, 513, 1000, 4095, 4096, 4097, 65535, 65536, 65537, 300000}
		if raced {
			sizes = []int{0, 9, 126, 700, 5000, 65536}
		}
		for _, size := range sizes {
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
		closes := func(code websocket.Code, payload []byte) (back []byte, told error) {
			t.Helper()
			s, c := sockets(t, client, coder.CompressionDisabled)
			ended := mirror(c)
			s.frame(websocket.Header{Fin: true, Opcode: websocket.Close}, payload)
			o, back := s.next()
			if o != websocket.Close {
				t.Fatalf("%v is answered by %v", code, o)
			}
			return back, <-ended
		}
		for _, code := range codes {
			reason := strings.Repeat("ä", 61)
			back, told := closes(code, websocket.AppendClose(nil, code, reason+"too long"))
			var e coder.CloseError
			if !errors.As(told, &e) || e.Code != coder.StatusCode(code) || e.Reason != reason+"t" {
				t.Errorf("%d is told as %v", code, told)
			}
			if got, why, err := websocket.ParseClose(back); got != code || why != reason+"t" || err != nil {
				t.Errorf("%d is answered by %d, %q, %v", code, got, why, err)
			}
			coderCloses(t, client, code, reason)
		}
		if _, told := closes(websocket.NoStatus, websocket.AppendClose(nil, websocket.NoStatus, "not said")); coder.CloseStatus(told) != coder.StatusNoStatusRcvd {
			t.Errorf("a close frame without a code is told as %v", told)
		}
		for _, bad := range []string{"\x03", "\x03\xed", "\x03\xee", "\x03\xf7", "\x03\xe7", "\x07\xd0", "\x13\x88", "\x00\x00"} {
			back, told := closes(0, []byte(bad))
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

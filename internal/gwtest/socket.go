package gwtest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gozilla/wire/websocket"
)

// A Socket is a client of a WebSocket that is driven by hand, frame by frame.
type Socket struct {
	net.Conn
	Header http.Header // of the answer
	t      testing.TB
	r      *bufio.Reader
}

// OpenSocket opens a WebSocket on c, with further lines of the request's header.
func OpenSocket(t testing.TB, c net.Conn, path string, lines ...string) *Socket {
	t.Helper()
	c.SetDeadline(time.Now().Add(Patience))
	lines = append(lines, "Host: test", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\n%s\r\n\r\n", path, strings.Join(lines, "\r\n")); err != nil {
		t.Fatal(err)
	}
	s := &Socket{Conn: c, t: t, r: bufio.NewReader(c)}
	resp, err := http.ReadResponse(s.r, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("sec-websocket-accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("the handshake is answered by %v, %v", resp, err)
	}
	s.Header = resp.Header
	return s
}

// Frame sends a frame, masked.
func (s *Socket) Frame(h websocket.Header, payload string) {
	s.t.Helper()
	h.Masked, h.Key, h.Length = true, 0x12345678, int64(len(payload))
	if _, err := s.Write(websocket.AppendMasked(websocket.AppendHeader(nil, h), []byte(payload), h.Key)); err != nil {
		s.t.Fatal(err)
	}
}

// Text sends a message of text.
func (s *Socket) Text(text string) {
	s.t.Helper()
	s.Frame(websocket.Header{Fin: true, Opcode: websocket.Text}, text)
}

// Bytes sends a message of bytes.
func (s *Socket) Bytes(b string) {
	s.t.Helper()
	s.Frame(websocket.Header{Fin: true, Opcode: websocket.Binary}, b)
}

// Leave sends a close frame.
func (s *Socket) Leave(code websocket.Code, reason string) {
	s.t.Helper()
	s.Frame(websocket.Header{Fin: true, Opcode: websocket.Close}, string(websocket.AppendClose(nil, code, reason)))
}

// Next is the frame that comes next.
func (s *Socket) Next() (websocket.Header, string) {
	s.t.Helper()
	var b []byte
	for {
		h, n, err := websocket.ParseHeader(b)
		if err != nil {
			s.t.Fatal(err)
		}
		if n > 0 {
			payload := make([]byte, h.Length)
			if _, err := io.ReadFull(s.r, payload); err != nil {
				s.t.Fatal(err)
			}
			return h, string(payload)
		}
		c, err := s.r.ReadByte()
		if err != nil {
			s.t.Fatal(err)
		}
		b = append(b, c)
	}
}

// Gets waits for a message, which comes in one frame, and compares it: "text hello", or "binary …".
func (s *Socket) Gets(want string) {
	s.t.Helper()
	h, payload := s.Next()
	kind := map[websocket.Opcode]string{websocket.Text: "text", websocket.Binary: "binary"}[h.Opcode]
	if got := kind + " " + payload; got != want || !h.Fin {
		s.t.Fatalf("got %v %.80q, not %.80q", h, got, want)
	}
}

// Left waits for a close frame, and compares its code.
func (s *Socket) Left(want websocket.Code) {
	s.t.Helper()
	h, payload := s.Next()
	code := websocket.NoStatus
	if len(payload) >= 2 {
		code = websocket.Code(binary.BigEndian.Uint16([]byte(payload)))
	}
	if h.Opcode != websocket.Close || code != want {
		s.t.Fatalf("got %v %.80q, not a close frame with %d", h, payload, want)
	}
}

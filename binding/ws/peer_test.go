package ws_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gozilla/internal/gwtest"
	"gozilla/stream/web"
	"gozilla/wire/websocket"
)

// A frame is what a peer sends, right or wrong.
type frame struct {
	op    websocket.Opcode
	more  bool // FIN is not set
	rsv   byte // 4 is RSV1, 2 RSV2, 1 RSV3
	data  string
	says  int64 // the length that it tells, if that is not the one of data
	form  int   // in how many bytes it does so, behind the second one; 0: the shortest way
	wrong bool  // masked if it must not be, and the other way round
	plain bool  // masked by a key of zeroes
}

func (f *frame) append(b []byte, client bool) []byte {
	first, second, size, form := byte(f.op)|f.rsv<<4, byte(0), int64(len(f.data)), f.form
	if !f.more {
		first |= 0x80
	}
	if f.says != 0 {
		size = f.says
	}
	if form == 0 && size > 125 {
		form = 2
		if size > 65535 {
			form = 8
		}
	}
	if client != f.wrong {
		second = 0x80
	}
	switch form {
	case 0:
		b = append(b, first, second|byte(size))
	case 2:
		b = append(b, first, second|126, byte(size>>8), byte(size))
	case 8:
		b = append(b, first, second|127)
		for i := 56; i >= 0; i -= 8 {
			b = append(b, byte(size>>i))
		}
	}
	if second&0x80 == 0 {
		return append(b, f.data...)
	}
	var key [4]byte
	if !f.plain {
		for i := range key {
			key[i] = byte(rand.Uint32())
		}
	}
	b = append(b, key[:]...)
	for i := range len(f.data) {
		b = append(b, f.data[i]^key[i&3])
	}
	return b
}

// A message is what a peer gets: a text, bytes, or a pong.
type message struct {
	op   websocket.Opcode
	data string
}

func (m message) String() string {
	return fmt.Sprintf("%d %.40q of %d bytes", m.op, m.data, len(m.data))
}

// A peer is one end of a WebSocket, by hand; the other one is a gateway's.
type peer struct {
	t      testing.TB
	rw     io.ReadWriter
	finish func() error // ends what it sends
	client bool
	order  websocket.Sequence // of what comes
	in     []byte
	buf    []byte
	begun  []byte // of a message
	packed int    // messages that came compressed
}

func newPeer(t testing.TB, rw io.ReadWriter, finish func() error, client, deflate bool) *peer {
	return &peer{t: t, rw: rw, finish: finish, client: client, buf: make([]byte, 64<<10), order: websocket.Sequence{FromClient: !client, Deflate: deflate}}
}

// say writes frames, in writes of that many bytes; 0: in one. An error is left to who reads.
func (p *peer) say(chop int, frames ...frame) {
	var b []byte
	for i := range frames {
		b = frames[i].append(b, p.client)
	}
	if chop == 0 {
		chop = len(b)
	}
	for len(b) > 0 {
		n := min(chop, len(b))
		if _, err := p.rw.Write(b[:n]); err != nil {
			return
		}
		b = b[n:]
	}
}

// frame is the next one, whose payload is valid until the one behind it. Those that the protocol does not allow fail the test.
func (p *peer) frame() (h websocket.Header, payload []byte, err error) {
	for {
		h, n, err := websocket.ParseHeader(p.in)
		if err == nil && n > 0 && len(p.in) >= n+int(h.Length) {
			if err = p.order.Next(h); err == nil {
				payload, p.in = p.in[n:n+int(h.Length)], p.in[n+int(h.Length):]
				websocket.Mask(payload, h.Key)
				return h, payload, nil
			}
		}
		if err != nil {
			return h, nil, fmt.Errorf("a frame is faulty: %w", err)
		}
		if len(p.in) > len(p.buf)/2 {
			p.buf = make([]byte, 2*len(p.buf))
		}
		kept := copy(p.buf, p.in)
		n, err = p.rw.Read(p.buf[kept:])
		if p.in = p.buf[:kept+n]; n == 0 && err != nil {
			return h, nil, err
		}
	}
}

// next is the next message or control frame.
func (p *peer) next() (message, error) {
	for {
		h, payload, err := p.frame()
		if err != nil {
			return message{}, err
		}
		if h.Opcode.Control() {
			return message{h.Opcode, string(payload)}, nil
		}
		if p.begun = append(p.begun, payload...); p.order.Within() {
			continue
		}
		whole := p.begun
		p.begun = nil
		op, compressed := p.order.Message()
		if compressed {
			p.packed++
			if whole, err = unpacked(whole); err != nil {
				return message{}, err
			}
		}
		return message{op, string(whole)}, nil
	}
}

// packed is a message as it is compressed (RFC 7692, section 7.2.1), unpacked the other way round.
func packed(text string) string {
	var out bytes.Buffer
	z, _ := flate.NewWriter(&out, flate.BestSpeed)
	io.WriteString(z, text)
	z.Flush()
	return strings.TrimSuffix(out.String(), "\x00\x00\xff\xff")
}

func unpacked(b []byte) ([]byte, error) {
	return io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(b), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
}

// closing is the payload of a close frame.
func closing(code websocket.Code, reason string) string {
	return string([]byte{byte(code >> 8), byte(code)}) + reason
}

// handshake is a request for a WebSocket, and more fields of it.
func handshake(path string, fields ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		strings.Join(append(fields, "\r\n"), "\r\n")
}

// offers are the fields that a client offers compression by.
func offers(deflate bool) []string {
	if deflate {
		return []string{"Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover; client_max_window_bits"}
	}
	return nil
}

// asks sends a request for a WebSocket on a connection; answered waits for what comes of it.
func asks(t testing.TB, c net.Conn, path string, fields ...string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(gwtest.Patience))
	gwtest.Send(t, c, handshake(path, fields...))
}

func answered(t testing.TB, c *net.TCPConn) *peer {
	t.Helper()
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") {
		t.Fatalf("%s, %v", resp.Status, resp.Header)
	}
	return newPeer(t, tcpEnd{in, c}, c.CloseWrite, true, resp.Header.Get("Sec-WebSocket-Extensions") != "")
}

// opens is a client of a gateway, over HTTP/1.1.
func opens(t testing.TB, g *gwtest.Gateway, path string, fields ...string) *peer {
	t.Helper()
	c := g.Dial("north")
	asks(t, c, path, fields...)
	return answered(t, c)
}

// tcpEnd is a connection of which some was read already.
type tcpEnd struct {
	io.Reader
	net.Conn
}

func (e tcpEnd) Read(b []byte) (int, error) { return e.Reader.Read(b) }

// accepts is the server of a connection that a gateway has opened; the fields are in its answer.
func accepts(t testing.TB, c *net.TCPConn, fields ...string) (*peer, *http.Request) {
	t.Helper()
	c.SetDeadline(time.Now().Add(gwtest.Patience))
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	deflate := r.Header.Get("Sec-WebSocket-Extensions") != ""
	if deflate {
		fields = append(fields, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover")
	}
	gwtest.Send(t, c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "+web.AcceptKey(r.Header.Get("Sec-WebSocket-Key"))+"\r\n"+
		strings.Join(append(fields, "\r\n"), "\r\n"))
	return newPeer(t, tcpEnd{in, c}, c.CloseWrite, false, deflate), r
}

package h2_test

import (
	"fmt"
	"io"
	"strings"
	"time"

	"gozilla/stream/conn"
	"gozilla/stream/conn/conntest"
	wire "gozilla/wire/h2"
)

// hand is one end of a connection, whose frames are made and looked at by hand.
type hand struct {
	*rig
	conn.Conn
	in     []byte
	buf    []byte
	heard  int64 // bytes
	told   int64
	table  *wire.Decoder
	fields string                      // of the block that was decoded last
	said   map[uint32]*strings.Builder // by the other end, on streams that it has not ended
}

func (r *rig) byHand(c conn.Conn) *hand {
	h := &hand{rig: r, Conn: c, buf: make([]byte, 64<<10), said: map[uint32]*strings.Builder{}}
	h.table = wire.NewDecoder(func(name, value string) {
		if name != "date" {
			h.fields += " " + strings.TrimPrefix(name+"="+value, ":status=")
		}
	})
	return h
}

// client is a connection to a server, by hand, on which nothing was said.
func (r *rig) client(d dial) *hand {
	r.Helper()
	c, err := d()
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { conn.Abort(c) })
	c.SetDeadline(time.Now().Add(patience))
	return r.byHand(c)
}

// greeted is a client that has said what comes first.
func (r *rig) greeted(d dial, settings ...wire.Setting) *hand {
	r.Helper()
	c := r.client(d)
	c.say(wire.AppendSettings([]byte(wire.Preface), settings...))
	return c
}

func (h *hand) say(frames ...[]byte) {
	h.Helper()
	var b []byte
	for _, f := range frames {
		b = append(b, f...)
	}
	h.told += int64(len(b))
	if _, err := h.Write(b); err != nil {
		h.Fatalf("cannot say %.100q: %v", b, err)
	}
}

// next is the next frame, whose payload is valid until the one behind it.
func (h *hand) next() (wire.Frame, error) {
	for {
		f, n, err := wire.Next(h.in, 1<<24-1)
		if err != nil {
			h.Errorf("a frame is faulty: %v", err)
			return f, err
		}
		if n > 0 {
			h.in = h.in[n:]
			return f, nil
		}
		if len(h.in) > len(h.buf)/2 {
			h.buf = make([]byte, 2*len(h.buf))
		}
		kept := copy(h.buf, h.in)
		n, err = h.Read(h.buf[kept:])
		h.heard += int64(n)
		if h.in = h.buf[:kept+n]; err != nil {
			return f, err
		}
	}
}

// await is the next frame of a type.
func (h *hand) await(t wire.Type) wire.Frame {
	h.Helper()
	for {
		f, err := h.next()
		if err != nil {
			h.Fatalf("there is no %v: %v", t, err)
		}
		if f.Type == t && (t != wire.Settings || f.Flags&wire.Ack == 0) {
			return f
		}
	}
}

// event is what has come next that is worth a line:
//
//	1 200 content-length=4|body        all of stream 1: its heads, its body, and behind another | its trailer
//	1 200 content-length=4|bo !CANCEL  what there was of it until it was reset
//	goaway 1 NO_ERROR
//	ping leaving, or pong leaving
func (h *hand) event() (string, error) {
	for {
		f, err := h.next()
		if err != nil {
			return "", err
		}
		if line := h.line(&f); line != "" {
			return line, nil
		}
	}
}

// line is the event that f makes complete, if any.
func (h *hand) line(f *wire.Frame) string {
	said := h.said[f.Stream]
	if said == nil {
		said = &strings.Builder{}
		h.said[f.Stream] = said
	}
	switch f.Type {
	case wire.Headers, wire.Continuation:
		if f.Type == wire.Headers {
			h.fields = ""
			h.table.Begin(1<<20, 1000)
		}
		if err := h.table.Write(f.Payload); err != nil {
			h.Errorf("a block cannot be decoded: %v", err)
		}
		if f.Flags&wire.EndHeaders == 0 {
			return ""
		}
		if strings.Contains(said.String(), "|") {
			h.fields = "|" + h.fields[1:]
		}
		said.WriteString(h.fields)
	case wire.Data:
		if len(f.Payload) > 0 && !strings.Contains(said.String(), "|") {
			said.WriteString("|")
		}
		said.Write(f.Payload)
	case wire.Reset:
		delete(h.said, f.Stream)
		return fmt.Sprintf("%d%s !%v", f.Stream, said, f.Code)
	case wire.Ping:
		if f.Flags&wire.Ack != 0 {
			return "pong " + string(f.Payload)
		}
		return "ping " + string(f.Payload)
	case wire.GoAway:
		return fmt.Sprintf("goaway %d %v", f.Number, f.Code)
	}
	if (f.Type == wire.Headers || f.Type == wire.Data) && f.Flags&wire.EndStream != 0 {
		delete(h.said, f.Stream)
		return fmt.Sprintf("%d%s", f.Stream, said)
	}
	return ""
}

// hear wants these events, in that order.
func (h *hand) hear(want ...string) {
	h.Helper()
	for _, w := range want {
		got, err := h.event()
		if err != nil {
			h.Fatalf("heard nothing (%v), not %q", err, w)
		}
		if got != w {
			h.Fatalf("heard %q, not %q", got, w)
		}
	}
}

// ends wants no event any more, but that end.
func (h *hand) ends(how string) {
	h.Helper()
	got, err := h.event()
	if got != "" || conntest.How(err) != how {
		h.Errorf("heard %q, and %s (%v), not %s", got, conntest.How(err), err, how)
	}
	h.Close()
}

// drain hears what there is until the end.
func (h *hand) drain() { io.Copy(io.Discard, h.Conn) }

// fields is a block of names and values in turn.
func fields(pairs ...string) []byte {
	var b []byte
	for i := 0; i+1 < len(pairs); i += 2 {
		b = wire.AppendField(b, pairs[i], pairs[i+1])
	}
	return b
}

// frame is any frame.
func frame(t wire.Type, flags wire.Flags, stream uint32, payload []byte) []byte {
	n := len(payload)
	return append([]byte{byte(n >> 16), byte(n >> 8), byte(n), byte(t), byte(flags),
		byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)}, payload...)
}

// heads is a whole block in one frame.
func heads(stream uint32, flags wire.Flags, block []byte) []byte {
	return frame(wire.Headers, flags|wire.EndHeaders, stream, block)
}

// ask is the block of a request.
func ask(method, path string, more ...string) []byte {
	return fields(append([]string{":method", method, ":scheme", "http", ":authority", "x", ":path", path}, more...)...)
}

// get is a whole request without a body, post the head of one with one.
func get(stream uint32, path string, more ...string) []byte {
	return heads(stream, wire.EndStream, ask("GET", path, more...))
}

func post(stream uint32, path string, more ...string) []byte {
	return heads(stream, 0, ask("POST", path, more...))
}

func data(stream uint32, body string) []byte { return wire.AppendData(nil, stream, 0, []byte(body)) }

func last(stream uint32, body string) []byte {
	return wire.AppendData(nil, stream, wire.EndStream, []byte(body))
}

func reset(stream uint32, code wire.Code) []byte { return wire.AppendReset(nil, stream, code) }

func window(stream, n uint32) []byte { return wire.AppendWindow(nil, stream, n) }

func settings(s ...wire.Setting) []byte { return wire.AppendSettings(nil, s...) }

func ping(data string) []byte { return wire.AppendPing(nil, 0, [8]byte([]byte(data))) }

func pong(data string) []byte { return wire.AppendPing(nil, wire.Ack, [8]byte([]byte(data))) }

// cat is its pieces one behind the other.
func cat(pieces ...[]byte) (b []byte) {
	for _, p := range pieces {
		b = append(b, p...)
	}
	return b
}

package h2_test

import (
	"strings"
	"testing"

	"gozilla/stream/web/webtest"
	wire "gozilla/wire/h2"
)

// TestOver is what comes on streams that are over: what the client may have sent before it knew is taken, and the table stays
// in step.
func TestOver(t *testing.T) {
	inStep := append(ask("GET", "/cookie"), number62)
	for _, c := range []struct {
		name   string
		before func(*hand) // after which stream 1 is over
		say    []byte
		hear   []string
	}{
		{"DATA, reset by us", (*hand).cutOff, data(1, "x"), nil},
		{"the end, reset by us", (*hand).cutOff, last(1, "x"), nil},
		{"a trailer, reset by us", (*hand).cutOff, heads(1, wire.EndStream, literal("a", "b")), nil},
		{"a malformed trailer, reset by us", (*hand).cutOff, heads(1, wire.EndStream, fields(":path", "/")), nil},
		{"WINDOW_UPDATE, reset by us", (*hand).cutOff, window(1, 1), nil},
		{"WINDOW_UPDATE, too much, reset by us", (*hand).cutOff, cat(window(1, 1<<31-1), window(1, 1<<31-1)), nil},
		{"RST_STREAM, reset by us", (*hand).cutOff, reset(1, wire.Cancel), nil},
		{"PRIORITY, reset by us", (*hand).cutOff, wire.AppendPriority(nil, 1, 3, 1, false), nil},
		{"half a field, reset by us", (*hand).cutOff, heads(1, wire.EndStream, []byte{number62}), []string{"goaway 1 COMPRESSION_ERROR"}},
		{"DATA, ended", (*hand).ended, data(1, "x"), []string{"1 !STREAM_CLOSED"}},
		{"DATA twice, ended", (*hand).ended, cat(data(1, "x"), data(1, "x")), []string{"1 !STREAM_CLOSED"}},
		{"HEADERS, ended", (*hand).ended, heads(1, wire.EndStream, ask("GET", "/")), []string{"goaway 3 STREAM_CLOSED"}},
		{"WINDOW_UPDATE, ended", (*hand).ended, window(1, 1), nil},
		{"RST_STREAM, ended", (*hand).ended, reset(1, wire.NoError), nil},
		{"PRIORITY, ended", (*hand).ended, wire.AppendPriority(nil, 1, 3, 1, false), nil},
		{"DATA, of long ago", (*hand).long, data(1, "x"), nil},
		{"a trailer, of long ago", (*hand).long, heads(1, wire.EndStream, literal("a", "b")), nil},
		{"WINDOW_UPDATE, of long ago", (*hand).long, window(1, 1), nil},
		{"RST_STREAM, of long ago", (*hand).long, reset(1, wire.Cancel), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // many wait for a sweeper
			r := newRig(t)
			r.Rests()
			h := r.greeted(r.Pipes(server(app)))
			c.before(h)
			h.say(c.say)
			h.hear(c.hear...)
			if len(c.hear) > 0 && strings.HasPrefix(c.hear[0], "goaway") {
				h.ends("fin")
				return
			}
			h.works(1001)
			if strings.HasPrefix(c.name, "a trailer") {
				h.say(heads(1003, wire.EndStream, inStep))
				h.hear("1003" + ok("a=b"))
			}
			h.Close()
		})
	}
}

// cutOff has stream 1 answered before its body has come.
func (h *hand) cutOff() {
	h.Helper()
	h.say(post(1, "/unread"))
	h.hear("1"+ok("unread"), "1 !NO_ERROR")
}

// ended has stream 1 answered in order.
func (h *hand) ended() {
	h.Helper()
	h.say(get(1, "/"))
	h.hear("1" + ok("GET http x /"))
	h.works(3)
	h.say(wire.AppendPriority(nil, 1, 3, 1, false))
	h.said = map[uint32]*strings.Builder{}
}

// long is cutOff, and many streams behind it.
func (h *hand) long() {
	h.Helper()
	h.cutOff()
	for i := range uint32(200) {
		h.works(3 + 2*i)
	}
}

// TestLarge is a head that is too long: that is answered, and the table stays in step.
func TestLarge(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		h := r.greeted(o.Of(r.Rig, server(app)))
		inStep := append(ask("GET", "/cookie"), number62)
		many := ask("GET", "/")
		for range 300 {
			many = wire.AppendField(many, "a", "b")
		}
		for i, block := range [][]byte{
			long(1, wire.EndStream, ask("GET", "/")),
			heads(5, wire.EndStream, cat(many, literal("a", "b"))),
			long(9, wire.EndStream, fields(":scheme", "http")), // of which not all is seen
		} {
			id := uint32(4*i + 1)
			h.say(block)
			h.hear(itoa(int(id)) + " 431 content-length=0 server=S")
			h.say(heads(id+2, wire.EndStream, inStep))
			h.hear(itoa(int(id)+2) + ok("a=b"))
		}
		h.say(long(13, wire.EndStream, fields(":scheme", "http", "A", "b")))
		h.hear("13 !PROTOCOL_ERROR")
		h.say(heads(15, wire.EndStream, inStep))
		h.hear("15" + ok("a=b"))
		h.say(long(17, 0, ask("POST", "/echo")), data(17, "x"))
		h.hear("17 431 content-length=0 server=S", "17 !NO_ERROR")
		h.works(19)
		h.Close()
	}
}

// TestPrefaces is what comes in place of what a client begins with.
func TestPrefaces(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		d := o.Of(r.Rig, server(app))
		for _, c := range []struct {
			say  string
			hear string
		}{
			{"GET / HTTP/1.1\r\nhost: x\r\n\r\n", "goaway 0 PROTOCOL_ERROR"},
			{"\x16\x03\x01\x00\x05", "goaway 0 PROTOCOL_ERROR"},
			{"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "goaway 0 PROTOCOL_ERROR"},
			{wire.Preface + string(get(1, "/")), "goaway 0 PROTOCOL_ERROR"},
			{wire.Preface + string(ping("12345678")), "goaway 0 PROTOCOL_ERROR"},
			{wire.Preface + string(wire.AppendSettingsAck(nil)), "goaway 0 PROTOCOL_ERROR"},
			{wire.Preface + wire.Preface, "goaway 0 FRAME_SIZE_ERROR"},
			{"", ""},
			{"PRI", ""},
			{wire.Preface, ""},
			{wire.Preface + string(settings()[:5]), ""},
		} {
			h := r.client(d)
			h.say([]byte(c.say))
			if c.hear != "" {
				h.hear(c.hear)
			} else {
				h.CloseWrite()
			}
			h.ends("fin")
		}
		h := r.greeted(d)
		h.works(1)
		h.Close()
	}
}

// TestMany is more streams than may be at a time.
func TestMany(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		r.Host.Limits.Streams = 3
		h := r.greeted(o.Of(r.Rig, server(waits)))
		if f := h.await(wire.Settings); !strings.Contains(string(f.Payload), "\x00\x03\x00\x00\x00\x03") {
			t.Errorf("the settings are %x", f.Payload)
		}
		h.say(get(1, "/wait"), get(3, "/wait"), post(5, "/echo"), heads(7, wire.EndStream, cat(ask("GET", "/"), literal("a", "b"))))
		h.hear("7 !REFUSED_STREAM")
		h.say(last(5, "body"))
		h.hear("5" + ok("body"))
		h.say(heads(9, wire.EndStream, append(ask("GET", "/cookie"), number62)))
		h.hear("9" + ok("a=b"))
		h.say(reset(1, wire.Cancel))
		h.works(11)
		h.Close()
	}
}

// TestEndBehindTheAnswer has clients end requests that were answered before. Something comes in reply, since some of them look at
// the answer only then.
func TestEndBehindTheAnswer(t *testing.T) {
	r := newRig(t)
	h := r.greeted(r.Pipes(server(app)))
	for i, end := range [][]byte{last(1, "x"), last(3, ""), heads(5, wire.EndStream, literal("a", "b"))} {
		id := uint32(2*i + 1)
		h.say(post(id, "/unread"))
		h.hear(itoa(int(id)) + ok("unread"))
		h.say(end)
		if f := h.await(wire.Window); f.Stream != 0 || f.Number == 0 {
			t.Errorf("%+v", f)
		}
	}
	h.works(7)
}

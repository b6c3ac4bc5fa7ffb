package ws_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/wire/websocket"
)

// compressed are sections 12 and 13: messages in permessage-deflate (RFC 7692).
func compressed() (rows []row) {
	for _, k := range kinds {
		for _, size := range []int{0, 1, 16, 63, 64, 65, 256, 1 << 10, 4 << 10, 8 << 10, 16 << 10, 16<<10 + 1, 32 << 10, 64 << 10, 128 << 10} {
			data := k.of(size)
			small := packed(data)
			name := fmt.Sprintf("12 %s of %d", k.name, size)
			rows = append(rows, echo(name, k.op, data, frame{op: k.op, rsv: 4, data: small}), echo(name+", as it is", k.op, data, frame{op: k.op, data: data}))
			if cut := len(small) / 3; size > 0 {
				rows = append(rows, echo(name+" in fragments", k.op, data, begun(pieces(k.op, small, 0, cut, cut, 2*cut, len(small)))...))
			}
		}
		data := k.of(3000)
		small := packed(data)
		chopped := echo("12 "+k.name+" in single bytes", k.op, data, frame{op: k.op, rsv: 4, data: small})
		chopped.chop = 1
		rows = append(rows, chopped, echo("12 "+k.name+" in fragments of one byte", k.op, data, begun(pieces(k.op, small, every(len(small), 1)...))...))
		for i, s := range otherwise(data) {
			rows = append(rows, echo(fmt.Sprintf("12 %s, compressed otherwise, %d", k.name, i), k.op, data, frame{op: k.op, rsv: 4, data: s}),
				echo(fmt.Sprintf("12 %s, compressed otherwise, %d, in fragments", k.name, i), k.op, data, begun(pieces(k.op, s, 1, len(s)/2, len(s)-1))...))
		}
	}
	hello := packed("hello")
	rows = append(rows,
		row{name: "12 a ping between fragments", sends: []frame{{op: text, rsv: 4, more: true, data: hello[:2]}, {op: ping, data: "x"}, {op: cont, data: hello[2:]}},
			gets: []message{{pong, "x"}, {text, "hello"}}},
		row{name: "12 one compressed, one not, one compressed", sends: []frame{{op: text, rsv: 4, data: hello}, {op: text, data: "as it is"}, {op: text, rsv: 4, data: hello}},
			gets: []message{{text, "hello"}, {text, "as it is"}, {text, "hello"}}},
		row{name: "12 an empty one", sends: []frame{{op: text, rsv: 4, data: "\x00"}, {op: text, rsv: 4, data: "\x03\x00"}}, gets: []message{{text, ""}, {text, ""}}},
		refused("12 no byte at all", websocket.InvalidPayload, []frame{{op: text, rsv: 4}}), // 7.2.3.6
		refused("12 RSV1 on a fragment", websocket.ProtocolError, []frame{{op: text, rsv: 4, more: true, data: hello[:2]}, {op: cont, rsv: 4, data: hello[2:]}}),
		refused("12 RSV1 on a later fragment alone", websocket.ProtocolError, []frame{{op: text, more: true, data: "x"}, {op: cont, rsv: 4, data: hello}}),
		refused("12 RSV1 on a ping", websocket.ProtocolError, []frame{{op: ping, rsv: 4, data: hello}}),
		refused("12 RSV1 on a close frame", websocket.ProtocolError, []frame{{op: bye, rsv: 4, data: closing(1000, "")}}),
		refused("12 RSV2", websocket.ProtocolError, []frame{{op: text, rsv: 6, data: hello}}),
		refused("12 RSV3", websocket.ProtocolError, []frame{{op: text, rsv: 5, data: hello}}),
		refused("12 a text that is not UTF-8", websocket.InvalidPayload, []frame{{op: text, rsv: 4, data: packed("gr\xff")}}),
		refused("12 a text that ends within a character", websocket.InvalidPayload, []frame{{op: text, rsv: 4, data: packed("gr\xc3")}}),
		refused("12 a compressed one, closed within", websocket.Normal, []frame{{op: text, rsv: 4, more: true, data: hello[:2]}, {op: bye, data: closing(1000, "")}}),
		refused("12 a window that was not kept", websocket.InvalidPayload, []frame{{op: text, rsv: 4, data: hello}, {op: text, rsv: 4, data: "\x02\x13\x00\x00"}}, message{text, "hello"}),
	)
	for _, c := range []struct{ why, data string }{
		{"a block of no known kind", "\x07"}, {"a distance too far", "\x02\x13\x00\x00"}, {"stored, of wrong length", "\x00\x05\x00\x00\x00hello"},
		{"stored, cut", "\x00\x05\x00\xfa\xff" + "he"}, {"cut", packed(long(3000))[:500]}, {"bytes at random", "\xff\xfe\xfd\xfc\xfb"},
		{"something behind it", packed("hello") + "\x07"}, {"something behind the last block", finished("hello") + "\x07"},
	} {
		rows = append(rows, refused("12 corrupt, "+c.why, websocket.InvalidPayload, []frame{{op: binary, rsv: 4, data: c.data}}),
			refused("12 corrupt, "+c.why+", in fragments", websocket.InvalidPayload, begun(pieces(binary, c.data, 0, 1, len(c.data)))))
	}
	for i := range rows {
		rows[i].deflate = true
	}
	return rows
}

// begun are the fragments of a compressed message.
func begun(frames []frame) []frame {
	frames[0].rsv = 4
	return frames
}

// finished is a message whose last block says that it is the last, and the empty one behind it (RFC 7692, section 7.2.3.4).
func finished(data string) string {
	var out bytes.Buffer
	z, _ := flate.NewWriter(&out, flate.BestCompression)
	io.WriteString(z, data)
	z.Close()
	return out.String() + "\x00"
}

// otherwise are other ways to write a message (RFC 7692, section 7.2.3).
func otherwise(data string) (all []string) {
	half := len(data) / 2
	stored := func(first byte, s string) string {
		n := uint16(len(s))
		return string([]byte{first, byte(n), byte(n >> 8), ^byte(n), ^byte(n >> 8)}) + s
	}
	var flushed bytes.Buffer
	z, _ := flate.NewWriter(&flushed, flate.HuffmanOnly)
	for s := data; s != ""; {
		n := min(len(s), 500)
		io.WriteString(z, s[:n])
		z.Flush()
		s = s[n:]
	}
	return append(all, stored(0, data)+"\x00", // not compressed (7.2.3.3)
		finished(data), // 7.2.3.4
		packed(data[:half])+"\x00\x00\xff\xff"+packed(data[half:]), // several blocks (7.2.3.5)
		strings.TrimSuffix(flushed.String(), "\x00\x00\xff\xff"),
		strings.TrimSuffix(finished(data[:half]), "\x00")+packed(data[half:]), // what follows the last block is another (7.2.1)
		stored(1, data[:half])+stored(1, data[half:])+"\x00",
		packed(data)+"\x00\x00\xff\xff\x00") // with empty blocks behind it
}

// TestLimitOfCompressed is that the limit is one of messages as they are without compression, which makes some longer.
func TestLimitOfCompressed(t *testing.T) {
	const most = 1 << 16
	g := gwtest.Start(t, echoing, gwtest.Limits(func(l *stream.Limits) { l.Message = most }))
	just, more := noise(most), noise(most+1)
	poor := otherwise(just)[3] // flushed often
	for _, c := range []struct {
		name  string
		sends []frame
		gets  string // "": it is too long
	}{
		{"as long as may be", []frame{{op: binary, rsv: 4, data: packed(just)}}, just},
		{"in fragments", begun(pieces(binary, packed(just), every(len(packed(just)), 1000)...)), just},
		{"compressed poorly", []frame{{op: binary, rsv: 4, data: poor}}, just},
		{"one byte more", []frame{{op: binary, rsv: 4, data: packed(more)}}, ""},
		{"one byte more, as it is", []frame{{op: binary, data: more}}, ""},
		{"a frame that is far too long", []frame{{op: binary, rsv: 4, form: 8, says: 2 * most}}, ""},
		{"blocks of nothing without end", begun(pieces(binary, strings.Repeat("\x00\x00\x00\xff\xff", most/4), every(5*most/4, 1000)...)), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := opens(t, g, "/", offers(true)...)
			var sent sync.WaitGroup
			sent.Go(func() { p.say(0, c.sends...) })
			defer sent.Wait()
			if c.gets == "" {
				p.leaves(1009)
				p.finish()
				return
			}
			if m, err := p.next(); err != nil || m.data != c.gets {
				t.Fatalf("%v, %v", m, err)
			}
			p.finish()
		})
	}
}

package ws_test

import (
	"fmt"
	"strings"

	"gozilla/wire/websocket"
)

// A row is a case of RFC 6455: what a peer sends to somebody who sends back every message, and what it gets.
type row struct {
	name    string
	sends   []frame
	gets    []message
	code    websocket.Code // of the goodbye that it gets; 0: Normal, after its own, which follows what it sends
	chop    int            // how many bytes it sends at a time; 0: all
	deflate bool           // permessage-deflate is agreed
}

// The opcodes, short.
const (
	cont   = websocket.Continuation
	text   = websocket.Text
	binary = websocket.Binary
	bye    = websocket.Close
	ping   = websocket.Ping
	pong   = websocket.Pong
)

// long is a text of that many bytes, whose pieces are not like their neighbours.
func long(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < min(size, 1<<16); i++ {
		fmt.Fprintf(&b, "%d grüße, ", i*i)
	}
	return strings.ToValidUTF8(strings.Repeat(b.String(), 1+size>>16)[:size], "x")
}

// noise are bytes that are no text.
func noise(size int) string {
	b, x := make([]byte, size), uint32(size)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return string(b)
}

// pieces cuts a message into fragments at each of the places.
func pieces(op websocket.Opcode, data string, at ...int) (all []frame) {
	from := 0
	for _, to := range append(at, len(data)) {
		all = append(all, frame{op: op, more: true, data: data[from:to]})
		op, from = cont, to
	}
	all[len(all)-1].more = false
	return all
}

// every is the places that lie that far apart.
func every(size, n int) (at []int) {
	for i := n; i < size; i += n {
		at = append(at, i)
	}
	return at
}

var kinds = []struct {
	op   websocket.Opcode
	name string
	of   func(size int) string
}{{text, "text", long}, {binary, "binary", noise}}

// echo is a row whose message comes back.
func echo(name string, op websocket.Opcode, data string, sends ...frame) row {
	return row{name: name, sends: sends, gets: []message{{op, data}}}
}

// refused is a row that ends by code, after some messages perhaps.
func refused(name string, code websocket.Code, sends []frame, gets ...message) row {
	return row{name: name, sends: sends, gets: gets, code: code}
}

// framing is section 1 of the table: lengths.
func framing() (rows []row) {
	for _, k := range kinds {
		for _, size := range []int{0, 1, 125, 126, 127, 128, 129, 65534, 65535, 65536, 65537} {
			rows = append(rows, echo(fmt.Sprintf("1 %s of %d", k.name, size), k.op, k.of(size), frame{op: k.op, data: k.of(size)}))
		}
		for _, c := range [][2]int{{125, 1}, {300, 1}, {65535, 997}, {65536, 997}, {16384, 4096}, {16385, 4096}} {
			r := echo(fmt.Sprintf("1 %s of %d in writes of %d", k.name, c[0], c[1]), k.op, k.of(c[0]), frame{op: k.op, data: k.of(c[0])})
			r.chop = c[1]
			rows = append(rows, r)
		}
		for _, c := range []struct {
			name string
			f    frame
			code websocket.Code
		}{
			{"0 in two bytes", frame{form: 2}, websocket.ProtocolError},
			{"125 in two bytes", frame{form: 2, data: k.of(125)}, websocket.ProtocolError},
			{"1 in eight bytes", frame{form: 8, data: "x"}, websocket.ProtocolError},
			{"65535 in eight bytes", frame{form: 8, data: k.of(65535)}, websocket.ProtocolError},
			{"the highest bit", frame{form: 8, says: -1, data: "x"}, websocket.ProtocolError},
			{"the highest bit alone", frame{form: 8, says: -1 << 63, data: "x"}, websocket.ProtocolError},
			{"as long as can be", frame{form: 8, says: 1<<63 - 1, data: "x"}, websocket.TooBig},
			{"one byte too long", frame{form: 8, says: 16<<20 + 1, data: "x"}, websocket.TooBig},
		} {
			c.f.op = k.op
			rows = append(rows, refused("1 "+k.name+", "+c.name, c.code, []frame{c.f}))
		}
	}
	return rows
}

// pings is section 2: pings and pongs.
func pings() (rows []row) {
	answered := func(name, data string, chop int) {
		rows = append(rows, row{name: "2 a ping, " + name, sends: []frame{{op: ping, data: data}}, gets: []message{{pong, data}}, chop: chop})
	}
	answered("empty", "", 0)
	answered("of text", "hello", 0)
	answered("of bytes", "\x00\xff\xfe\xfd\xfc\xfb\x00\xff", 0)
	answered("of 125 bytes", noise(125), 0)
	answered("of 125 bytes in single ones", noise(125), 1)
	answered("of text in single bytes", "hello", 1)
	hello := frame{op: text, data: "hello"}
	return append(rows,
		row{name: "2 ten pings", sends: numbered(ping, 10), gets: pongs(10)},
		row{name: "2 ten pings in single bytes", sends: numbered(ping, 10), gets: pongs(10), chop: 1},
		refused("2 a ping of 126 bytes", websocket.ProtocolError, []frame{{op: ping, data: noise(126)}}),
		refused("2 a ping of 126 bytes in single ones", websocket.ProtocolError, []frame{{op: ping, data: noise(126)}}),
		refused("2 a ping of 65536 bytes", websocket.ProtocolError, []frame{{op: ping, data: noise(65536)}}),
		refused("2 a ping whose length is written long", websocket.ProtocolError, []frame{{op: ping, form: 2, data: "x"}}),
		refused("2 a pong of 126 bytes", websocket.ProtocolError, []frame{{op: pong, data: noise(126)}}),
		echo("2 a pong unasked", text, "hello", frame{op: pong}, hello),
		echo("2 a pong unasked of text", text, "hello", frame{op: pong, data: "unasked"}, hello),
		echo("2 a pong unasked of 125 bytes", text, "hello", frame{op: pong, data: noise(125)}, hello),
		row{name: "2 a pong unasked, then a ping", sends: []frame{{op: pong, data: "unasked"}, {op: ping, data: "asked"}}, gets: []message{{pong, "asked"}}},
		row{name: "2 pings between messages", sends: []frame{hello, {op: ping, data: "1"}, hello, {op: ping, data: "2"}, hello},
			gets: []message{{text, "hello"}, {pong, "1"}, {text, "hello"}, {pong, "2"}, {text, "hello"}}},
	)
}

// reserved is section 3: bits that mean nothing.
func reserved() (rows []row) {
	hello := message{text, "hello"}
	for bits := byte(1); bits < 8; bits++ {
		bad := func(name string, f frame, before ...frame) {
			f.rsv = bits
			gets := []message{hello}[:min(1, len(before))]
			if len(before) > 0 && before[0].more {
				gets = nil
			}
			rows = append(rows, refused(fmt.Sprintf("3 bits %03b on %s", bits, name), websocket.ProtocolError, append(before, f), gets...))
		}
		bad("text", frame{op: text, data: "x"})
		bad("binary", frame{op: binary, data: "x"})
		bad("a close frame", frame{op: bye, data: closing(1000, "")})
		bad("a ping", frame{op: ping, data: "x"})
		bad("a pong", frame{op: pong, data: "x"})
		bad("text behind another", frame{op: text, data: "x"}, frame{op: text, data: "hello"})
		bad("a ping behind a text", frame{op: ping}, frame{op: text, data: "hello"})
		bad("a fragment", frame{op: cont, data: "x"}, frame{op: text, more: true, data: "hello"})
		bad("a ping within a message", frame{op: ping}, frame{op: text, more: true, data: "hello"})
	}
	return rows
}

// opcodes is section 4: those that mean nothing.
func opcodes() (rows []row) {
	for _, op := range []websocket.Opcode{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		bad := func(name string, sends ...frame) {
			var gets []message
			if sends[0].op == text && !sends[0].more {
				gets = []message{{text, "hello"}}
			}
			rows = append(rows, refused(fmt.Sprintf("4 opcode %d, %s", op, name), websocket.ProtocolError, sends, gets...))
		}
		bad("empty", frame{op: op})
		bad("with a payload", frame{op: op, data: "x"})
		bad("behind a text, a ping behind it", frame{op: text, data: "hello"}, frame{op: op, data: "x"}, frame{op: ping})
		bad("within a message", frame{op: text, more: true, data: "hello"}, frame{op: op, data: "x"})
	}
	return rows
}

// fragments is section 5: messages in several frames.
func fragments() (rows []row) {
	ab := pieces(text, "hello, world", 5)
	within := func(f ...frame) []frame { return append(append([]frame{ab[0]}, f...), ab[1]) }
	add := func(name string, sends []frame, gets ...message) {
		for _, chop := range []int{0, 1} {
			rows = append(rows, row{name: fmt.Sprintf("5 %s, chopped %d", name, chop), sends: sends, gets: gets, chop: chop})
		}
	}
	bad := func(name string, sends []frame, gets ...message) {
		rows = append(rows, refused("5 "+name, websocket.ProtocolError, sends, gets...))
	}
	whole := message{text, "hello, world"}
	bad("a ping in fragments", pieces(ping, "ab", 1))
	bad("a pong in fragments", pieces(pong, "ab", 1))
	bad("a close frame in fragments", pieces(bye, closing(1000, ""), 1))
	bad("an empty ping in fragments", pieces(ping, "", 0))
	add("two fragments", ab, whole)
	add("a ping between fragments", within(frame{op: ping, data: "ping"}), message{pong, "ping"}, whole)
	add("a pong between fragments", within(frame{op: pong, data: "pong"}), whole)
	add("ten pings between fragments", within(numbered(ping, 10)...), append(pongs(10), whole)...)
	add("a ping behind each of five fragments", pinged(pieces(text, "hello, world", 2, 4, 6, 8)), append(pongs(5), whole)...)
	add("empty fragments", pieces(text, "", 0, 0), message{text, ""})
	add("empty fragments of bytes", pieces(binary, "", 0, 0), message{binary, ""})
	add("empty fragments around others", pieces(text, "hello, world", 0, 5, 5, 12), whole)
	add("an empty one last", pieces(text, "hello, world", 12), whole)
	add("125 bytes in single ones", pieces(binary, noise(125), every(125, 1)...), message{binary, noise(125)})
	add("two messages", append(pieces(text, "hello, world", 3), pieces(binary, "hello, world", 7)...), whole, message{binary, "hello, world"})
	for _, op := range []websocket.Opcode{text, binary} {
		bad(fmt.Sprintf("opcode %d within a message", op), within(frame{op: op, data: "x"}))
		bad(fmt.Sprintf("opcode %d in fragments within a message", op), within(pieces(op, "xy", 1)...))
	}
	bad("a fragment of nothing", []frame{{op: cont, data: "x"}, {op: text, data: "x"}})
	bad("an empty fragment of nothing", []frame{{op: cont}})
	bad("a fragment of nothing that is not the last", []frame{{op: cont, more: true, data: "x"}, {op: cont, data: "x"}})
	bad("a fragment behind a message", []frame{{op: text, data: "hello, world"}, {op: cont, data: "x"}}, whole)
	bad("a fragment behind a message of several", append(pieces(text, "hello, world", 5), frame{op: cont, more: true}), whole)
	bad("a fragment of nothing, three times", []frame{{op: cont, more: true, data: "x"}, {op: text, data: "x"}, {op: cont, more: true, data: "x"}, {op: text, data: "x"}})
	return rows
}

// numbered are n frames, numbered, and pongs what answers n pings.
func numbered(op websocket.Opcode, n int) (all []frame) {
	for i := range n {
		all = append(all, frame{op: op, data: fmt.Sprint("ping ", i)})
	}
	return all
}

func pongs(n int) (all []message) {
	for i := range n {
		all = append(all, message{pong, fmt.Sprint("ping ", i)})
	}
	return all
}

// pinged has a ping behind each frame.
func pinged(frames []frame) (all []frame) {
	for i, f := range frames {
		all = append(all, f, frame{op: ping, data: fmt.Sprint("ping ", i)})
	}
	return all
}

// masks is section 10: a peer that masks where it must not, and the other way round.
func masks() []row {
	return []row{
		refused("10 text masked wrongly", websocket.ProtocolError, []frame{{op: text, data: "hello", wrong: true}}),
		refused("10 bytes masked wrongly", websocket.ProtocolError, []frame{{op: binary, data: "hello", wrong: true}}),
		refused("10 an empty frame masked wrongly", websocket.ProtocolError, []frame{{op: text, wrong: true}}),
		refused("10 a ping masked wrongly", websocket.ProtocolError, []frame{{op: ping, wrong: true}}),
		refused("10 a close frame masked wrongly", websocket.ProtocolError, []frame{{op: bye, data: closing(1000, ""), wrong: true}}),
		refused("10 a fragment masked wrongly", websocket.ProtocolError, []frame{{op: text, more: true, data: "a"}, {op: cont, data: "b", wrong: true}}),
		echo("10 a key of zeroes", text, "hello", frame{op: text, data: "hello", plain: true}),
		{name: "10 a ping with a key of zeroes", sends: []frame{{op: ping, data: "hello", plain: true}}, gets: []message{{pong, "hello"}}},
	}
}

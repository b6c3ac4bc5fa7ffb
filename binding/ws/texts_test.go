package ws_test

import (
	"fmt"
	"strings"

	"gozilla/wire/websocket"
)

// good are texts that are UTF-8: the first and the last code points of each length, around the surrogates, what no character
// is and may be sent all the same, and words.
var good = []string{
	"\x00", "\x7f", "\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufffd", "\ufffe", "\uffff", "\U00010000", "\U0010ffff", "\U0010fffe", "\U0001ffff", "\ufdd0", "\ufeff",
	"κόσμε", "Zażółć gęślą jaźń", "日本語のテキスト", "𝄞 clef", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "a\u0301", "x\ufeffy",
	"hello\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1", "\u2260 \u00e9 \u2028", strings.Repeat("\U0001f600", 100),
}

// bad are texts that are not: why, and the first bytes after which that is clear are the text.
var bad = []struct{ why, data string }{
	{"a continuation byte", "\x80"}, {"the last continuation byte", "\xbf"}, {"two continuation bytes", "\x80\xbf"}, {"one behind a character", "\xc3\xbc\x80"},
	{"0xfe", "\xfe"}, {"0xff", "\xff"}, {"0xf5", "\xf5"}, {"0xf8, five bytes", "\xf8\x88"}, {"0xfc, six bytes", "\xfc\x84"},
	{"a first byte of two, alone", "\xc3 "}, {"of three, alone", "\xe0 "}, {"of four, alone", "\xf0 "},
	{"a cut one of three", "\xe3\x81x"}, {"a cut one of four", "\xf0\x9f\x98x"}, {"two first bytes", "\xc3\xc3"},
	{"an overlong / of two", "\xc0\xaf"}, {"of three", "\xe0\x80"}, {"of four", "\xf0\x80"}, {"an overlong zero", "\xc0\x80"},
	{"an overlong 0x7f", "\xc1\xbf"}, {"an overlong 0x7ff", "\xe0\x9f"}, {"an overlong 0xffff", "\xf0\x8f"},
	{"the first surrogate", "\xed\xa0"}, {"the last surrogate", "\xed\xbf"}, {"a pair of surrogates", "\xed\xa0\x80\xed\xb0\x80"},
	{"beyond the last code point", "\xf4\x90"}, {"far beyond", "\xf7\xbf"}, {"κόσμε and a surrogate", "κόσμε\xed\xa0"},
}

// texts is section 6: UTF-8.
func texts() (rows []row) {
	for i, s := range good {
		name := fmt.Sprintf("6 good %d", i)
		cut := len(s) / 2
		rows = append(rows, echo(name, text, s, frame{op: text, data: s}), echo(name+" in two fragments", text, s, pieces(text, s, cut)...))
		if len(s) < 60 {
			rows = append(rows, echo(name+" in single bytes", text, s, pieces(text, s, every(len(s), 1)...)...))
		}
	}
	for _, c := range bad {
		rows = append(rows, refused("6 bad, "+c.why, websocket.InvalidPayload, []frame{{op: text, data: c.data}}),
			// the message never ends: who finds out at its end does not answer
			refused("6 bad, "+c.why+", in the first fragment", websocket.InvalidPayload, []frame{{op: text, more: true, data: "before " + c.data}}),
			refused("6 bad, "+c.why+", in single bytes", websocket.InvalidPayload, unending(pieces(text, "before "+c.data, every(7+len(c.data), 1)...))))
	}
	for _, s := range []string{"ü", "€", "\U0001f600"} {
		for n := 1; n < len(s); n++ {
			rows = append(rows, refused(fmt.Sprintf("6 %d bytes of %s at the end", n, s), websocket.InvalidPayload, []frame{{op: text, data: "x" + s[:n]}}),
				refused(fmt.Sprintf("6 %d bytes of %s at the end of fragments", n, s), websocket.InvalidPayload, pieces(text, "x"+s[:n], 1, 1+n)))
		}
	}
	bytes := echo("6 bytes may be anything", binary, "\xff\xfe\x80", frame{op: binary, data: "\xff\xfe\x80"})
	far := strings.Repeat("grüße ", 20000)
	return append(rows, bytes,
		echo("6 a ping within a character", text, "grüße", pieces(text, "grüße", 3)...),
		row{name: "6 a ping of bytes within a character", sends: []frame{{op: text, more: true, data: "gr\xc3"}, {op: ping, data: "\xff"}, {op: cont, data: "\xbc"}},
			gets: []message{{pong, "\xff"}, {text, "grü"}}},
		refused("6 bad at the end of a long one that never ends", websocket.InvalidPayload, []frame{{op: text, data: far + "\xff", says: 1 << 20, form: 8}}),
		refused("6 bad behind a good one", websocket.InvalidPayload, []frame{{op: text, data: "ü"}, {op: text, data: "\xbc"}}, message{text, "ü"}))
}

func unending(frames []frame) []frame {
	for i := range frames {
		frames[i].more = true
	}
	return frames
}

// closes is section 7: goodbyes.
func closes() (rows []row) {
	says := func(name, payload string, code websocket.Code, before ...frame) {
		rows = append(rows, refused("7 "+name, code, append(before, frame{op: bye, data: payload})))
	}
	for _, c := range []websocket.Code{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999, 4000, 4001, 4999} {
		says(fmt.Sprint("code ", int(c)), closing(c, ""), c)
		says(fmt.Sprint("code ", int(c), " and a reason"), closing(c, "since I say so"), c)
	}
	for _, c := range []websocket.Code{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 9999, 65535} {
		says(fmt.Sprint("code ", int(c), ", which is none"), closing(c, ""), websocket.ProtocolError)
	}
	says("no code", "", websocket.NoStatus)
	says("one byte", "\x03", websocket.ProtocolError)
	says("a reason of 123 bytes", closing(1000, strings.Repeat("x", 123)), 1000)
	says("a reason of 124 bytes", closing(1000, strings.Repeat("x", 124)), websocket.ProtocolError)
	says("a reason of letters", closing(1000, "grüße"), 1000)
	says("a reason that is not UTF-8", closing(1000, "\xff"), websocket.InvalidPayload)
	says("a reason that ends within a character", closing(1000, "gr\xc3"), websocket.InvalidPayload)
	says("a reason with a surrogate", closing(1000, "\xed\xa0\x80"), websocket.InvalidPayload)
	says("within a message", closing(1000, ""), 1000, frame{op: text, more: true, data: "hel"})
	behind := func(name string, code websocket.Code, after ...frame) {
		rows = append(rows, refused("7 "+name+" behind it", code, append([]frame{{op: bye, data: closing(code, "")}}, after...)))
	}
	behind("a text", 1000, frame{op: text, data: "x"})
	behind("a ping", 1000, frame{op: ping, data: "x"})
	behind("another", 1001, frame{op: bye, data: closing(1000, "")})
	behind("what is no frame", 1000, frame{op: 7, rsv: 7, data: "x"})
	behind("a long message", 1000, frame{op: binary, data: noise(256 << 10)})
	hello := frame{op: text, data: "hello"}
	return append(rows,
		refused("7 behind a message", 1000, []frame{hello, {op: bye, data: closing(1000, "")}}, message{text, "hello"}),
		refused("7 behind a message, without a code", websocket.NoStatus, []frame{hello, {op: bye}}, message{text, "hello"}),
		refused("7 behind a long message", 1000, []frame{{op: text, data: long(256 << 10)}, {op: bye, data: closing(1000, "")}}, message{text, long(256 << 10)}),
		refused("7 behind a ping", 1000, []frame{{op: ping, data: "x"}, {op: bye, data: closing(1000, "")}}, message{pong, "x"}),
		row{name: "7 in single bytes", sends: []frame{{op: bye, data: closing(3000, "since I say so")}}, code: 3000, chop: 1})
}

// large is section 9: long messages, in frames and writes of several sizes.
func large(most int) (rows []row) {
	for _, k := range kinds {
		for size := 64 << 10; size <= most; size *= 4 {
			data := k.of(size)
			rows = append(rows, echo(fmt.Sprintf("9 %s of %d KiB", k.name, size>>10), k.op, data, frame{op: k.op, data: data}),
				echo(fmt.Sprintf("9 %s of %d KiB in fragments", k.name, size>>10), k.op, data, pieces(k.op, data, every(size, size/7)...)...))
		}
		data := k.of(min(most, 256<<10))
		for _, n := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10} {
			r := echo(fmt.Sprintf("9 %s in writes of %d", k.name, n), k.op, data, frame{op: k.op, data: data})
			r.chop = n
			rows = append(rows, r, echo(fmt.Sprintf("9 %s in fragments of %d", k.name, n), k.op, data, pieces(k.op, data, every(len(data), n)...)...))
		}
		var many []frame
		var back []message
		for i := range 300 {
			many = append(many, frame{op: k.op, data: k.of(i * 7)})
			back = append(back, message{k.op, k.of(i * 7)})
		}
		rows = append(rows, row{name: fmt.Sprintf("9 300 messages, %s", k.name), sends: many, gets: back})
	}
	return rows
}

package h2_test

import (
	"strings"
	"testing"

	"gozilla/stream/web/webtest"
	wire "gozilla/wire/h2"
)

// malformed are requests that are none (section 8.1.1): their streams are reset, with PROTOCOL_ERROR, and others go on.
var malformed = []struct {
	name  string
	block []byte
}{
	{"no :method", fields(":scheme", "http", ":authority", "x", ":path", "/")},
	{"no :scheme", fields(":method", "GET", ":authority", "x", ":path", "/")},
	{"no :path", fields(":method", "GET", ":scheme", "http", ":authority", "x")},
	{"an empty :path", ask("GET", "")},
	{"an empty :method", ask("", "/")},
	{"a :method that is no token", ask("G T", "/")},
	{"no fields", nil},
	{"no pseudo-header fields", fields("host", "x")},
	{":method twice", ask("GET", "/", ":method", "GET")},
	{":path twice", ask("GET", "/", ":path", "/")},
	{":scheme twice", ask("GET", "/", ":scheme", "http")},
	{":authority twice", ask("GET", "/", ":authority", "x")},
	{":path behind a field", fields(":method", "GET", ":scheme", "http", ":authority", "x", "a", "b", ":path", "/")},
	{":authority behind a field", fields(":method", "GET", ":scheme", "http", ":path", "/", "a", "b", ":authority", "x")},
	{"an unknown one", ask("GET", "/", ":what", "x")},
	{":", ask("GET", "/", ":", "x")},
	{":status", ask("GET", "/", ":status", "200")},
	{":protocol, but not CONNECT", ask("GET", "/", ":protocol", "websocket")},
	{"upper case", ask("GET", "/", "X", "y")},
	{"upper case in a pseudo-header field", fields(":Method", "GET", ":scheme", "http", ":authority", "x", ":path", "/")},
	{"a field without a name", ask("GET", "/", "", "x")},
	{"a space in a name", ask("GET", "/", "a b", "x")},
	{"a colon in a name", ask("GET", "/", "a:b", "x")},
	{"CR in a name", ask("GET", "/", "a\rb", "x")},
	{"LF in a value", ask("GET", "/", "a", "x\ny: z")},
	{"CR in a value", ask("GET", "/", "a", "x\ry")},
	{"NUL in a value", ask("GET", "/", "a", "x\x00y")},
	{"a space before a value", ask("GET", "/", "a", " x")},
	{"a tab behind a value", ask("GET", "/", "a", "x\t")},
	{"LF in a cookie", ask("GET", "/", "cookie", "x\ny")},
	{"connection", ask("GET", "/", "connection", "close")},
	{"keep-alive", ask("GET", "/", "keep-alive", "1")},
	{"proxy-connection", ask("GET", "/", "proxy-connection", "close")},
	{"transfer-encoding", ask("POST", "/", "transfer-encoding", "chunked")},
	{"upgrade", ask("GET", "/", "upgrade", "websocket")},
	{"te", ask("GET", "/", "te", "gzip")},
	{"te with more", ask("GET", "/", "te", "trailers, gzip")},
	{"two hosts", ask("GET", "/", "host", "x", "host", "y")},
	{"a length, but no body", ask("POST", "/", "content-length", "4")},
	{"two lengths", ask("POST", "/", "content-length", "4", "content-length", "5")},
	{"no number", ask("POST", "/", "content-length", "x")},
	{"no number at all", ask("POST", "/", "content-length", "")},
	{"a sign", ask("POST", "/", "content-length", "+0")},
	{"a list of lengths", ask("POST", "/", "content-length", "0, 0")},
	{"a number that is too large", ask("POST", "/", "content-length", "18446744073709551616")},
	{"a CONNECT with :path", fields(":method", "CONNECT", ":authority", "x:1", ":path", "/")},
	{"a CONNECT with :scheme", fields(":method", "CONNECT", ":authority", "x:1", ":scheme", "http")},
	{"a CONNECT without :authority", fields(":method", "CONNECT")},
	{"a CONNECT for a protocol, without :path", fields(":method", "CONNECT", ":authority", "x:1", ":protocol", "websocket", ":scheme", "http")},
	{"a CONNECT for a protocol, without :scheme", fields(":method", "CONNECT", ":authority", "x:1", ":protocol", "websocket", ":path", "/")},
	{"a CONNECT for no protocol", fields(":method", "CONNECT", ":authority", "x:1", ":protocol", "", ":scheme", "http", ":path", "/")},
	{"a CONNECT for two protocols", fields(":method", "CONNECT", ":authority", "x:1", ":protocol", "websocket, h2c", ":scheme", "http", ":path", "/")},
}

// faults of streams are answered with RST_STREAM, those of connections with GOAWAY. What is said comes behind the preface.
var faults = []struct {
	name string
	say  []byte
	hear []string
}{
	{"a body that is too long", cat(post(1, "/echo", "content-length", "4"), data(1, "body!")), []string{"1 !PROTOCOL_ERROR"}},
	{"a body that is too short", cat(post(1, "/echo", "content-length", "4"), last(1, "bod")), []string{"1 !PROTOCOL_ERROR"}},
	{"no body", cat(post(1, "/echo", "content-length", "4"), last(1, "")), []string{"1 !PROTOCOL_ERROR"}},
	{"a body that is too short, and a trailer", cat(post(1, "/echo", "content-length", "4"), heads(1, wire.EndStream, nil)), []string{"1 !PROTOCOL_ERROR"}},
	{"a body where there is none", cat(post(1, "/echo", "content-length", "0"), data(1, "x")), []string{"1 !PROTOCOL_ERROR"}},
	{"a trailer that does not end", cat(post(1, "/echo"), heads(1, 0, fields("a", "b"))), []string{"1 !PROTOCOL_ERROR"}},
	{"a trailer with :path", cat(post(1, "/echo"), heads(1, wire.EndStream, fields(":path", "/"))), []string{"1 !PROTOCOL_ERROR"}},
	{"a trailer in upper case", cat(post(1, "/echo"), heads(1, wire.EndStream, fields("A", "b"))), []string{"1 !PROTOCOL_ERROR"}},
	{"a trailer that is too long", cat(post(1, "/echo"), long(1, wire.EndStream, nil)), []string{"1 !ENHANCE_YOUR_CALM"}},
	{"DATA behind the end", cat(post(1, "/wait"), last(1, "x"), data(1, "x")), []string{"1 !STREAM_CLOSED"}},
	{"HEADERS behind the end", cat(get(1, "/wait"), heads(1, wire.EndStream, nil)), []string{"1 !STREAM_CLOSED"}},
	{"a stream that depends on itself", frame(wire.Headers, wire.Prioritied|wire.EndHeaders|wire.EndStream, 1, cat([]byte{0, 0, 0, 1, 15}, ask("GET", "/"))), []string{"1 !PROTOCOL_ERROR"}},
	{"a PRIORITY of itself", cat(get(1, "/wait"), wire.AppendPriority(nil, 1, 1, 1, false)), []string{"1 !PROTOCOL_ERROR"}},
	{"a short PRIORITY", cat(get(1, "/wait"), frame(wire.Priority, 0, 1, make([]byte, 4))), []string{"1 !FRAME_SIZE_ERROR"}},
	{"a window opened by nothing", cat(get(1, "/wait"), window(1, 0)), []string{"1 !PROTOCOL_ERROR"}},
	{"a window that is too large", cat(get(1, "/wait"), window(1, 1<<31-1)), []string{"1 !FLOW_CONTROL_ERROR"}},
	{"more than the window allows", cat(post(1, "/wait"), bulk(1, 65536)), []string{"1 !FLOW_CONTROL_ERROR"}},

	{"HEADERS on no stream", frame(wire.Headers, wire.EndHeaders, 0, ask("GET", "/")), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"DATA on no stream", data(0, "x"), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"RST_STREAM on no stream", reset(0, wire.Cancel), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"PRIORITY on no stream", wire.AppendPriority(nil, 0, 1, 1, false), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"CONTINUATION on no stream", frame(wire.Continuation, wire.EndHeaders, 0, nil), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"SETTINGS on a stream", frame(wire.Settings, 0, 1, nil), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"PING on a stream", frame(wire.Ping, 0, 1, make([]byte, 8)), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"GOAWAY on a stream", frame(wire.GoAway, 0, 1, make([]byte, 8)), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"an even stream", get(2, "/"), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"a stream that was left out", cat(get(5, "/wait"), get(3, "/")), []string{"goaway 5 PROTOCOL_ERROR"}},
	{"a stream of long ago", cat(get(1, "/wait"), get(201, "/wait"), get(101, "/")), []string{"goaway 201 PROTOCOL_ERROR"}},
	{"DATA on an idle stream", cat(get(1, "/wait"), data(3, "x")), []string{"goaway 1 PROTOCOL_ERROR"}},
	{"DATA on an idle stream of ours", data(2, "x"), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"RST_STREAM on an idle stream", reset(1, wire.Cancel), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"WINDOW_UPDATE on an idle stream", window(1, 1), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"WINDOW_UPDATE by nothing on an idle stream", window(1, 0), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"WINDOW_UPDATE by nothing", cat(get(1, "/wait"), window(0, 0)), []string{"goaway 1 PROTOCOL_ERROR"}},
	{"a window of the connection that is too large", window(0, 1<<31-1), []string{"goaway 0 FLOW_CONTROL_ERROR"}},
	{"windows that are too large by settings", cat(get(1, "/wait"), window(1, 1<<31-1-65535), settings(wire.Setting{ID: wire.InitialWindow, Value: 65536})), []string{"goaway 1 FLOW_CONTROL_ERROR"}},
	{"ENABLE_PUSH 2", settings(wire.Setting{ID: wire.EnablePush, Value: 2}), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"INITIAL_WINDOW_SIZE 2^31", settings(wire.Setting{ID: wire.InitialWindow, Value: 1 << 31}), []string{"goaway 0 FLOW_CONTROL_ERROR"}},
	{"MAX_FRAME_SIZE 16383", settings(wire.Setting{ID: wire.MaxFrameSize, Value: 16383}), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"MAX_FRAME_SIZE 2^24", settings(wire.Setting{ID: wire.MaxFrameSize, Value: 1 << 24}), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"ENABLE_CONNECT_PROTOCOL 2", settings(wire.Setting{ID: wire.EnableConnect, Value: 2}), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"half a setting", frame(wire.Settings, 0, 0, make([]byte, 5)), []string{"goaway 0 FRAME_SIZE_ERROR"}},
	{"an acknowledgement with settings", frame(wire.Settings, wire.Ack, 0, make([]byte, 6)), []string{"goaway 0 FRAME_SIZE_ERROR"}},
	{"a long PING", frame(wire.Ping, 0, 0, make([]byte, 9)), []string{"goaway 0 FRAME_SIZE_ERROR"}},
	{"a short RST_STREAM", cat(get(1, "/wait"), frame(wire.Reset, 0, 1, make([]byte, 3))), []string{"goaway 1 FRAME_SIZE_ERROR"}},
	{"a short WINDOW_UPDATE", frame(wire.Window, 0, 0, make([]byte, 3)), []string{"goaway 0 FRAME_SIZE_ERROR"}},
	{"a short GOAWAY", frame(wire.GoAway, 0, 0, make([]byte, 7)), []string{"goaway 0 FRAME_SIZE_ERROR"}},
	{"a frame that is too long", cat(post(1, "/wait"), frame(wire.Data, 0, 1, make([]byte, 16385))), []string{"goaway 1 FRAME_SIZE_ERROR"}},
	{"an unknown frame that is too long", frame(0x42, 0, 0, make([]byte, 16385)), []string{"goaway 0 FRAME_SIZE_ERROR"}},
	{"DATA with no room for its padding", cat(post(1, "/wait"), frame(wire.Data, wire.Padded, 1, nil)), []string{"goaway 1 FRAME_SIZE_ERROR"}},
	{"DATA with too much padding", cat(post(1, "/wait"), frame(wire.Data, wire.Padded, 1, []byte{4, 0, 0, 0})), []string{"goaway 1 PROTOCOL_ERROR"}},
	{"HEADERS with too much padding", frame(wire.Headers, wire.Padded|wire.EndHeaders, 1, []byte{4, 0, 0, 0}), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"PUSH_PROMISE", cat(get(1, "/wait"), wire.AppendPromise(nil, 1, 2, nil)), []string{"goaway 1 PROTOCOL_ERROR"}},
	{"CONTINUATION without HEADERS", frame(wire.Continuation, wire.EndHeaders, 1, nil), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"CONTINUATION behind the end", cat(get(1, "/wait"), frame(wire.Continuation, wire.EndHeaders, 1, nil)), []string{"goaway 1 PROTOCOL_ERROR"}},
	{"CONTINUATION of another stream", cat(frame(wire.Headers, 0, 1, nil), frame(wire.Continuation, wire.EndHeaders, 3, nil)), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"PING within a block", cat(frame(wire.Headers, 0, 1, nil), ping("12345678")), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"HEADERS within a block", cat(frame(wire.Headers, 0, 1, nil), get(3, "/")), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"an unknown frame within a block", cat(frame(wire.Headers, 0, 1, nil), frame(0x42, 0, 1, nil)), []string{"goaway 0 PROTOCOL_ERROR"}},
	{"an index that is none", heads(1, wire.EndStream, []byte{number62}), []string{"goaway 0 COMPRESSION_ERROR"}},
	{"half a field", heads(1, wire.EndStream, literal("abc", "def")[:4]), []string{"goaway 0 COMPRESSION_ERROR"}},
	{"a table that is too large", heads(1, wire.EndStream, cat([]byte{0x3f, 0xe2, 0x1f}, ask("GET", "/"))), []string{"goaway 0 COMPRESSION_ERROR"}},
	{"many small pieces of a block", cat(frame(wire.Headers, 0, 1, nil), repeat(64, frame(wire.Continuation, 0, 1, []byte{number62 - 62 + 2}))), []string{"goaway 0 ENHANCE_YOUR_CALM"}},
}

func repeat(n int, p []byte) (b []byte) {
	for range n {
		b = append(b, p...)
	}
	return b
}

// bulk is n bytes of a body.
func bulk(stream uint32, n int) (b []byte) {
	for ; n > 0; n -= wire.FrameSize {
		b = wire.AppendData(b, stream, 0, make([]byte, min(n, wire.FrameSize)))
	}
	return b
}

// long is a block with more than a head may have, behind other fields.
func long(stream uint32, flags wire.Flags, block []byte) []byte {
	b := wire.BeginBlock(nil)
	b = append(b, block...)
	b = wire.AppendField(b, "long", strings.Repeat("x", 65<<10))
	b = append(b, literal("a", "b")...)
	return wire.EndBlock(b, 0, stream, flags, wire.FrameSize)
}

func TestFaults(t *testing.T) {
	for _, o := range webtest.Over {
		r := newRig(t)
		r.Rests()
		d := o.Of(r.Rig, server(waits))
		for _, c := range malformed {
			t.Run(o.Name+"/"+c.name, func(t *testing.T) {
				h := (&rig{&webtest.Rig{TB: t, Host: r.Host}}).greeted(d)
				h.say(heads(1, wire.EndStream, c.block))
				h.hear("1 !PROTOCOL_ERROR")
				h.works(3)
				h.Close()
			})
		}
		for _, c := range faults {
			t.Run(o.Name+"/"+c.name, func(t *testing.T) {
				h := (&rig{&webtest.Rig{TB: t, Host: r.Host}}).greeted(d)
				h.say(c.say)
				h.hear(c.hear...)
				if strings.HasPrefix(c.hear[0], "goaway") {
					h.ends("fin")
				} else {
					h.works(3)
					h.Close()
				}
			})
		}
	}
}

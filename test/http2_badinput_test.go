package test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// What is wrong with a request ends its stream, with a reset or an answer; what is wrong with a connection ends that.
type offence struct {
	name   string
	says   func(k *talker)
	stream http2.ErrCode // that stream 1 is reset with; or
	status string        // that it is answered by; or
	conn   []http2.ErrCode
}

// malformed are requests on stream 1 that are not to be served.
func malformed() (all []offence) {
	add := func(name string, fields ...string) {
		all = append(all, offence{name: name, stream: http2.ErrCodeProtocol, says: func(k *talker) { k.asks(1, true, fields...) }})
	}
	add("no :method", ":scheme", "http", ":authority", "a", ":path", "/")
	add("no :scheme", ":method", "GET", ":authority", "a", ":path", "/")
	add("no :path", ":method", "GET", ":scheme", "http", ":authority", "a")
	add("an empty :path", ":method", "GET", ":scheme", "http", ":authority", "a", ":path", "")
	add("a :path without a slash", ":method", "GET", ":scheme", "http", ":authority", "a", ":path", "a")
	add("two :method", get("/", ":method", "GET")...)
	add("two :path", get("/", ":path", "/")...)
	add("two :authority", get("/", ":authority", "a.example")...)
	add("a late pseudo-header", ":method", "GET", ":scheme", "http", ":path", "/", "x-a", "b", ":authority", "a")
	add("an unknown pseudo-header", append([]string{":unknown", "a"}, get("/")...)...)
	add(":status", append([]string{":status", "200"}, get("/")...)...)
	add("an upper-case name", get("/", "X-A", "b")...)
	add("connection", get("/", "connection", "keep-alive")...)
	add("keep-alive", get("/", "keep-alive", "timeout=5")...)
	add("proxy-connection", get("/", "proxy-connection", "close")...)
	add("transfer-encoding", get("/", "transfer-encoding", "chunked")...)
	add("upgrade", get("/", "upgrade", "websocket")...)
	add("te", get("/", "te", "gzip")...)
	add("a newline in a value", get("/", "x-a", "b\r\nx-c: d")...)
	add("a zero in a value", get("/", "x-a", "b\x00")...)
	add("a space before a value", get("/", "x-a", " b")...)
	add("a space in a name", get("/", "x a", "b")...)
	add("a colon in a name", get("/", "x:a", "b")...)
	add("an empty name", get("/", "", "b")...)
	add("a newline in :path", get("/\r\nx-c: d")...)
	add("a space in :path", get("/a b")...)
	add("a method that is none", fieldsOf("GE T", "/")...)
	add("another host", get("/", "host", "b.example")...)
	add("CONNECT with a :path", fieldsOf("CONNECT", "/")...)
	add("content-length without a body", fieldsOf("POST", "/", "content-length", "5")...)
	add("two lengths", fieldsOf("POST", "/", "content-length", "0", "content-length", "1")...)
	add("a length that is no number", fieldsOf("POST", "/", "content-length", "+0")...)
	body := func(name string, length string, parts ...string) {
		all = append(all, offence{name: name, stream: http2.ErrCodeProtocol, says: func(k *talker) {
			k.asks(1, false, fieldsOf("POST", "/", "content-length", length)...)
			for i, p := range parts {
				k.data(1, i == len(parts)-1, []byte(p))
			}
		}})
	}
	body("too long", "5", "hello, world")
	body("too short", "50", "hello")
	body("too long by a piece", "5", "hello", "!")
	all = append(all,
		offence{name: "trailers that do not end", stream: http2.ErrCodeProtocol, says: func(k *talker) {
			k.asks(1, false, fieldsOf("POST", "/")...)
			k.asks(1, false, "x-a", "b")
		}},
		offence{name: "a pseudo-header in trailers", stream: http2.ErrCodeProtocol, says: func(k *talker) {
			k.asks(1, false, fieldsOf("POST", "/")...)
			k.asks(1, true, ":path", "/")
		}},
		offence{name: "DATA after the end", stream: http2.ErrCodeStreamClosed, says: func(k *talker) {
			k.asks(1, true, get("/late")...)
			k.data(1, true, []byte("more"))
		}},
		offence{name: "an increment of nothing", stream: http2.ErrCodeProtocol, says: func(k *talker) {
			k.asks(1, false, fieldsOf("POST", "/late")...)
			k.window(1, 0)
		}},
		offence{name: "a window that is too large", stream: http2.ErrCodeFlowControl, says: func(k *talker) {
			k.asks(1, false, fieldsOf("POST", "/late")...)
			k.window(1, 1<<31-1)
		}},
		offence{name: "a head that is too large", status: "431", says: func(k *talker) {
			k.say(func() error {
				k.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: k.encode(get("/")...), EndStream: true})
				for i := range 8 { // a little; what is too large by far ends the connection
					if err := k.fr.WriteContinuation(1, i == 7, k.encode("x-a", strings.Repeat("b", 10000))); err != nil {
						return err
					}
				}
				return nil
			})
		}},
	)
	return all
}

// lost are things said that end a connection.
func lost() []offence {
	raw := func(kind http2.FrameType, flags http2.Flags, stream uint32, payload ...byte) func(k *talker) {
		return func(k *talker) { k.say(func() error { return k.fr.WriteRawFrame(kind, flags, stream, payload) }) }
	}
	protocol, size, compression := []http2.ErrCode{http2.ErrCodeProtocol}, []http2.ErrCode{http2.ErrCodeFrameSize}, []http2.ErrCode{http2.ErrCodeCompression}
	flow := []http2.ErrCode{http2.ErrCodeFlowControl}
	return []offence{
		{name: "DATA on no stream", conn: protocol, says: raw(http2.FrameData, 0, 0, 1)},
		{name: "DATA on a stream that never was", conn: protocol, says: raw(http2.FrameData, 0, 5, 1)},
		{name: "HEADERS on no stream", conn: protocol, says: raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 0, 0x82)},
		{name: "an even stream", conn: protocol, says: raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 2, 0x82)},
		{name: "RST_STREAM of a stream that never was", conn: protocol, says: raw(http2.FrameRSTStream, 0, 5, 0, 0, 0, 8)},
		{name: "a short RST_STREAM", conn: size, says: func(k *talker) {
			k.asks(1, false, fieldsOf("POST", "/late")...)
			raw(http2.FrameRSTStream, 0, 1, 0)(k)
		}},
		{name: "WINDOW_UPDATE of a stream that never was", conn: protocol, says: raw(http2.FrameWindowUpdate, 0, 5, 0, 0, 0, 8)},
		{name: "WINDOW_UPDATE of nothing", conn: protocol, says: raw(http2.FrameWindowUpdate, 0, 0, 0, 0, 0, 0)},
		{name: "a window that is too large", conn: flow, says: raw(http2.FrameWindowUpdate, 0, 0, 0x7f, 0xff, 0xff, 0xff)},
		{name: "a short WINDOW_UPDATE", conn: size, says: raw(http2.FrameWindowUpdate, 0, 0, 0, 0, 1)},
		{name: "a short PING", conn: size, says: raw(http2.FramePing, 0, 0, 1)},
		{name: "PING on a stream", conn: protocol, says: raw(http2.FramePing, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8)},
		{name: "SETTINGS on a stream", conn: protocol, says: raw(http2.FrameSettings, 0, 1)},
		{name: "SETTINGS of five bytes", conn: size, says: raw(http2.FrameSettings, 0, 0, 0, 1, 0, 0, 0)},
		{name: "an acknowledgement with something in it", conn: size, says: raw(http2.FrameSettings, http2.FlagSettingsAck, 0, 0, 1, 0, 0, 0, 0)},
		{name: "ENABLE_PUSH of 2", conn: protocol, says: raw(http2.FrameSettings, 0, 0, 0, 2, 0, 0, 0, 2)},
		{name: "an initial window that is too large", conn: flow, says: raw(http2.FrameSettings, 0, 0, 0, 4, 0x80, 0, 0, 0)},
		{name: "a frame size that is too small", conn: protocol, says: raw(http2.FrameSettings, 0, 0, 0, 5, 0, 0, 0x3f, 0xff)},
		{name: "PUSH_PROMISE of a client", conn: protocol, says: func(k *talker) {
			k.asks(1, false, fieldsOf("POST", "/late")...)
			raw(http2.FramePushPromise, http2.FlagPushPromiseEndHeaders, 1, 0, 0, 0, 2, 0x82)(k)
		}},
		{name: "CONTINUATION of nothing", conn: protocol, says: raw(http2.FrameContinuation, http2.FlagContinuationEndHeaders, 1, 0x82)},
		{name: "a frame amid a head", conn: protocol, says: func(k *talker) {
			raw(http2.FrameHeaders, 0, 1, 0x82)(k)
			raw(http2.FramePing, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)(k)
		}},
		{name: "more padding than there is", conn: protocol, says: raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersPadded, 1, 9, 0x82)},
		{name: "an index that is none", conn: compression, says: raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, 0x80)},
		{name: "an index beyond the table", conn: compression, says: raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, 0xff, 0x7f)},
		{name: "a table that is too large", conn: compression, says: raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, 0x3f, 0xff, 0xff, 0x7f)},
		{name: "half a field", conn: compression, says: raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, 0x40, 0x0a, 'x')},
		{name: "a Huffman code that is none", conn: compression, says: raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, 0x40, 0x84, 0xff, 0xff, 0xff, 0xff, 0)},
		{name: "a frame that is too large", conn: size, says: raw(http2.FrameData, 0, 1, make([]byte, 1<<20)...)},
		{name: "a stream once more", conn: []http2.ErrCode{http2.ErrCodeStreamClosed, http2.ErrCodeProtocol}, says: func(k *talker) {
			k.has(3, "200", get("/")...)
			k.asks(3, true, get("/")...)
		}},
		{name: "a stream that was passed over", conn: []http2.ErrCode{http2.ErrCodeStreamClosed, http2.ErrCodeProtocol}, says: func(k *talker) {
			k.has(3, "200", get("/")...)
			k.asks(1, true, get("/")...)
		}},
	}
}

// stuck is a server of HTTP/1.1 that answers, unless it is asked to read nothing, or to be late.
func stuck(t testing.TB) *backend {
	gone := make(chan bool)
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stuck" || r.URL.Path == "/late" {
			select {
			case <-gone:
			case <-r.Context().Done():
			}
			return
		}
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "hello")
	}, bilingual)
	t.Cleanup(func() { close(gone) }) // before the server is closed, which waits for its answers
	return b
}

// TestHTTP2BadClients has clients break the rules of HTTP/2. What was said well before and after is served.
func TestHTTP2BadClients(t *testing.T) {
	t.Parallel()
	for _, versions := range []string{"http/1.1", "h2"} {
		t.Run("before "+versions, func(t *testing.T) {
			t.Parallel()
			b := stuck(t)
			port := freePort(t)
			g := h2Gateway(t, port, setting{server: "exit: out", client: speaks(versions), end: b.port})
			t.Run("streams", func(t *testing.T) {
				for _, c := range malformed() {
					t.Run(c.name, func(t *testing.T) {
						t.Parallel()
						k := speaking(t, port)
						c.says(k)
						switch a := k.hears(1); {
						case c.status != "" && a.status != c.status:
							t.Errorf("it gets %q, %v, want %s", a.status, a.code, c.status)
						case c.stream != 0 && a.code != c.stream && !(c.stream == http2.ErrCodeProtocol && a.status == "400"):
							t.Errorf("it gets %q, whole %v, %v, want %v", a.status, a.whole, a.code, c.stream)
						}
						k.has(3, "200", get("/")...)
						k.alive()
					})
				}
			})
			t.Run("connections", func(t *testing.T) {
				for _, c := range lost() {
					t.Run(c.name, func(t *testing.T) {
						t.Parallel()
						k := speaking(t, port)
						c.says(k)
						k.away(c.conn...)
						speaking(t, port).has(1, "200", get("/")...)
					})
				}
			})
			g.terminate()
		})
	}
}

// A client that sends more than it may loses the stream or the connection, and no memory is spent on it.
func TestHTTP2WindowOverflow(t *testing.T) {
	t.Parallel()
	b := stuck(t)
	port := freePort(t)
	g := h2Gateway(t, port, setting{server: "exit: out", client: speaks("http/1.1"), end: b.port})
	before := g.peak()
	for range 10 {
		k := speaking(t, port)
		k.asks(1, false, fieldsOf("POST", "/stuck")...)
		for range 4096 { // of 16 KiB: more than all windows grow to
			if k.try(func() error { return k.fr.WriteData(1, false, make([]byte, 16384)) }) != nil {
				break
			}
		}
		h := k.await("RST_STREAM or GOAWAY", func(h heard) bool { return h.Type == http2.FrameRSTStream || h.Type == http2.FrameGoAway })
		if h.code != http2.ErrCodeFlowControl {
			t.Errorf("%v", h)
		}
		speaking(t, port).has(1, "200", get("/")...)
	}
	g.took(t, before, 50)
	g.terminate()
}

// What is odd but right is served.
func TestHTTP2OddClients(t *testing.T) {
	b := stuck(t)
	port := freePort(t)
	g := h2Gateway(t, port, setting{server: "exit: out", client: speaks("http/1.1"), end: b.port})
	t.Run("cases", func(t *testing.T) {
		for name, says := range map[string]func(*testing.T, *talker){
			"an unknown frame": func(t *testing.T, k *talker) {
				k.say(func() error { return k.fr.WriteRawFrame(0xee, 0xff, 0, make([]byte, 100)) })
				k.has(1, "200", get("/")...)
				k.say(func() error { return k.fr.WriteRawFrame(0xee, 0xff, 1, make([]byte, 100)) })
			},
			"an unknown setting": func(t *testing.T, k *talker) {
				k.say(func() error { return k.fr.WriteSettings(http2.Setting{ID: 0xeeee, Val: 1}) })
				k.has(1, "200", get("/")...)
			},
			"PRIORITY": func(t *testing.T, k *talker) {
				k.say(func() error { return k.fr.WritePriority(101, http2.PriorityParam{StreamDep: 99}) })
				k.has(1, "200", get("/")...)
			},
			"no authority, but a host": func(t *testing.T, k *talker) {
				k.has(1, "200", ":method", "GET", ":scheme", "http", ":path", "/", "host", "a.example")
			},
			"the same host twice over": func(t *testing.T, k *talker) { k.has(1, "200", get("/", "host", "a.example")...) },
			"another scheme": func(t *testing.T, k *talker) {
				k.has(1, "200", ":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/")
			},
			"OPTIONS *":    func(t *testing.T, k *talker) { k.has(1, "200", fieldsOf("OPTIONS", "*")...) },
			"te: trailers": func(t *testing.T, k *talker) { k.has(1, "200", get("/", "te", "trailers")...) },
			"padding": func(t *testing.T, k *talker) {
				k.say(func() error {
					return k.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: k.encode(fieldsOf("POST", "/")...), EndHeaders: true, PadLength: 200})
				})
				for sent, window := 0, 65535; sent < 300_000; sent += 257 { // padding counts for windows, which are opened again for it
					for window < 2*257 {
						window += int(k.await("WINDOW_UPDATE", func(h heard) bool { return h.Type == http2.FrameWindowUpdate && h.StreamID == 1 }).last)
					}
					k.say(func() error { return k.fr.WriteDataPadded(1, false, []byte("a"), make([]byte, 255)) })
					window -= 257
				}
				k.say(func() error { return k.fr.WriteDataPadded(1, true, nil, make([]byte, 255)) })
				if a := k.hears(1); a.status != "200" {
					t.Errorf("%q, %v", a.status, a.code)
				}
			},
			"a head in many pieces": func(t *testing.T, k *talker) {
				k.say(func() error {
					block := k.encode(get("/", "x-a", "some value")...)
					for i := range block {
						var err error
						if i == 0 {
							err = k.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:1], EndStream: true})
						} else {
							err = k.fr.WriteContinuation(1, i == len(block)-1, block[i:i+1])
						}
						if err != nil {
							return err
						}
					}
					return nil
				})
				if a := k.hears(1); a.status != "200" {
					t.Errorf("%q, %v", a.status, a.code)
				}
			},
			"a table of another size": func(t *testing.T, k *talker) {
				k.enc.SetMaxDynamicTableSize(0)
				k.has(1, "200", get("/", "x-a", "b")...)
				k.enc.SetMaxDynamicTableSize(4096)
				k.has(3, "200", get("/", "x-a", "b")...)
				k.say(func() error { return k.fr.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0}) })
				k.has(5, "200", get("/", "x-a", "b")...)
			},
			"WINDOW_UPDATE and RST_STREAM after the end": func(t *testing.T, k *talker) {
				k.has(1, "200", get("/")...)
				k.window(1, 10)
				k.say(func() error { return k.fr.WriteRSTStream(1, http2.ErrCodeCancel) })
			},
			"streams with gaps": func(t *testing.T, k *talker) {
				k.has(7, "200", get("/")...)
				k.has(1001, "200", get("/")...)
				k.has(1<<31-1, "200", get("/")...)
			},
			"a body of nothing": func(t *testing.T, k *talker) {
				k.asks(1, false, fieldsOf("POST", "/", "content-length", "0")...)
				k.data(1, true, nil)
				if a := k.hears(1); a.status != "200" {
					t.Errorf("%q, %v", a.status, a.code)
				}
			},
			"GOAWAY, and then more": func(t *testing.T, k *talker) { // which is about streams that the server begins
				k.say(func() error { return k.fr.WriteGoAway(0, http2.ErrCodeNo, nil) })
				k.asks(1, true, get("/")...)
				if h, ok := k.take(of(1)); ok && h.field(":status") != "200" {
					t.Errorf("%v", h)
				}
			},
			"as many streams as may be": func(t *testing.T, k *talker) {
				s := k.await("SETTINGS", func(h heard) bool { return h.Type == http2.FrameSettings && !h.Flags.Has(http2.FlagSettingsAck) })
				most, ok := s.settings[http2.SettingMaxConcurrentStreams]
				if !ok || most < 10 || most > 1000 {
					t.Fatalf("it takes %d streams", most)
				}
				for i := range most {
					k.asks(2*i+1, true, get("/late")...)
				}
				k.asks(2*most+1, true, get("/")...)
				if a := k.hears(2*most + 1); a.code != http2.ErrCodeRefusedStream {
					t.Errorf("one more gets %q, %v", a.status, a.code)
				}
				k.say(func() error { return k.fr.WriteRSTStream(1, http2.ErrCodeCancel) })
				k.has(2*most+3, "200", get("/")...)
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				k := speaking(t, port)
				says(t, k)
				if name == "GOAWAY, and then more" {
					return
				}
				k.alive()
			})
		}
	})
	g.terminate()
}

// TestHTTP2Prefaces has connections that do not begin as they should.
func TestHTTP2Prefaces(t *testing.T) {
	t.Parallel()
	b := stuck(t)
	clear, secure, only := freePort(t), freePort(t), freePort(t)
	s := newStage(t)
	g := h2Gateway(t, clear, setting{stage: s, server: "exit: out", client: speaks("http/1.1"), end: b.port, args: limit("headtime", "2s"), more: fmt.Sprintf(
		"  secure: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: tls }\n"+
			"  tls: { type: tls, kind: server, vault: safe, options: { keys: [ localhost ], alpn: [ h2, http/1.1 ] }, exit: in }\n"+
			"  only: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: two }\n"+
			"  two: { type: http, kind: server, options: { versions: [ h2 ] }, exit: out }\nvaults: { safe: { type: filesystem, options: { keys: { store: localhost.p12, password: %s } } } }\n", secure, only, password)})
	config := s.config()
	config.NextProtos = []string{"h2"}
	t.Run("HTTP/1.1 where h2 was agreed on", func(t *testing.T) {
		c, err := secureNow(secure, config)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		io.WriteString(c, plainGet)
		got, _ := io.ReadAll(c) // how the connection ends does not matter
		if strings.Contains(string(got), "hello") || strings.HasPrefix(string(got), "HTTP/1.1 200") {
			t.Errorf("it is told %q", got)
		}
	})
	t.Run("h2 where it was not agreed on", func(t *testing.T) {
		config := s.config()
		config.NextProtos = []string{"http/1.1"}
		c, err := secureNow(secure, config)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		io.WriteString(c, http2.ClientPreface)
		if r, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil && r.StatusCode < 400 {
			t.Errorf("it is told %s", r.Status)
		}
	})
	t.Run("agreed on, and well", func(t *testing.T) {
		c, err := secureNow(secure, config)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		speak(t, c).has(1, "200", get("/")...)
	})
	for name, says := range map[string]string{
		"half a preface": http2.ClientPreface[:10], "garbage": http2.ClientPreface[:17] + "\r\nXX\r\n\r\n", "no settings": http2.ClientPreface + "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678",
		"no settings, and nothing": http2.ClientPreface, "HTTP/1.1 where h2 only is spoken": plainGet, "TLS": "\x16\x03\x01\x00\x05hello",
	} {
		t.Run(name, func(t *testing.T) {
			for _, port := range []int{clear, only} {
				if port == clear && strings.HasPrefix(says, "GET") {
					continue
				}
				c := call(t, port).says(says)
				var got []byte
				within(t, "the end", 5*time.Second, func() { got, _ = io.ReadAll(c) })
				if strings.Contains(string(got), "hello") {
					t.Errorf("it is told %q", got)
				}
			}
		})
	}
	t.Run("a byte at a time", func(t *testing.T) {
		for _, port := range []int{clear, only} {
			c := dial(t, port)
			for i := range http2.ClientPreface[:len(http2.ClientPreface)-1] {
				c.Write([]byte(http2.ClientPreface[i : i+1]))
			}
			k := newTalker(t, c)
			c.Write([]byte("\n"))
			k.say(func() error { return k.fr.WriteSettings() })
			go k.listen()
			k.has(1, "200", get("/")...)
		}
	})
	t.Run("HTTP/1.1 beside it", func(t *testing.T) { call(t, clear).asks(plainGet, 200) })
	g.terminate()
}

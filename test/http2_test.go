package test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// bilingual makes a server of Go speak HTTP/2 in the clear too.
func bilingual(s *http.Server) { s.Protocols = protocols(true, true) }

// protocols are those of HTTP in the clear.
func protocols(one, two bool) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(one)
	p.SetUnencryptedHTTP2(two)
	return p
}

// clientOf is a client in the clear, of HTTP/2 or of HTTP/1.1, with connections of its own.
func clientOf(t testing.TB, two bool) *http.Client {
	tr := &http.Transport{Protocols: protocols(!two, two), DisableCompression: true, ExpectContinueTimeout: patience}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 2 * patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// A setting is one of a gateway that speaks HTTP/2. Lines of a binding are told as they stand in it.
type setting struct {
	*stage
	tls    bool     // clients come over TLS
	server string   // lines of the http server in, which may exit to an echo and to the http client out
	client string   // lines of out, but for its exit
	south  bool     // out goes over TLS
	end    int      // the port behind it
	more   string   // bindings
	args   []string // of start
}

// h2Gateway starts one on a port.
func h2Gateway(t testing.TB, port int, s setting) *gateway {
	t.Helper()
	if s.stage == nil {
		s.stage = newStage(t)
	}
	dir := s.dir
	write(t, filepath.Join(dir, "zilla.yaml"), s.zilla(port))
	g := launch(t, dir, append([]string{"start", "--records"}, s.args...)...)
	g.awaitStart()
	return g
}

func (s setting) zilla(port int) string {
	in := func(lines string) string {
		if lines == "" {
			return ""
		}
		return "    " + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n    ") + "\n"
	}
	var b strings.Builder
	b.WriteString("name: example\n")
	if s.tls || s.south {
		b.WriteString(keys(", trust: { store: ca.crt, type: pem }"))
	}
	first, next := "in", "south"
	if s.tls {
		first = "secure"
	}
	if s.south {
		next = "securely"
	}
	fmt.Fprintf(&b, "bindings:\n  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: %s }\n", port, first)
	if s.tls {
		b.WriteString("  secure: { type: tls, kind: server, vault: safe, options: { keys: [ localhost ], alpn: [ h2, http/1.1 ] }, exit: in }\n")
	}
	b.WriteString("  in:\n    type: http\n    kind: server\n" + in(s.server) + "  echo: { type: echo, kind: server }\n")
	b.WriteString("  out:\n    type: http\n    kind: client\n" + in(s.client) + "    exit: " + next + "\n")
	if s.south {
		b.WriteString("  securely: { type: tls, kind: client, vault: safe, options: { sni: [ localhost ], alpn: [ h2 ] }, exit: south }\n")
	}
	return b.String() + to(s.end) + s.more
}

// speaks are the options of an http server or client of one version.
func speaks(version string) string { return "options: { versions: [ " + version + " ] }" }

// A talker is a client or a server of HTTP/2 that is driven by hand: what it says is what a test has it say, but for the
// acknowledgement of settings. What it hears is kept until it is asked for.
type talker struct {
	t    testing.TB
	conn net.Conn
	mute atomic.Bool // settings are not acknowledged

	mu    sync.Mutex // of writing
	fr    *http2.Framer
	block bytes.Buffer
	enc   *hpack.Encoder

	got     sync.Mutex // of what follows
	heard   []heard
	counts  map[http2.FrameType]int
	changed chan struct{}
	over    bool
	err     error
}

// heard is a frame that came.
type heard struct {
	http2.FrameHeader
	fields   []hpack.HeaderField
	data     []byte
	code     http2.ErrCode // of RST_STREAM and GOAWAY
	last     uint32        // of GOAWAY; of WINDOW_UPDATE the increment
	settings map[http2.SettingID]uint32
}

// field is the value of one, or "".
func (h heard) field(name string) string {
	for _, f := range h.fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func (h heard) ends() bool { return h.Flags.Has(http2.FlagDataEndStream) } // the same bit in HEADERS

func (h heard) String() string {
	return fmt.Sprintf("%v fields=%v data=%.40q code=%v last=%d", h.FrameHeader, h.fields, h.data, h.code, h.last)
}

func newTalker(t testing.TB, c net.Conn) *talker {
	k := &talker{t: t, conn: c, fr: http2.NewFramer(c, c), counts: map[http2.FrameType]int{}, changed: make(chan struct{})}
	k.fr.AllowIllegalWrites, k.fr.AllowIllegalReads = true, true
	k.fr.SetMaxReadFrameSize(1 << 24)
	k.enc = hpack.NewEncoder(&k.block)
	return k
}

// speak is a client that has said the preface and its settings.
func speak(t testing.TB, c net.Conn, settings ...http2.Setting) *talker {
	t.Helper()
	k := newTalker(t, c)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	k.say(func() error { return k.fr.WriteSettings(settings...) })
	go k.listen()
	return k
}

// speaking is a client in the clear.
func speaking(t testing.TB, port int, settings ...http2.Setting) *talker {
	t.Helper()
	c := dial(t, port)
	c.SetDeadline(time.Now().Add(3 * patience))
	return speak(t, c, settings...)
}

// h2Server is a server in the clear, that does f with every connection once it has said its settings. Whether the test has
// failed then is up to f.
func h2Server(t testing.TB, f func(*talker), settings ...http2.Setting) (port int) {
	t.Helper()
	port = freePort(t)
	serving(t, port, func(c *net.TCPConn) {
		defer c.Close()
		c.SetDeadline(time.Now().Add(3 * patience))
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(c, preface); err != nil || string(preface) != http2.ClientPreface {
			if err == nil {
				t.Errorf("a server is told %q", preface)
			}
			return
		}
		k := newTalker(t, c)
		k.fr.WriteSettings(settings...)
		go k.listen()
		f(k)
	})
	return port
}

// listen keeps what comes, until the connection ends.
func (k *talker) listen() {
	dec := hpack.NewDecoder(4096, nil)
	var fields []hpack.HeaderField
	dec.SetEmitFunc(func(f hpack.HeaderField) { fields = append(fields, f) })
	for {
		f, err := k.fr.ReadFrame()
		if err != nil {
			k.hear(heard{}, err)
			return
		}
		h := heard{FrameHeader: f.Header()}
		switch f := f.(type) {
		case *http2.HeadersFrame:
			fields = nil
			_, err = dec.Write(f.HeaderBlockFragment())
			h.fields = fields
		case *http2.ContinuationFrame:
			_, err = dec.Write(f.HeaderBlockFragment())
			h.fields = fields
		case *http2.DataFrame:
			h.data = bytes.Clone(f.Data())
		case *http2.RSTStreamFrame:
			h.code = f.ErrCode
		case *http2.GoAwayFrame:
			h.code, h.last, h.data = f.ErrCode, f.LastStreamID, bytes.Clone(f.DebugData())
		case *http2.SettingsFrame:
			h.settings = map[http2.SettingID]uint32{}
			f.ForeachSetting(func(s http2.Setting) error { h.settings[s.ID] = s.Val; return nil })
			if !f.IsAck() && !k.mute.Load() {
				k.mu.Lock()
				k.fr.WriteSettingsAck()
				k.mu.Unlock()
			}
		case *http2.WindowUpdateFrame:
			h.last = f.Increment
		case *http2.PingFrame:
			h.data = bytes.Clone(f.Data[:])
		}
		if err == nil && (h.Type == http2.FrameHeaders || h.Type == http2.FrameContinuation) && h.Flags.Has(http2.FlagHeadersEndHeaders) {
			err = dec.Close()
		}
		if err != nil {
			k.hear(heard{}, fmt.Errorf("a header block cannot be read: %w", err))
			return
		}
		k.hear(h, nil)
	}
}

// enough is how many frames of a kind are kept: of a flood they are only counted.
const enough = 10000

func (k *talker) hear(h heard, err error) {
	k.got.Lock()
	defer k.got.Unlock()
	if err != nil {
		k.over, k.err = true, err
	} else if k.counts[h.Type]++; k.counts[h.Type] < enough || h.Type == http2.FrameGoAway {
		k.heard = append(k.heard, h)
	}
	close(k.changed)
	k.changed = make(chan struct{})
}

// take waits for the first frame that is as wanted, and forgets it; false if the connection ends before.
func (k *talker) take(is func(heard) bool) (heard, bool) {
	late := time.After(patience)
	for {
		k.got.Lock()
		i := slices.IndexFunc(k.heard, is)
		var h heard
		if i >= 0 {
			h = k.heard[i]
			k.heard = slices.Delete(k.heard, i, i+1)
		}
		over, changed := k.over, k.changed
		k.got.Unlock()
		if i >= 0 || over {
			return h, i >= 0
		}
		select {
		case <-changed:
		case <-late:
			return heard{}, false
		}
	}
}

// await is take for what must come.
func (k *talker) await(what string, is func(heard) bool) heard {
	k.t.Helper()
	h, ok := k.take(is)
	if !ok {
		k.got.Lock()
		defer k.got.Unlock()
		k.t.Fatalf("there is no %s; it hears %v, %v", what, k.heard, k.err)
	}
	return h
}

// say writes something, which must be taken.
func (k *talker) say(f func() error) {
	k.t.Helper()
	if err := k.try(f); err != nil {
		k.t.Fatal(err)
	}
}

// try writes something that may not be taken any more.
func (k *talker) try(f func() error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return f()
}

// encode makes a header block of names and values by turns, which is good until the next one.
func (k *talker) encode(fields ...string) []byte {
	k.block.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		k.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return k.block.Bytes()
}

// asks sends a header block, of names and values by turns.
func (k *talker) asks(stream uint32, end bool, fields ...string) {
	k.t.Helper()
	k.say(func() error { return k.headers(stream, end, fields...) })
}

func (k *talker) headers(stream uint32, end bool, fields ...string) error {
	return k.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: k.encode(fields...), EndStream: end, EndHeaders: true})
}

func (k *talker) data(stream uint32, end bool, b []byte) {
	k.t.Helper()
	k.say(func() error { return k.fr.WriteData(stream, end, b) })
}

func (k *talker) window(stream, n uint32) {
	k.t.Helper()
	k.say(func() error { return k.fr.WriteWindowUpdate(stream, n) })
}

// get are the fields of a request; more are names and values by turns.
func get(path string, more ...string) []string { return fieldsOf("GET", path, more...) }

func fieldsOf(method, path string, more ...string) []string {
	return append([]string{":method", method, ":scheme", "http", ":authority", "a.example", ":path", path}, more...)
}

// of is what belongs to a stream and tells of its answer.
func of(stream uint32) func(heard) bool {
	return func(h heard) bool {
		return h.StreamID == stream && (h.Type == http2.FrameHeaders || h.Type == http2.FrameData || h.Type == http2.FrameRSTStream)
	}
}

// A hearing is what came on a stream: a status, a body, or how it was reset.
type hearing struct {
	status  string
	fields  heard // the last header block, or that before the trailers
	trailer heard
	body    string
	whole   bool
	code    http2.ErrCode
}

// hears waits until a stream has its answer, whole or not. Windows are opened while it comes.
func (k *talker) hears(stream uint32) (a hearing) {
	k.t.Helper()
	for {
		h := k.await(fmt.Sprintf("answer on stream %d", stream), of(stream))
		switch {
		case h.Type == http2.FrameRSTStream:
			a.code = h.code
			return a
		case h.Type == http2.FrameHeaders && h.field(":status") != "":
			a.status, a.fields = h.field(":status"), h
		case h.Type == http2.FrameHeaders:
			a.trailer = h
		case len(h.data) > 0:
			a.body += string(h.data)
			k.try(func() error { return k.fr.WriteWindowUpdate(0, uint32(len(h.data))) })
			if !h.ends() {
				k.try(func() error { return k.fr.WriteWindowUpdate(stream, uint32(len(h.data))) })
			}
		}
		if h.ends() {
			a.whole = true
			return a
		}
	}
}

// has asks for a path and wants the answer to be whole and to have a status.
func (k *talker) has(stream uint32, status string, fields ...string) hearing {
	k.t.Helper()
	k.asks(stream, true, fields...)
	a := k.hears(stream)
	if a.status != status || !a.whole {
		k.t.Errorf("stream %d gets %q, whole %v, %v, want %s", stream, a.status, a.whole, a.code, status)
	}
	return a
}

// alive wants a ping to be answered.
func (k *talker) alive() {
	k.t.Helper()
	k.say(func() error { return k.fr.WritePing(false, [8]byte{'a', 'l', 'i', 'v', 'e'}) })
	k.await("answer to a ping", func(h heard) bool {
		return h.Type == http2.FramePing && h.Flags.Has(http2.FlagPingAck) && bytes.HasPrefix(h.data, []byte("alive"))
	})
}

// away wants the connection to be ended, with one of these codes.
func (k *talker) away(codes ...http2.ErrCode) heard {
	k.t.Helper()
	h, ok := k.take(func(h heard) bool { return h.Type == http2.FrameGoAway && h.code != http2.ErrCodeNo })
	if slices.Contains(codes, http2.ErrCodeNo) && !ok {
		h, ok = k.take(func(h heard) bool { return h.Type == http2.FrameGoAway })
	}
	switch {
	case !ok:
		k.t.Errorf("there is no GOAWAY with %v; the connection is over: %v, %v", codes, k.over, k.err)
	case !slices.Contains(codes, h.code):
		k.t.Errorf("GOAWAY says %v (%q), want %v", h.code, h.data, codes)
	}
	k.ended()
	return h
}

// ended wants the connection to be over soon.
func (k *talker) ended() {
	k.t.Helper()
	if _, ok := k.take(func(heard) bool { return false }); ok || !k.isOver() {
		k.t.Error("the connection does not end")
	}
}

func (k *talker) isOver() bool {
	k.got.Lock()
	defer k.got.Unlock()
	return k.over
}

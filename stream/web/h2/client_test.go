package h2_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	wire "gozilla/wire/h2"
)

// backend is a server by hand, and a pool of clients to it.
type backend struct {
	*pool
	conns chan conn.Conn
}

// backend is reached by pipes, or by TCP.
func (r *rig) backend(tcp bool) *backend {
	b := &backend{conns: make(chan conn.Conn, 10)}
	d := func() (conn.Conn, error) {
		near, far := conn.Pipe()
		b.conns <- far
		return near, nil
	}
	if tcp {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			r.Fatal(err)
		}
		r.Cleanup(func() { ln.Close() })
		d = func() (conn.Conn, error) {
			near, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				return nil, err
			}
			far, err := ln.Accept()
			if err != nil {
				return nil, err
			}
			b.conns <- far.(*net.TCPConn)
			return near.(*net.TCPConn), nil
		}
	}
	b.pool = r.pool(d)
	return b
}

// accept takes the next connection, says what comes first, and hears it.
func (b *backend) accept(settings ...wire.Setting) *hand {
	b.Helper()
	h := b.silent()
	h.say(wire.AppendSettings(nil, settings...), wire.AppendSettingsAck(nil))
	return h
}

// silent takes the next connection, and hears what comes first.
func (b *backend) silent() *hand {
	b.Helper()
	var h *hand
	select {
	case c := <-b.conns:
		h = b.byHand(c)
	case <-time.After(patience):
		b.Fatal("there is no connection")
	}
	b.Cleanup(func() { conn.Abort(h.Conn) })
	h.SetDeadline(time.Now().Add(patience))
	preface := make([]byte, len(wire.Preface))
	if _, err := io.ReadFull(h, preface); string(preface) != wire.Preface {
		b.Fatalf("the client begins with %q, %v", preface, err)
	}
	return h
}

// begin is the scope of who opens exchanges.
func (r *rig) begin() *stream.Scope {
	s := stream.Begin(r.Context(), node("test"))
	return s
}

func request(method, path string) *web.Request {
	return &web.Request{Method: method, Scheme: "http", Authority: "x", Path: path}
}

// asks makes a request of a server, with a body or none, and tells what came of it:
//
//	103 x=y 200 a=b|body|trailer=c     all of a response
//	200|bo, then cut: rst              what there was of it
//	502                                a *web.Error
//	refused: unavailable               a *stream.Refused
func (b *backend) asks(q *web.Request, body string) chan string {
	came := make(chan string, 1)
	go func() { // ends with the exchange
		s := b.rig.begin()
		defer s.End(nil)
		y, err := b.OpenExchange(s, q)
		if err != nil {
			came <- "open " + told(err)
			return
		}
		defer y.Close()
		came <- b.exchange(y, q, body)
	}()
	return came
}

func (b *backend) exchange(y web.Opened, q *web.Request, body string) string {
	if body != "" {
		if _, err := io.WriteString(y, body); err != nil {
			return "write " + told(err)
		}
	}
	if q.Protocol == "" && !q.Tunnel() {
		if err := y.End(nil); err != nil {
			return "end " + told(err)
		}
	}
	var all strings.Builder
	for {
		resp, err := y.Response()
		if err != nil {
			return strings.TrimSpace(all.String() + " " + told(err))
		}
		all.WriteString(" " + itoa(resp.Status))
		for _, f := range resp.Header {
			all.WriteString(" " + f.Name + "=" + f.Value)
		}
		if resp.Final() {
			if resp.Length > 0 {
				all.WriteString(" length " + itoa(int(resp.Length)))
			}
			break
		}
	}
	got, err := io.ReadAll(onlyReader{y})
	all.WriteString(behind(string(got)))
	if err != nil {
		all.WriteString(", then " + told(err))
	}
	for _, f := range y.Trailer() {
		all.WriteString("|" + f.Name + "=" + f.Value)
	}
	return strings.TrimSpace(all.String())
}

type onlyReader struct{ io.Reader }

// told is an error in few words.
func told(err error) string {
	var own *web.Error
	var refused *stream.Refused
	var cut *stream.Cut
	switch {
	case as(err, &own):
		return itoa(own.Status)
	case as(err, &refused):
		return "refused: " + string(refused.Reason)
	case as(err, &cut):
		return "cut: " + cut.Why
	}
	return err.Error()
}

// comes wants that to come of a request.
func (r *rig) comes(came chan string, want string) {
	r.Helper()
	select {
	case got := <-came:
		if got != want {
			r.Errorf("there came %q, not %q", got, want)
		}
	case <-time.After(patience):
		r.Fatal("nothing comes")
	}
}

// asked is what a server hears.
func asked(stream int, method, path string) string {
	return itoa(stream) + " :method=" + method + " :scheme=http :authority=x :path=" + path
}

// answers says 204 on that stream, whose request it wants to hear next.
func (h *hand) answers(stream int, path string) {
	h.Helper()
	h.hear(asked(stream, "GET", path))
	h.say(heads(uint32(stream), wire.EndStream, fields(":status", "204")))
}

// answer is a head, final or not.
func answer(status string, more ...string) []byte {
	return heads(1, 0, fields(append([]string{":status", status}, more...)...))
}

// whole is all of a response.
func whole(status string, more ...string) []byte {
	return heads(1, wire.EndStream, fields(append([]string{":status", status}, more...)...))
}

func TestAnswers(t *testing.T) {
	plain, head := request("GET", "/"), request("HEAD", "/")
	interim := request("GET", "/")
	interim.Interim = true
	for _, c := range []struct {
		name string
		q    *web.Request
		say  []byte
		come string
		hear string // "" for nothing
	}{
		{"a response", plain, cat(answer("200", "a", "b", "content-length", "4"), data(1, "bo"), last(1, "dy")), "200 a=b length 4|body", ""},
		{"no body", plain, whole("200", "a", "b"), "200 a=b", ""},
		{"no body, in a frame of its own", plain, cat(answer("200"), last(1, "")), "200", ""},
		{"a trailer", plain, cat(answer("200"), data(1, "body"), heads(1, wire.EndStream, fields("x", "y"))), "200|body|x=y", ""},
		{"padding", plain, cat(answer("200"), frame(wire.Data, wire.Padded|wire.EndStream, 1, []byte{2, 'o', 'k', 0, 0})), "200|ok", ""},
		{"interim heads that nobody wants", plain, cat(answer("103", "a", "b"), answer("100"), whole("204")), "204", ""},
		{"interim heads", interim, cat(answer("103", "a", "b"), answer("100"), whole("204")), "103 a=b 100 204", ""},
		{"the length of HEAD", head, whole("200", "content-length", "4"), "200 length 4", ""},
		{"the length of 304", plain, whole("304", "content-length", "4"), "304 length 4", ""},
		{"a length with 204", plain, whole("204", "content-length", "4"), "204", ""},
		{"continuations", plain, cat(frame(wire.Headers, wire.EndStream, 1, fields(":status", "204")), frame(wire.Continuation, 0, 1, fields("a", "b")), frame(wire.Continuation, wire.EndHeaders, 1, nil)), "204 a=b", ""},
		{"unknown frames, and others", plain, cat(frame(0x42, 1, 1, []byte("x")), wire.AppendPriority(nil, 1, 3, 1, false), window(1, 1), settings(), whole("204")), "204", ""},
		{"reset behind the end", plain, cat(answer("200"), last(1, "ok"), reset(1, wire.NoError)), "200|ok", ""},
		{"reset", plain, reset(1, wire.InternalError), "refused: unavailable", ""},
		{"reset in the body", plain, cat(answer("200"), data(1, "half"), reset(1, wire.InternalError)), "200|half, then cut: rst", ""},
		{"reset in the body, with no error", plain, cat(answer("200"), data(1, "half"), reset(1, wire.NoError)), "200|half, then cut: rst", ""},
		{"1.1 is required", plain, reset(1, wire.HTTP11Required), "refused: unavailable", ""},

		{"no :status", plain, heads(1, wire.EndStream, fields("a", "b")), "502", "1 !PROTOCOL_ERROR"},
		{"no fields", plain, heads(1, wire.EndStream, nil), "502", "1 !PROTOCOL_ERROR"},
		{":status twice", plain, whole("200", ":status", "200"), "502", "1 !PROTOCOL_ERROR"},
		{":status behind a field", plain, heads(1, wire.EndStream, fields("a", "b", ":status", "200")), "502", "1 !PROTOCOL_ERROR"},
		{":path", plain, whole("200", ":path", "/"), "502", "1 !PROTOCOL_ERROR"},
		{":what", plain, whole("200", ":what", "/"), "502", "1 !PROTOCOL_ERROR"},
		{"no number", plain, whole("2x0"), "502", "1 !PROTOCOL_ERROR"},
		{"two digits", plain, whole("20"), "502", "1 !PROTOCOL_ERROR"},
		{"four digits", plain, whole("2000"), "502", "1 !PROTOCOL_ERROR"},
		{"a small number", plain, whole("099"), "502", "1 !PROTOCOL_ERROR"},
		{"101", plain, answer("101"), "502", "1 !PROTOCOL_ERROR"},
		{"an interim head that ends", plain, whole("103"), "502", "1 !PROTOCOL_ERROR"},
		{"upper case", plain, whole("200", "A", "b"), "502", "1 !PROTOCOL_ERROR"},
		{"connection", plain, whole("200", "connection", "close"), "502", "1 !PROTOCOL_ERROR"},
		{"transfer-encoding", plain, whole("200", "transfer-encoding", "chunked"), "502", "1 !PROTOCOL_ERROR"},
		{"CR LF in a value", plain, whole("200", "a", "b\r\nc: d"), "502", "1 !PROTOCOL_ERROR"},
		{"two lengths", plain, answer("200", "content-length", "4", "content-length", "5"), "502", "1 !PROTOCOL_ERROR"},
		{"a length that is none", plain, answer("200", "content-length", "-1"), "502", "1 !PROTOCOL_ERROR"},
		{"a length, but no body", plain, whole("200", "content-length", "4"), "502", "1 !PROTOCOL_ERROR"},
		{"a body that is too short", plain, cat(answer("200", "content-length", "4"), last(1, "bo")), "200 length 4|bo, then cut: invalid", "1 !PROTOCOL_ERROR"},
		{"a body that is too long", plain, cat(answer("200", "content-length", "4"), data(1, "bo"), data(1, "dy!")), "200 length 4|bo, then cut: invalid", "1 !PROTOCOL_ERROR"},
		{"a body of HEAD", head, cat(answer("200", "content-length", "4"), data(1, "body")), "200 length 4, then cut: invalid", "1 !PROTOCOL_ERROR"},
		{"a body of 304", plain, cat(answer("304"), data(1, "body")), "304, then cut: invalid", "1 !PROTOCOL_ERROR"},
		{"a trailer that does not end", plain, cat(answer("200"), data(1, "x"), heads(1, 0, fields("a", "b"))), "200|x, then cut: invalid", "1 !PROTOCOL_ERROR"},
		{"a trailer with :status", plain, cat(answer("200"), data(1, "x"), whole("200")), "200|x, then cut: invalid", "1 !PROTOCOL_ERROR"},
		{"DATA before the head", plain, cat(data(1, "x"), whole("200")), "502", "1 !PROTOCOL_ERROR"},
		{"an end before the head", plain, last(1, ""), "502", "1 !PROTOCOL_ERROR"},
		{"many interim heads", plain, repeat(100, answer("103")), "502", "1 !ENHANCE_YOUR_CALM"},
		{"a head that is too long", plain, long(1, wire.EndStream, fields(":status", "200")), "502", "1 !ENHANCE_YOUR_CALM"},
		{"a window that is too large", plain, window(1, 1<<31-1), "502", "1 !FLOW_CONTROL_ERROR"},
		{"a window opened by nothing", plain, window(1, 0), "502", "1 !PROTOCOL_ERROR"},
	} {
		for _, tcp := range []bool{true, false} {
			t.Run(c.name, func(t *testing.T) {
				r := newRig(t)
				r.Rests()
				b := r.backend(tcp)
				came := b.asks(c.q, "")
				h := b.accept()
				h.hear(asked(1, c.q.Method, "/"))
				h.say(c.say)
				if c.hear != "" {
					h.hear(c.hear)
				}
				r.comes(came, c.come)
				came = b.asks(plain, "")
				h.answers(3, "/")
				r.comes(came, "204")
			})
		}
	}
}

// TestServerFaults is servers that break the rules of the connection: they are told, the request fails, and the next one is
// made on another connection.
func TestServerFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		say  []byte
		code wire.Code
	}{
		{"PUSH_PROMISE", wire.AppendPromise(nil, 1, 2, fields(":method", "GET")), wire.ProtocolError},
		{"a stream of the server", heads(2, 0, fields(":status", "200")), wire.ProtocolError},
		{"HEADERS on an idle stream", heads(3, 0, fields(":status", "200")), wire.ProtocolError},
		{"DATA on an idle stream", data(3, "x"), wire.ProtocolError},
		{"DATA on an idle stream of the server", data(2, "x"), wire.ProtocolError},
		{"RST_STREAM on an idle stream", reset(3, wire.Cancel), wire.ProtocolError},
		{"WINDOW_UPDATE on an idle stream", window(3, 1), wire.ProtocolError},
		{"ENABLE_PUSH", settings(wire.Setting{ID: wire.EnablePush, Value: 1}), wire.ProtocolError},
		{"MAX_FRAME_SIZE", settings(wire.Setting{ID: wire.MaxFrameSize, Value: 1}), wire.ProtocolError},
		{"INITIAL_WINDOW_SIZE", settings(wire.Setting{ID: wire.InitialWindow, Value: 1 << 31}), wire.FlowControlError},
		{"a frame that is too long", frame(wire.Data, 0, 1, make([]byte, 16385)), wire.FrameSizeError},
		{"an index that is none", heads(1, 0, []byte{number62}), wire.CompressionError},
		{"CONTINUATION", frame(wire.Continuation, 0, 1, nil), wire.ProtocolError},
		{"DATA within a block", cat(frame(wire.Headers, 0, 1, nil), data(1, "x")), wire.ProtocolError},
		{"a short PING", frame(wire.Ping, 0, 0, nil), wire.FrameSizeError},
		{"a window that is too large", window(0, 1<<31-1), wire.FlowControlError},
		{"many small pieces of a block", cat(frame(wire.Headers, 0, 1, nil), repeat(64, frame(wire.Continuation, 0, 1, []byte{0x88}))), wire.EnhanceYourCalm},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			var b *backend
			t.Cleanup(func() { // when all is over
				if len(b.faults) == 0 {
					t.Error("the pool does not know")
				}
			})
			r.Rests()
			b = r.backend(false)
			q := request("POST", "/")
			q.Length = 4
			came := b.asks(q, "body")
			h := b.accept()
			h.hear(asked(1, "POST", "/") + " content-length=4|body")
			h.say(c.say)
			h.hear("goaway 0 " + c.code.String())
			r.comes(came, "502")
			came = b.asks(request("GET", "/"), "")
			b.accept().answers(1, "/")
			r.comes(came, "204")
			h.Close()
		})
	}
}

// TestServerNotSpeaking is servers of another protocol, or none.
func TestServerNotSpeaking(t *testing.T) {
	for _, c := range []struct{ say, hear string }{
		{"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n", "goaway 0 FRAME_SIZE_ERROR"},
		{string(ping("12345678")), "goaway 0 PROTOCOL_ERROR"},
		{string(wire.AppendSettingsAck(nil)), "goaway 0 PROTOCOL_ERROR"},
	} {
		r := newRig(t)
		r.Rests()
		b := r.backend(true)
		q := request("POST", "/")
		q.Length = 4
		came := b.asks(q, "body")
		h := b.silent()
		h.hear(asked(1, "POST", "/") + " content-length=4|body")
		h.say([]byte(c.say))
		h.hear(c.hear)
		r.comes(came, "502")
	}
}

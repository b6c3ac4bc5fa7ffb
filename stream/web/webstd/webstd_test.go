package webstd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/webstd"
	"gozilla/stream/web/webtest"
)

func TestMain(m *testing.M) { webtest.Main(m) }

const patience = 30 * time.Second

// serve serves h by h1, and gives its address.
func serve(t *testing.T, h web.Handler) string {
	t.Helper()
	host := webtest.NewHost()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &h1.Server{Node: &stream.Node{Name: "server"}, Handler: h}
	go func() { // ends with the listener
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s := host.Arrive(stream.WithHost(context.Background(), host), srv.Node)
			s.OnEnd(func(err error) {
				if err == nil || errors.As(err, new(*stream.Told)) {
					c.Close()
				} else {
					conn.Abort(c)
				}
			})
			conn.Start(s, c.(*net.TCPConn), &stream.Info{Source: stream.AddrOf(c.RemoteAddr())}, conn.Serving(srv))
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		host.Leave()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if host.AwaitIdle(ctx) != nil {
			t.Errorf("%d connections are still open", host.Open())
		}
	})
	return "http://" + ln.Addr().String()
}

// dialer opens every exchange on a connection of its own.
type dialer struct{ addr string }

func (d *dialer) Again(ctx context.Context, _ *stream.Info) (h1.Link, error) {
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		return h1.Link{}, &stream.Refused{Reason: stream.Unavailable, Err: err}
	}
	return h1.Link{Conn: c.(*net.TCPConn), Scope: stream.From(ctx).Apart(&stream.Node{Name: "link"})}, nil
}
func (d *dialer) Left(*h1.Peer) {}

func (d *dialer) Over(p *h1.Peer, _ error) { p.Retire("closed") }
func (d *dialer) Lost(*h1.Peer, string)    {}
func (d *dialer) OpenExchange(ctx context.Context, r *web.Request) (web.Opened, error) {
	l, err := d.Again(ctx, nil)
	if err != nil {
		return nil, err
	}
	p := h1.NewPeer(d, l)
	if err := p.Begin(ctx, r); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// scope is what a request to a Transport belongs to.
func scope(t *testing.T) *stream.Scope {
	host := webtest.NewHost()
	s := stream.Begin(stream.WithHost(context.Background(), host), &stream.Node{Name: "test"})
	t.Cleanup(func() {
		s.End(nil)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if host.AwaitIdle(ctx) != nil {
			t.Errorf("%d connections are still open", host.Open())
		}
	})
	return s
}

// mux has a handler for each thing that a handler can do.
var mux = func() *http.ServeMux {
	m := http.NewServeMux()
	f := func(path string, h http.HandlerFunc) { m.HandleFunc(path, h) }
	f("/nothing", func(http.ResponseWriter, *http.Request) {})
	f("/small", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>small") })
	f("/json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Add("X-Twice", "1")
		w.Header().Add("X-Twice", "2")
		w.Header()["x-odd"] = []string{"a\nb", " c "}
		w.Header()["no token"] = []string{"x"}
		w.WriteHeader(201)
		io.WriteString(w, "{}")
	})
	f("/large", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, strings.Repeat("large", 10_000)) })
	f("/pieces", func(w http.ResponseWriter, r *http.Request) {
		for i := range 1000 {
			fmt.Fprintf(w, "piece %d,", i)
		}
	})
	f("/length", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, err := io.WriteString(w, "12345")
		if _, more := io.WriteString(w, "6"); err != nil || more != http.ErrContentLength {
			panic(more)
		}
	})
	f("/short", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5000")
		io.WriteString(w, strings.Repeat("x", 3000))
		w.(http.Flusher).Flush() // else ours can still say that something went wrong
	})
	f("/flushed", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one")
		w.(http.Flusher).Flush()
		w.Header().Set("X-Late", "not sent")
		io.WriteString(w, "two")
	})
	f("/204", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(204)
		if _, err := io.WriteString(w, "x"); err != http.ErrBodyNotAllowed {
			panic(err)
		}
	})
	f("/304", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Etag", `"x"`); w.WriteHeader(304) })
	f("/404", http.NotFound)
	f("/redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere?x=y", http.StatusFound) })
	f("/trailers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Declared, X-Absent")
		io.WriteString(w, "body")
		w.Header().Set("X-Declared", "1")
		w.Header().Set("X-Not-Declared", "2")
		w.Header().Set(http.TrailerPrefix+"X-Prefixed", "3")
	})
	f("/prefixed", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		w.Header().Set(http.TrailerPrefix+"X-Prefixed", "3")
	})
	f("/echo", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		w.Header().Set("X-Request", fmt.Sprint(r.ContentLength, r.TransferEncoding, err, len(r.Trailer), r.Trailer.Get("X-Sum")))
		w.Write(b)
	})
	f("/request", func(w http.ResponseWriter, r *http.Request) {
		var names []string
		for name := range r.Header {
			if name != "Traceparent" && name != "Connection" && name != "Accept-Encoding" {
				names = append(names, name+"="+strings.Join(r.Header[name], "|"))
			}
		}
		slices.Sort(names)
		fmt.Fprintln(w, r.Method, r.Host, r.URL, r.RequestURI, r.Proto, r.ContentLength, r.RemoteAddr != "", names, r.FormValue("q"))
	})
	f("/abort", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat("half", 1000))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	f("/early", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(413) })
	f("/hints", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</x>")
		w.WriteHeader(103)
		w.Header().Del("Link")
		io.WriteString(w, "done")
	})
	f("/twice", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(202); w.WriteHeader(500) })
	f("/file", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "x.txt", time.Unix(1e9, 0), strings.NewReader("0123456789"))
	})
	f("/controller", func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		if err := c.EnableFullDuplex(); err != nil {
			panic(err)
		}
		if err := c.Flush(); err != nil {
			panic(err)
		}
		io.Copy(w, r.Body)
	})
	return m
}()

// said is all that a client can see of a response, and which interim heads there were.
func said(client http.RoundTripper, q *http.Request) string {
	var interim []string
	trace := &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			interim = append(interim, fmt.Sprint(code, h.Get("Link")))
			return nil
		},
	}
	resp, err := client.RoundTrip(q.WithContext(httptrace.WithClientTrace(q.Context(), trace)))
	if err != nil {
		return "an error"
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	for _, name := range []string{"Date", "Connection", "Traceparent", "Trailer"} {
		resp.Header.Del(name)
	}
	for name, values := range resp.Trailer {
		if len(values) == 0 { // that was announced and did not come
			delete(resp.Trailer, name)
		}
	}
	body := string(b)
	if err != nil {
		body = "cut off" // after how much is a matter of chance
	}
	return fmt.Sprintf("%v\n%d %v %v\n%v\n%v\n%s", interim, resp.StatusCode, resp.ContentLength, resp.TransferEncoding, resp.Header, resp.Trailer, body)
}

var requests = []struct {
	method, path, body string
	length             int64 // -1: not known
	header             http.Header
}{
	{method: "GET", path: "/nothing"}, {method: "HEAD", path: "/nothing"}, {method: "GET", path: "/small"}, {method: "HEAD", path: "/small"},
	{method: "GET", path: "/json"}, {method: "GET", path: "/large"}, {method: "HEAD", path: "/large"}, {method: "GET", path: "/pieces"},
	{method: "GET", path: "/length"}, {method: "HEAD", path: "/length"}, {method: "GET", path: "/short"}, {method: "GET", path: "/flushed"},
	{method: "GET", path: "/204"}, {method: "GET", path: "/304"}, {method: "GET", path: "/404"}, {method: "GET", path: "/redirect"},
	{method: "GET", path: "/trailers"}, {method: "GET", path: "/prefixed"}, {method: "GET", path: "/abort"}, {method: "GET", path: "/hints"},
	{method: "GET", path: "/twice"}, {method: "GET", path: "/file"}, {method: "GET", path: "/file", header: http.Header{"Range": {"bytes=2-5"}}},
	{method: "HEAD", path: "/file"}, {method: "GET", path: "/file", header: http.Header{"If-Modified-Since": {"Sun, 09 Sep 2001 01:46:40 GMT"}}},
	{method: "POST", path: "/echo", body: "body", length: 4}, {method: "POST", path: "/echo", body: "body", length: -1},
	{method: "POST", path: "/echo", body: strings.Repeat("body", 50_000), length: 200_000}, {method: "POST", path: "/echo", length: 0},
	{method: "POST", path: "/echo", body: "body", length: 4, header: http.Header{"Expect": {"100-continue"}}},
	{method: "POST", path: "/early", body: "body", length: 4, header: http.Header{"Expect": {"100-continue"}}},
	{method: "POST", path: "/controller", body: "body", length: -1},
	{method: "GET", path: "/request?q=a%20b&q=c", header: http.Header{"X-One": {"1", "2"}, "Te": {"trailers"}, "User-Agent": {"test"}}},
	{method: "POST", path: "/request", body: "q=form", length: 6, header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {"test"}}},
	{method: "OPTIONS", path: "/request", header: http.Header{"User-Agent": {"test"}}},
}

// each makes all requests.
func each(t *testing.T, ctx func() context.Context, f func(name string, make func(base string) *http.Request)) {
	t.Helper()
	for i, c := range requests {
		f(fmt.Sprint(i, " ", c.method, " ", c.path), func(base string) *http.Request {
			var body io.Reader
			if c.body != "" {
				body = io.NopCloser(strings.NewReader(c.body))
			}
			q, err := http.NewRequestWithContext(ctx(), c.method, base+c.path, body)
			if err != nil {
				t.Fatal(err)
			}
			q.ContentLength = c.length
			if c.header != nil {
				q.Header = c.header.Clone()
			}
			q.Host = "example.com"
			return q
		})
	}
}

// TestHandler compares what a client of net/http gets of the same handlers by net/http's server and by ours.
func TestHandler(t *testing.T) {
	theirs := httptest.NewServer(mux)
	defer theirs.Close()
	ours := serve(t, webstd.Handler(mux))
	client := &http.Transport{DisableCompression: true, ExpectContinueTimeout: patience}
	defer client.CloseIdleConnections()
	each(t, t.Context, func(name string, make func(string) *http.Request) {
		want, got := said(client, make(theirs.URL)), said(client, make(ours))
		if got != want {
			t.Errorf("%s: got\n%s\nnot\n%s", name, got, want)
		}
	})
}

// TestTransport compares what net/http's client and ours get of net/http's server.
func TestTransport(t *testing.T) {
	server := httptest.NewServer(mux)
	defer server.Close()
	client := &http.Transport{DisableCompression: true, ExpectContinueTimeout: patience}
	defer client.CloseIdleConnections()
	s := scope(t)
	ours := webstd.Transport(&dialer{server.Listener.Addr().String()})
	each(t, func() context.Context { return s }, func(name string, make func(string) *http.Request) {
		want, got := said(client, make(server.URL)), said(ours, make(server.URL))
		if got != want {
			t.Errorf("%s: got\n%s\nnot\n%s", name, got, want)
		}
	})
}

// TestBoth is our client and our server, without a wire between them.
func TestBoth(t *testing.T) {
	theirs := httptest.NewServer(mux)
	defer theirs.Close()
	client := &http.Transport{DisableCompression: true, ExpectContinueTimeout: patience}
	defer client.CloseIdleConnections()
	s := scope(t)
	ours := webstd.Transport(web.Serving(webstd.Handler(mux)))
	each(t, func() context.Context { return s }, func(name string, make func(string) *http.Request) {
		if strings.HasSuffix(name, "/request") || strings.Contains(name, "?") {
			return // there is no address
		}
		want, got := said(client, make(theirs.URL)), said(ours, make(theirs.URL))
		if got != want {
			t.Errorf("%s: got\n%s\nnot\n%s", name, got, want)
		}
	})
}

// TestTrailerOfRequest is one that net/http's client sends.
func TestTrailerOfRequest(t *testing.T) {
	ours := serve(t, webstd.Handler(mux))
	s := scope(t)
	std := &http.Transport{}
	defer std.CloseIdleConnections()
	for _, client := range []http.RoundTripper{std, webstd.Transport(&dialer{strings.TrimPrefix(ours, "http://")})} {
		q, _ := http.NewRequestWithContext(s, "POST", ours+"/echo", io.NopCloser(strings.NewReader("body")))
		q.ContentLength = -1
		q.Trailer = http.Header{"X-Sum": {"4"}}
		resp, err := client.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("X-Request"); got != "-1 [chunked] <nil> 14" {
			t.Errorf("got %q", got)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// TestDuplex is a conversation.
func TestDuplex(t *testing.T) {
	h := webstd.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 100)
		for w.(http.Flusher).Flush(); ; w.(http.Flusher).Flush() {
			n, err := r.Body.Read(b)
			if w.Write(b[:n]); err != nil {
				return
			}
		}
	}))
	s := scope(t)
	for _, o := range []web.Opener{web.Serving(h), &dialer{strings.TrimPrefix(serve(t, h), "http://")}} {
		out, in := io.Pipe()
		q, _ := http.NewRequestWithContext(s, "POST", "http://x/", out)
		resp, err := webstd.Transport(o).RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			ping := fmt.Sprint("ping ", i)
			io.WriteString(in, ping)
			pong := make([]byte, len(ping))
			if _, err := io.ReadFull(resp.Body, pong); err != nil || string(pong) != ping {
				t.Fatalf("got %q, %v", pong, err)
			}
		}
		in.Close()
		if b, err := io.ReadAll(resp.Body); len(b) > 0 || err != nil {
			t.Errorf("got %q, %v", b, err)
		}
		resp.Body.Close()
	}
}

// TestContext is the end of contexts on both sides.
func TestContext(t *testing.T) {
	began, ended := make(chan struct{}, 1), make(chan error, 1)
	h := webstd.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-r.Context().Done()
		ended <- r.Context().Err()
	}))
	s := scope(t)
	for _, o := range []web.Opener{web.Serving(h), &dialer{strings.TrimPrefix(serve(t, h), "http://")}} {
		ctx, cancel := context.WithCancel(s)
		go func() { <-began; cancel() }() // ends with the request
		q, _ := http.NewRequestWithContext(ctx, "GET", "http://x/", nil)
		if _, err := webstd.Transport(o).RoundTrip(q); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if err := <-ended; err == nil {
			t.Error("the handler's context has not ended")
		}
	}
}

// badReader is a body that cannot be read.
type badReader struct{ io.Reader }

var errBad = errors.New("it cannot be read")

func (b *badReader) Read(p []byte) (int, error) {
	if n, err := b.Reader.Read(p); err == nil {
		return n, nil
	}
	return 0, errBad
}

// TestBadBody is a request whose body cannot be read: nobody takes half of it for whole.
func TestBadBody(t *testing.T) {
	got := make(chan error, 1)
	h := webstd.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		got <- err
	}))
	s := scope(t)
	for _, o := range []web.Opener{web.Serving(h), &dialer{strings.TrimPrefix(serve(t, h), "http://")}} {
		q, _ := http.NewRequestWithContext(s, "POST", "http://x/", io.NopCloser(&badReader{strings.NewReader("half of")}))
		if _, err := webstd.Transport(o).RoundTrip(q); !errors.Is(err, errBad) {
			t.Errorf("got %v", err)
		}
		if err := <-got; err == nil {
			t.Error("the handler takes it for whole")
		}
	}
}

// TestEarly is an answer before the body, which then is not sent on.
func TestEarly(t *testing.T) {
	h := webstd.Handler(mux)
	s := scope(t)
	for _, o := range []web.Opener{web.Serving(h), &dialer{strings.TrimPrefix(serve(t, h), "http://")}} {
		out, in := io.Pipe()
		q, _ := http.NewRequestWithContext(s, "POST", "http://x/early", out)
		resp, err := webstd.Transport(o).RoundTrip(q)
		if err != nil || resp.StatusCode != 413 {
			t.Fatalf("got %+v, %v", resp, err)
		}
		resp.Body.Close()
		if _, err := in.Write([]byte("x")); err != io.ErrClosedPipe {
			t.Errorf("the body is open: %v", err)
		}
	}
}

// TestReadAfterReturn is a handler that passes its body on to somebody who reads it for longer.
func TestReadAfterReturn(t *testing.T) {
	read, reading := make(chan error, 1), make(chan struct{})
	h := webstd.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		go func() { // ends with the handler
			r.Body.Read(make([]byte, 1))
			close(reading)
			_, err := io.Copy(io.Discard, r.Body)
			read <- err
		}()
		<-reading
		w.WriteHeader(403)
	}))
	s := scope(t)
	out, in := io.Pipe()
	q, _ := http.NewRequestWithContext(s, "POST", "http://x/", out)
	go in.Write([]byte("x")) // ends at once
	resp, err := webstd.Transport(&dialer{strings.TrimPrefix(serve(t, h), "http://")}).RoundTrip(q)
	if err != nil || resp.StatusCode != 403 {
		t.Fatalf("got %+v, %v", resp, err)
	}
	if err := <-read; err == nil {
		t.Error("it has read to the end")
	}
	resp.Body.Close()
	in.Close()
}

// TestUpgrade is a client that switches protocols, and a handler that cannot be hijacked.
func TestUpgrade(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\nwelcome")
		line, _ := rw.ReadString('\n')
		io.WriteString(c, line)
	}))
	defer server.Close()
	q, _ := http.NewRequestWithContext(scope(t), "GET", server.URL, nil)
	q.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"chat"}}
	resp, err := webstd.Transport(&dialer{server.Listener.Addr().String()}).RoundTrip(q)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "chat" {
		t.Fatalf("got %+v, %v", resp, err)
	}
	io.WriteString(resp.Body.(io.Writer), "hello\n")
	if b, err := io.ReadAll(resp.Body); string(b) != "welcomehello\n" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	resp.Body.Close()

	a := webtest.Serve(t.Context(), t, webstd.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("got %v", err)
		}
		if err := http.NewResponseController(w).SetReadDeadline(time.Now()); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("got %v", err)
		}
		http.Error(w, "no", 400)
	})), &web.Request{Method: "GET", Path: "/", Protocol: "chat"}, webtest.Body{})
	if a.Head.Status != 400 || a.Body != "no\n" {
		t.Errorf("got %+v", a)
	}
}

// TestPanics are the two kinds of panics before the head.
func TestPanics(t *testing.T) {
	ours := serve(t, webstd.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		panic("a fault")
	})))
	client := &http.Transport{}
	defer client.CloseIdleConnections()
	for _, path := range []string{"/abort", "/fault"} {
		q, _ := http.NewRequest("GET", ours+path, nil)
		resp, err := client.RoundTrip(q)
		if err != nil || resp.StatusCode != 502 {
			t.Fatalf("got %+v, %v", resp, err)
		}
		resp.Body.Close()
	}
}

// TestStrict runs the handlers against the fake.
func TestStrict(t *testing.T) {
	for _, c := range requests {
		if c.path == "/short" || c.path == "/abort" {
			continue // which break the rules
		}
		r := &web.Request{Method: c.method, Scheme: "http", Authority: "a", Path: c.path, Length: c.length}
		if a := webtest.Serve(t.Context(), t, webstd.Handler(mux), r, webtest.Body{Text: c.body}); a.Err != nil {
			t.Errorf("%s: %v", c.path, a.Err)
		}
	}
}

package http_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/telemetry"
)

// TestHotPath has a server without options change nothing, and allocate nothing.
func TestHotPath(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	h, s, node := handler(t, `routes: [ { when: [ { headers: { ":authority": "*.org:*", ":path": /other } } ], exit: sink }, { when: [ { headers: { ":authority": "example.com:80", ":path": "/items/{id}", accept: "text*" } } ], exit: sink } ]`)
	r := browser()
	x := s.Child(node, nil)
	allocs := func(h web.Handler) float64 {
		return testing.AllocsPerRun(1000, func() {
			x.End(nil)
			x = s.Child(node, x)
			if err := h.ServeExchange(x, r, served{}); err != nil {
				t.Fatal(err)
			}
		})
	}
	without := allocs(sink{})
	if with := allocs(h); with != without {
		t.Errorf("%v allocations, %v without the server", with, without)
	}
	x.End(nil)
}

// TestALPN refuses who has agreed on a version that is not spoken.
func TestALPN(t *testing.T) {
	h, s, _ := handler(t, "options: { versions: [ http/1.1 ] }, exit: sink")
	near, far := conn.Pipe()
	defer near.Close()
	err := h.(conn.Server).ServeConn(s, far, &stream.Info{ALPN: "h2", Secure: &stream.Secure{}})
	var refused *stream.Refused
	if !errors.As(err, &refused) || refused.Reason != stream.Invalid {
		t.Errorf("the error is %v", err)
	}
}

// TestLent is that what is lent is not changed.
func TestLent(t *testing.T) {
	h, s, node := handler(t, "options: { via: me, access-control: { policy: cross-origin } }, exit: lender")
	x := s.Child(node, nil)
	defer x.End(nil)
	r := browser()
	into := &taker{}
	if err := h.ServeExchange(x, r, into); err != nil {
		t.Fatal(err)
	}
	if got := text(into.head.Header); got != "x-a: 1, allow-origin: *, expose-headers: *, via: 1.1 me" {
		t.Errorf("the answer is %s", got)
	}
	if got := text(lent.Header[:cap(lent.Header)][:2]); got != "x-a: 1, x-b: 2" || len(lent.Header) != 1 {
		t.Errorf("what was lent is %s", got)
	}
	if !into.quick {
		t.Error("what the engine can do is not reached through the server")
	}
}

// lent is the response of a lender, with something behind it in its array.
var lent = func() *web.Response {
	h := web.Fields("x-a", "1", "x-b", "2")
	return &web.Response{Status: 200, Header: h[:1], Length: 0}
}()

// taker is an engine.
type taker struct {
	web.Served
	head  web.Response
	quick bool
}

func (x *taker) Respond(r *web.Response) error    { x.head = *r.Clone(); return nil }
func (x *taker) WriteTo(io.Writer) (int64, error) { x.quick = true; return 0, nil }
func (x *taker) Buffered() int                    { return 7 }

// lender answers with what it only lends.
type lender struct{ sink }

func (lender) ServeExchange(_ context.Context, _ *web.Request, x web.Served) error {
	if b, ok := x.(interface{ Buffered() int }); ok && b.Buffered() == 7 {
		x.(io.WriterTo).WriteTo(nil)
	}
	return x.Respond(lent)
}

const guardedYAML = `name: test
guards: { who: { type: strict } }
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: http }
  http:
    type: http
    kind: server
    options: { authorization: { who: { credentials: { query: { token: "{credentials}" } } } } }
    routes: [ { guarded: { who: [] }, exit: echo } ]
  echo: { type: echo, kind: server }
`

// TestExpiry ends an exchange whose session is over, and releases all sessions.
func TestExpiry(t *testing.T) {
	g := gwtest.Start(t, guardedYAML)
	before := held.Load()
	c := g.Dial("north")
	gwtest.Send(t, c, "POST /?token=brief HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello")
	r := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Method != "" })
	if r.Reason != "session expired" || r.By != telemetry.Gateway || r.Identity != "BRIEF" {
		t.Errorf("the record is %s", r.Text())
	}
	c.Close()
	g.AwaitIdle()
	if n := held.Load(); n != before {
		t.Errorf("%d sessions are held", n-before)
	}
}

// proxied is a gateway in front of a server of net/http.
func proxied(t *testing.T, h nethttp.HandlerFunc, options string) string {
	t.Helper()
	back := httptest.NewServer(h)
	t.Cleanup(back.Close)
	_, port, _ := net.SplitHostPort(back.Listener.Addr().String())
	g := gwtest.Start(t, `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: http }
  http: { type: http, kind: server, `+options+`exit: out }
  out: { type: http, kind: client, exit: south }
  south: { type: tcp, kind: client, options: { host: 127.0.0.1, port: `+port+` } }
`)
	return "http://" + g.Addr("north")
}

// TestServers has bodies of all forms go to a server of net/http and come back, with what is changed about heads and
// without.
func TestServers(t *testing.T) {
	for _, options := range []string{"", "options: { via: me, server: us, forwarded: both, access-control: { policy: cross-origin } }, "} {
		url := proxied(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("x-method", r.Method)
			w.Header().Set("trailer", "x-sum")
			if r.URL.Path == "/known" {
				w.Header().Del("trailer")
				w.Header().Set("content-length", r.Header.Get("x-length"))
			}
			w.Write(body)
			w.Header().Set("x-sum", "ok")
		}, options)
		c := &nethttp.Client{Transport: &nethttp.Transport{}}
		for _, n := range []int{0, 5, 16 << 10, 1 << 20} {
			body := bytes.Repeat([]byte("x"), n)
			for _, path := range []string{"/known", "/not"} {
				for _, method := range []string{"POST", "PUT", "DELETE"} {
					var from io.Reader = bytes.NewReader(body)
					if path == "/not" {
						from = io.MultiReader(from) // whose length is not known
					}
					r, _ := nethttp.NewRequestWithContext(t.Context(), method, url+path, from)
					r.Header.Set("x-length", strconv.Itoa(n))
					resp, err := c.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if err != nil || len(got) != n || resp.Header.Get("x-method") != method {
						t.Errorf("%s %s of %d: %d bytes, %v, %v", method, path, n, len(got), err, resp.Header)
					}
					if path == "/not" && resp.Trailer.Get("x-sum") != "ok" {
						t.Errorf("%s of %d: the trailer is %v", method, n, resp.Trailer)
					}
					if via := resp.Header.Get("via"); (options != "") != (via == "1.1 me") {
						t.Errorf("via is %q", via)
					}
				}
			}
		}
		r, _ := nethttp.NewRequestWithContext(t.Context(), "HEAD", url+"/known", nil)
		r.Header.Set("x-length", "7")
		resp, err := c.Do(r)
		if err != nil || resp.StatusCode != 200 || resp.ContentLength != 7 {
			t.Errorf("HEAD: %v, %v", resp, err)
		}
		c.CloseIdleConnections()
	}
}

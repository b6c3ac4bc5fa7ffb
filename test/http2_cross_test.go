package test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
)

// crossing is what a server answers that is asked across versions of HTTP.
func crossing(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/length", "/unknown":
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		if err != nil {
			return
		}
		body := fmt.Sprintf("%s %s %d %x %d", r.Method, r.Proto, n, h.Sum(nil), r.ContentLength)
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		}
		io.WriteString(w, body[:10])
		w.(http.Flusher).Flush()
		io.WriteString(w, body[10:])
	case "/trailers":
		w.Header().Set("Trailer", "X-Sum, X-More")
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s", b)
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", r.Trailer.Get("X-Asked"))
		w.Header().Set("X-More", "ä; more")
	case "/empty-trailers": // and no body
		w.Header().Set("Trailer", "Grpc-Status")
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		w.Header().Set("Grpc-Status", "0")
	case "/204":
		w.Header().Set("X-A", "a")
		w.WriteHeader(204)
	case "/304":
		w.Header().Set("ETag", `"tag"`)
		w.WriteHeader(304)
	case "/head":
		w.Header().Set("Content-Length", "1000000")
		w.WriteHeader(200)
	case "/cookies":
		fmt.Fprintf(w, "%d %q te=%q", len(r.Header["Cookie"]), r.Header.Get("Cookie"), r.Header.Get("Te"))
	case "/set":
		for i := range 3 {
			http.SetCookie(w, &http.Cookie{Name: fmt.Sprint("c", i), Value: "v"})
		}
	case "/hints":
		w.Header().Set("Link", "</style.css>; rel=preload; as=style")
		w.WriteHeader(103)
		w.Header().Set("Link", "</script.js>; rel=preload; as=script")
		w.WriteHeader(103)
		w.Header().Del("Link")
		io.WriteString(w, "done")
	case "/echo-all":
		http.NewResponseController(w).EnableFullDuplex()
		w.(http.Flusher).Flush()
		b := make([]byte, 10000)
		for {
			n, err := r.Body.Read(b)
			w.Write(b[:n])
			w.(http.Flusher).Flush()
			if err != nil {
				return
			}
		}
	case "/breaks":
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case "/fields":
		for name, values := range r.Header {
			if strings.HasPrefix(name, "X-") {
				w.Header()[name] = values
			}
		}
		fmt.Fprintf(w, "%s %s", r.Host, r.RequestURI)
	}
}

// TestHTTPCrossing has clients of both versions ask a server in both versions.
func TestHTTPCrossing(t *testing.T) {
	for _, two := range []bool{false, true} {
		for _, versions := range []string{"http/1.1", "h2"} {
			t.Run(fmt.Sprintf("%s to %s", map[bool]string{false: "http/1.1", true: "h2"}[two], versions), func(t *testing.T) {
				t.Parallel()
				b := newBackend(t, crossing, bilingual)
				port := freePort(t)
				g := h2Gateway(t, port, setting{server: "exit: out", client: speaks(versions), end: b.port})
				c := &crosser{t, clientOf(t, two), port, versions}
				t.Run("bodies", func(t *testing.T) { c.in(t).bodies() })
				t.Run("trailers", func(t *testing.T) { c.in(t).trailers() })
				t.Run("without a body", func(t *testing.T) { c.in(t).bodiless() })
				t.Run("cookies", func(t *testing.T) { c.in(t).cookies() })
				t.Run("interim", func(t *testing.T) { c.in(t).interim() })
				t.Run("both ways", func(t *testing.T) { c.in(t).bothWays() })
				t.Run("fields", func(t *testing.T) { c.in(t).fields() })
				t.Run("breaks", func(t *testing.T) { c.in(t).breaks() })
				t.Run("many", func(t *testing.T) { c.in(t).many() })
				if all, _ := b.connections(); two && versions == "h2" && all > 5 {
					t.Errorf("%d connections to the server", all)
				}
				c.CloseIdleConnections()
				g.terminate()
			})
		}
	}
}

type crosser struct {
	t *testing.T
	*http.Client
	port     int
	versions string // behind the gateway
}

func (c crosser) in(t *testing.T) *crosser { c.t = t; return &c }

// ask sends a request and reads the answer.
func (c *crosser) ask(method, path string, body io.Reader, with func(*http.Request)) (*http.Response, string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, fmt.Sprintf("http://%s%s", address(c.port), path), body)
	if err != nil {
		c.t.Fatal(err)
	}
	if with != nil {
		with(r)
	}
	a, err := c.Do(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		c.t.Errorf("%s %s: after %d bytes: %v", method, path, len(b), err)
	}
	return a, string(b)
}

func (c *crosser) bodies() {
	proto := map[string]string{"http/1.1": "HTTP/1.1", "h2": "HTTP/2.0"}[c.versions]
	for _, size := range []int{0, 1, 16384, 100_000, 3_000_000} {
		for _, path := range []string{"/length", "/unknown"} {
			for _, known := range []bool{true, false} {
				var body io.Reader = bytes.NewReader(noise(size))
				length := size
				if !known {
					body, length = struct{ io.Reader }{body}, -1
				}
				a, got := c.ask("PUT", path, body, nil)
				want := fmt.Sprintf("PUT %s %d %s %d", proto, size, sumOf(noise(size)), length)
				if size == 0 { // who ends a request with its head says nothing of a length, or 0
					want, got = strings.TrimSuffix(want, fmt.Sprint(" ", length)), got[:max(0, strings.LastIndexByte(got, ' '))]
				}
				if got != want || a.StatusCode != 200 || path == "/length" && a.ContentLength <= 0 {
					c.t.Errorf("%s, %d, known %v: %s, %q, want %q", path, size, known, a.Status, got, want)
				}
			}
		}
	}
}

func (c *crosser) trailers() {
	a, body := c.ask("POST", "/trailers", struct{ io.Reader }{strings.NewReader("hello")}, func(r *http.Request) {
		r.Trailer = http.Header{"X-Asked": {"yes"}}
	})
	if body != "hello" || a.Trailer.Get("X-Sum") != "yes" || a.Trailer.Get("X-More") != "ä; more" {
		c.t.Errorf("%q, trailers %v", body, a.Trailer)
	}
	a, body = c.ask("GET", "/empty-trailers", nil, nil)
	if body != "" || a.Trailer.Get("Grpc-Status") != "0" {
		c.t.Errorf("%q, trailers %v", body, a.Trailer)
	}
}

func (c *crosser) bodiless() {
	for _, q := range []struct {
		method, path string
		status       int
		length       int64
		field, value string
	}{
		{"HEAD", "/head", 200, 1000000, "", ""}, {"GET", "/204", 204, 0, "X-A", "a"}, {"GET", "/304", 304, 0, "Etag", `"tag"`},
		{"HEAD", "/304", 304, 0, "Etag", `"tag"`}, {"POST", "/204", 204, 0, "X-A", "a"}, {"HEAD", "/204", 204, 0, "X-A", "a"},
	} {
		for range 2 {
			a, body := c.ask(q.method, q.path, nil, nil)
			if a.StatusCode != q.status || body != "" || q.length > 0 && a.ContentLength != q.length || a.Header.Get(q.field) != q.value && q.field != "" {
				c.t.Errorf("%s %s: %s, %q, length %d, %v", q.method, q.path, a.Status, body, a.ContentLength, a.Header)
			}
		}
	}
}

// Crumbs of cookies, as HTTP/2 has them, are one line again for a server of HTTP/1.1 (RFC 9113, section 8.2.3).
func (c *crosser) cookies() {
	_, body := c.ask("GET", "/cookies", nil, func(r *http.Request) {
		r.Header.Set("Cookie", "a=1; b=2; c=3")
		r.Header.Set("Te", "trailers")
	})
	want := `1 "a=1; b=2; c=3" te=`
	if !strings.HasPrefix(body, want) {
		c.t.Errorf("the server sees %s, want %s", body, want)
	}
	a, _ := c.ask("GET", "/set", nil, nil)
	if got := a.Header["Set-Cookie"]; !slices.Equal(got, []string{"c0=v", "c1=v", "c2=v"}) {
		c.t.Errorf("cookies that are set: %q", got)
	}
}

func (c *crosser) interim() {
	var seen []string
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		seen = append(seen, fmt.Sprint(code, " ", h.Get("Link")))
		return nil
	}}
	_, body := c.ask("GET", "/hints", nil, func(r *http.Request) { *r = *r.WithContext(httptrace.WithClientTrace(r.Context(), trace)) })
	want := []string{"103 </style.css>; rel=preload; as=style", "103 </script.js>; rel=preload; as=script"}
	if body != "done" || !slices.Equal(seen, want) {
		c.t.Errorf("%q after %q", body, seen)
	}
	_, body = c.ask("PUT", "/length", bytes.NewReader(noise(1000)), func(r *http.Request) { r.Header.Set("Expect", "100-continue") })
	if !strings.Contains(body, sumOf(noise(1000))) {
		c.t.Errorf("who asks first gets %q", body)
	}
}

// bothWays sends a piece of a body only once the last one has come back.
func (c *crosser) bothWays() {
	r, w := io.Pipe()
	request, err := http.NewRequestWithContext(c.t.Context(), "POST", fmt.Sprintf("http://%s/echo-all", address(c.port)), r)
	if err != nil {
		c.t.Fatal(err)
	}
	a, err := c.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer a.Body.Close()
	for i := range 50 {
		said := fmt.Sprintf("piece %d\n", i)
		io.WriteString(w, said)
		got := make([]byte, len(said))
		if _, err := io.ReadFull(a.Body, got); err != nil || string(got) != said {
			c.t.Fatalf("%q, %v", got, err)
		}
	}
	w.Close()
	if rest, err := io.ReadAll(a.Body); err != nil || len(rest) > 0 {
		c.t.Errorf("at the end %q, %v", rest, err)
	}
}

func (c *crosser) fields() {
	a, body := c.ask("GET", "/fields?a=b%2F&c", nil, func(r *http.Request) {
		r.Host = "some.example:81"
		r.Header["X-Many"] = []string{"a", "b, c", "a"}
		r.Header.Set("X-Long", strings.Repeat("x", 20000))
		r.Header.Set("X-Empty", "")
		r.Header.Set("Authorization", "Bearer secret")
	})
	if got := a.Header["X-Many"]; !slices.Equal(got, []string{"a", "b, c", "a"}) || len(a.Header.Get("X-Long")) != 20000 || len(a.Header["X-Empty"]) != 1 {
		c.t.Errorf("fields come back as %v", a.Header)
	}
	if body != "some.example:81 /fields?a=b%2F&c" {
		c.t.Errorf("the server sees %q", body)
	}
}

// Half an answer does not look whole.
func (c *crosser) breaks() {
	a, err := c.Get(fmt.Sprintf("http://%s/breaks", address(c.port)))
	if err != nil {
		return
	}
	defer a.Body.Close()
	if b, err := io.ReadAll(a.Body); err == nil && a.StatusCode < 500 { // its head may not have left yet
		c.t.Errorf("%q looks whole", b)
	} else if errors.Is(err, io.EOF) {
		c.t.Errorf("%v", err)
	}
}

// many asks at once, with bodies of all sizes.
func (c *crosser) many() {
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			size := i * i * 10
			_, body := c.ask("POST", "/unknown", bytes.NewReader(noise(size)), nil)
			if !strings.Contains(body, fmt.Sprintf(" %d %s", size, sumOf(noise(size)))) {
				c.t.Errorf("of %d bytes it gets %q", size, body)
			}
		})
	}
	all.Wait()
}

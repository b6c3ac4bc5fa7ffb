package test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// request waits for the next one; false if the connection ends before.
func (k *talker) request() (heard, bool) {
	return k.take(func(h heard) bool { return h.Type == http2.FrameHeaders && h.field(":method") != "" })
}

// replies answers a request as a whole.
func (k *talker) replies(stream uint32, status, body string) error {
	return k.try(func() error {
		if err := k.headers(stream, body == "", ":status", status); err != nil || body == "" {
			return err
		}
		return k.fr.WriteData(stream, true, []byte(body))
	})
}

// serves answers all requests of a connection by their path.
func (k *talker) serves() {
	for {
		r, ok := k.request()
		if !ok {
			return
		}
		k.replies(r.StreamID, "200", r.field(":path"))
	}
}

// toH2 is a gateway before a server of HTTP/2.
func toH2(t testing.TB, end int, args ...string) (port int, g *gateway) {
	t.Helper()
	port = freePort(t)
	return port, h2Gateway(t, port, setting{server: "exit: out", client: speaks("h2"), end: end, args: args})
}

// asked sends a request over HTTP/1.1 on a connection of its own and gives the status and the body; "" is an answer that breaks off.
func asked(t testing.TB, method string, port int, path, body string) (status int, got string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * patience}
	a, err := client.Do(request(t, method, port, path, body).WithContext(t.Context()))
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return 0, ""
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		return 0, ""
	}
	return a.StatusCode, string(b)
}

// A server that goes away says which requests it has seen. The others are asked again, of somebody else; those go on.
func TestHTTP2ServerGoesAway(t *testing.T) {
	const requests = 5
	var conns atomic.Int32
	end := h2Server(t, func(k *talker) {
		if conns.Add(1) > 1 {
			k.serves()
			return
		}
		var first uint32
		for range requests {
			r, ok := k.request()
			if !ok {
				t.Error("not all requests come over the first connection")
				return
			}
			if first == 0 {
				first = r.StreamID
			}
		}
		k.say(func() error { return k.headers(first, false, ":status", "200") })
		k.say(func() error { return k.fr.WriteGoAway(first, http2.ErrCodeNo, []byte("bye")) })
		k.data(first, false, []byte("the first "))
		eventually(t, "the others are asked again", func() bool { return conns.Load() > 1 })
		k.data(first, true, []byte("ends well"))
		if _, ok := k.request(); ok {
			t.Error("a server that has gone is asked again")
		}
	})
	port, g := toH2(t, end)
	var all sync.WaitGroup
	var firsts atomic.Int32
	for i := range requests {
		all.Go(func() {
			path := fmt.Sprint("/", i)
			status, body := asked(t, "GET", port, path, "")
			if body == "the first ends well" {
				firsts.Add(1)
			} else if body != path {
				t.Errorf("%s gets %d, %q", path, status, body)
			}
		})
	}
	all.Wait()
	if firsts.Load() != 1 {
		t.Errorf("%d answers of the first connection", firsts.Load())
	}
	g.terminate()
}

// A stream that is refused was not looked at: the request is sent again, whatever its method is, unless its body is gone.
func TestHTTP2ServerRefuses(t *testing.T) {
	var mu sync.Mutex
	refused := map[string]int{}
	end := h2Server(t, func(k *talker) {
		for {
			r, ok := k.request()
			if !ok {
				return
			}
			path := r.field(":path")
			mu.Lock()
			refused[path]++
			again := refused[path] > 1
			mu.Unlock()
			switch {
			case again && path != "/never":
				k.replies(r.StreamID, "200", path)
			case path == "/late": // some of the body has come
				k.await("body", func(h heard) bool { return h.StreamID == r.StreamID && h.Type == http2.FrameData && len(h.data) > 0 })
				fallthrough
			default:
				k.try(func() error { return k.fr.WriteRSTStream(r.StreamID, http2.ErrCodeRefusedStream) })
			}
		}
	})
	port, g := toH2(t, end)
	for _, method := range []string{"GET", "POST", "DELETE"} {
		path := "/" + method
		if status, body := asked(t, method, port, path, ""); status != 200 || body != path {
			t.Errorf("%s gets %d, %q", method, status, body)
		}
	}
	within(t, "to give up", 30*time.Second, func() { // after the limit dial
		if status, _ := asked(t, "GET", port, "/never", ""); status != 503 {
			t.Errorf("who is always refused gets %d", status)
		}
	})
	mu.Lock()
	if n := refused["/never"]; n > 30 {
		t.Errorf("it is tried %d times", n)
	}
	mu.Unlock()
	if status, _ := asked(t, "POST", port, "/late", strings.Repeat("x", 1<<20)); status != 503 {
		t.Errorf("who is refused in the middle of a body gets %d", status)
	}
	if status, body := asked(t, "GET", port, "/next", ""); status != 200 {
		t.Errorf("then %d, %q", status, body)
	}
	g.terminate()
}

// A server says how many streams it takes. For more there is another connection.
func TestHTTP2ServerMostStreams(t *testing.T) {
	const most, requests = 2, 9
	var conns, open, beyond atomic.Int32
	release := make(chan bool)
	end := h2Server(t, func(k *talker) {
		conns.Add(1)
		var mine atomic.Int32
		for {
			r, ok := k.request()
			if !ok {
				return
			}
			if mine.Add(1) > most {
				beyond.Add(1)
				k.try(func() error { return k.fr.WriteRSTStream(r.StreamID, http2.ErrCodeRefusedStream) })
				mine.Add(-1)
				continue
			}
			if r.field(":path") != "/first" {
				open.Add(1)
				go func() { // ends with the test
					<-release
					mine.Add(-1)
					k.replies(r.StreamID, "200", "done")
				}()
				continue
			}
			mine.Add(-1)
			k.replies(r.StreamID, "200", "done")
		}
	}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: most})
	port, g := toH2(t, end)
	if _, body := asked(t, "GET", port, "/first", ""); body != "done" {
		t.Fatalf("it gets %q", body)
	}
	var all sync.WaitGroup
	for range requests {
		all.Go(func() {
			if status, body := asked(t, "GET", port, "/", ""); status != 200 || body != "done" {
				t.Errorf("it gets %d, %q", status, body)
			}
		})
	}
	eventually(t, "all requests are under way", func() bool { return open.Load() == requests })
	close(release)
	all.Wait()
	if n := conns.Load(); n < (requests+most-1)/most || n > requests {
		t.Errorf("%d connections", n)
	}
	// A connection that is new has not been told yet how many there may be.
	if n := beyond.Load(); n > requests {
		t.Errorf("%d streams too many", n)
	}
	g.terminate()
}

// TestHTTP2ServerManners has servers that do not do all that they should, or do it late.
func TestHTTP2ServerManners(t *testing.T) {
	t.Run("settings are not acknowledged", func(t *testing.T) {
		end := h2Server(t, func(k *talker) { k.mute.Store(true); k.serves() })
		port, g := toH2(t, end)
		for range 3 {
			if status, body := asked(t, "GET", port, "/a", ""); status != 200 || body != "/a" {
				t.Errorf("it gets %d, %q", status, body)
			}
		}
		g.terminate()
	})
	t.Run("no settings", func(t *testing.T) {
		end := freePort(t)
		serving(t, end, func(c *net.TCPConn) { io.Copy(io.Discard, c); c.Close() })
		port, g := toH2(t, end, append(limit("answer", "500ms"), limit("dial", "500ms")...)...)
		within(t, "503 or 504", 10*time.Second, func() {
			if status, _ := asked(t, "GET", port, "/", ""); status != 503 && status != 504 {
				t.Errorf("it gets %d", status)
			}
		})
		g.terminate()
	})
	t.Run("HTTP/1.1", func(t *testing.T) {
		end := freePort(t)
		serving(t, end, func(c *net.TCPConn) {
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
			c.CloseWrite()
			io.Copy(io.Discard, c)
			c.Close()
		})
		port, g := toH2(t, end)
		if status, _ := asked(t, "GET", port, "/", ""); status != 502 && status != 503 {
			t.Errorf("it gets %d", status)
		}
		g.terminate()
	})
	t.Run("small windows", func(t *testing.T) { smallWindows(t) })
	t.Run("an early answer", func(t *testing.T) {
		end := h2Server(t, func(k *talker) {
			for {
				r, ok := k.request()
				if !ok {
					return
				}
				k.replies(r.StreamID, "413", "no!")
				k.try(func() error { return k.fr.WriteRSTStream(r.StreamID, http2.ErrCodeNo) })
			}
		})
		port, g := toH2(t, end)
		c := call(t, port).says("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
		go func() { // ends with the connection
			for b := make([]byte, 1<<16); ; {
				if _, err := c.Write(b); err != nil {
					return
				}
			}
		}()
		if r, body := c.hears("POST"); r.StatusCode != 413 || body != "no!" {
			t.Errorf("%s, %q", r.Status, body)
		}
		c.Close()
		g.terminate()
	})
	t.Run("gone", func(t *testing.T) {
		var conns atomic.Int32
		end := h2Server(t, func(k *talker) {
			if conns.Add(1) == 1 {
				k.request()
				return // the connection is cut
			}
			k.serves()
		})
		port, g := toH2(t, end)
		if status, body := asked(t, "GET", port, "/a", ""); (status != 200 || body != "/a") && status != 503 {
			t.Errorf("it gets %d, %q", status, body)
		}
		if status, body := asked(t, "GET", port, "/b", ""); status != 200 || body != "/b" {
			t.Errorf("the next one gets %d, %q", status, body)
		}
		g.terminate()
	})
}

// smallWindows has a server that takes a body a little at a time, and changes its mind.
func smallWindows(t *testing.T) {
	const size = 40_000
	got := make(chan int, 1)
	end := h2Server(t, func(k *talker) {
		r, ok := k.request() // by the time of the second one the settings are known
		if !ok || k.replies(r.StreamID, "200", "done") != nil {
			return
		}
		if r, ok = k.request(); !ok {
			return
		}
		sum, taken, window := 0, 0, 10
		data := func(h heard) bool { return h.Type == http2.FrameData && h.StreamID == r.StreamID }
		for ended := false; !ended; {
			for sum < window && !ended {
				h := k.await("DATA", data)
				sum, ended = sum+len(h.data), h.ends()
			}
			if sum > window {
				t.Errorf("%d bytes came, %d may", sum, window)
			}
			if ended {
				break
			}
			switch taken++; {
			case taken == 3: // the window shrinks, below nothing at all
				k.say(func() error { return k.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}) })
				window -= 10
				k.await("acknowledgement", func(h heard) bool { return h.Type == http2.FrameSettings && h.Flags.Has(http2.FlagSettingsAck) })
				fallthrough
			case taken < 10:
				k.window(r.StreamID, 25)
				window += 25
			default:
				k.window(r.StreamID, 1000)
				window += 1000
			}
			k.window(0, 5000)
		}
		got <- sum
		k.replies(r.StreamID, "200", "done")
		k.serves()
	}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	port, g := toH2(t, end)
	if status, body := asked(t, "GET", port, "/", ""); status != 200 || body != "done" {
		t.Errorf("it gets %d, %q", status, body)
	}
	if status, body := asked(t, "POST", port, "/", string(noise(size))); status != 200 || body != "done" {
		t.Errorf("it gets %d, %q", status, body)
	}
	if n := <-got; n != size {
		t.Errorf("%d bytes came", n)
	}
	g.terminate()
}

// TestHTTP2BadServers has servers that break the rules. Whoever asks is told so, or sees that what came is not whole.
func TestHTTP2BadServers(t *testing.T) {
	type answers func(k *talker, stream uint32)
	field := func(fields ...string) answers {
		return func(k *talker, s uint32) { k.try(func() error { return k.headers(s, true, fields...) }) }
	}
	ok := func(k *talker, s uint32, fields ...string) {
		k.headers(s, false, append([]string{":status", "200"}, fields...)...)
	}
	const broken = 0
	all := map[string]struct {
		answers answers
		status  int // broken: what comes is not whole
		whole   bool
	}{
		"no-status":          {answers: field("x-a", "b"), status: 502},
		"two-statuses":       {answers: field(":status", "200", ":status", "200"), status: 502},
		"status":             {answers: field(":status", "20"), status: 502},
		"101":                {answers: field(":status", "101"), status: 502},
		"other-pseudo-field": {answers: field(":status", "200", ":path", "/"), status: 502},
		"late-pseudo-field":  {answers: field("x-a", "b", ":status", "200"), status: 502},
		"upper-case":         {answers: field(":status", "200", "X-A", "b"), status: 502},
		"connection":         {answers: field(":status", "200", "connection", "close"), status: 502},
		"transfer-encoding":  {answers: field(":status", "200", "transfer-encoding", "chunked"), status: 502},
		"newline":            {answers: field(":status", "200", "x-a", "b\r\nset-cookie: c=d"), status: 502},
		"lengths":            {answers: field(":status", "200", "content-length", "1", "content-length", "2"), status: 502},
		"no-body":            {answers: field(":status", "200", "content-length", "5"), status: broken},
		"interim-end":        {answers: field(":status", "103"), status: 502},
		"data-first": {answers: func(k *talker, s uint32) {
			k.try(func() error { return k.fr.WriteData(s, true, []byte("hello")) })
		}, status: 502},
		"too-long": {answers: func(k *talker, s uint32) {
			k.try(func() error { ok(k, s, "content-length", "3"); return k.fr.WriteData(s, true, []byte("hello")) })
		}, status: broken},
		"too-short": {answers: func(k *talker, s uint32) {
			k.try(func() error { ok(k, s, "content-length", "100"); return k.fr.WriteData(s, true, []byte("hello")) })
		}, status: broken},
		"pseudo-trailer": {answers: func(k *talker, s uint32) {
			k.try(func() error {
				ok(k, s)
				k.fr.WriteData(s, false, []byte("hello"))
				return k.headers(s, true, ":status", "200")
			})
		}, status: broken},
		"endless-trailer": {answers: func(k *talker, s uint32) { // a second head that does not end the stream
			k.try(func() error {
				ok(k, s)
				k.fr.WriteData(s, false, []byte("hello"))
				return k.headers(s, false, "x-a", "b")
			})
		}, status: broken},
		"reset": {answers: func(k *talker, s uint32) {
			k.try(func() error {
				ok(k, s)
				k.fr.WriteData(s, false, []byte("hello"))
				return k.fr.WriteRSTStream(s, http2.ErrCodeNo)
			})
		}, status: broken},
		"reset-at-once": {answers: func(k *talker, s uint32) {
			k.try(func() error { return k.fr.WriteRSTStream(s, http2.ErrCodeInternal) })
		}, status: 502},
		"huge-head": {answers: func(k *talker, s uint32) {
			k.try(func() error {
				for i := range 200 {
					f := k.encode("x-a", strings.Repeat("b", 10000))
					if i == 0 {
						k.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: s, BlockFragment: k.encode(":status", "200")})
					} else if err := k.fr.WriteContinuation(s, i == 199, f); err != nil {
						return err
					}
				}
				return nil
			})
		}, status: 502},
		"push": {answers: func(k *talker, s uint32) {
			k.try(func() error {
				return k.fr.WritePushPromise(http2.PushPromiseParam{StreamID: s, PromiseID: 2, BlockFragment: k.encode(get("/pushed")...), EndHeaders: true})
			})
			k.replies(s, "200", "hello")
		}, status: 502},
		"overflow": {answers: func(k *talker, s uint32) { // more than any window
			k.try(func() error {
				ok(k, s)
				for range 5000 {
					if err := k.fr.WriteData(s, false, make([]byte, 16384)); err != nil {
						return err
					}
				}
				return nil
			})
		}, status: broken},
		"garbage": {answers: func(k *talker, s uint32) {
			k.try(func() error {
				return k.fr.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream, s, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
			})
		}, status: 502},
	}
	end := h2Server(t, func(k *talker) {
		for {
			r, ok := k.request()
			if !ok {
				return
			}
			if c, ok := all[r.field(":path")[1:]]; ok {
				c.answers(k, r.StreamID)
			} else {
				k.replies(r.StreamID, "200", "fine")
			}
		}
	})
	port, g := toH2(t, end)
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			status, body := asked(t, "GET", port, "/"+name, "")
			if c.status == broken && status != 0 && status < 500 || c.status >= 500 && status != c.status && !(status == 503 && c.status == 502) {
				t.Errorf("it gets %d, %.100q, want %d", status, body, c.status)
			}
			if status, body := asked(t, "GET", port, "/", ""); status != 200 || body != "fine" {
				t.Errorf("the next one gets %d, %q", status, body)
			}
		})
	}
	g.terminate()
}

// TestHTTP2ServerFloods has servers that say things without end. They are not listened to for long, and cost no memory.
func TestHTTP2ServerFloods(t *testing.T) {
	t.Parallel()
	const times = 200_000
	for _, c := range []struct {
		name  string
		flood func(k *talker, stream uint32, i int) error
	}{
		{"interim answers", func(k *talker, s uint32, _ int) error { return k.headers(s, false, ":status", "103", "link", "</a>") }},
		{"PING", func(k *talker, _ uint32, _ int) error { return k.fr.WritePing(false, [8]byte{}) }},
		{"SETTINGS", func(k *talker, _ uint32, _ int) error { return k.fr.WriteSettings() }},
		{"empty DATA", func(k *talker, s uint32, i int) error {
			if i == 0 {
				return k.headers(s, false, ":status", "200")
			}
			return k.fr.WriteData(s, false, nil)
		}},
		{"CONTINUATION", func(k *talker, s uint32, i int) error {
			if i == 0 {
				return k.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: s, BlockFragment: k.encode(":status", "200")})
			}
			return k.fr.WriteContinuation(s, false, k.encode("x-a", strings.Repeat("b", 1000)))
		}},
		{"empty CONTINUATION", func(k *talker, s uint32, i int) error {
			if i == 0 {
				return k.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: s, BlockFragment: k.encode(":status", "200")})
			}
			return k.fr.WriteContinuation(s, false, nil)
		}},
		{"PRIORITY", func(k *talker, s uint32, _ int) error {
			return k.fr.WritePriority(s, http2.PriorityParam{StreamDep: 0, Weight: 1})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			taken := make(chan int, 100)
			end := h2Server(t, func(k *talker) {
				for {
					r, ok := k.request()
					if !ok {
						return
					}
					if r.field(":path") != "/flood" {
						k.replies(r.StreamID, "200", "fine")
						continue
					}
					n := 0
					for n < times && k.try(func() error { return c.flood(k, r.StreamID, n) }) == nil {
						n++
					}
					taken <- n
					return
				}
			})
			port, g := toH2(t, end, limit("answer", "5s")...)
			before := g.peak()
			if status, _ := asked(t, "GET", port, "/flood", ""); status != 0 && status < 500 {
				t.Errorf("it gets %d", status)
			}
			if n := <-taken; n == times {
				t.Errorf("all of it is taken")
			}
			if status, body := asked(t, "GET", port, "/", ""); status != 200 || body != "fine" {
				t.Errorf("the next one gets %d, %q", status, body)
			}
			g.took(t, before, 80)
			g.terminate()
		})
	}
}

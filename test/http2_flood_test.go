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

// A flooded is a gateway that is flooded, and the server behind it, which counts.
type flooded struct {
	*gateway
	port     int
	requests atomic.Int64
}

// big is what the server answers to who asks for /big.
var big = make([]byte, 8<<20)

func flooding(t *testing.T, versions string, args ...string) *flooded {
	f := &flooded{port: freePort(t)}
	gone := make(chan bool)
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/honest" {
			f.requests.Add(1)
		}
		switch r.URL.Path {
		case "/late":
			select {
			case <-r.Context().Done():
			case <-gone:
			}
		case "/big":
			w.Write(big)
		default:
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, "hello")
		}
	}, bilingual)
	t.Cleanup(func() { close(gone) })
	f.gateway = h2Gateway(t, f.port, setting{server: "exit: out", client: speaks(versions), end: b.port, args: args})
	return f
}

// honest has clients of both versions served until it is told to stop, each soon.
func (f *flooded) honest(t *testing.T) (stop func()) {
	over, done := make(chan bool), make(chan bool)
	once := sync.OnceFunc(func() { close(over); <-done })
	t.Cleanup(once)
	one, two := clientOf(t, false), clientOf(t, true)
	go func() { // ends when over is closed
		defer close(done)
		slowest := time.Duration(0)
		pause := time.NewTicker(5 * time.Millisecond) // others need the machine too
		defer pause.Stop()
		for {
			for _, c := range []*http.Client{one, two} {
				began := time.Now()
				r, err := c.Get(fmt.Sprintf("http://%s/honest", address(f.port)))
				if err != nil && strings.Contains(err.Error(), "server closed idle connection") {
					continue // as it may, where the limit idle is short
				}
				if err != nil {
					t.Errorf("an honest client: %v", err)
					continue
				}
				b, err := io.ReadAll(r.Body)
				r.Body.Close()
				if err != nil || r.StatusCode != 200 || string(b) != "hello" {
					t.Errorf("an honest client gets %s, %q, %v", r.Status, b, err)
				}
				slowest = max(slowest, time.Since(began))
			}
			select {
			case <-pause.C:
			case <-over:
				if slowest > lenient(10*time.Second) {
					t.Errorf("an honest request took %v", slowest)
				}
				return
			}
		}
	}()
	return once
}

// TestHTTP2Floods has clients do what costs a server more than themselves, again and again: they are sent away for it.
// Honest ones are served meanwhile, and memory is not spent. It needs all of the machine: no other test runs beside it.
func TestHTTP2Floods(t *testing.T) {
	const times = 100_000
	calm := []http2.ErrCode{http2.ErrCodeEnhanceYourCalm}
	bomb := strings.Repeat("b", 3900)
	stream := func(i int) uint32 { return uint32(2*i + 1) }
	for _, c := range []struct {
		name  string
		flood func(k *talker, i int) error
		codes []http2.ErrCode
	}{
		{"rapid reset", func(k *talker, i int) error {
			k.headers(stream(i), true, get("/late")...)
			return k.fr.WriteRSTStream(stream(i), http2.ErrCodeCancel)
		}, calm},
		{"rapid reset of bodies", func(k *talker, i int) error {
			k.headers(stream(i), false, fieldsOf("POST", "/")...)
			k.fr.WriteData(stream(i), false, []byte("hello"))
			return k.fr.WriteRSTStream(stream(i), http2.ErrCodeCancel)
		}, calm},
		{"resets by too large a window", func(k *talker, i int) error {
			k.headers(stream(i), false, fieldsOf("POST", "/late")...)
			return k.fr.WriteWindowUpdate(stream(i), 1<<31-1)
		}, calm},
		{"resets by an increment of nothing", func(k *talker, i int) error {
			k.headers(stream(i), false, fieldsOf("POST", "/late")...)
			return k.fr.WriteWindowUpdate(stream(i), 0)
		}, calm},
		{"resets by DATA after the end", func(k *talker, i int) error {
			k.headers(stream(i), true, get("/late")...)
			return k.fr.WriteData(stream(i), true, []byte("x"))
		}, append(calm, http2.ErrCodeStreamClosed)},
		{"resets by a bad head", func(k *talker, i int) error { return k.headers(stream(i), true, get("/", "X-A", "b")...) }, calm},
		{"resets by a wrong length", func(k *talker, i int) error {
			k.headers(stream(i), false, fieldsOf("POST", "/late", "content-length", "1")...)
			return k.fr.WriteData(stream(i), true, []byte("xx"))
		}, calm},
		{"PING", func(k *talker, _ int) error { return k.fr.WritePing(false, [8]byte{}) }, calm},
		{"SETTINGS", func(k *talker, i int) error {
			return k.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(i)})
		}, calm},
		{"PRIORITY", func(k *talker, i int) error { return k.fr.WritePriority(stream(i), http2.PriorityParam{StreamDep: 0}) }, calm},
		{"unknown frames", func(k *talker, _ int) error { return k.fr.WriteRawFrame(0xee, 0, 0, nil) }, calm},
		{"WINDOW_UPDATE", func(k *talker, i int) error {
			if i == 0 {
				return k.headers(1, false, fieldsOf("POST", "/late")...)
			}
			return k.fr.WriteWindowUpdate(1, 1)
		}, calm},
		{"empty DATA", func(k *talker, i int) error {
			if i == 0 {
				return k.headers(1, false, fieldsOf("POST", "/late")...)
			}
			return k.fr.WriteData(1, false, nil)
		}, calm},
		{"padded DATA", func(k *talker, i int) error {
			if i == 0 {
				return k.headers(1, false, fieldsOf("POST", "/")...)
			}
			return k.fr.WriteDataPadded(1, false, nil, make([]byte, 1))
		}, append(calm, http2.ErrCodeFlowControl)},
		{"RST_STREAM of what is over", func(k *talker, i int) error {
			if i == 0 {
				return k.headers(1, true, get("/")...)
			}
			return k.fr.WriteRSTStream(1, http2.ErrCodeCancel)
		}, append(calm, http2.ErrCodeStreamClosed)},
		{"CONTINUATION", func(k *talker, i int) error {
			if i == 0 {
				return k.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: k.encode(get("/")...)})
			}
			return k.fr.WriteContinuation(1, false, k.encode("x-a", strings.Repeat("b", 5000)))
		}, append(calm, http2.ErrCodeProtocol)},
		{"empty CONTINUATION", func(k *talker, i int) error {
			if i == 0 {
				return k.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: k.encode(get("/")...)})
			}
			return k.fr.WriteContinuation(1, false, nil)
		}, append(calm, http2.ErrCodeProtocol)},
		{"HPACK bombs", func(k *talker, i int) error { // some bytes, each of which is a large field
			block := k.encode(get("/late", "x-bomb", bomb)...)
			for len(block) < 16000 {
				block = append(block, 0x80|62)
			}
			return k.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream(i), BlockFragment: block, EndStream: true, EndHeaders: true})
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := flooding(t, "http/1.1")
			stop := f.honest(t)
			before := f.peak()
			k := speaking(t, f.port)
			most := times
			if c.codes == nil { // it is answered, each time
				most = 500
			}
			for n := 0; n < most && k.try(func() error { return c.flood(k, n) }) == nil; n++ {
			}
			if c.codes != nil {
				k.away(c.codes...)
			} else if a, ok := k.take(func(h heard) bool { return h.Type == http2.FrameGoAway || h.StreamID == stream(most-1) }); !ok || a.Type == http2.FrameHeaders && a.field(":status") != "431" {
				t.Errorf("the last one gets %v", a)
			}
			k.conn.Close()
			stop()
			if n := f.requests.Load(); n > 20_000 {
				t.Errorf("%d requests get to the server", n)
			}
			f.took(t, before, 40)
			f.terminate()
		})
	}
}

// TestHTTP2Deaf has clients that ask and do not read what they are told. No other test runs beside it either.
func TestHTTP2Deaf(t *testing.T) {
	t.Run("answers to PING", func(t *testing.T) {
		t.Parallel()
		f := flooding(t, "http/1.1", append(limit("body", "1s"), limit("idle", "6s")...)...)
		before, stop := f.peak(), f.honest(t)
		c := dial(t, f.port)
		c.SetReadBuffer(4096)
		k := newTalker(t, c)
		io.WriteString(c, http2.ClientPreface)
		k.fr.WriteSettings()
		c.SetWriteDeadline(time.Now().Add(5 * time.Second))
		for range 1_000_000 {
			if err := k.fr.WritePing(false, [8]byte{}); err != nil {
				break
			}
		}
		f.over(t, c)
		stop()
		f.took(t, before, 40)
		f.terminate()
	})
	for _, versions := range behind() {
		t.Run("no window, before "+versions, func(t *testing.T) {
			t.Parallel()
			const connections, streams = 4, 100
			f := flooding(t, versions, append(limit("body", "2s"), limit("pool", 4000)...)...)
			before, stop := f.peak(), f.honest(t)
			var all []*talker
			for range connections {
				k := speaking(t, f.port, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
				for i := range streams {
					k.asks(uint32(2*i+1), true, get("/big")...)
				}
				all = append(all, k)
			}
			for _, k := range all { // streams are reset one by one, or all at once
				for i := range streams {
					s := uint32(2*i + 1)
					if h, ok := k.take(func(h heard) bool {
						return h.Type == http2.FrameGoAway && h.code != 0 || h.StreamID == s && (h.Type == http2.FrameRSTStream || h.ends() && h.Type != http2.FrameSettings)
					}); !ok || h.Type == http2.FrameGoAway {
						if !k.isOver() && !ok {
							t.Errorf("stream %d stands still without end", s)
						}
						break
					}
				}
			}
			stop()
			// What waits is what the kernel takes of the server's answers, and some KiB a stream.
			f.took(t, before, 200)
			f.terminate()
		})
		t.Run("windows, and nothing read, before "+versions, func(t *testing.T) {
			t.Parallel()
			f := flooding(t, versions, limit("body", "1s")...)
			before, stop := f.peak(), f.honest(t)
			var all []*net.TCPConn
			for range 10 {
				c := dial(t, f.port)
				c.SetReadBuffer(4096)
				k := newTalker(t, c)
				io.WriteString(c, http2.ClientPreface)
				k.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
				k.fr.WriteWindowUpdate(0, 1<<30)
				for i := range 50 {
					k.headers(uint32(2*i+1), true, get("/big")...)
				}
				all = append(all, c)
			}
			for _, c := range all {
				f.over(t, c)
			}
			stop()
			f.took(t, before, 100)
			f.terminate()
		})
	}
	t.Run("bodies that do not come", func(t *testing.T) {
		t.Parallel()
		f := flooding(t, "http/1.1", limit("body", "1s")...)
		before, stop := f.peak(), f.honest(t)
		var all []*talker
		for range 20 {
			k := speaking(t, f.port)
			for i := range 100 {
				k.asks(uint32(2*i+1), false, fieldsOf("POST", "/")...)
			}
			all = append(all, k)
		}
		for _, k := range all {
			for i := range 100 {
				if a := k.hears(uint32(2*i + 1)); a.status != "408" && a.code == 0 {
					t.Errorf("it gets %q, %v", a.status, a.code)
				}
			}
		}
		stop()
		f.took(t, before, 80)
		f.terminate()
	})
}

// TestHTTP2Slow has clients that stop in the middle, or have nothing to say.
func TestHTTP2Slow(t *testing.T) {
	t.Parallel()
	t.Run("half a head", func(t *testing.T) {
		t.Parallel()
		f := flooding(t, "http/1.1", limit("headtime", "2s")...)
		k := speaking(t, f.port)
		k.alive()
		k.say(func() error {
			return k.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: k.encode(get("/")...)})
		})
		within(t, "the end", 10*time.Second, func() { k.ended() })
		f.terminate()
	})
	t.Run("half a frame", func(t *testing.T) {
		t.Parallel()
		f := flooding(t, "http/1.1", append(limit("headtime", "2s"), limit("idle", "3s")...)...)
		k := speaking(t, f.port)
		k.alive()
		k.conn.Write([]byte{0, 0, 8, 6, 0})
		within(t, "the end", 10*time.Second, func() { k.ended() })
		f.terminate()
	})
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		f := flooding(t, "http/1.1", limit("idle", "3s")...) // long enough for a request before it
		k := speaking(t, f.port)
		k.has(1, "200", get("/")...)
		within(t, "the end", 10*time.Second, func() {
			if h := k.away(http2.ErrCodeNo); h.last != 1 {
				t.Errorf("it goes away after stream %d", h.last)
			}
		})
		f.terminate()
	})
	t.Run("no answer to PING", func(t *testing.T) {
		t.Parallel()
		f := flooding(t, "http/1.1", limit("ping", "2s")...)
		k := speaking(t, f.port)
		k.asks(1, true, get("/late")...)
		within(t, "the end", 15*time.Second, func() {
			k.await("PING", func(h heard) bool { return h.Type == http2.FramePing && !h.Flags.Has(http2.FlagPingAck) })
			k.ended()
		})
		f.terminate()
	})
}

// over wants a connection on which nothing is read to be ended by the gateway.
func (f *flooded) over(t *testing.T, c *net.TCPConn) {
	t.Helper()
	port := c.LocalAddr().(*net.TCPAddr).Port
	f.stderr.await(t, f.gateway, fmt.Sprintf(`connection ended .*source=127\.0\.0\.1:%d `, port))
}

// behind are the versions of what stands behind: one is enough where everything takes long.
func behind() []string {
	if raced {
		return []string{"http/1.1"}
	}
	return []string{"http/1.1", "h2"}
}

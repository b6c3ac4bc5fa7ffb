package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"testing"

	"gozilla/engine"
)

// thousand is a file with a thousand bindings, of which one is what it is told.
func thousand(option string) string {
	var b strings.Builder
	b.WriteString("name: test\nbindings:\n  entry:\n    type: tcp\n    kind: server\n    options: { host: 127.0.0.1, port: 0 }\n    routes:\n")
	for i := range 499 {
		fmt.Fprintf(&b, "      - when: [ { source: 10.%d.%d.0/24 } ]\n        exit: group_%d\n", i/256, i%256, i)
	}
	for i := range 499 {
		fmt.Fprintf(&b, "  group_%d:\n    type: fan\n    kind: server\n    exit: south_%d\n", i, i)
		fmt.Fprintf(&b, "  south_%d:\n    type: tcp\n    kind: client\n    options:\n      host: 127.0.0.1\n      port: %d\n", i, 1000+i)
	}
	fmt.Fprintf(&b, "  last: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0, %s }, exit: group_0 }\n", option)
	return b.String()
}

// allocated is how many bytes were allocated so far.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

type silent struct{}

func (silent) Trying()               {}
func (silent) Tried(*engine.Outcome) {}

// A reloader is a gateway of a thousand bindings, of which one changes each time.
type reloader struct {
	testing.TB
	name string
	f    *engine.Follower
	n    int
}

func newReloader(t testing.TB) *reloader {
	r := &reloader{TB: t, name: filepath.Join(t.TempDir(), "zilla.yaml")}
	e, _ := newEngine()
	r.f = e.Follow(engine.Origin{Name: r.name}, silent{})
	r.write()
	if o := r.f.Begin(t.Context()); o.Err != nil {
		t.Fatal(o.Err)
	}
	t.Cleanup(func() { end(e) })
	return r
}

// write changes the file.
func (r *reloader) write() {
	r.n++
	if err := os.WriteFile(r.name, []byte(thousand(fmt.Sprintf("idle: %dm", 10+r.n%2))), 0o600); err != nil {
		r.Fatal(err)
	}
}

// reload takes the changed file, and tells how many bytes that has allocated.
func (r *reloader) reload() uint64 {
	before := allocated()
	if o := r.f.Reload(r.Context()); o.Err != nil || o.Change.Nothing() {
		r.Fatal(o.Err)
	}
	return allocated() - before
}

// TestReloadOfAThousandBindings wants it to cost memory for what has changed, and not for all.
func TestReloadOfAThousandBindings(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	r := newReloader(t)
	least := ^uint64(0)
	for range 5 {
		r.write()
		least = min(least, r.reload())
	}
	if least >= 2e6 {
		t.Errorf("it has allocated %d bytes", least)
	}
}

// BenchmarkReload reads a file of a thousand bindings again of which one has changed.
func BenchmarkReload(b *testing.B) {
	r := newReloader(b)
	var bytes uint64
	for b.Loop() {
		b.StopTimer()
		r.write()
		b.StartTimer()
		bytes += r.reload()
	}
	b.ReportMetric(float64(bytes)/float64(b.N), "allocated-B/op")
}

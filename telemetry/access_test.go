package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/telemetry"
)

func TestAppendAccess(t *testing.T) {
	full := fullExchange()
	mapped := fullExchange()
	mapped.Source = netip.MustParseAddrPort("[::ffff:10.0.0.1]:1")
	mapped.Start = mapped.Start.In(time.FixedZone("", -90*60))
	bare := &telemetry.Record{Start: full.Start, Connection: 1, HTTP: telemetry.HTTP{Status: 400}}
	nasty := fullExchange()
	nasty.Identity = "a b\" - [x]\n"
	nasty.HTTP = telemetry.HTTP{Method: "GET", Path: "/\" 200 1\r\n10.0.0.9 - - \\", Version: "HTTP/1.1", Status: 200,
		Referer: "http://é/\" \"x", Agent: "\x00\b\t\v\f\x1b[2J\x7f\xff -"}
	dash := &telemetry.Record{Start: full.Start, Identity: "-", HTTP: telemetry.HTTP{Method: "GET", Path: "/", Status: 304}}
	for _, test := range []struct {
		format string
		record *telemetry.Record
		want   string
	}{
		{"common", full, `10.0.0.1 - alice [01/Aug/2026:12:00:00 +0000] "GET /items?a=b HTTP/2.0" 200 34`},
		{"combined", full, `10.0.0.1 - alice [01/Aug/2026:12:00:00 +0000] "GET /items?a=b HTTP/2.0" 200 34 "https://example.com/" "curl/8.0"`},
		{"common", mapped, `10.0.0.1 - alice [01/Aug/2026:10:30:00 -0130] "GET /items?a=b HTTP/2.0" 200 34`},
		{"combined", bare, `- - - [01/Aug/2026:12:00:00 +0000] "-" 400 - "-" "-"`},
		{"common", dash, `- - \x2d [01/Aug/2026:12:00:00 +0000] "GET /" 304 -`},
		{"combined", nasty, `10.0.0.1 - a\x20b\"\x20-\x20[x]\n [01/Aug/2026:12:00:00 +0000] "GET /\"\x20200\x201\r\n10.0.0.9\x20-\x20-\x20\\ HTTP/1.1" 200 34 ` +
			`"http://\xc3\xa9/\" \"x" "\x00\b\t\v\x0c\x1b[2J\x7f\xff -"`},
		{"text", full, full.Text()},
	} {
		if got := string(telemetry.AppendAccess([]byte("x "), test.format, test.record)); got != "x "+test.want {
			t.Errorf("got\n%s\nwant\n%s", got, test.want)
		}
	}
	b, err := full.MarshalJSON()
	if got := telemetry.AppendAccess(nil, "json", full); err != nil || !bytes.Equal(got, b) {
		t.Errorf("json: %s", got)
	}
}

// combinedLine takes lines apart as strictly as they can be, with no quote in an item but behind a backslash.
var combinedLine = regexp.MustCompile(`^(\S+) - (\S+) \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d+|-) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$`)

func checkCombined(t *testing.T, r *telemetry.Record) {
	t.Helper()
	line := string(telemetry.AppendAccess(nil, "combined", r))
	m := combinedLine.FindStringSubmatch(line)
	if m == nil || m[5] != "200" || strings.Count(m[4], " ") > 2 {
		t.Errorf("a bad line: %s", line)
	}
	for _, c := range []byte(line) {
		if c < ' ' || c >= 0x7f {
			t.Errorf("%#x stands in %q", c, line)
		}
	}
}

func TestHostileAccess(t *testing.T) {
	for _, s := range append([]string{`"`, `\`, `\"`, `" 500 1 "`, "] [", " ", `" "`, `\\"`}, hostile...) {
		checkCombined(t, hostileRecord(s))
		for _, format := range telemetry.AccessFormats {
			checkLine(t, string(telemetry.AppendAccess(nil, format, hostileRecord(s))))
		}
	}
}

func FuzzAccess(f *testing.F) {
	f.Add(`"`)
	f.Fuzz(func(t *testing.T, s string) { checkCombined(t, hostileRecord(s)) })
}

// accessOut is what an access log writes to.
type accessOut struct {
	mu     sync.Mutex
	writes []string
	err    error
	hold   chan struct{} // nil, or what a write waits for
}

func (o *accessOut) Write(b []byte) (int, error) {
	o.mu.Lock()
	hold, err := o.hold, o.err
	o.writes = append(o.writes, string(b))
	o.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return len(b), err
}

func (o *accessOut) set(hold chan struct{}, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hold, o.err = hold, err
}

func (o *accessOut) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	w := o.writes
	o.writes = nil
	return w
}

func TestAccessLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var warnings bytes.Buffer
		out := &accessOut{}
		a := telemetry.NewAccessLog("common", out, slog.New(slog.NewTextHandler(&warnings, nil)))
		log := telemetry.NewLog(nil, 8, false)
		defer log.HandleRecords(a.Record)()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { a.Run(ctx); close(done) }()
		line := string(telemetry.AppendAccess(nil, "common", fullExchange())) + "\n"
		second := func() []string {
			time.Sleep(time.Second)
			synctest.Wait()
			return out.take()
		}

		log.Record(fullRecord()) // a connection
		log.Record(fullExchange())
		log.Record(fullExchange())
		synctest.Wait()
		if got := out.take(); len(got) != 0 {
			t.Errorf("written at once: %q", got)
		}
		if got := second(); !slices.Equal(got, []string{line + line}) {
			t.Errorf("after a second: %q", got)
		}
		if got := second(); len(got) != 0 {
			t.Errorf("there was nothing to write: %q", got)
		}

		// Much is written before its time, and too much is lost while the writer is slow.
		lines := func(n int) {
			for range n {
				log.Record(fullExchange())
			}
		}
		lines(64<<10/len(line) + 1)
		synctest.Wait()
		if got := out.take(); len(got) != 1 || len(got[0]) < 64<<10 {
			t.Errorf("%d writes", len(got))
		}
		hold := make(chan struct{})
		out.set(hold, nil)
		lines(1)
		second()
		lines(4<<20/len(line) + 1 + 5)
		if second(); strings.Contains(warnings.String(), "lost") {
			t.Errorf("too early: %s", &warnings)
		}
		out.set(nil, nil)
		close(hold)
		synctest.Wait()
		if got := second(); !strings.Contains(warnings.String(), "lines=5") || len(got) != 1 || len(got[0]) < 4<<20 {
			t.Errorf("%d writes; %s", len(got), &warnings)
		}

		// One warning for many failures.
		warnings.Reset()
		for _, err := range []error{errors.New("no space left"), errors.New("no space left"), nil, errors.New("gone")} {
			out.set(nil, err)
			lines(1)
			second()
		}
		if got := warnings.String(); strings.Count(got, "cannot be written") != 2 || strings.Count(got, "no space left") != 1 {
			t.Errorf("warnings:\n%s", got)
		}

		out.set(nil, nil)
		lines(1)
		cancel()
		<-done
		if got := out.take(); !slices.Equal(got, []string{line}) {
			t.Errorf("at the end: %q", got)
		}
	})
}

func TestAccessLogDoesNotAllocate(t *testing.T) {
	r := fullExchange()
	var line []byte
	if n := testing.AllocsPerRun(100, func() { line = telemetry.AppendAccess(line[:0], "combined", r) }); n != 0 {
		t.Errorf("a line allocates %v times", n)
	}
}

func BenchmarkAccessLog(b *testing.B) {
	r := fullExchange()
	var line []byte
	b.ReportAllocs()
	for b.Loop() {
		line = telemetry.AppendAccess(line[:0], "combined", r)
	}
}

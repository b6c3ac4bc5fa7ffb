package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/telemetry"
)

// seqs are the sequence numbers of entries, events as negative ones.
func seqs(entries []telemetry.Entry) []int {
	found := []int{}
	for _, e := range entries {
		if n := int(e.Seq); e.Event != nil {
			found = append(found, -n)
		} else {
			found = append(found, n)
		}
	}
	return found
}

func TestLogSince(t *testing.T) {
	log := telemetry.NewLog(nil, 3, false)
	log.Event(&telemetry.Event{})
	for range 3 {
		log.Record(&telemetry.Record{})
	}
	log.Event(&telemetry.Event{})
	log.Record(&telemetry.Record{}) // pushes out 2
	for _, test := range []struct {
		since uint64
		want  []int
		lost  bool
	}{
		{0, []int{-1, 3, 4, -5, 6}, false},
		{1, []int{-1, 3, 4, -5, 6}, true},
		{2, []int{3, 4, -5, 6}, true},
		{3, []int{3, 4, -5, 6}, false},
		{4, []int{4, -5, 6}, false},
		{5, []int{-5, 6}, false},
		{6, []int{6}, false},
		{7, []int{}, false},
		{99, []int{}, false},
	} {
		entries, next, lost := log.Since(test.since)
		if got := seqs(entries); !slices.Equal(got, test.want) || next != 7 || lost != test.lost {
			t.Errorf("Since(%d) = %v, %d, %v; want %v, 7, %v", test.since, got, next, lost, test.want, test.lost)
		}
	}
}

func TestRecordsLeaveEventsAlone(t *testing.T) {
	log := telemetry.NewLog(nil, 8, false)
	log.Event(&telemetry.Event{ID: "engine.started"})
	for range 10_000 {
		log.Record(&telemetry.Record{})
	}
	entries, _, _ := log.Since(0)
	if len(entries) != 9 || entries[0].Event == nil || entries[0].Event.ID != "engine.started" {
		t.Errorf("the event is gone: %v", seqs(entries))
	}
}

func TestLogKeepsLastEvents(t *testing.T) {
	log := telemetry.NewLog(nil, 0, false)
	for range 2000 {
		log.Event(&telemetry.Event{})
	}
	entries, next, lost := log.Since(1)
	if len(entries) != 1024 || entries[0].Seq != 977 || next != 2001 || !lost {
		t.Errorf("%d entries from %d on, next %d, lost %v", len(entries), entries[0].Seq, next, lost)
	}
	log.Record(&telemetry.Record{}) // there is no room for any
	if entries, _, lost := log.Since(2001); len(entries) != 0 || !lost {
		t.Errorf("a log without room for records: %v, lost %v", seqs(entries), lost)
	}
}

func TestLogWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := telemetry.NewLog(nil, 8, false)
		log.Record(&telemetry.Record{})
		if err := log.Wait(t.Context(), 1); err != nil {
			t.Fatalf("there is an entry already: %v", err)
		}
		var woken atomic.Int64
		for seq := uint64(2); seq <= 4; seq++ {
			for range 3 {
				go func() {
					if log.Wait(t.Context(), seq) == nil {
						woken.Add(1)
					}
				}()
			}
		}
		for i, add := range []func(){
			func() {},
			func() { log.Event(&telemetry.Event{}) },
			func() { log.Record(&telemetry.Record{}) },
			func() { log.Event(&telemetry.Event{}) },
		} {
			add()
			synctest.Wait()
			if got := woken.Load(); got != int64(3*i) {
				t.Fatalf("after %d entries %d are awake, want %d", i, got, 3*i)
			}
		}
	})
}

func TestLogWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, log := range []*telemetry.Log{nil, telemetry.NewLog(nil, 8, false)} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := log.Wait(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Wait = %v", err)
			}
		}
	})
}

func TestHandle(t *testing.T) {
	log := telemetry.NewLog(nil, 8, false)
	var first, second []string
	log.Event(&telemetry.Event{ID: "before"})
	undoFirst := log.Handle(func(e *telemetry.Event) { first = append(first, e.ID) })
	undoSecond := log.Handle(func(e *telemetry.Event) { second = append(second, e.ID) })
	log.Event(&telemetry.Event{ID: "both"})
	undoFirst()
	undoFirst() // once more does nothing
	log.Event(&telemetry.Event{ID: "second"})
	undoSecond()
	log.Event(&telemetry.Event{ID: "none"})
	if !slices.Equal(first, []string{"both"}) || !slices.Equal(second, []string{"both", "second"}) {
		t.Errorf("told: %v and %v", first, second)
	}
}

func TestHandlerMayEmit(t *testing.T) {
	log := telemetry.NewLog(nil, 8, false)
	log.Handle(func(e *telemetry.Event) {
		if e.ID == "one" {
			log.Event(&telemetry.Event{ID: "two"})
		}
	})
	log.Event(&telemetry.Event{ID: "one"})
	if entries, _, _ := log.Since(0); len(entries) != 2 {
		t.Errorf("%d entries, want 2", len(entries))
	}
}

func TestTell(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.NewLog(slog.New(slog.NewTextHandler(&out, nil)), 8, false)
	log.Tell(&telemetry.Event{ID: "nobody"})
	if log.Watched() {
		t.Error("nobody watches")
	}
	var told []string
	undo := log.Handle(func(e *telemetry.Event) { told = append(told, e.ID) })
	if !log.Watched() {
		t.Error("somebody watches")
	}
	log.Tell(&telemetry.Event{ID: "one"})
	undo()
	log.Tell(&telemetry.Event{ID: "nobody"})
	if log.Watched() {
		t.Error("nobody watches any more")
	}
	if entries, next, _ := log.Since(0); len(entries) != 0 || next != 1 || out.Len() != 0 || !slices.Equal(told, []string{"one"}) {
		t.Errorf("told %v; %d entries, logged %q", told, len(entries), out.String())
	}
}

func TestHandleRecords(t *testing.T) {
	log := telemetry.NewLog(nil, 0, false) // which keeps none
	var told []uint64
	undo := log.HandleRecords(func(r *telemetry.Record) { told = append(told, r.ID) })
	log.Record(&telemetry.Record{ID: 1})
	log.Event(&telemetry.Event{})
	undo()
	log.Record(&telemetry.Record{ID: 2})
	if !slices.Equal(told, []uint64{1}) || log.Watched() {
		t.Errorf("told of %v", told)
	}
}

// Who hands in a record may use it again, and who gets one may keep it.
func TestRecordsAreCopies(t *testing.T) {
	log := telemetry.NewLog(nil, 2, false)
	r := &telemetry.Record{}
	hand := func(i uint64) {
		r.ID = i
		r.Path = r.Path[:0]
		for range i % 4 {
			r.Path = append(r.Path, telemetry.Step{Binding: strconv.FormatUint(i, 10)})
		}
		log.Record(r)
	}
	check := func(e telemetry.Entry) {
		t.Helper()
		if len(e.Record.Path) != int(e.Record.ID%4) {
			t.Errorf("%+v", e.Record)
		}
		for _, step := range e.Record.Path {
			if step.Binding != strconv.FormatUint(e.Record.ID, 10) {
				t.Errorf("%+v", e.Record)
			}
		}
	}
	var kept []telemetry.Entry
	for i := uint64(1); i < 50; i++ {
		hand(i)
		entries, _, _ := log.Since(0)
		if len(entries) != int(min(i, 2)) || entries[len(entries)-1].Record.ID != i {
			t.Fatalf("after %d: %v", i, seqs(entries))
		}
		kept = append(kept, entries...)
	}
	for _, e := range kept {
		check(e)
		_ = append(e.Record.Path, telemetry.Step{Binding: "of nobody else"})
	}
	for _, e := range kept {
		check(e)
	}
}

// More records than are copied at once come out whole, in order, and with the events between them.
func TestSinceManyRecords(t *testing.T) {
	log := telemetry.NewLog(nil, 1000, false)
	for i := range 2000 {
		if i%7 == 0 {
			log.Event(&telemetry.Event{})
		}
		log.Record(&telemetry.Record{ID: uint64(i)})
	}
	entries, next, lost := log.Since(0)
	_, _, missed := log.Since(500)
	if lost || !missed || next != 2287 || len(entries) != 1000+286 {
		t.Errorf("%d entries, next %d, lost %v, missed %v", len(entries), next, lost, missed)
	}
	id := uint64(1000)
	for i, e := range entries {
		if i > 0 && e.Seq <= entries[i-1].Seq {
			t.Fatalf("%d comes after %d", e.Seq, entries[i-1].Seq)
		}
		if e.Record != nil {
			if e.Record.ID != id {
				t.Fatalf("record %d, want %d", e.Record.ID, id)
			}
			id++
		}
	}
	if entries, _, lost := log.Since(entries[900].Seq); len(entries) != 386 || lost {
		t.Errorf("%d entries, lost %v", len(entries), lost)
	}
}

func TestNilLog(t *testing.T) {
	var log *telemetry.Log
	log.Event(&telemetry.Event{})
	log.Record(&telemetry.Record{})
	log.Handle(func(*telemetry.Event) {})()
	log.HandleRecords(func(*telemetry.Record) {})()
	if log.Tell(&telemetry.Event{}); log.Watched() {
		t.Error("a nil *Log is watched")
	}
	if entries, next, lost := log.Since(5); entries != nil || next != 5 || lost {
		t.Errorf("Since = %v, %d, %v", entries, next, lost)
	}
}

func TestLogWritesToSlog(t *testing.T) {
	var out bytes.Buffer
	l := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	started := &telemetry.Event{Namespace: "engine", Name: "events", ID: "engine.started", Message: "Engine Started."}
	failed := &telemetry.Event{Namespace: "default", Name: "south", ID: "binding.tcp.dns.failed", Message: "x", Scope: 7, Warning: true}
	quiet := telemetry.NewLog(l, 8, false)
	quiet.Event(started)
	quiet.Event(failed)
	quiet.Record(fullRecord())
	loud := telemetry.NewLog(l, 8, true)
	loud.Record(fullRecord())
	loud.Record(&telemetry.Record{ID: 8})
	loud.Record(&telemetry.Record{ID: 9, Connection: 8, HTTP: telemetry.HTTP{
		Method: "GET", Scheme: "https", Path: "/a b", Version: "HTTP/2", Status: 200, Referer: "r", Agent: "a", Trace: "t"}})
	loud.Record(&telemetry.Record{ID: 10, Connection: 8, HTTP: telemetry.HTTP{Status: 400}})
	loud.Record(&telemetry.Record{ID: 11, WS: telemetry.WS{Received: 2, Sent: 3, By: telemetry.Client, Code: 1000, Reason: "that is all"}})
	want := strings.Join([]string{
		`level=INFO msg="Engine Started." event=engine.started component=engine:events`,
		`level=WARN msg=x event=binding.tcp.dns.failed component=default:south connection=7`,
		`level=INFO msg="connection ended" connection=7 source=10.0.0.1:5555 dest=[::1]:80 target=10.0.0.9:8080 ` +
			`path="default:north routes[0] > default:south exit" received=12 sent=34 dial=1.25ms first_byte=3.5ms ` +
			`duration=1m1s by=server reason=rst error="connection reset by peer" rtt=250µs retransmits=2`,
		`level=INFO msg="connection ended" connection=8 received=0 sent=0 duration=0s`,
		`level=INFO msg="exchange ended" exchange=9 connection=8 http.method=GET http.scheme=https http.path="/a b" http.version=HTTP/2 ` +
			`http.status=200 http.referer=r http.agent=a http.trace=t received=0 sent=0 duration=0s`,
		`level=INFO msg="exchange ended" exchange=10 connection=8 http.status=400 received=0 sent=0 duration=0s`,
		`level=INFO msg="connection ended" connection=11 ws.received=2 ws.sent=3 ws.by=client ws.code=1000 ws.reason="that is all" received=0 sent=0 duration=0s`,
	}, "\n") + "\n"
	if got := out.String(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestLogFromManySides(t *testing.T) {
	log := telemetry.NewLog(nil, 64, false)
	var told atomic.Int64
	log.Handle(func(*telemetry.Event) { told.Add(1) })
	var writers, readers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 500 {
				log.Record(&telemetry.Record{})
				log.Event(&telemetry.Event{})
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for since := uint64(1); since < 4001; {
				if log.Wait(t.Context(), since) != nil {
					return
				}
				entries, next, _ := log.Since(since)
				if !slices.IsSortedFunc(entries, func(a, b telemetry.Entry) int { return int(a.Seq) - int(b.Seq) }) {
					t.Error("entries are out of order")
				}
				since = next
			}
		})
	}
	writers.Wait()
	readers.Wait()
	if told.Load() != 2000 {
		t.Errorf("the handler was told of %d events, want 2000", told.Load())
	}
}

func TestRecordDoesNotAllocate(t *testing.T) {
	log, r := telemetry.NewLog(nil, 16, false), fullRecord()
	for range 16 {
		log.Record(r) // each slot keeps the array of its steps from here on
	}
	if n := testing.AllocsPerRun(1000, func() { log.Record(r) }); n != 0 {
		t.Errorf("Record allocates %v times", n)
	}
}

func BenchmarkLogRecord(b *testing.B) {
	log, r := telemetry.NewLog(nil, 4096, false), fullRecord()
	b.ReportAllocs()
	for b.Loop() {
		log.Record(r)
	}
}

func BenchmarkLogRecordParallel(b *testing.B) {
	log, r := telemetry.NewLog(nil, 4096, false), fullRecord()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			log.Record(r)
		}
	})
}

func TestLast(t *testing.T) {
	const kept = 1000
	log := telemetry.NewLog(nil, kept, false)
	f := func(n int, want ...uint64) {
		t.Helper()
		var got []uint64
		for _, r := range log.Last(n) {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("Last(%d) = %v, want %v", n, got, want)
		}
	}
	f(3)
	log.Event(&telemetry.Event{})
	log.Record(&telemetry.Record{ID: 1})
	log.Event(&telemetry.Event{})
	log.Record(&telemetry.Record{ID: 2})
	log.Event(&telemetry.Event{})
	f(0)
	f(1, 2)
	f(3, 1, 2)
	for id := uint64(3); id <= 2*kept; id++ {
		log.Record(&telemetry.Record{ID: id})
	}
	f(2, 2*kept-1, 2*kept)
	if all := log.Last(2 * kept); len(all) != kept || all[0].ID != kept+1 || all[kept-1].ID != 2*kept {
		t.Errorf("of all there are %d", len(all))
	}
	if none := (*telemetry.Log)(nil).Last(1); none != nil {
		t.Errorf("no log has %v", none)
	}
}

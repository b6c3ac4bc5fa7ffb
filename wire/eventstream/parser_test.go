package eventstream

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// show is events in a line.
func show(events []Event) string {
	var all []string
	for _, e := range events {
		s := ""
		if e.HasID {
			s += fmt.Sprintf("id=%q ", e.ID)
		}
		if e.Type != "" {
			s += fmt.Sprintf("type=%q ", e.Type)
		}
		if e.Retry != 0 {
			s += fmt.Sprintf("retry=%v ", e.Retry)
		}
		if e.HasData {
			s += fmt.Sprintf("data=%q ", e.Data)
		}
		all = append(all, strings.TrimRight(s, " "))
	}
	return strings.Join(all, "; ")
}

// parse reads a text, cut at the given places, in any number.
func parse(text string, most int, cuts ...int) ([]Event, error) {
	p := Parser{Max: most}
	var events []Event
	var err error
	from := 0
	for _, at := range append(cuts, len(text)) {
		piece := []byte(text[from:at])
		if events, err = p.Append(events, piece); err != nil {
			return events, err
		}
		for i := range piece {
			piece[i] = '?' // it is not kept
		}
		from = at
	}
	return events, nil
}

// TestParser reads each text at once, cut in two at every byte, and byte by byte.
func TestParser(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"bom", "\xef\xbb\xbf", ""},
		{"bom, event", "\xef\xbb\xbfdata:x\n\n", `data="x"`},
		{"bom twice", "\xef\xbb\xbf\xef\xbb\xbfdata:x\n\n", ""},
		{"bom later", "\n\xef\xbb\xbfdata:x\n\ndata:y\n\n", `data="y"`},
		{"half a bom", "\xef\xbbdata:x\n\ndata:y\n\n", `data="y"`},
		{"half a bom, end of line", "\xef\ndata:y\n\n", `data="y"`},
		{"bom, end of line", "\xef\xbb\xbf\n\ndata:y\n\n", `data="y"`},
		{"comment, empty", ":\n\n", ""},
		{"comment", ": hello\n\ndata:x\n\n", `data="x"`},
		{"comments", ":a\n:b\ndata:x\n:c\n\n", `data="x"`},
		{"custom, empty", "custom:\ndata:x\n\n", `data="x"`},
		{"custom, white space", "custom: a\ndata:x\n\n", `data="x"`},
		{"custom, not UTF-8", "custom:\xc3\x28\ndata:x\n\n", `data="x"`},
		{"custom, name", "custom\ndata:x\n\n", `data="x"`},
		{"custom alone", "custom:a\n\n", ""},
		{"longer names", "dataset:a\nidx:b\nevents:c\nretryx:3\nda:d\ndata:x\n\n", `data="x"`},
		{"white space before", " data:a\ndata :b\nDATA:c\n\n", ""},
		{"data", "data:x\n\n", `data="x"`},
		{"data, empty", "data:\n\n", `data=""`},
		{"data, name", "data\n\n", `data=""`},
		{"data, names", "data\ndata\n\n", `data="\n"`},
		{"data, white space", "data: x\n\n", `data="x"`},
		{"data, more of it", "data:  x \n\n", `data=" x "`},
		{"data, tab", "data:\tx\n\n", `data="\tx"`},
		{"data, colon", "data::x:\n\n", `data=":x:"`},
		{"data, not UTF-8", "data:\xc3\x28\n\n", `data="\xc3("`},
		{"data, NUL", "data:a\x00b\n\n", `data="a\x00b"`},
		{"data, lines", "data:a\ndata:b\ndata:\n\n", `data="a\nb\n"`},
		{"data, many", "data:a\n\ndata:b\n\n", `data="a"; data="b"`},
		{"data, standard's YHOO", "data: YHOO\ndata: +2\ndata: 10\n\n", `data="YHOO\n+2\n10"`},
		{"data, standard's four", ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n", `id="1" data="first event"; id="" data="second event"; data=" third event"`},
		{"data, standard's incomplete", "data\n\ndata\ndata\n\ndata:", `data=""; data="\n"`},
		{"CR", "data:a\rdata:b\r\rdata:c\r\r", `data="a\nb"; data="c"`},
		{"CRLF", "data:a\r\ndata:b\r\n\r\ndata:c\r\n\r\n", `data="a\nb"; data="c"`},
		{"all ends", "data:a\rdata:b\ndata:c\r\n\n", `data="a\nb\nc"`},
		{"CR, then CRLF", "data:a\r\r\ndata:b\r\r\n", `data="a"; data="b"`},
		{"LF CR", "data:a\n\rdata:b\n\r", `data="a"; data="b"`},
		{"empty lines", "\n\n\r\r\r\n\r\ndata:a\n\n\n\n", `data="a"`},
		{"id", "id:1\ndata:x\n\n", `id="1" data="x"`},
		{"id, behind", "data:x\nid:1\n\n", `id="1" data="x"`},
		{"id, empty", "id:\ndata:x\n\n", `id="" data="x"`},
		{"id, name", "id\ndata:x\n\n", `id="" data="x"`},
		{"id, white space", "id: 1\ndata:x\n\n", `id="1" data="x"`},
		{"id, not UTF-8", "id:\xc3\x28\ndata:x\n\n", `id="\xc3(" data="x"`},
		{"id, NUL", "id:1\x002\ndata:x\n\n", `data="x"`},
		{"id, control characters", "id:0\nid:a\x01b\nid:\x1f\nid:1\x7f\ndata:x\n\n", `id="0" data="x"`},
		{"id, tab", "id:1\t2\ndata:x\n\n", `id="1\t2" data="x"`},
		{"id, twice", "id:1\nid:2\ndata:x\n\n", `id="2" data="x"`},
		{"id alone", "id:1\n\ndata:x\n\n", `id="1"; data="x"`},
		{"id and type alone", "id:1\nevent:a\n\n", `id="1"`},
		{"retry", "retry:2000\n\n", `retry=2s`},
		{"retry, white space", "retry: 2000\ndata:x\n\n", `retry=2s data="x"`},
		{"retry, at once", "retry:0\n\n", `retry=1ms`},
		{"retry, zeros", "retry:0010\n\n", `retry=10ms`},
		{"retry, name", "retry\n\n", ""},
		{"retry, no number", "retry:2s\nretry:-1\nretry:+1\nretry: \nretry:0x1\nretry:1.0\nretry:\xc3\x28\n\n", ""},
		{"retry, large", "retry:9999999999999999999999999\n\n", `retry=2562047h47m16.854s`},
		{"timestamp", "timestamp:0x123\ndata:x\n\n", `data="x"`},
		{"type", "event:a\ndata:x\n\n", `type="a" data="x"`},
		{"type, empty", "event:\ndata:x\n\n", `data="x"`},
		{"type, name", "event\ndata:x\n\n", `data="x"`},
		{"type, white space", "event: a\ndata:x\n\n", `type="a" data="x"`},
		{"type, not UTF-8", "event:\xc3\x28\ndata:x\n\n", `type="\xc3(" data="x"`},
		{"type, between", "data:x\nevent:a\ndata:y\n\n", `type="a" data="x\ny"`},
		{"type, behind", "data:x\nevent:a\n\n", `type="a" data="x"`},
		{"type alone", "event:a\n\ndata:x\n\n", `data="x"`},
		{"type, once", "event:a\ndata:x\n\ndata:y\n\nevent:a\ndata:z\n\n", `type="a" data="x"; data="y"; type="a" data="z"`},
		{"cut off in a line", "data:x\n\ndata:y", `data="x"`},
		{"cut off behind a line", "data:x\n\ndata:y\n", `data="x"`},
	} {
		check := func(how string, cuts ...int) {
			t.Helper()
			events, err := parse(c.in, 0, cuts...)
			if got := show(events); got != c.want || err != nil {
				t.Errorf("%s, %s: %s, %v, not %s", c.name, how, got, err, c.want)
			}
		}
		check("at once")
		var each []int
		for i := range len(c.in) {
			check(fmt.Sprint("cut at ", i), i)
			each = append(each, i)
		}
		check("byte by byte", each...)
	}
}

func TestTooLarge(t *testing.T) {
	for _, c := range []struct {
		in, want string
		large    bool
	}{
		{"data:12345\n\n", `data="12345"`, false},
		{"data:1\ndata:2\n\n", `data="1\n2"`, false},
		{"data:1\n\ndata:123456789\n\n", `data="1"`, true},
		{"data:123456789", "", true},
		{"id:1\nid:2\nid:3\nid:4\nid:5\nid:6\n", "", true},
		{"data\ndata\ndata\n", "", true},
		{"event:123456789", "", true},
		{":" + strings.Repeat("comment", 100) + "\ndata:1\n\n", `data="1"`, false},
		{strings.Repeat("custom:1\n", 100) + "data:1\n\n", `data="1"`, false},
		{strings.Repeat("database", 100) + "\ndata:1\n\n", `data="1"`, false},
	} {
		for cut := range len(c.in) {
			events, err := parse(c.in, 13, cut)
			if got := show(events); got != c.want || (err == ErrLarge) != c.large {
				t.Fatalf("%.40q, cut at %d: %s, %v", c.in, cut, got, err)
			}
		}
	}
	p := Parser{Max: 1}
	if _, err := p.Append(nil, []byte("data:1")); err != ErrLarge {
		t.Errorf("it is %v", err)
	}
	if _, err := p.Append(nil, []byte("\n\n")); err != ErrLarge {
		t.Errorf("it does not stay: %v", err)
	}
}

// TestSkippedIsNotHeld sends what nobody looks at, without end.
func TestSkippedIsNotHeld(t *testing.T) {
	for _, begin := range []string{":", "custom", "custom:", "database", "\xef"} {
		p := Parser{Max: 1000}
		p.Append(nil, []byte(begin))
		piece := []byte(strings.Repeat("x", 1000))
		for range 1000 {
			if _, err := p.Append(nil, piece); err != nil {
				t.Fatal(err)
			}
		}
		if cap(p.line) > 100 {
			t.Errorf("%d bytes are held of %q", cap(p.line), begin)
		}
		if events, err := p.Append(nil, []byte("\ndata:x\n\n")); show(events) != `data="x"` || err != nil {
			t.Errorf("behind %q is %s, %v", begin, show(events), err)
		}
	}
}

func TestAppend(t *testing.T) {
	at := time.UnixMilli(0x17b8e9)
	data := func(s string) Event { return Event{Data: []byte(s), HasData: true} }
	for _, c := range []struct {
		e    Event
		want string
	}{
		{data("x"), "data:x\n\n"},
		{data(""), "data:\n\n"},
		{Event{HasData: true}, "data:\n\n"},
		{data("a\nb"), "data:a\ndata:b\n\n"},
		{data("a\n"), "data:a\ndata:\n\n"},
		{data("a\rid:7\r\ndata:b\n\rc"), "data:a\ndata:id:7\ndata:data:b\ndata:\ndata:c\n\n"},
		{data("\r\n\r\n"), "data:\ndata:\ndata:\n\n"},
		{data(" a\n b"), "data:  a\ndata:  b\n\n"},
		{Event{ID: "1", HasID: true}, "id:1\n\n"},
		{Event{HasID: true}, "id:\n\n"},
		{Event{ID: " 1", HasID: true, Type: " a", HasData: true, Data: []byte("x")}, "id:  1\nevent:  a\ndata:x\n\n"},
		{Event{ID: "1\ndata:2", HasID: true, HasData: true}, "data:\n\n"},
		{Event{ID: "1\r", HasID: true}, ""},
		{Event{ID: "1\x00", HasID: true}, ""},
		{Event{ID: "a\x01b", HasID: true, HasData: true}, "data:\n\n"},
		{Event{ID: "\x7f", HasID: true}, ""},
		{Event{ID: "1\t2", HasID: true}, "id:1\t2\n\n"},
		{Event{Type: "a\r\ndata:b", HasData: true, Data: []byte("x")}, "event:adata:b\ndata:x\n\n"},
		{Event{Type: "a", ID: "1", HasID: true}, "id:1\n\n"},
		{Event{Retry: 1500 * time.Millisecond}, "retry:1500\n\n"},
		{Event{Retry: time.Second, ID: "1", HasID: true, Type: "a", HasData: true}, "id:1\nevent:a\nretry:1000\ndata:\n\n"},
		{Event{}, ""},
		{Event{Type: "a"}, ""},
	} {
		if got := string(AppendEvent([]byte("before "), &c.e, true)); got != "before "+c.want {
			t.Errorf("%+v becomes %q", c.e, got)
		}
		c.e.Time = at
		if got := string(AppendEvent([]byte("before "), &c.e, false)); got != "before "+c.want {
			t.Errorf("%+v becomes %q", c.e, got)
		}
		if c.want != "" {
			c.want = "timestamp:0x17b8e9\n" + c.want
		}
		if got := string(AppendEvent([]byte("before "), &c.e, true)); got != "before "+c.want {
			t.Errorf("timed, %+v becomes %q", c.e, got)
		}
	}
	if got := string(AppendRetry(nil, 2*time.Second)); got != "retry:2000\n\n" {
		t.Errorf("retry is %q", got)
	}
}

var normal = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// FuzzRoundTrip wants every event to arrive as it was sent, but for breaks of lines.
func FuzzRoundTrip(f *testing.F) {
	f.Add("1", true, "type", []byte("a\nb\r\rc\r\n"), true, int64(2000), 3)
	f.Add(" \n", true, " a\r", []byte(" "), true, int64(0), 0)
	f.Add("", true, "", []byte(nil), false, int64(0), 0)
	f.Fuzz(func(t *testing.T, id string, hasID bool, typ string, data []byte, hasData bool, retry int64, cut int) {
		e := Event{ID: id, HasID: hasID, Type: typ, Data: data, HasData: hasData, Retry: time.Duration(max(0, retry%1e9)) * time.Millisecond}
		text := string(AppendEvent(nil, &e, cut%2 == 0)) + "data:behind\n\n"
		got, err := parse(text, 0, max(0, cut)%len(text))
		if err != nil {
			t.Fatal(err)
		}
		want := e
		if !IsID(id) {
			want.HasID = false
		}
		if !want.HasID {
			want.ID = ""
		}
		want.Type = breaks.Replace(typ)
		if !hasData {
			want.Data, want.Type = nil, ""
		}
		want.Data = []byte(normal.Replace(string(want.Data)))
		all := []Event{want, {Data: []byte("behind"), HasData: true}}
		if !want.HasID && !want.HasData && want.Retry == 0 {
			all = all[1:]
		}
		if show(got) != show(all) {
			t.Fatalf("%q is read as\n%s\nnot\n%s", text, show(got), show(all))
		}
	})
}

// FuzzParser wants the same events however the text is cut, and no more to be held than came.
func FuzzParser(f *testing.F) {
	f.Add([]byte("\xef\xbb\xbfid:1\r\nevent: a\rdata:x\n\r\nretry:1\n\n:c\nzz\ndata"), uint8(3), uint8(20))
	f.Fuzz(func(t *testing.T, text []byte, size, most uint8) {
		p := Parser{Max: int(most)}
		want, wantErr := p.Append(nil, text)
		q := Parser{Max: int(most)}
		var got []Event
		var err error
		for rest := text; len(rest) > 0 && err == nil; {
			n := min(int(size)+1, len(rest))
			got, err = q.Append(got, rest[:n])
			rest = rest[n:]
			if held := len(q.line) + len(q.event.Data) + len(q.event.ID) + len(q.event.Type); most > 0 && held > int(most)+longest {
				t.Fatalf("%d bytes are held", held)
			}
		}
		if err != wantErr || !reflect.DeepEqual(got, want) {
			t.Fatalf("at once %s, %v; in parts %s, %v", show(want), wantErr, show(got), err)
		}
	})
}

// TestAllocations: an event is its data and its id, nothing more.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	text := []byte("id:12345\nevent:price\ndata:{\"a\":1}\n\n:\n\ncustom:x\n")
	var p Parser
	events := make([]Event, 0, 4)
	p.Append(events, text)
	if n := testing.AllocsPerRun(100, func() { p.Append(events, text) }); n != 2 {
		t.Errorf("an event costs %v allocations to read", n)
	}
	e := Event{ID: "1", HasID: true, Type: "a", Data: []byte("a\nb"), HasData: true, Time: time.Now()}
	dst := make([]byte, 0, 200)
	if n := testing.AllocsPerRun(100, func() { AppendEvent(dst, &e, true) }); n != 0 {
		t.Errorf("an event costs %v allocations to write", n)
	}
}

func BenchmarkParser(b *testing.B) {
	text := []byte(strings.Repeat("id:12345\nevent:price\ndata:{\"symbol\":\"GOZ\",\"price\":12.34}\n\n", 100))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	var p Parser
	var events []Event
	for b.Loop() {
		events, _ = p.Append(events[:0], text)
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	e := Event{ID: "12345", HasID: true, Type: "price", Data: []byte(`{"symbol":"GOZ","price":12.34}`), HasData: true}
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = AppendEvent(dst[:0], &e, false)
	}
}

// BenchmarkEnds is a text of nothing but CR, which must not take longer the longer it is.
func BenchmarkEnds(b *testing.B) {
	for _, n := range []int{1 << 10, 64 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			text := []byte(strings.Repeat("\r", n))
			b.SetBytes(int64(n))
			var p Parser
			for b.Loop() {
				p.Append(nil, text)
			}
		})
	}
}

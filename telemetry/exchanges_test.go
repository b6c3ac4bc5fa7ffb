package telemetry_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gozilla/telemetry"
)

// attributes are those of a test, which must be right.
func attributes(t testing.TB, texts map[string]string) *telemetry.Attributes {
	t.Helper()
	a, err := telemetry.ParseAttributes(texts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// from looks expressions up by their texts.
func from(values map[string]string) func(telemetry.Expression) (string, bool) {
	return func(x telemetry.Expression) (string, bool) {
		v, ok := values[x.String()]
		return v, ok
	}
}

// histograms shows the samples of histograms, one a line: the labels, the count and the sum.
func histograms(samples []telemetry.Sample, name string) string {
	var b strings.Builder
	for _, s := range samples {
		if s.Name == name {
			fmt.Fprintf(&b, "{%s} %d %d\n", s.LabelText(), s.Value, s.Histogram.Sum())
		}
	}
	return b.String()
}

func TestExchanges(t *testing.T) {
	var m telemetry.Metrics
	var e telemetry.Exchanges
	var s telemetry.Streams
	m.Add("default", "north", &s, nil)
	m.Add("default", "north", &e, func(name string) bool { return name != "http.duration" })
	for range 3 {
		e.Begin()
	}
	e.End(&telemetry.Exchange{Received: 0, Sent: 1500, Duration: time.Millisecond, Whole: true})
	e.End(&telemetry.Exchange{Received: 10, Sent: 10, Duration: time.Hour})
	var got strings.Builder
	for _, s := range m.Snapshot() {
		if strings.HasPrefix(s.Name, "http.") {
			fmt.Fprintln(&got, s.Name, s.Kind, s.Unit, s.Value, s.Selected)
			if s.Help == "" || !telemetry.Built(s.Name) {
				t.Errorf("%+v", s)
			}
		}
	}
	want := `http.active.requests gauge count 1 true
http.duration histogram nanoseconds 1 false
http.request.size histogram bytes 1 true
http.response.size histogram bytes 1 true
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	if got := histograms(m.Snapshot(), "http.response.size"); got != "{} 1 1500\n" {
		t.Error(got)
	}
}

// An upper limit belongs to its bucket.
func TestBuckets(t *testing.T) {
	for v, upTo := range map[int64]uint64{
		math.MinInt64: 2, -1: 2, 0: 2, 1: 2, 2: 2, 3: 4, 4: 4, 5: 8, 1000: 1024, 1024: 1024, 1025: 2048, math.MaxInt64: 1 << 63, 1 << 62: 1 << 62,
	} {
		var m telemetry.Metrics
		var e telemetry.Exchanges
		m.Add("n", "b", &e, nil)
		e.Begin()
		e.End(&telemetry.Exchange{Sent: v, Whole: true})
		for _, s := range m.Snapshot() {
			if s.Name != "http.response.size" {
				continue
			}
			b, err := s.Histogram.MarshalJSON()
			if want := fmt.Sprintf(`{"sum":%d,"buckets":[{"up_to":%d,"count":1}]}`, max(v, 0), upTo); err != nil || string(b) != want {
				t.Errorf("%d: %v: %s, want %s", v, err, b, want)
			}
			if s.Histogram.Average() != float64(max(v, 0)) {
				t.Errorf("the average of %d is %v", v, s.Histogram.Average())
			}
		}
	}
}

func TestExchangesWithLabels(t *testing.T) {
	var m telemetry.Metrics
	var e telemetry.Exchanges
	m.Add("default", "north", &e, all)
	a := attributes(t, map[string]string{"method": "${http.request.method}", "status": "${http.response.status}", "site": "east"})
	if got := histograms(m.Snapshot(), "http.request.size"); got != "{} 0 0\n" {
		t.Errorf("before the first: %s", got)
	}
	var labels telemetry.Labels
	for i, values := range []map[string]string{
		{"http.request.method": "GET", "http.response.status": "200"},
		{"http.request.method": "GET", "http.response.status": "404"},
		{"http.request.method": "GET", "http.response.status": "200"},
		{"http.request.method": "PUT"},
	} {
		labels = a.Labels(labels, from(values))
		e.Begin()
		e.End(&telemetry.Exchange{Received: int64(i), Whole: true, Labels: labels})
	}
	want := `{method="GET",site="east",status="200"} 2 2
{method="GET",site="east",status="404"} 1 1
{method="PUT",site="east"} 1 3
`
	if got := histograms(m.Snapshot(), "http.request.size"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, s := range m.Snapshot() {
		if s.Name == "http.active.requests" && (s.Labels != nil || s.Value != 0) {
			t.Errorf("%+v", s)
		}
	}
	e.Begin()
	e.End(&telemetry.Exchange{Whole: true}) // from before there were attributes
	if got := histograms(m.Snapshot(), "http.request.size"); got != "{} 1 0\n"+want {
		t.Errorf("with one without labels:\n%s", got)
	}
}

func TestCombinationsAreBounded(t *testing.T) {
	var m telemetry.Metrics
	var e telemetry.Exchanges
	remove := m.Add("default", "north", &e, all)
	a := attributes(t, map[string]string{"path": "${http.request.path}", "agent": "${http.request.User-Agent}", "site": "east"})
	var each sync.WaitGroup
	const sides, paths = 4, 3000
	for range sides {
		each.Go(func() {
			var labels telemetry.Labels
			for i := range paths {
				labels = a.Labels(labels, from(map[string]string{"http.request.path": strconv.Itoa(i)}))
				e.Begin()
				e.End(&telemetry.Exchange{Sent: 1, Whole: true, Labels: labels})
			}
		})
	}
	each.Wait()
	series, count, others := 0, int64(0), int64(0)
	look := func() {
		series, count, others = 0, 0, 0
		for _, s := range m.Snapshot() {
			if s.Name == "http.response.size" {
				series++
				count += s.Value
				if s.LabelText() == `agent="_other_",path="_other_",site="east"` {
					others += s.Value
				}
			}
		}
	}
	look()
	if series != telemetry.MaxCombinations+1 || count != sides*paths || others < count/2 {
		t.Errorf("%d series with %d values, %d of them without a series of their own", series, count, others)
	}

	// Of instances that have left no more is kept.
	for i := range 5 {
		next := &telemetry.Exchanges{}
		removeNext := m.Add("default", "north", next, all)
		for j := range 900 {
			next.Begin()
			next.End(&telemetry.Exchange{Sent: 1, Whole: true, Labels: a.Labels(telemetry.Labels{}, from(map[string]string{"http.request.path": fmt.Sprint(i, "/", j)}))})
		}
		remove()
		remove = removeNext
	}
	look()
	if series > 2*telemetry.MaxCombinations+2 || count != sides*paths+5*900 {
		t.Errorf("after reloads: %d series with %d values", series, count)
	}
}

// What an instance that has left has counted stays, and what looks the same is one series.
func TestExchangesOverReload(t *testing.T) {
	var m telemetry.Metrics
	var old, young telemetry.Exchanges
	removeOld := m.Add("default", "north", &old, all)
	m.Add("default", "north", &young, all)
	one := func(e *telemetry.Exchanges, texts map[string]string) {
		e.Begin()
		labels := attributes(t, texts).Labels(telemetry.Labels{}, from(map[string]string{"http.request.zone": "east"}))
		e.End(&telemetry.Exchange{Sent: 1, Whole: true, Labels: labels})
	}
	one(&old, map[string]string{"zone": "east"})
	one(&old, nil)
	one(&young, map[string]string{"zone": "${http.request.zone}"})
	one(&young, map[string]string{"zone": "${http.request.zone}", "b": "${http.request.b}"})
	one(&young, map[string]string{"b": "${http.request.b}"})
	want := "{} 2 2\n{zone=\"east\"} 3 3\n"
	if got := histograms(m.Snapshot(), "http.response.size"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	removeOld()
	if got := histograms(m.Snapshot(), "http.response.size"); got != want {
		t.Errorf("without the old one: got\n%s\nwant\n%s", got, want)
	}
}

func TestParseAttributes(t *testing.T) {
	for _, test := range []struct {
		texts map[string]string
		key   string
		why   string // of the error
	}{
		{map[string]string{"a": "b", "m": "${http.request.method}"}, "", ""},
		{map[string]string{"tool": "${mcp.tool}"}, "", ""},
		{map[string]string{"a": "${http.request.body}", "b": "$5", "c": "{x}"}, "", ""},
		{map[string]string{"ok": "x", "m": "${http.request.}"}, "m", "is no expression that there is: ${http.request.}"},
		{map[string]string{"m": "${http.method}"}, "m", "is no expression"},
		{map[string]string{"m": "${http.request.a b}"}, "m", "is no expression"},
		{map[string]string{"m": "${http.request.method} x"}, "m", "is no expression"},
		{map[string]string{"m": "${http.request.method"}, "m", "is no expression"},
		{map[string]string{"m": "${grpc.request.method}"}, "m", "is no expression"},
		{map[string]string{"m": "${mcp.other}"}, "m", "is no expression"},
		{map[string]string{"m": "${\n}"}, "m", `${\n}`},
		{map[string]string{"m": "a ${http.request.method}"}, "m", "mixes text and an expression"},
		{map[string]string{"": "x"}, "", "needs a name"},
		{map[string]string{"--": "x"}, "--", "needs a name"},
		{map[string]string{"binding": "x"}, "binding", "metrics have a use for themselves"},
		{map[string]string{"le": "x"}, "le", "metrics have a use for themselves"},
		{map[string]string{"--a": "x"}, "--a", "metrics have a use for themselves"},
		{map[string]string{"a.b": "x", "a-b": "y"}, "a.b", `is a_b to exporters, and so is "a-b"`},
	} {
		_, err := telemetry.ParseAttributes(test.texts)
		var wrong *telemetry.AttributeError
		switch {
		case test.why == "" && err != nil:
			t.Errorf("%v: %v", test.texts, err)
		case test.why != "" && (!errors.As(err, &wrong) || wrong.Label != test.key || !strings.Contains(wrong.Reason, test.why)):
			t.Errorf("%v: %v", test.texts, err)
		}
	}
	var none *telemetry.Attributes
	if a := attributes(t, nil); a != nil || none.Dynamic() || none.Expressions() != nil || !reflect.DeepEqual(none.Labels(telemetry.Labels{}, nil), telemetry.Labels{}) {
		t.Error("no attributes are something")
	}
	a := attributes(t, map[string]string{"a": "${http.request.Accept}", "b": "x", "c": "${http.response.status}", "d": "${http.request.path}", "e": "${http.request.accept}"})
	want := []telemetry.Expression{{Name: "accept"}, {Response: true, Name: ":status"}, {Name: ":path"}}
	if got := a.Expressions(); !reflect.DeepEqual(got, want) || !a.Dynamic() {
		t.Errorf("expressions: %v", got)
	}
	if fixed := attributes(t, map[string]string{"b": "x"}); fixed.Dynamic() {
		t.Error("a text is no expression")
	} else if n := testing.AllocsPerRun(100, func() { fixed.Labels(telemetry.Labels{}, nil) }); n != 0 {
		t.Errorf("texts allocate %v times", n)
	}
}

func TestLabelsAreClean(t *testing.T) {
	a := attributes(t, map[string]string{"h": "${http.request.h}"})
	for in, want := range map[string]string{
		"":                             "",
		"plain":                        "plain",
		strings.Repeat("x", 256):       strings.Repeat("x", 256),
		strings.Repeat("x", 1000):      strings.Repeat("x", 256),
		strings.Repeat("x", 255) + "é": strings.Repeat("x", 255),
		"a\xffb":                       "a\ufffdb",
		strings.Repeat("\xff", 1000):   strings.Repeat("\ufffd", 85),
		"a\x00b\"\\\n":                 "a\x00b\"\\\n",
	} {
		var m telemetry.Metrics
		var e telemetry.Exchanges
		m.Add("default", "north", &e, all)
		e.Begin()
		e.End(&telemetry.Exchange{Whole: true, Labels: a.Labels(telemetry.Labels{}, from(map[string]string{"http.request.h": in}))})
		for _, s := range m.Snapshot() {
			if s.Kind == telemetry.Histogram && s.Labels["h"] != want {
				t.Errorf("%q became %q", in, s.Labels["h"])
			}
		}
	}
}

func TestHistogramJSON(t *testing.T) {
	var m telemetry.Metrics
	var e telemetry.Exchanges
	m.Add("default", "north", &e, all)
	a := attributes(t, map[string]string{"status": "${http.response.status}"})
	for i := range 3 {
		e.Begin()
		e.End(&telemetry.Exchange{Sent: 900 * int64(i), Whole: true, Labels: a.Labels(telemetry.Labels{}, from(map[string]string{"http.response.status": "200"}))})
	}
	for _, s := range m.Snapshot() {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		want := `{"namespace":"default","binding":"north","name":"http.response.size","labels":{"status":"200"},"unit":"bytes",` +
			`"kind":"histogram","help":"` + s.Help + `","value":3,` +
			`"histogram":{"sum":2700,"buckets":[{"up_to":2,"count":1},{"up_to":1024,"count":1},{"up_to":2048,"count":1}]},"selected":true}`
		if s.Name == "http.response.size" && string(b) != want {
			t.Errorf("got\n%s\nwant\n%s", b, want)
		}
		var back telemetry.Sample
		if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%v: %+v came back as %+v", err, s, back)
		}
	}
	for _, bad := range []string{`[]`, `{"buckets":[{"up_to":3}]}`, `{"buckets":[{"up_to":0}]}`, `{"buckets":[{"up_to":1}]}`, `{"buckets":[{"up_to":-2}]}`} {
		if new(telemetry.Distribution).UnmarshalJSON([]byte(bad)) == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestExchangesDoNotAllocate(t *testing.T) {
	var e telemetry.Exchanges
	a := attributes(t, map[string]string{"method": "${http.request.method}", "status": "${http.response.status}"})
	x := &telemetry.Exchange{Received: 1, Sent: 2, Duration: 3, Whole: true}
	lookup := func(x telemetry.Expression) (string, bool) {
		if x.Response {
			return "200", true
		}
		return "\xff", true // the slow way
	}
	one := func() {
		e.Begin()
		x.Labels = a.Labels(x.Labels, lookup)
		e.End(x)
	}
	if n := testing.AllocsPerRun(100, one); n != 0 {
		t.Errorf("an exchange allocates %v times", n)
	}
	method := ""
	lookup = func(telemetry.Expression) (string, bool) { return method, true }
	for i := range telemetry.MaxCombinations {
		method = strconv.Itoa(i)
		one()
	}
	method = "one too many"
	if n := testing.AllocsPerRun(100, one); n != 0 {
		t.Errorf("an exchange without a series of its own allocates %v times", n)
	}
}

func BenchmarkExchange(b *testing.B) {
	a := attributes(b, map[string]string{"method": "${http.request.method}", "status": "${http.response.status}"})
	lookup := func(x telemetry.Expression) (string, bool) {
		if x.Response {
			return "200", true
		}
		return "GET", true
	}
	for _, labelled := range []bool{false, true} {
		run := func(e *telemetry.Exchanges, x *telemetry.Exchange) {
			e.Begin()
			if labelled {
				x.Labels = a.Labels(x.Labels, lookup)
			}
			e.End(x)
		}
		b.Run(fmt.Sprintf("labels=%v", labelled), func(b *testing.B) {
			var e telemetry.Exchanges
			x := &telemetry.Exchange{Received: 100, Sent: 1500, Duration: time.Millisecond, Whole: true}
			b.ReportAllocs()
			for b.Loop() {
				run(&e, x)
			}
		})
		b.Run(fmt.Sprintf("labels=%v/parallel", labelled), func(b *testing.B) {
			var e telemetry.Exchanges
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				x := &telemetry.Exchange{Received: 100, Sent: 1500, Duration: time.Millisecond, Whole: true}
				for pb.Next() {
					run(&e, x)
				}
			})
		})
	}
}

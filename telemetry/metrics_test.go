package telemetry_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"gozilla/telemetry"
)

// show gives the samples whose value is not zero, one a line.
func show(samples []telemetry.Sample) string {
	var b strings.Builder
	for _, s := range samples {
		if s.Value != 0 {
			fmt.Fprintf(&b, "%s:%s %s=%d\n", s.Namespace, s.Binding, s.Name, s.Value)
		}
	}
	return b.String()
}

func all(string) bool { return true }

func TestMetricsTable(t *testing.T) {
	var m telemetry.Metrics
	var s telemetry.Streams
	m.Add("default", "north", &s, nil)
	var got strings.Builder
	for _, sample := range m.Snapshot() {
		fmt.Fprintln(&got, sample.Name, sample.Kind, sample.Unit)
		if sample.Help == "" || sample.Selected || !telemetry.Built(sample.Name) {
			t.Errorf("%+v", sample)
		}
	}
	want := `stream.active.received gauge count
stream.active.sent gauge count
stream.closes.received counter count
stream.closes.sent counter count
stream.data.received counter bytes
stream.data.sent counter bytes
stream.errors.received counter count
stream.errors.sent counter count
stream.opens.received counter count
stream.opens.sent counter count
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestMetricsCount(t *testing.T) {
	var m telemetry.Metrics
	var north, south telemetry.Streams
	m.Add("default", "south", &south, all)
	remove := m.Add("default", "north", &north, func(name string) bool { return strings.HasPrefix(name, "stream.data") })
	m.Gauge("engine.workers.usage", "In use", func() int64 { return 3 })
	m.Counter("engine.workers.count", "Workers", func() int64 { return 1 })
	m.Gauge("engine.workers.usage", "In use", func() int64 { return 4 })
	for _, err := range []error{nil, errors.New("cut"), nil} {
		north.Open()
		north.End(err)
	}
	north.Open()
	north.Received.Bytes.Add(10)
	north.Sent.Bytes.Add(20)
	samples := m.Snapshot()
	want := `: engine.workers.count=1
: engine.workers.usage=4
default:north stream.active.received=1
default:north stream.active.sent=1
default:north stream.closes.received=2
default:north stream.closes.sent=2
default:north stream.data.received=10
default:north stream.data.sent=20
default:north stream.errors.received=1
default:north stream.errors.sent=1
default:north stream.opens.received=4
default:north stream.opens.sent=4
`
	if got := show(samples); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var selected []string
	for _, s := range samples {
		if s.Selected && s.Binding != "south" {
			selected = append(selected, s.Name)
		}
	}
	if want := []string{"engine.workers.count", "engine.workers.usage", "stream.data.received", "stream.data.sent"}; !slices.Equal(selected, want) {
		t.Errorf("selected: %v", selected)
	}
	remove()
	remove()
	if got := len(m.Snapshot()); got != 12 {
		t.Errorf("%d samples are left, want 12", got)
	}
}

// Two instances of one binding, as during a reload, are one series, and it never falls while the name lives.
func TestMetricsOverReload(t *testing.T) {
	var m telemetry.Metrics
	var old, young telemetry.Streams
	removeOld := m.Add("default", "north", &old, all)
	old.Open()
	removeNew := m.Add("default", "north", &young, nil)
	young.Open()
	check := func(when, want string) {
		t.Helper()
		samples := m.Snapshot()
		samples = slices.DeleteFunc(samples, func(s telemetry.Sample) bool { return strings.HasSuffix(s.Name, ".sent") })
		if got := show(samples); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", when, got, want)
		}
	}
	check("both", "default:north stream.active.received=2\ndefault:north stream.opens.received=2\n")
	if m.Snapshot()[0].Selected {
		t.Error("the selection of the last one must hold")
	}
	old.End(nil)
	removeOld()
	want := "default:north stream.active.received=1\ndefault:north stream.closes.received=1\ndefault:north stream.opens.received=2\n"
	check("the old one has left", want)

	// The same counters again, with another selection: nothing counts twice.
	removeAgain := m.Add("default", "north", &young, all)
	removeNew()
	check("selected anew", want)
	if !m.Snapshot()[0].Selected {
		t.Error("the new selection must hold")
	}
	removeAgain()
	check("all have left", "")
}

func TestNilMetrics(t *testing.T) {
	var m *telemetry.Metrics
	m.Add("a", "b", &telemetry.Streams{}, all)()
	m.Gauge("x", "", func() int64 { return 0 })
	if m.Snapshot() != nil {
		t.Error("a nil *Metrics has samples")
	}
}

func TestMetricsFromManySides(t *testing.T) {
	var m telemetry.Metrics
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			var s telemetry.Streams
			for range 200 {
				remove := m.Add("default", strconv.Itoa(i%2), &s, all)
				s.Open()
				s.End(nil)
				for _, sample := range m.Snapshot() {
					if sample.Value < 0 {
						t.Errorf("%+v", sample)
					}
				}
				remove()
			}
		})
	}
	wait.Wait()
	if n := len(m.Snapshot()); n != 0 {
		t.Errorf("%d samples are left", n)
	}
}

func TestMetricNames(t *testing.T) {
	names := telemetry.MetricNames()
	if len(names) != 38 || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != 38 {
		t.Errorf("%d names: %v", len(names), names)
	}
	for _, name := range []string{"stream.opens.received", "http.duration", "grpc.requests.per.rpc", "mcp.tools.call.duration"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is missing", name)
		}
	}
	if !telemetry.Built("http.duration") || telemetry.Built("grpc.duration") || telemetry.Built("engine.workers.count") || !telemetry.Built("stream.data.sent") {
		t.Error("Built is wrong")
	}
	if telemetry.Help("grpc.duration") != "" || telemetry.Help("stream.data.sent") != "Payload that went back to who opened the streams" {
		t.Error("Help is wrong")
	}
}

func TestSampleJSON(t *testing.T) {
	s := telemetry.Sample{Namespace: "a", Binding: "b\u0085<", Name: "n", Unit: "count", Kind: telemetry.Gauge, Help: "h", Value: -1, Selected: true}
	b, err := s.MarshalJSON()
	want := `{"namespace":"a","binding":"b\u0085<","name":"n","unit":"count","kind":"gauge","help":"h","value":-1,"selected":true}`
	if err != nil || string(b) != want {
		t.Errorf("%v: %s", err, b)
	}
	var back telemetry.Sample
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("%v: came back as %+v", err, back)
	}
}

func TestPrometheusText(t *testing.T) {
	var m telemetry.Metrics
	var north, south telemetry.Streams
	only := func(name string) bool { return name == "stream.data.sent" || name == "stream.active.received" }
	m.Add("default", "south", &south, only)
	m.Add("default", "north", &north, only)
	m.Add("default", "west", &south, nil)
	m.Counter("engine.workers.count", "Workers", func() int64 { return 8 })
	m.Gauge("engine.workers.capacity", "Limit on connections", func() int64 { return 10_000 })
	north.Open()
	north.Sent.Bytes.Add(1 << 40)
	var b bytes.Buffer
	if err := telemetry.WritePrometheus(&b, m.Snapshot()); err != nil {
		t.Fatal(err)
	}
	want := `# HELP engine_workers_capacity Limit on connections
# TYPE engine_workers_capacity gauge
engine_workers_capacity 10000
# HELP engine_workers_count_total Workers
# TYPE engine_workers_count_total counter
engine_workers_count_total 8
# HELP stream_active_received Streams that are open towards the binding
# TYPE stream_active_received gauge
stream_active_received{namespace="default",binding="north"} 1
stream_active_received{namespace="default",binding="south"} 0
# HELP stream_data_sent_bytes_total Payload that went back to who opened the streams
# TYPE stream_data_sent_bytes_total counter
stream_data_sent_bytes_total{namespace="default",binding="north"} 1099511627776
stream_data_sent_bytes_total{namespace="default",binding="south"} 0
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPrometheusNames(t *testing.T) {
	for _, test := range []struct {
		name, unit string
		kind       telemetry.Kind
		want       string
	}{
		{"stream.active.sent", "count", telemetry.Gauge, "stream_active_sent 1500000"},
		{"stream.opens.received", "count", telemetry.Counter, "stream_opens_received_total 1500000"},
		{"stream.data.received", "bytes", telemetry.Counter, "stream_data_received_bytes_total 1500000"},
		{"http.duration", "nanoseconds", telemetry.Gauge, "http_duration_milliseconds 1.5"},
		{"mcp.tools.call", "count", telemetry.Counter, "mcp_tools_call_total 1500000"},
		{"odd-näme", "count", telemetry.Gauge, "odd_n_me 1500000"},
	} {
		var b bytes.Buffer
		s := telemetry.Sample{Name: test.name, Unit: test.unit, Kind: test.kind, Value: 1_500_000, Selected: true}
		if err := telemetry.WritePrometheus(&b, []telemetry.Sample{s}); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Split(b.String(), "\n"); lines[2] != test.want {
			t.Errorf("got %q, want %q", lines[2], test.want)
		}
	}
}

func TestPrometheusHistogram(t *testing.T) {
	var m telemetry.Metrics
	var plain, labelled telemetry.Exchanges
	only := func(name string) bool { return name == "http.request.size" || name == "http.active.requests" }
	m.Add("default", "south", &plain, only)
	m.Add("default", "north", &labelled, all)
	a := attributes(t, map[string]string{"http.method": "${http.request.method}", "1st": "x"})
	for _, v := range []int64{0, 1024, 1025, 1 << 50} {
		plain.Begin()
		plain.End(&telemetry.Exchange{Received: v, Whole: true})
		labelled.Begin()
		labelled.End(&telemetry.Exchange{Duration: time.Duration(v) << 10, Whole: true, Labels: a.Labels(telemetry.Labels{},
			from(map[string]string{"http.request.method": "a\"\\\n"}))})
	}
	var b bytes.Buffer
	if err := telemetry.WritePrometheus(&b, m.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if _, err := parsePrometheus(b.String()); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for line := range strings.Lines(b.String()) {
		// The buckets are many; those of a size up to 2 and around 1024 tell enough.
		if !strings.Contains(line, "_bucket") || regexp.MustCompile(`le="(2|512|1024|2048|34359738368|68719476736|0.016384|1.048576|2.097152|4398046.511104|\+Inf)"`).MatchString(line) {
			if !strings.HasPrefix(line, "# HELP") && !strings.Contains(line, `http_response_size`) {
				got.WriteString(line)
			}
		}
	}
	want := `# TYPE http_active_requests gauge
http_active_requests{namespace="default",binding="north"} 0
http_active_requests{namespace="default",binding="south"} 0
# TYPE http_duration_milliseconds histogram
http_duration_milliseconds_bucket{namespace="default",binding="north",_1st="x",http_method="a\"\\\n",le="0.016384"} 1
http_duration_milliseconds_bucket{namespace="default",binding="north",_1st="x",http_method="a\"\\\n",le="1.048576"} 2
http_duration_milliseconds_bucket{namespace="default",binding="north",_1st="x",http_method="a\"\\\n",le="2.097152"} 3
http_duration_milliseconds_bucket{namespace="default",binding="north",_1st="x",http_method="a\"\\\n",le="4398046.511104"} 3
http_duration_milliseconds_bucket{namespace="default",binding="north",_1st="x",http_method="a\"\\\n",le="+Inf"} 4
http_duration_milliseconds_sum{namespace="default",binding="north",_1st="x",http_method="a\"\\\n"} 1.152921504608945e+12
http_duration_milliseconds_count{namespace="default",binding="north",_1st="x",http_method="a\"\\\n"} 4
# TYPE http_request_size_bytes histogram
http_request_size_bytes_bucket{namespace="default",binding="north",_1st="x",http_method="a\"\\\n",le="2"} 4
`
	if !strings.HasPrefix(got.String(), want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	want = `http_request_size_bytes_bucket{namespace="default",binding="south",le="2"} 1
http_request_size_bytes_bucket{namespace="default",binding="south",le="512"} 1
http_request_size_bytes_bucket{namespace="default",binding="south",le="1024"} 2
http_request_size_bytes_bucket{namespace="default",binding="south",le="2048"} 3
http_request_size_bytes_bucket{namespace="default",binding="south",le="34359738368"} 3
http_request_size_bytes_bucket{namespace="default",binding="south",le="68719476736"} 3
http_request_size_bytes_bucket{namespace="default",binding="south",le="+Inf"} 4
http_request_size_bytes_sum{namespace="default",binding="south"} 1125899906844673
http_request_size_bytes_count{namespace="default",binding="south"} 4
`
	if !strings.HasSuffix(got.String(), want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

// Labels that differ here but not there, as over a reload, must not spoil the whole answer.
func TestPrometheusSameLabels(t *testing.T) {
	var m telemetry.Metrics
	var e telemetry.Exchanges
	m.Add("default", "north", &e, all)
	for _, label := range []string{"a.b", "a-b"} {
		e.Begin()
		e.End(&telemetry.Exchange{Whole: true, Labels: attributes(t, map[string]string{label: "x"}).Labels(telemetry.Labels{}, nil)})
	}
	var b bytes.Buffer
	if err := telemetry.WritePrometheus(&b, m.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if _, err := parsePrometheus(b.String()); err != nil || strings.Count(b.String(), "http_duration_milliseconds_count{") != 1 {
		t.Errorf("%v\n%s", err, &b)
	}
}

func TestPrometheusHostile(t *testing.T) {
	for _, s := range append([]string{`a"b\c`, "a\nb", `\n`}, hostile...) {
		var m telemetry.Metrics
		m.Add(s, s, &telemetry.Streams{}, all)
		m.Add("default", "north", &telemetry.Streams{}, all)
		var e telemetry.Exchanges
		m.Add(s, s, &e, all)
		e.Begin()
		e.End(&telemetry.Exchange{Whole: true, Labels: attributes(t, map[string]string{"h": "${http.request.h}", "x" + s: s}).
			Labels(telemetry.Labels{}, from(map[string]string{"http.request.h": s}))})
		m.Gauge("engine.x", s, func() int64 { return -1 })
		var b bytes.Buffer
		if err := telemetry.WritePrometheus(&b, m.Snapshot()); err != nil {
			t.Fatal(err)
		}
		series, err := parsePrometheus(b.String())
		if err != nil {
			t.Fatalf("%q: %v\n%s", s, err, b.String())
		}
		s = strings.ToValidUTF8(s, "\ufffd")
		if _, ok := series[fmt.Sprintf("stream_opens_sent_total %q %q", s, s)]; !ok || len(series) != 21+1+2*(36+3)+29+3 {
			t.Errorf("%q is not among the %d series", s, len(series))
		}
	}
}

var (
	metricLine = regexp.MustCompile(`^(# HELP|# TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$`)
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.e+]+)$`)
	labelPair  = regexp.MustCompile(`^,?([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"`)
	unescape   = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\"`, `"`)
)

// parsePrometheus reads the text format as strictly as its description allows, and gives the values by series: the name,
// and the values of the labels.
func parsePrometheus(text string) (map[string]string, error) {
	series := map[string]string{}
	seen := map[string]bool{}
	family, kind := "", ""
	buckets := map[string]float64{} // the last value by series without le
	if !utf8.ValidString(text) || !strings.HasSuffix(text, "\n") {
		return nil, errors.New("not valid UTF-8, or no line break at the end")
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Split(splitLF)
	for lines.Scan() {
		line := lines.Text()
		if m := metricLine.FindStringSubmatch(line); m != nil {
			switch {
			case m[1] == "# HELP" && seen[m[2]]:
				return nil, fmt.Errorf("a second family %s", m[2])
			case m[1] == "# HELP":
				family, kind, seen[m[2]] = m[2], "", true
			case m[2] != family || kind != "" || !slices.Contains([]string{"counter", "gauge", "histogram"}, m[3]):
				return nil, fmt.Errorf("a type out of place: %q", line)
			default:
				kind = m[3]
			}
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil || kind == "" {
			return nil, fmt.Errorf("a bad line, or one out of place: %q", line)
		}
		suffix, ok := strings.CutPrefix(m[1], family)
		if !ok || kind != "histogram" && suffix != "" || kind == "histogram" && !slices.Contains([]string{"_bucket", "_sum", "_count"}, suffix) {
			return nil, fmt.Errorf("a name out of place: %q", line)
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, err
		}
		key, names, le := m[1], map[string]bool{}, ""
		for rest := m[2]; rest != ""; {
			pair := labelPair.FindStringSubmatch(rest)
			if pair == nil || names[pair[1]] {
				return nil, fmt.Errorf("bad labels: %q", line)
			}
			names[pair[1]] = true
			if rest = rest[len(pair[0]):]; pair[1] == "le" {
				le = pair[2]
				continue
			}
			key += fmt.Sprintf(" %q", unescape.Replace(pair[2]))
		}
		if names["le"] != (suffix == "_bucket") {
			return nil, fmt.Errorf("a bucket without a limit, or a limit without a bucket: %q", line)
		}
		if suffix == "_bucket" {
			if value < buckets[key] {
				return nil, fmt.Errorf("buckets must rise: %q", line)
			}
			buckets[key] = value
		}
		if suffix == "_count" && value != buckets[strings.Replace(key, "_count", "_bucket", 1)] {
			return nil, fmt.Errorf("not as many as are in the buckets: %q", line)
		}
		if le != "" {
			key += " le " + le
		}
		if _, twice := series[key]; twice {
			return nil, fmt.Errorf("the series %s is there twice", key)
		}
		series[key] = m[3]
	}
	return series, lines.Err()
}

// splitLF splits at line feeds and nowhere else, as the format says; bufio.ScanLines would drop carriage returns.
func splitLF(data []byte, end bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	return 0, nil, nil
}

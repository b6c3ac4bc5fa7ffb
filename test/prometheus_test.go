package test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// exported is an echo whose metrics are exported.
func exported(port, prom int) string {
	return strings.Replace(echo(port), "bindings:\n  north:\n", fmt.Sprintf(`telemetry:
  metrics:
    - stream.opens.received
    - stream.opens.sent
    - stream.closes.received
    - stream.closes.sent
    - stream.data.received
    - stream.data.sent
    - stream.errors.received
    - stream.active.received
    - http.request.size
  exporters:
    prom:
      type: prometheus
      options:
        endpoints:
          - scheme: http
            port: %d
bindings:
  north:
    telemetry:
      metrics:
        - stream.*
        - http.*
`, prom), 1)
}

// sample is one series: its name, labels, and type.
type sample struct{ name, namespace, binding, kind string }

// scrape asks as Prometheus does and reads the answer with Prometheus' parser.
func scrape(t testing.TB, port int) map[sample]float64 {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("http://127.0.0.1:%d/metrics", port), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
	r.Header.Set("User-Agent", "Prometheus/3.0")
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 || expfmt.ResponseFormat(answer.Header) != expfmt.NewFormat(expfmt.TypeTextPlain) {
		t.Errorf("status %s, type %s", answer.Status, answer.Header.Get("Content-Type"))
	}
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(b)))
	if err != nil {
		t.Fatalf("Prometheus does not understand: %v\n%s", err, b)
	}
	all := map[sample]float64{}
	for name, family := range families {
		if family.GetHelp() == "" {
			t.Errorf("%s has no help", name)
		}
		for _, m := range family.GetMetric() {
			s := sample{name: name, kind: family.GetType().String()}
			for _, l := range m.GetLabel() {
				switch l.GetName() {
				case "namespace":
					s.namespace = l.GetValue()
				case "binding":
					s.binding = l.GetValue()
				default:
					t.Errorf("%s has a label %s", name, l.GetName())
				}
			}
			if _, twice := all[s]; twice {
				t.Errorf("%v is there twice", s)
			}
			all[s] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return all
}

func TestPrometheus(t *testing.T) {
	port, prom := freePort(t), freePort(t)
	g := start(t, exported(port, prom), "-w", "1", "-P", "gozilla.limits.connections=50")
	north := func(name, kind string) sample { return sample{name, "example", "north", kind} }
	zero := map[sample]float64{
		north("stream_opens_received_total", "COUNTER"):         0,
		north("stream_opens_sent_total", "COUNTER"):             0,
		north("stream_closes_received_total", "COUNTER"):        0,
		north("stream_closes_sent_total", "COUNTER"):            0,
		north("stream_data_received_bytes_total", "COUNTER"):    0,
		north("stream_data_sent_bytes_total", "COUNTER"):        0,
		north("stream_errors_received_total", "COUNTER"):        0,
		north("stream_active_received", "GAUGE"):                0,
		{name: "engine_workers_count_total", kind: "COUNTER"}:   1,
		{name: "engine_workers_capacity", kind: "GAUGE"}:        50,
		{name: "engine_workers_usage", kind: "GAUGE"}:           1, // the one that asks
		{name: "engine_workers_refused_total", kind: "COUNTER"}: 0,
		{name: "engine_config_changes_total", kind: "COUNTER"}:  1,
		{name: "engine_config_refusals_total", kind: "COUNTER"}: 0,
	}
	got := scrape(t, prom)
	for s, want := range zero {
		if value, ok := got[s]; !ok || value != want {
			t.Errorf("%v is %v, %v, want %v", s, value, ok, want)
		}
	}
	for s := range got {
		if _, ok := zero[s]; !ok {
			t.Errorf("%v is there too", s)
		}
	}

	open := converse(t, port)
	for range 3 {
		converse(t, port).end()
	}
	c := converse(t, port)
	c.SetLinger(0)
	c.Close()
	var last map[sample]float64
	eventually(t, "one stream is left", func() bool {
		last = scrape(t, prom)
		return last[north("stream_active_received", "GAUGE")] == 1
	})
	for name, want := range map[string]float64{
		"stream_opens_received_total": 5, "stream_opens_sent_total": 5, "stream_closes_received_total": 3, "stream_closes_sent_total": 3,
		"stream_data_received_bytes_total": 30, "stream_data_sent_bytes_total": 30, "stream_errors_received_total": 1,
	} {
		if got := last[north(name, "COUNTER")]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if got := last[sample{name: "engine_workers_usage", kind: "GAUGE"}]; got != 2 {
		t.Errorf("%v connections, want 2", got)
	}
	open.end()
	g.terminate()
}

// Metrics of several bindings and namespaces stand together in their family, each once.
func TestPrometheusOfSeveralNamespaces(t *testing.T) {
	one, two, prom := freePort(t), freePort(t), freePort(t)
	other := strings.Replace(exported(two, freePort(t)), "name: example", "name: other-1.x_y", 1)
	g := start(t, exported(one, prom)+"---\n"+other)
	converse(t, one).end()
	converse(t, two).end()
	converse(t, two).end()
	var got map[sample]float64
	eventually(t, "the streams are over", func() bool {
		got = scrape(t, prom)
		return got[sample{"stream_closes_received_total", "other-1.x_y", "north", "COUNTER"}] == 2
	})
	if n := got[sample{"stream_opens_received_total", "example", "north", "COUNTER"}]; n != 1 {
		t.Errorf("%v opens in example, want 1", n)
	}
	var bindings []string
	for s := range got {
		if s.name == "stream_opens_received_total" {
			bindings = append(bindings, s.namespace+":"+s.binding)
		}
	}
	slices.Sort(bindings)
	if !slices.Equal(bindings, []string{"example:north", "other-1.x_y:north"}) {
		t.Errorf("opens of %v", bindings)
	}
	g.terminate()
}

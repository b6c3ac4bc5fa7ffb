package test

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"gozilla/telemetry"
)

// TestPrometheusHistograms reads histograms as Prometheus does, with labels that want to break out.
func TestPrometheusHistograms(t *testing.T) {
	var m telemetry.Metrics
	var e telemetry.Exchanges
	a, err := telemetry.ParseAttributes(map[string]string{"agent": "${http.request.user-agent}", "site": "east"})
	if err != nil {
		t.Fatal(err)
	}
	m.Add("example", "north", &e, func(string) bool { return true })
	agents := []string{"curl", `"} 1` + "\nx{a=\"", "\\", "\xff", ""}
	for i, agent := range agents {
		e.Begin()
		e.End(&telemetry.Exchange{
			Received: int64(i), Sent: 1 << (10 * i), Duration: 3 * time.Millisecond, Whole: true,
			Labels: a.Labels(telemetry.Labels{}, func(telemetry.Expression) (string, bool) { return agent, true }),
		})
	}
	var b bytes.Buffer
	if err := telemetry.WritePrometheus(&b, m.Snapshot()); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatalf("Prometheus does not understand: %v\n%s", err, &b)
	}
	for name, total := range map[string]float64{
		"http_request_size_bytes": 10, "http_response_size_bytes": 1 + 1<<10 + 1<<20 + 1<<30 + 1<<40, "http_duration_milliseconds": 15,
	} {
		family := families[name]
		if family.GetType().String() != "HISTOGRAM" || len(family.GetMetric()) != len(agents) {
			t.Fatalf("%s: %v", name, family)
		}
		sum := 0.0
		for _, metric := range family.GetMetric() {
			h := metric.GetHistogram()
			sum += h.GetSampleSum()
			buckets := h.GetBucket()
			last := buckets[len(buckets)-1]
			if h.GetSampleCount() != 1 || last.GetCumulativeCount() != 1 || !math.IsInf(last.GetUpperBound(), 1) {
				t.Errorf("%s: %v", name, metric)
			}
			for i := 1; i < len(buckets)-1; i++ {
				if buckets[i].GetUpperBound() != 2*buckets[i-1].GetUpperBound() {
					t.Errorf("%s: %v follows %v", name, buckets[i], buckets[i-1])
				}
			}
		}
		if sum != total {
			t.Errorf("the sum of %s is %v, want %v", name, sum, total)
		}
	}
	if len(families) != 4 {
		t.Errorf("%d families", len(families))
	}
}

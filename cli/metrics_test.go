package cli

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/admin"
	"gozilla/telemetry"
)

const allMetrics = `namespace   binding            metric                     value
-           -                  engine.workers.capacity    10000
default     north_tcp_server   stream.active.received         1
default     north_tcp_server   stream.active.sent             1
default     north_tcp_server   stream.closes.received         0
default     north_tcp_server   stream.closes.sent             0
default     north_tcp_server   stream.data.received      123456
default     north_tcp_server   stream.data.sent               0
default     north_tcp_server   stream.errors.received         0
default     north_tcp_server   stream.errors.sent             0
default     north_tcp_server   stream.opens.received          1
default     north_tcp_server   stream.opens.sent              1
other       south              stream.active.received         0
other       south              stream.active.sent             0
other       south              stream.closes.received         0
other       south              stream.closes.sent             0
other       south              stream.data.received           0
other       south              stream.data.sent               0
other       south              stream.errors.received         0
other       south              stream.errors.sent             0
other       south              stream.opens.received          0
other       south              stream.opens.sent              0
`

func TestMetrics(t *testing.T) {
	_, dir := runGateway(t)
	for _, test := range []struct {
		options metricsOptions
		want    []string // the bindings shown
		err     string
	}{
		{metricsOptions{}, []string{"-", "north_tcp_server", "south"}, ""},
		{metricsOptions{namespace: "default"}, []string{"north_tcp_server"}, ""},
		{metricsOptions{binding: "south"}, []string{"south"}, ""},
		{metricsOptions{binding: "other:south"}, []string{"south"}, ""},
		{metricsOptions{namespace: "other", binding: "other:south"}, []string{"south"}, ""},
		{metricsOptions{namespace: "default", binding: "south"}, nil, `there is no binding "south"; there is default:north_tcp_server, other:south`},
		{metricsOptions{binding: "x:south"}, nil, `there is no binding "x:south"; there is default:north_tcp_server, other:south`},
		{metricsOptions{namespace: "x"}, nil, `there is no binding in the namespace "x"`},
		{metricsOptions{namespace: "default", binding: "other:south"}, nil, `the binding "other:south" is not in the namespace "default"`},
	} {
		env := newShown(false)
		err := runMetrics(t.Context(), &env.Env, dir, test.options)
		if text := textOf(err); text != test.err {
			t.Errorf("%+v: %s", test.options, text)
		}
		var bindings []string
		for line := range strings.Lines(env.take()) {
			if b := strings.Fields(line)[1]; b != "binding" && (len(bindings) == 0 || bindings[len(bindings)-1] != b) {
				bindings = append(bindings, b)
			}
		}
		if strings.Join(bindings, " ") != strings.Join(test.want, " ") {
			t.Errorf("%+v shows %v", test.options, bindings)
		}
	}
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestMetricsGolden(t *testing.T) {
	_, dir := runGateway(t)
	env := newShown(true)
	if err := runMetrics(t.Context(), &env.Env, dir, metricsOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := env.take(); got != allMetrics {
		t.Errorf("got\n%s\nwant\n%s", got, allMetrics)
	}
	if err := runMetrics(t.Context(), &env.Env, dir, metricsOptions{json: true}); err != nil {
		t.Fatal(err)
	}
	want := `[{"name":"engine.workers.capacity","unit":"count","kind":"gauge","help":"How many","value":10000,"selected":true},{"namespace":"default",`
	if got := env.take(); !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
		t.Errorf("got %s", got)
	}
}

// Histograms have columns of their own, and labels stand behind the names.
func TestMetricsOfHistograms(t *testing.T) {
	g, dir := runGateway(t)
	var e telemetry.Exchanges
	g.metrics.Add("default", "web", &e, nil)
	a, err := telemetry.ParseAttributes(map[string]string{"method": "${http.request.method}"})
	if err != nil {
		t.Fatal(err)
	}
	env := newShown(false)
	show := func(want string) {
		t.Helper()
		if err := runMetrics(t.Context(), &env.Env, dir, metricsOptions{binding: "web"}); err != nil {
			t.Fatal(err)
		}
		if got := env.take(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	show(`namespace   binding   metric                 value   average   sum
default     web       http.active.requests       0         -     -
default     web       http.duration              0         -    0s
default     web       http.request.size          0         -    0B
default     web       http.response.size         0         -    0B
`)
	for _, method := range []string{"GET", "GET", "PU\nT"} {
		e.Begin()
		e.End(&telemetry.Exchange{Received: 0, Sent: 3_000_000, Duration: 12_345_678, Whole: true,
			Labels: a.Labels(telemetry.Labels{}, func(telemetry.Expression) (string, bool) { return method, true })})
	}
	e.Begin()
	show(`namespace   binding   metric                               value   average      sum
default     web       http.active.requests                     1         -        -
default     web       http.duration{method="GET"}              2    12.3ms   24.7ms
default     web       http.duration{method="PU\nT"}            1    12.3ms   12.3ms
default     web       http.request.size{method="GET"}          2        0B       0B
default     web       http.request.size{method="PU\nT"}        1        0B       0B
default     web       http.response.size{method="GET"}         2    2.9MiB   5.7MiB
default     web       http.response.size{method="PU\nT"}       1    2.9MiB   2.9MiB
`)
}

func TestRates(t *testing.T) {
	sample := func(labels string, kind telemetry.Kind, value int64) telemetry.Sample {
		return telemetry.Sample{Name: "x", Labels: map[string]string{"l": labels}, Kind: kind, Value: value}
	}
	last := []telemetry.Sample{sample("a", telemetry.Histogram, 1), sample("b", telemetry.Counter, 2), sample("c", telemetry.Gauge, 2)}
	now := []telemetry.Sample{sample("a", telemetry.Histogram, 11), sample("b", telemetry.Counter, 7), sample("c", telemetry.Gauge, 3), sample("d", telemetry.Counter, 3)}
	if got := strings.Join(rates(last, now, time.Second), ","); got != "10,5,," {
		t.Errorf("got %s", got)
	}
}

func TestAmount(t *testing.T) {
	for _, test := range []struct {
		unit string
		v    float64
		want string
	}{
		{telemetry.UnitCount, 1234567, "1234567"},
		{telemetry.UnitBytes, 0.4, "0B"},
		{telemetry.UnitBytes, 1023, "1023B"},
		{telemetry.UnitBytes, 1536, "1.5KiB"},
		{telemetry.UnitBytes, 1 << 30, "1.0GiB"},
		{telemetry.UnitBytes, 5 << 40, "5.0TiB"},
		{telemetry.UnitNanos, 1234, "1.23µs"},
		{telemetry.UnitNanos, 3.6e12, "1h0m0s"},
	} {
		if got := amount(test.unit, test.v); got != test.want {
			t.Errorf("%v %s: got %s, want %s", test.v, test.unit, got, test.want)
		}
	}
}

// watched gives a counter and a gauge with other values at each call.
func watched() func() ([]telemetry.Sample, error) {
	calls := 0
	return func() ([]telemetry.Sample, error) {
		i := min(calls, 2)
		calls++
		return []telemetry.Sample{
			{Namespace: "n", Binding: "b", Name: "c", Kind: telemetry.Counter, Value: []int64{5, 17, 3}[i]},
			{Namespace: "n", Binding: "b", Name: "g", Kind: telemetry.Gauge, Value: []int64{9, 8, 8}[i]},
		}, nil
	}
}

func TestWatch(t *testing.T) {
	for _, test := range []struct {
		name     string
		terminal bool
		options  metricsOptions
		want     []string
	}{
		{"terminal", true, metricsOptions{}, []string{
			"\x1b[2J\x1b[H" + "namespace   binding   metric   value   per second\nn           b         c            5\nn           b         g            9\n",
			"\x1b[H" + "namespace   binding   metric   value   per second\x1b[K\nn           b         c           17           12\x1b[K\nn           b         g            8\x1b[K\n\x1b[J",
			"\x1b[H" + "namespace   binding   metric   value   per second\x1b[K\nn           b         c            3            3\x1b[K\nn           b         g            8\x1b[K\n\x1b[J",
		}},
		{"pipe", false, metricsOptions{}, []string{
			"namespace   binding   metric   value   per second\nn           b         c            5\nn           b         g            9\n",
			"\nnamespace   binding   metric   value   per second\nn           b         c           17           12\nn           b         g            8\n",
			"\nnamespace   binding   metric   value   per second\nn           b         c            3            3\nn           b         g            8\n",
		}},
		{"json", true, metricsOptions{json: true}, []string{
			`[{"namespace":"n","binding":"b","name":"c","unit":"","kind":"counter","help":"","value":5,"selected":false},{"namespace":"n","binding":"b","name":"g","unit":"","kind":"gauge","help":"","value":9,"selected":false}]` + "\n",
			`[{"namespace":"n","binding":"b","name":"c","unit":"","kind":"counter","help":"","value":17,"selected":false},{"namespace":"n","binding":"b","name":"g","unit":"","kind":"gauge","help":"","value":8,"selected":false}]` + "\n",
			`[{"namespace":"n","binding":"b","name":"c","unit":"","kind":"counter","help":"","value":3,"selected":false},{"namespace":"n","binding":"b","name":"g","unit":"","kind":"gauge","help":"","value":8,"selected":false}]` + "\n",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				env := newShown(test.terminal)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- watchMetrics(ctx, &env.Env, test.options, watched()) }()
				for i, want := range test.want {
					synctest.Wait()
					if got := env.take(); got != want {
						t.Errorf("second %d: got\n%q\nwant\n%q", i, got, want)
					}
					<-time.After(time.Second)
				}
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestWatchEndsWithTheGateway(t *testing.T) {
	env := newShown(false)
	gone := &admin.NotRunning{Dir: "x"}
	err := watchMetrics(t.Context(), &env.Env, metricsOptions{}, func() ([]telemetry.Sample, error) { return nil, gone })
	if !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}

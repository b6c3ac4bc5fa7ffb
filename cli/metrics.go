package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gozilla/admin"
	"gozilla/telemetry"
)

// metricsOptions are the argument and the flags of gozilla metrics.
type metricsOptions struct {
	binding   string // only of that one: NAME or NAMESPACE:NAME
	namespace string // only of that one
	json      bool   // a JSON array, else a table
	watch     bool   // again every second, with rates
}

// runMetrics shows the metrics of the gateway in dir, once, or every second until ctx ends.
func runMetrics(ctx context.Context, env *Env, dir string, o metricsOptions) error {
	keep, err := o.filter()
	if err != nil {
		return err
	}
	client := admin.Dial(dir)
	fetch := func() ([]telemetry.Sample, error) {
		samples, err := client.Metrics(ctx)
		if err != nil {
			return nil, err
		}
		return keep(samples)
	}
	if o.watch {
		return inTime(ctx, env, 0, func() {}, func() error { return watchMetrics(ctx, env, o, fetch) })
	}
	samples, err := fetch()
	if err != nil {
		return err
	}
	return writeMetrics(env.Stdout, o, samples, nil)
}

// filter gives the function that keeps what was asked for of all samples, and fails if there is none.
func (o metricsOptions) filter() (func([]telemetry.Sample) ([]telemetry.Sample, error), error) {
	namespace, binding := o.namespace, o.binding
	if i := strings.LastIndexByte(binding, ':'); i >= 0 {
		if namespace != "" && namespace != binding[:i] {
			return nil, fmt.Errorf("the binding %q is not in the namespace %q", binding, namespace)
		}
		namespace, binding = binding[:i], binding[i+1:]
	}
	return func(samples []telemetry.Sample) ([]telemetry.Sample, error) {
		kept := make([]telemetry.Sample, 0, len(samples))
		for _, s := range samples {
			if (namespace == "" || s.Namespace == namespace) && (binding == "" || s.Binding == binding) {
				kept = append(kept, s)
			}
		}
		switch {
		case len(kept) > 0 || namespace == "" && binding == "":
			return kept, nil
		case binding == "":
			return nil, fmt.Errorf("there is no binding in the namespace %q", namespace)
		}
		return nil, fmt.Errorf("there is no binding %q; there is %s", o.binding, bindingNames(samples))
	}, nil
}

// bindingNames lists the bindings that samples are of, which are sorted by them.
func bindingNames(samples []telemetry.Sample) string {
	var names []string
	for _, s := range samples {
		if name := s.Namespace + ":" + s.Binding; s.Binding != "" && (len(names) == 0 || names[len(names)-1] != name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "none at all"
	}
	return strings.Join(names, ", ")
}

// writeMetrics writes samples as a table, with rates if there are any, or as a line of JSON.
func writeMetrics(w io.Writer, o metricsOptions, samples []telemetry.Sample, rates []string) error {
	var err error
	if o.json {
		var b []byte
		if b, err = json.Marshal(samples); err == nil {
			_, err = fmt.Fprintln(w, string(b))
		}
	} else {
		err = metricsTable(samples, rates).write(w)
	}
	if err != nil {
		return fmt.Errorf("cannot write the metrics: %w", err)
	}
	return nil
}

func metricsTable(samples []telemetry.Sample, rates []string) *table {
	t := &table{columns: []column{{title: "namespace"}, {title: "binding"}, {title: "metric"}, {title: "value", right: true}}}
	// Only histograms have these, so that there are no columns without anything in them.
	histograms := slices.ContainsFunc(samples, func(s telemetry.Sample) bool { return s.Histogram != nil })
	if histograms {
		t.columns = append(t.columns, column{title: "average", right: true}, column{title: "sum", right: true})
	}
	if rates != nil {
		t.columns = append(t.columns, column{title: "per second", right: true})
	}
	for i, s := range samples {
		name := s.Name
		if labels := s.LabelText(); labels != "" {
			name += "{" + labels + "}"
		}
		cells := []string{orDash(s.Namespace), orDash(s.Binding), name, strconv.FormatInt(s.Value, 10)}
		if histograms {
			average, sum := "-", "-"
			if h := s.Histogram; h != nil {
				sum = amount(s.Unit, float64(h.Sum()))
				if s.Value > 0 {
					average = amount(s.Unit, h.Average())
				}
			}
			cells = append(cells, average, sum)
		}
		if rates != nil {
			cells = append(cells, rates[i])
		}
		t.add(cells...)
	}
	return t
}

// amount is a value in a unit as one word with about three digits.
func amount(unit string, v float64) string {
	if unit == telemetry.UnitNanos {
		d, step := time.Duration(v), time.Duration(1)
		for step < time.Second && d >= 1000*step {
			step *= 10
		}
		return d.Round(step).String()
	}
	for _, scale := range []struct {
		of   float64
		name string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if unit == telemetry.UnitBytes && v >= scale.of {
			return strconv.FormatFloat(v/scale.of, 'f', 1, 64) + scale.name
		}
	}
	text := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	if unit == telemetry.UnitBytes {
		text += "B"
	}
	return text
}

// orDash keeps a cell from being empty, so that other programs can count columns.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

const (
	clearScreen = "\x1b[2J\x1b[H"
	clearLine   = "\x1b[K"
	home        = "\x1b[H"
	clearRest   = "\x1b[J"
)

// watchMetrics shows what fetch gives every second until ctx ends: on a terminal in place, else one below the other.
func watchMetrics(ctx context.Context, env *Env, o metricsOptions, fetch func() ([]telemetry.Sample, error)) error {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	inPlace := env.IsTerminal(env.Stdout) && !o.json
	var last []telemetry.Sample
	var lastTime time.Time
	for first := true; ; first = false {
		samples, err := fetch()
		if ctx.Err() != nil {
			return nil // that is how it ends
		}
		if err != nil {
			return err
		}
		now := time.Now()
		var b strings.Builder
		if err := writeMetrics(&b, o, samples, rates(last, samples, now.Sub(lastTime))); err != nil {
			return err
		}
		if _, err := io.WriteString(env.Stdout, frame(b.String(), inPlace, first || o.json)); err != nil {
			return fmt.Errorf("cannot write the metrics: %w", err)
		}
		last, lastTime = samples, now
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// frame is what is written to show a table: over the one before, or below it.
func frame(text string, inPlace, first bool) string {
	switch {
	case inPlace && first:
		return clearScreen + text
	case inPlace:
		return home + strings.ReplaceAll(text, "\n", clearLine+"\n") + clearRest
	case first:
		return text
	}
	return "\n" + text
}

// rates are by how much the counters have risen, a second, and how many values histograms have taken. Gauges have none,
// nor has what was not there before.
func rates(last, samples []telemetry.Sample, passed time.Duration) []string {
	type key struct{ namespace, binding, name, labels string }
	keyOf := func(s *telemetry.Sample) key { return key{s.Namespace, s.Binding, s.Name, s.LabelText()} }
	before := make(map[key]int64, len(last))
	for i := range last {
		before[keyOf(&last[i])] = last[i].Value
	}
	rates := make([]string, len(samples))
	for i, s := range samples {
		value, ok := before[keyOf(&samples[i])]
		if !ok || s.Kind == telemetry.Gauge || passed <= 0 {
			continue
		}
		if s.Value < value {
			value = 0 // the gateway has begun anew
		}
		rates[i] = strconv.FormatFloat(float64(s.Value-value)/passed.Seconds(), 'f', 0, 64)
	}
	return rates
}

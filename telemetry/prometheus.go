package telemetry

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
)

// PrometheusType is the media type of what WritePrometheus writes.
const PrometheusType = "text/plain; version=0.0.4; charset=utf-8"

// WritePrometheus writes the selected samples in Prometheus' text format 0.0.4. Unlike zilla it names each metric
// once, with the samples of all bindings below, as the format asks for.
func WritePrometheus(w io.Writer, samples []Sample) error {
	type named struct {
		name string
		*Sample
	}
	var all []named
	for i := range samples {
		if samples[i].Selected {
			all = append(all, named{prometheusName(&samples[i]), &samples[i]})
		}
	}
	slices.SortStableFunc(all, func(a, b named) int { return cmp.Compare(a.name, b.name) })
	var b bytes.Buffer
	for i, s := range all {
		if i == 0 || all[i-1].name != s.name {
			b.WriteString("# HELP " + s.name + " " + helpEscaper.Replace(clean(s.Help)) + "\n")
			b.WriteString("# TYPE " + s.name + " " + string(s.Kind) + "\n")
		}
		b.WriteString(s.name)
		if s.Namespace != "" || s.Binding != "" {
			b.WriteString(`{namespace="` + labelEscaper.Replace(clean(s.Namespace)))
			b.WriteString(`",binding="` + labelEscaper.Replace(clean(s.Binding)) + `"}`)
		}
		b.WriteByte(' ')
		b.Write(prometheusValue(b.AvailableBuffer(), s.Sample))
		b.WriteByte('\n')
	}
	_, err := w.Write(b.Bytes())
	return err
}

// prometheusName gives a metric the name that zilla's exporter gives it.
func prometheusName(s *Sample) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, s.Name)
	switch s.Unit {
	case UnitBytes:
		name += "_bytes"
	case UnitNanos:
		name += "_milliseconds"
	}
	if s.Kind == Counter {
		name += "_total"
	}
	return name
}

func prometheusValue(dst []byte, s *Sample) []byte {
	if s.Unit == UnitNanos {
		return strconv.AppendFloat(dst, float64(s.Value)/1e6, 'g', -1, 64)
	}
	return strconv.AppendInt(dst, s.Value, 10)
}

var (
	helpEscaper  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// clean replaces bytes that are no text, which the format does not allow.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

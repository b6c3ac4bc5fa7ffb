package telemetry

import (
	"bytes"
	"cmp"
	"io"
	"maps"
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
	seen := map[string]bool{}
	for i, s := range all {
		if i == 0 || all[i-1].name != s.name {
			b.WriteString("# HELP " + s.name + " " + helpEscaper.Replace(clean(s.Help)) + "\n")
			b.WriteString("# TYPE " + s.name + " " + string(s.Kind) + "\n")
			clear(seen)
		}
		labels := prometheusLabels(s.Sample)
		if len(s.Labels) > 0 {
			// Labels from before and after a reload may have the same names here. A second series would spoil all.
			if seen[labels] {
				continue
			}
			seen[labels] = true
		}
		if s.Histogram != nil {
			writeHistogram(&b, s.name, labels, s.Sample)
			continue
		}
		writeSeries(&b, s.name, labels)
		b.Write(prometheusValue(b.AvailableBuffer(), s.Unit, s.Value))
		b.WriteByte('\n')
	}
	_, err := w.Write(b.Bytes())
	return err
}

// writeSeries begins a line.
func writeSeries(b *bytes.Buffer, name, labels string) {
	b.WriteString(name)
	if labels != "" {
		b.WriteString("{" + labels + "}")
	}
	b.WriteByte(' ')
}

// bucketsOf are the first and the last of the buckets that are exported: of times from 16 us to 73 minutes, of sizes from
// 2 bytes to 64 GiB. They are always the same, as Prometheus needs it, and what is larger is in the bucket +Inf.
func bucketsOf(unit string) (first, last int) {
	if unit == UnitNanos {
		return 13, 41
	}
	return 0, 35
}

func writeHistogram(b *bytes.Buffer, name, labels string, s *Sample) {
	comma := ""
	if labels != "" {
		comma = ","
	}
	bucket := func(limit []byte, n int64) {
		writeSeries(b, name+"_bucket", labels+comma+`le="`+string(limit)+`"`)
		b.Write(append(strconv.AppendInt(b.AvailableBuffer(), n, 10), '\n'))
	}
	n := int64(0)
	first, last := bucketsOf(s.Unit)
	for i, count := range s.Histogram.counts {
		n += count
		if i < first || i > last {
			continue
		}
		limit := limitOf(i)
		if s.Unit == UnitNanos {
			limit /= 1e6
		}
		bucket(strconv.AppendFloat(nil, limit, 'f', -1, 64), n)
	}
	bucket([]byte("+Inf"), n)
	writeSeries(b, name+"_sum", labels)
	b.Write(append(prometheusValue(b.AvailableBuffer(), s.Unit, s.Histogram.sum), '\n'))
	writeSeries(b, name+"_count", labels)
	b.Write(append(strconv.AppendInt(b.AvailableBuffer(), n, 10), '\n'))
}

// prometheusLabels are the labels of a sample without the braces.
func prometheusLabels(s *Sample) string {
	var b strings.Builder
	add := func(name, value string) {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name + `="` + labelEscaper.Replace(clean(value)) + `"`)
	}
	if s.Namespace != "" || s.Binding != "" {
		add("namespace", s.Namespace)
		add("binding", s.Binding)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		add(labelName(name), s.Labels[name])
	}
	return b.String()
}

// labelName gives a label a name that the format allows.
func labelName(name string) string {
	name = dashless(name)
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

// dashless replaces what names in the format cannot have.
func dashless(name string) string {
	return strings.Map(func(r rune) rune {
		if isLetter(r) || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

// prometheusName gives a metric the name that zilla's exporter gives it.
func prometheusName(s *Sample) string {
	name := dashless(s.Name)
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

func prometheusValue(dst []byte, unit string, value int64) []byte {
	if unit == UnitNanos {
		return strconv.AppendFloat(dst, float64(value)/1e6, 'g', -1, 64)
	}
	return strconv.AppendInt(dst, value, 10)
}

var (
	helpEscaper  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// clean replaces bytes that are no text, which the format does not allow.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

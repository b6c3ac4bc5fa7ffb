package telemetry

import (
	"cmp"
	"slices"
	"sync"
)

// Metrics are the metrics of a process: those of its bindings, from their counters, and those of the engine. A nil
// *Metrics has none.
type Metrics struct {
	mu       sync.Mutex
	bindings map[bindingKey]*bindingMetrics
	engine   []engineMetric
}

// A Sample is one metric of one binding, or of the engine, at one moment.
type Sample struct {
	Namespace string `json:"namespace,omitempty"` // "" for the engine's own
	Binding   string `json:"binding,omitempty"`   // "" for the engine's own
	Name      string `json:"name"`                // dotted: stream.opens.received
	Unit      string `json:"unit"`                // UnitCount, UnitBytes or UnitNanos
	Kind      Kind   `json:"kind"`
	Help      string `json:"help"` // one sentence
	Value     int64  `json:"value"`
	Selected  bool   `json:"selected"` // the file asks for it; what the engine has of its own is always asked for
}

// MarshalJSON escapes what a terminal would not show.
func (s Sample) MarshalJSON() ([]byte, error) {
	type plain Sample
	return marshalLine(plain(s))
}

// Kind says how the values of a metric behave.
type Kind string

// The kinds, as exposition formats spell them.
const (
	Counter Kind = "counter" // only ever rises
	Gauge   Kind = "gauge"   // rises and falls
)

type bindingKey struct{ namespace, name string }

// bindingMetrics are those of one qualified name. While a reload lets one instance leave and another come, both count
// under the name. What an instance that left had counted stays in the sums for as long as the name lives, so that
// counters never fall.
type bindingMetrics struct {
	live []*counted // in the order in which they came; the last one's selection holds
	left []int64    // by the index of streamMetrics
}

type counted struct {
	streams  *Streams
	selected []bool // by the index of streamMetrics
}

type engineMetric struct {
	name, help string
	kind       Kind
	value      func() int64
}

// Streams makes the counters of a binding known until remove is called. selected says of each metric whether the file
// asks for it, nil that it asks for none. Counters that are known already take the new selection, and the remove that
// went with the old one does nothing from then on.
func (m *Metrics) Streams(namespace, binding string, s *Streams, selected func(metric string) bool) (remove func()) {
	if m == nil {
		return func() {}
	}
	c := &counted{streams: s, selected: make([]bool, len(streamMetrics))}
	for i, metric := range streamMetrics {
		c.selected[i] = selected != nil && selected(metric.name)
	}
	key := bindingKey{namespace, binding}
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.bindings[key]
	if b == nil {
		b = &bindingMetrics{left: make([]int64, len(streamMetrics))}
		if m.bindings == nil {
			m.bindings = map[bindingKey]*bindingMetrics{}
		}
		m.bindings[key] = b
	}
	b.live = slices.DeleteFunc(b.live, func(have *counted) bool { return have.streams == s })
	b.live = append(b.live, c)
	return func() { m.remove(key, c) }
}

func (m *Metrics) remove(key bindingKey, c *counted) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.bindings[key]
	if b == nil {
		return
	}
	i := slices.Index(b.live, c)
	if i < 0 {
		return
	}
	if len(b.live) == 1 {
		delete(m.bindings, key)
		return
	}
	b.live = slices.Delete(b.live, i, i+1)
	for i, metric := range streamMetrics {
		if metric.kind == Counter {
			b.left[i] += metric.value(c.streams)
		}
	}
}

// Gauge adds a metric of the engine's own, such as engine.workers.usage. f is called whenever somebody looks. A metric
// that is there already is replaced.
func (m *Metrics) Gauge(name, help string, f func() int64) { m.add(engineMetric{name, help, Gauge, f}) }

// Counter is Gauge for what only ever rises.
func (m *Metrics) Counter(name, help string, f func() int64) {
	m.add(engineMetric{name, help, Counter, f})
}

func (m *Metrics) add(e engineMetric) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.engine = slices.DeleteFunc(m.engine, func(have engineMetric) bool { return have.name == e.name })
	m.engine = append(m.engine, e)
}

// Snapshot gives all metrics as they are now, sorted by namespace, binding and name; the engine's own come first.
func (m *Metrics) Snapshot() []Sample {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	samples := make([]Sample, 0, len(m.engine)+len(streamMetrics)*len(m.bindings))
	for key, b := range m.bindings {
		samples = b.append(samples, key)
	}
	engine := slices.Clone(m.engine)
	m.mu.Unlock()
	for _, e := range engine { // without the lock: the functions are not ours
		samples = append(samples, Sample{
			Name: e.name, Unit: UnitCount, Kind: e.kind, Help: e.help, Value: e.value(), Selected: true,
		})
	}
	slices.SortFunc(samples, func(a, b Sample) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Binding, b.Binding), cmp.Compare(a.Name, b.Name))
	})
	return samples
}

func (b *bindingMetrics) append(samples []Sample, key bindingKey) []Sample {
	selected := b.live[len(b.live)-1].selected
	for i, metric := range streamMetrics {
		value := b.left[i]
		for _, c := range b.live {
			value += metric.value(c.streams)
		}
		samples = append(samples, Sample{
			Namespace: key.namespace, Binding: key.name, Name: metric.name,
			Unit: metric.unit, Kind: metric.kind, Help: metric.help, Value: value, Selected: selected[i],
		})
	}
	return samples
}

package telemetry

import (
	"cmp"
	"slices"
	"sync"
)

// Metrics are the metrics of a process: those of its bindings, from their counters, and those of the engine. A nil
// *Metrics has none.
type Metrics struct {
	mu     sync.Mutex
	groups map[groupKey]*bindingGroup
	engine []engineMetric
}

// A Sample is one metric of one binding, or of the engine, at one moment. A metric whose binding tells its values apart
// by attributes has one sample for each combination of theirs.
type Sample struct {
	Namespace string            `json:"namespace,omitempty"` // "" for the engine's own
	Binding   string            `json:"binding,omitempty"`   // "" for the engine's own
	Name      string            `json:"name"`                // dotted: stream.opens.received
	Labels    map[string]string `json:"labels,omitempty"`    // the attributes, nil for none
	Unit      string            `json:"unit"`                // UnitCount, UnitBytes or UnitNanos
	Kind      Kind              `json:"kind"`
	Help      string            `json:"help"`                // one sentence
	Value     int64             `json:"value"`               // of a histogram: how many values it has taken
	Histogram *Distribution     `json:"histogram,omitempty"` // nil for what is no histogram
	Selected  bool              `json:"selected"`            // the file asks for it; what the engine has of its own is always asked for
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
	Counter   Kind = "counter"   // only ever rises
	Gauge     Kind = "gauge"     // rises and falls
	Histogram Kind = "histogram" // many values, of which it is counted how many were how large
)

// A Group is what one binding counts of one protocol: *Streams, *Exchanges, *Messages or *ServerEvents.
type Group interface {
	family() *family
	// read adds what the group has counted to sum.
	read(sum *readings)
}

// A family is all metrics of the groups of one type.
type family []metric

// A metric is named, of a kind and in a unit as zilla has it.
type metric struct {
	name string
	kind Kind
	unit string
	help string
}

// readings are the values of the metrics of a family, of one group or the sum of several.
type readings struct {
	plain    []reading            // by the index of the metric
	labelled map[string][]reading // the same by the encoded labels; nil for none
}

// A reading is the value of one metric.
type reading struct {
	value     int64
	histogram *Distribution // of a histogram that has taken a value
}

func newReadings(f *family) *readings { return &readings{plain: make([]reading, len(*f))} }

// of are the readings of the metrics with the encoded labels.
func (r *readings) of(labels string) []reading {
	if labels == "" {
		return r.plain
	}
	found := r.labelled[labels]
	if found == nil {
		if r.labelled == nil {
			r.labelled = map[string][]reading{}
		}
		found = make([]reading, len(r.plain))
		r.labelled[labels] = found
	}
	return found
}

func (r *reading) add(from *reading) {
	r.value += from.value
	if from.histogram != nil {
		if r.histogram == nil {
			r.histogram = &Distribution{}
		}
		r.histogram.add(from.histogram)
	}
}

// add adds the readings of another group that has left: without its gauges, which have come to nothing, and with no more
// combinations of labels than a group may have.
func (r *readings) addLeft(from *readings, f *family) {
	addTo := func(labels string, values []reading) {
		if labels != "" && r.labelled[labels] == nil && len(r.labelled) >= MaxCombinations {
			labels = string(appendOthers(nil, []byte(labels)))
		}
		to := r.of(labels)
		for i := range values {
			if (*f)[i].kind != Gauge {
				to[i].add(&values[i])
			}
		}
	}
	addTo("", from.plain)
	for labels, values := range from.labelled {
		addTo(labels, values)
	}
}

// merge makes one of what is shown with the same labels: those that exchanges were not asked for before a reload but are
// now, for example, and those that an exchange has no value for.
func (r *readings) merge() {
	all := r.labelled
	r.labelled = nil
	for encoded, values := range all {
		to := r.of(string(appendShown(nil, []byte(encoded))))
		for i := range values {
			to[i].add(&values[i])
		}
	}
}

type groupKey struct {
	namespace, name string
	family          *family
}

// bindingGroup is what goes by one qualified name. While a reload lets one instance leave and another come, both count
// under the name. What an instance that left had counted stays in the sums for as long as the name lives, so that
// counters never fall.
type bindingGroup struct {
	live []*counted // in the order in which they came; the last one's selection holds
	left *readings
}

type counted struct {
	group    Group
	selected []bool // by the index of the metric
}

type engineMetric struct {
	name, help string
	kind       Kind
	value      func() int64
}

// Add makes what a binding counts known until remove is called. A binding may have a group of each type. selected says of
// each metric whether the file asks for it, nil that it asks for none. A group that is known already takes the new
// selection, and the remove that went with the old one does nothing from then on.
func (m *Metrics) Add(namespace, binding string, g Group, selected func(metric string) bool) (remove func()) {
	if m == nil {
		return func() {}
	}
	f := g.family()
	c := &counted{group: g, selected: make([]bool, len(*f))}
	for i, metric := range *f {
		c.selected[i] = selected != nil && selected(metric.name)
	}
	key := groupKey{namespace, binding, f}
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.groups[key]
	if b == nil {
		b = &bindingGroup{left: newReadings(f)}
		if m.groups == nil {
			m.groups = map[groupKey]*bindingGroup{}
		}
		m.groups[key] = b
	}
	b.live = slices.DeleteFunc(b.live, func(have *counted) bool { return have.group == g })
	b.live = append(b.live, c)
	return func() { m.remove(key, c) }
}

func (m *Metrics) remove(key groupKey, c *counted) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.groups[key]
	if b == nil {
		return
	}
	i := slices.Index(b.live, c)
	if i < 0 {
		return
	}
	if len(b.live) == 1 {
		delete(m.groups, key)
		return
	}
	b.live = slices.Delete(b.live, i, i+1)
	last := newReadings(key.family)
	c.group.read(last)
	b.left.addLeft(last, key.family)
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

// Snapshot gives all metrics as they are now, sorted by namespace, binding, name and labels; the engine's own come first.
func (m *Metrics) Snapshot() []Sample {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	samples := make([]Sample, 0, len(m.engine)+len(streamFamily)*len(m.groups))
	for key, b := range m.groups {
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
		by := cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Binding, b.Binding), cmp.Compare(a.Name, b.Name))
		if by == 0 { // seldom, and dear
			by = cmp.Compare(a.LabelText(), b.LabelText())
		}
		return by
	})
	return samples
}

func (b *bindingGroup) append(samples []Sample, key groupKey) []Sample {
	selected := b.live[len(b.live)-1].selected
	sum := newReadings(key.family)
	sum.addLeft(b.left, key.family)
	for _, c := range b.live {
		c.group.read(sum)
	}
	sum.merge()
	add := func(i int, r *reading, labels map[string]string) {
		metric := &(*key.family)[i]
		s := Sample{
			Namespace: key.namespace, Binding: key.name, Name: metric.name, Labels: labels,
			Unit: metric.unit, Kind: metric.kind, Help: metric.help, Value: r.value, Selected: selected[i],
		}
		if metric.kind == Histogram {
			s.Histogram = cmp.Or(r.histogram, &Distribution{})
			s.Value = s.Histogram.Count()
		}
		samples = append(samples, s)
	}
	for i := range sum.plain {
		// Only histograms tell their values apart. One without labels beside others is there if it has taken any.
		if (*key.family)[i].kind != Histogram || len(sum.labelled) == 0 || sum.plain[i].histogram != nil {
			add(i, &sum.plain[i], nil)
		}
	}
	for encoded, values := range sum.labelled {
		labels := decodeLabels(encoded)
		for i := range values {
			if (*key.family)[i].kind == Histogram {
				add(i, &values[i], labels)
			}
		}
	}
	return samples
}

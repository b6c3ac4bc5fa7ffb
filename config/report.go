package config

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// A Report collects what is wrong with the files of one configuration, and knows where each decoded field was
// written. The zero value is ready for use. A Report is for one goroutine at a time.
type Report struct {
	// Strict refuses what only gozilla understands, so that a file that passes is understood by zilla too.
	Strict bool

	faults []*Fault
	errors int               // how many faults are no warnings
	texts  map[string]*text  // by name of file
	widths map[Pos]int       // characters of the value that stands there
	places map[place]Pos     // where a field's value stands
	keys   map[placedKey]Pos // where a key of a map field stands
	roots  []any             // keeps decoded values alive, so that no address is used twice
	hidden secrets           // values of the environment

	whole *Report   // of which this one is a part; may be nil
	parts []*Report // see Memory
}

// place tells a struct from its first field: both have the same address.
type place struct {
	addr uintptr
	typ  reflect.Type
}

type placedKey struct {
	place
	key string
}

// Errorf adds an error. Values that came from the environment are shown as they were written.
func (r *Report) Errorf(at Pos, format string, a ...any) *Fault {
	return r.add(at, false, format, a)
}

// Errors is how many errors there are so far; warnings do not count.
func (r *Report) Errors() int { return r.errors }

// Warnf adds a warning.
func (r *Report) Warnf(at Pos, format string, a ...any) *Fault { return r.add(at, true, format, a) }

func (r *Report) add(at Pos, warning bool, format string, a []any) *Fault {
	f := &Fault{Pos: at, Warning: warning, Text: r.sprintf(format, a), Width: r.widthAt(at), report: r}
	if !warning {
		r.errors++
	}
	if r.whole == nil {
		r.faults = append(r.faults, f)
		return f
	}
	r.whole.faults = append(r.whole.faults, f)
	if !warning {
		r.whole.errors++
	}
	return f
}

func (r *Report) widthAt(at Pos) int {
	w, ok := r.widths[at]
	for i := 0; !ok && i < len(r.parts); i++ {
		w, ok = r.parts[i].widths[at]
	}
	return w
}

// join makes another report part of r: what it knows, r knows, and what is told it from now on, r is told.
func (r *Report) join(part *Report) {
	part.whole = r
	r.parts = append(r.parts, part)
	for _, x := range part.hidden {
		r.hidden.add(x.value, x.written)
	}
	r.faults = append(r.faults, part.faults...)
	r.errors += part.errors
	part.faults, part.errors = nil, 0 // told once
}

// At tells where the value of a decoded field stands. field is a pointer to the field, to an element of a slice,
// or to a whole decoded struct. If the field's key was left out, it is the place of the nearest decoded struct
// around it. A pointer that no decoder has seen has no place.
func (r *Report) At(field any) Pos {
	v := reflect.ValueOf(field)
	if v.Kind() != reflect.Pointer {
		panic("config: At takes a pointer to a decoded field, not " + v.Kind().String())
	}
	return r.placeOf(place{v.Pointer(), v.Type().Elem()})
}

func (r *Report) placeOf(p place) Pos {
	at, ok := r.places[p]
	for i := 0; !ok && i < len(r.parts); i++ {
		at, ok = r.parts[i].places[p]
	}
	return at
}

// AtKey tells where a key of a decoded map stands. field is a pointer to the map. For a key that is not in the
// file it is the place of the map.
func (r *Report) AtKey(field any, key string) Pos {
	v := reflect.ValueOf(field)
	if v.Kind() != reflect.Pointer {
		panic("config: AtKey takes a pointer to a decoded map, not " + v.Kind().String())
	}
	p := place{v.Pointer(), v.Type().Elem()}
	k := placedKey{p, key}
	at, ok := r.keys[k]
	for i := 0; !ok && i < len(r.parts); i++ {
		at, ok = r.parts[i].keys[k]
	}
	if ok {
		return at
	}
	return r.placeOf(p)
}

// put notes where v stands. Values without a size have no address of their own, so they have no place either.
func (r *Report) put(v reflect.Value, at Pos) {
	if !v.CanAddr() || v.Type().Size() == 0 {
		return
	}
	if r.places == nil {
		r.places = map[place]Pos{}
	}
	r.places[place{v.Addr().Pointer(), v.Type()}] = at
}

// expect makes room for the places of that many entries of a map.
func (r *Report) expect(n int) {
	if r.keys == nil {
		r.keys = make(map[placedKey]Pos, n)
	}
	if r.places == nil {
		r.places = make(map[place]Pos, n)
	}
}

func (r *Report) putKey(v reflect.Value, key string, at Pos) {
	if !v.CanAddr() {
		return
	}
	if r.keys == nil {
		r.keys = map[placedKey]Pos{}
	}
	r.keys[placedKey{place{v.Addr().Pointer(), v.Type()}, key}] = at
}

// Faults gives all faults, sorted by place, each once.
func (r *Report) Faults() []Fault {
	all := make([]Fault, 0, len(r.faults))
	for _, f := range r.faults {
		all = append(all, *f)
	}
	slices.SortStableFunc(all, func(a, b Fault) int {
		return cmp.Or(a.Pos.Compare(b.Pos), cmp.Compare(a.Text, b.Text))
	})
	return slices.CompactFunc(all, func(a, b Fault) bool {
		return a.Pos == b.Pos && a.Text == b.Text && a.Warning == b.Warning
	})
}

// Err is nil if there is no error; warnings do not count. Else it is an *Invalid with all faults.
func (r *Report) Err() error {
	if r.errors == 0 {
		return nil
	}
	return &Invalid{Faults: r.Faults()}
}

// Invalid is the error of a configuration that cannot be used.
type Invalid struct {
	Faults []Fault
}

// Error is the plain text of all faults, notes and hints, without lines of source.
func (e *Invalid) Error() string {
	var b strings.Builder
	for i := range e.Faults {
		if i > 0 {
			b.WriteByte('\n')
		}
		f := &e.Faults[i]
		b.WriteString(f.String())
		for _, n := range f.Notes {
			b.WriteString("\n  note: " + n.line())
		}
		if f.Hint != "" {
			b.WriteString("\n  hint: " + visible(f.Hint))
		}
	}
	return b.String()
}

func (n Note) line() string {
	if n.Pos.IsZero() {
		return visible(n.Text)
	}
	return visible(n.Pos.String() + ": " + n.Text)
}

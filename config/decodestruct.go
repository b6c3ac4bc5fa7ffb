package config

import (
	"reflect"
)

// structure decodes a struct, then has it check itself if it is without faults so far.
func (d decoder) structure(n *Node, v reflect.Value, at spot) {
	what := at.whole()
	l := layoutOf(v.Type())
	if l.err != nil {
		panic("config: " + l.err.Error())
	}
	if n.Kind != Mapping {
		d.r.Errorf(n.Pos, "%s must be a mapping, not %s", shown(what), n.describe())
		return
	}
	before := d.r.errors
	if !at.part {
		defaults(v)
	}
	d.absent(v, n.Pos)
	given := map[string]bool{} // or mistyped, which is said already
	for _, e := range n.Entries {
		f := l.find(e.Key.Value)
		if f == nil {
			given[unknownKey(d.r, e.Key, what, l.keys())] = true
			continue
		}
		given[f.key] = true
		if f.extension && d.r.Strict {
			d.r.Errorf(e.Key.Pos, "%s is an extension of gozilla: zilla does not take it", shown(f.key))
		}
		d.value(e.placed(), v.FieldByIndex(f.index), spot{key: f.key, what: what, part: true})
	}
	for i := range l.fields {
		if f := &l.fields[i]; f.required && !given[f.key] {
			d.r.Errorf(n.Pos, "%s %s %s", shown(what), shown(verb(what, "need")), shown(f.key))
		}
	}
	d.check(l, v, before)
}

// absent gives every field the place of the struct; those that are in the file get their own afterwards.
func (d decoder) absent(v reflect.Value, at Pos) {
	d.r.put(v, at)
	t := v.Type()
	for i := range t.NumField() {
		f := v.Field(i)
		if formOf(f.Type()) == formStruct {
			d.absent(f, at)
			continue
		}
		d.r.put(f, at)
	}
}

// defaults calls Defaults of the structs inside v, then of v, which may know better. A method that is promoted runs
// twice, which must not matter.
func defaults(v reflect.Value) {
	for i := range v.NumField() {
		if f := v.Field(i); formOf(f.Type()) == formStruct {
			defaults(f)
		}
	}
	callDefaults(v)
}

func callDefaults(v reflect.Value) {
	if !v.Addr().CanInterface() {
		return
	}
	if x, ok := v.Addr().Interface().(interface{ Defaults() }); ok {
		x.Defaults()
	}
}

// check calls Check, of embedded structs before that of the struct, as long as there is no fault.
func (d decoder) check(l *layout, v reflect.Value, before int) {
	for _, index := range l.embedded {
		d.callCheck(v.FieldByIndex(index), before)
	}
	d.callCheck(v, before)
}

func (d decoder) callCheck(v reflect.Value, before int) {
	if d.r.errors != before || !v.Addr().CanInterface() {
		return
	}
	if x, ok := v.Addr().Interface().(interface{ Check(r *Report) }); ok {
		x.Check(d.r)
	}
}

package config

import (
	"fmt"
	"reflect"
)

// Decode makes a T of a node. what is how T is called in messages: "a tcp server". The result is never nil, also when
// there are faults; these are in the report. It panics if T has a field of no shape, which is a programmer's fault.
func Decode[T any](r *Report, n *Node, what string) *T {
	v := new(T)
	r.roots = append(r.roots, v)
	d := decoder{r}
	d.value(n, reflect.ValueOf(v).Elem(), spot{what: what, root: true})
	return v
}

type decoder struct {
	r *Report
}

// A spot is what a value is called.
type spot struct {
	key  string       // of the field
	what string       // the struct that has the field, or with root the value itself
	root bool         // what names the value, not the struct around it
	many reflect.Type // the list whose only item this is
	part bool         // of a struct that has set its defaults already
}

// whole is what the value is called when it is a struct.
func (s spot) whole() string {
	if s.root {
		return s.what
	}
	return inside(s.key, s.what)
}

// item is the spot of an item of the list at s.
func (s spot) item() spot {
	if s.root {
		return spot{key: "an item", what: "an item of " + s.what, root: true}
	}
	if one := singular(s.key); one == s.key && s.key != "when" {
		return spot{key: s.key, what: s.what} // the place tells which
	}
	return spot{key: A(singular(s.key)), what: member(s.key, s.what), root: true}
}

// entry is the spot of a value of the map at s.
func (s spot) entry(key *Node) spot {
	if s.root {
		return spot{key: string(key.name()), what: inside(string(key.name()), s.what), root: true}
	}
	return spot{key: string(key.name()), what: named(s.key, string(key.name()), s.what), root: true}
}

// subject begins a message about the value: "port", "a tcp server".
func (s spot) subject() shown {
	if s.key != "" && !s.root {
		return shown(s.key)
	}
	return shown(s.what)
}

// value decodes one value. It reports false if there was a fault, and v is then not to be used.
func (d decoder) value(n *Node, v reflect.Value, at spot) bool {
	f := formOf(v.Type())
	if f == formUnknown {
		panic(fmt.Sprintf("config: %s is no shape of a configuration", v.Type()))
	}
	if n == nil {
		n = &Node{}
	}
	d.r.put(v, n.Pos)
	if f == formNode {
		v.Set(reflect.ValueOf(n))
		return true
	}
	if f == formPointer {
		return d.pointer(n, v, at)
	}
	if n.Kind == Null && f != formSelf {
		d.empty(n, at)
		return false
	}
	before := d.r.errors
	d.shape(f, n, v, at)
	return d.r.errors == before
}

// shape decodes a value of a form that is neither node nor pointer.
func (d decoder) shape(f form, n *Node, v reflect.Value, at spot) {
	switch f {
	case formNone:
		d.r.Errorf(n.Pos, "%s is not accepted here", at.subject())
	case formSelf:
		v.Addr().Interface().(SelfDecoder).DecodeConfig(d.r, n)
	case formStruct:
		d.structure(n, v, at)
	case formMap:
		d.mapping(n, v, at)
	case formSlice:
		d.sequence(n, v, at)
	case formMany:
		d.many(n, v, at)
	default:
		d.scalar(f, n, v, at)
	}
}

// empty reports a key without a value. Upstream's schema refuses null everywhere, so we do.
func (d decoder) empty(n *Node, at spot) {
	f := d.r.Errorf(n.Pos, "%s is empty", at.subject())
	if at.root {
		f.Text = d.r.sprintf("%s cannot be empty", []any{at.subject()})
	}
	if n.substituted {
		f.Hintf("set the environment variable, or leave the key out")
		return
	}
	f.Hintf("leave it out or give it a value")
}

func (d decoder) pointer(n *Node, v reflect.Value, at spot) bool {
	p := reflect.New(v.Type().Elem())
	at.part = false
	ok := d.value(n, p.Elem(), at)
	v.Set(p)
	return ok
}

// wrong reports a value of another shape.
func (d decoder) wrong(n *Node, t reflect.Type, at spot) *Fault {
	if at.many != nil {
		t = at.many
	}
	return d.r.Errorf(n.Pos, "%s must be %s, not %s", at.subject(), shown(wordsFor(t)), n.describe())
}

func (d decoder) mapping(n *Node, v reflect.Value, at spot) {
	if n.Kind != Mapping {
		d.wrong(n, v.Type(), at)
		return
	}
	t := v.Type()
	m := reflect.MakeMapWithSize(t, len(n.Entries))
	d.r.expect(len(n.Entries))
	whole, nodes := at.whole(), formOf(t.Elem()) == formNode
	for _, e := range n.Entries {
		key := reflect.New(t.Key()).Elem()
		d.text(e.Key, key, spot{key: "the key", what: "the key of " + whole})
		d.r.putKey(v, e.Key.Value, e.Key.Pos)
		if nodes { // which know their places
			m.SetMapIndex(key, reflect.ValueOf(e.placed()))
			continue
		}
		elem := reflect.New(t.Elem())
		d.r.roots = append(d.r.roots, elem.Interface())
		d.value(e.placed(), elem.Elem(), at.entry(e.Key))
		m.SetMapIndex(key, elem.Elem())
	}
	v.Set(m)
}

func (d decoder) sequence(n *Node, v reflect.Value, at spot) {
	if n.Kind != Sequence {
		d.wrong(n, v.Type(), at)
		return
	}
	s := reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items))
	v.Set(s)
	for i, item := range n.Items {
		d.value(item, s.Index(i), at.item())
	}
}

// many decodes one or many: a list, or a single item without one.
func (d decoder) many(n *Node, v reflect.Value, at spot) {
	if n.Kind == Sequence {
		d.sequence(n, v, at)
		return
	}
	if elem := formOf(v.Type().Elem()); n.Kind == Mapping && elem != formStruct && elem != formMap && elem != formNode {
		d.wrong(n, v.Type(), at)
		return
	}
	s := reflect.MakeSlice(v.Type(), 1, 1)
	v.Set(s)
	at.many, at.part = v.Type(), false
	d.value(n, s.Index(0), at)
}

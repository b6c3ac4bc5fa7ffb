package config

import (
	"cmp"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math"
	"reflect"
	"slices"
	"strings"
)

// Digest is a fingerprint of a decoded value: equal values have equal digests, whatever the order of their maps, and
// others in practice never. Unexported fields and those of type None do not count, a *Node counts by its content.
// The fields of v whose keys are in without do not count either.
func Digest(v any, without ...string) string {
	d := digest{sha256.New()}
	x := reflect.ValueOf(v)
	for x.Kind() == reflect.Pointer && !x.IsNil() && x.Type() != typeNode {
		x = x.Elem()
	}
	if x.IsValid() && formOf(x.Type()) == formStruct {
		d.structure(x, without)
	} else {
		d.value(x)
	}
	return hex.EncodeToString(d.Sum(nil))
}

// digest writes values so that none is the beginning of another: a letter for the kind, then a length or the content.
type digest struct{ hash.Hash }

func (d digest) mark(kind byte, n uint64) {
	d.Write(binary.BigEndian.AppendUint64([]byte{kind}, n))
}

func (d digest) text(kind byte, s string) {
	d.mark(kind, uint64(len(s)))
	d.Write([]byte(s))
}

func (d digest) value(v reflect.Value) {
	if !v.IsValid() || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && v.IsNil() {
		d.mark('0', 0)
		return
	}
	if n, ok := v.Interface().(*Node); ok {
		d.node(n)
		return
	}
	if x, ok := v.Interface().(encoding.TextMarshaler); ok {
		if b, err := x.MarshalText(); err == nil {
			d.text('t', string(b))
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		d.mark('p', 1)
		d.value(v.Elem())
	case reflect.Struct:
		d.structure(v, nil)
	case reflect.Map:
		d.mapping(v)
	case reflect.Slice, reflect.Array:
		d.mark('l', uint64(v.Len()))
		for i := range v.Len() {
			d.value(v.Index(i))
		}
	default:
		d.scalar(v)
	}
}

func (d digest) scalar(v reflect.Value) {
	switch {
	case v.Kind() == reflect.String:
		d.text('s', v.String())
	case v.Kind() == reflect.Bool && v.Bool():
		d.mark('b', 1)
	case v.Kind() == reflect.Bool:
		d.mark('b', 0)
	case v.CanInt():
		d.mark('i', uint64(v.Int()))
	case v.CanUint():
		d.mark('u', v.Uint())
	case v.CanFloat():
		d.mark('f', math.Float64bits(v.Float()))
	default:
		d.text('x', v.Type().String()) // a func or a channel of a type that decodes itself
	}
}

func (d digest) structure(v reflect.Value, without []string) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct && formOf(f.Type) == formStruct {
			d.structure(v.Field(i), without)
			continue
		}
		key, _, _ := strings.Cut(f.Tag.Get("config"), ",")
		key = cmp.Or(key, strings.ToLower(f.Name))
		if !f.IsExported() || isNone(f.Type) || slices.Contains(without, key) {
			continue
		}
		d.text('k', key)
		d.value(v.Field(i))
	}
	d.mark('e', 0)
}

func (d digest) mapping(v reflect.Value) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
	d.mark('m', uint64(len(keys)))
	for _, k := range keys {
		d.text('k', k.String())
		d.value(v.MapIndex(k))
	}
}

func (d digest) node(n *Node) {
	if n == nil {
		d.mark('0', 0)
		return
	}
	d.mark('N', uint64(n.Kind)<<8|uint64(n.Type))
	d.text('s', n.Value)
	d.mark('l', uint64(len(n.Items)))
	for _, item := range n.Items {
		d.node(item)
	}
	entries := slices.SortedFunc(slices.Values(n.Entries), func(a, b Entry) int {
		return cmp.Compare(a.Key.Value, b.Key.Value)
	})
	d.mark('m', uint64(len(entries)))
	for _, e := range entries {
		d.text('k', e.Key.Value)
		d.node(e.Value)
	}
}

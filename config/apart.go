package config

import (
	"reflect"
	"slices"
)

// A Part is one key of a decoded struct by itself.
type Part[T any] struct {
	Key  string // source.host for a key inside of another
	Only *T     // nothing else is set in it
}

// Apart takes a decoded struct apart into the keys that are set, in the order of its declaration. What it has besides
// keys is in none of them.
func Apart[T any](v *T) []Part[T] {
	var parts []Part[T]
	eachKey(reflect.ValueOf(v).Elem(), "", nil, func(key string, index []int, value reflect.Value) {
		only := new(T)
		reflect.ValueOf(only).Elem().FieldByIndex(index).Set(value)
		parts = append(parts, Part[T]{key, only})
	})
	return parts
}

// eachKey calls f with every key of v that is set, down into the structs in it.
func eachKey(v reflect.Value, before string, at []int, f func(key string, index []int, value reflect.Value)) {
	l := layoutOf(v.Type())
	for i := range l.fields {
		x := &l.fields[i]
		value := v.FieldByIndex(x.index)
		if value.IsZero() {
			continue
		}
		key, index := before+x.key, append(slices.Clip(at), x.index...)
		if x.typ.Kind() == reflect.Struct && formOf(x.typ) == formStruct {
			eachKey(value, key+".", index, f)
			continue
		}
		f(key, index, value)
	}
}

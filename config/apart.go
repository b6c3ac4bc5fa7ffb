package config

import (
	"reflect"
	"slices"
	"sync"
)

// A Part is one key of a decoded struct by itself.
type Part[T any] struct {
	Key  string // source.host for a key inside of another
	Only *T     // nothing else is set in it
}

// Apart takes a decoded struct apart into the keys that are set, in the order of its declaration. What it has besides
// keys is in none of them.
func Apart[T any](v *T) []Part[T] {
	whole := reflect.ValueOf(v).Elem()
	leaves := leavesOf(whole.Type())
	parts := make([]Part[T], 0, len(leaves))
	for i := range leaves {
		leaf := &leaves[i]
		value := whole.FieldByIndex(leaf.index)
		if value.IsZero() {
			continue
		}
		only := new(T)
		reflect.ValueOf(only).Elem().FieldByIndex(leaf.index).Set(value)
		parts = append(parts, Part[T]{leaf.key, only})
	}
	return parts
}

// A leaf is a key, in a struct or in one of those in it.
type leaf struct {
	key   string
	index []int // as in reflect.Value.FieldByIndex
}

var allLeaves sync.Map // reflect.Type to []leaf

// leavesOf are the keys of a struct, and of the structs in it, which are no keys themselves.
func leavesOf(t reflect.Type) []leaf {
	if known, ok := allLeaves.Load(t); ok {
		return known.([]leaf)
	}
	var leaves []leaf
	for _, f := range layoutOf(t).fields {
		if formOf(f.typ) != formStruct {
			leaves = append(leaves, leaf{f.key, f.index})
			continue
		}
		for _, in := range leavesOf(f.typ) {
			leaves = append(leaves, leaf{f.key + "." + in.key, slices.Concat(f.index, in.index)})
		}
	}
	allLeaves.Store(t, leaves)
	return leaves
}

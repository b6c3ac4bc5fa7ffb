package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// None is the type of a field that a struct does not take: the With of a route whose binding has none.
type None struct{}

// A SelfDecoder is a type that fits no shape and decodes itself.
type SelfDecoder interface {
	DecodeConfig(r *Report, n *Node)
}

var (
	typeNode     = reflect.TypeFor[*Node]()
	typeNone     = reflect.TypeFor[None]()
	typeDuration = reflect.TypeFor[time.Duration]()
	typeSelf     = reflect.TypeFor[SelfDecoder]()
	typeText     = reflect.TypeFor[encoding.TextUnmarshaler]()
	typeMany     = reflect.TypeFor[interface{ oneOrMany() }]()
	typeEnum     = reflect.TypeFor[Enum]()
)

// form is how a Go type is decoded.
type form uint8

const (
	formNone form = iota
	formNode
	formSelf
	formText
	formDuration
	formPointer
	formStruct
	formMap
	formMany
	formSlice
	formBool
	formInt
	formUint
	formFloat
	formString
	formUnknown
)

// formOf finds the form of a type. The order counts: what decodes itself may be of any kind.
func formOf(t reflect.Type) form {
	switch {
	case t == typeNone:
		return formNone
	case t == typeNode:
		return formNode
	case t.Kind() == reflect.Pointer:
		return formPointer
	case reflect.PointerTo(t).Implements(typeSelf):
		return formSelf
	case reflect.PointerTo(t).Implements(typeText):
		return formText
	case t == typeDuration:
		return formDuration
	case t.Kind() == reflect.Slice && t.Implements(typeMany):
		return formMany
	}
	return formOfKind(t)
}

func formOfKind(t reflect.Type) form {
	switch t.Kind() {
	case reflect.Struct:
		return formStruct
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return formMap
		}
	case reflect.Slice:
		return formSlice
	case reflect.Bool:
		return formBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return formInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return formUint
	case reflect.Float32, reflect.Float64:
		return formFloat
	case reflect.String:
		return formString
	}
	return formUnknown
}

// A field is a key that a struct takes.
type field struct {
	key       string
	index     []int // as in reflect.Value.FieldByIndex
	typ       reflect.Type
	owner     reflect.Type // the struct that declares it, which may be embedded
	name      string       // in Go
	required  bool
	extension bool
}

// A layout is what a struct takes, in the order of its declaration.
type layout struct {
	fields   []field
	embedded [][]int // the structs inlined in it, inner before outer
	err      error   // why it cannot be decoded
}

func (l *layout) find(key string) *field {
	i := slices.IndexFunc(l.fields, func(f field) bool { return f.key == key })
	if i < 0 {
		return nil
	}
	return &l.fields[i]
}

func (l *layout) keys() []string {
	keys := make([]string, len(l.fields))
	for i := range l.fields {
		keys[i] = l.fields[i].key
	}
	return keys
}

var layouts sync.Map // reflect.Type to *layout

func layoutOf(t reflect.Type) *layout {
	if l, ok := layouts.Load(t); ok {
		return l.(*layout)
	}
	l := new(layout)
	l.collect(t, nil)
	for i, f := range l.fields {
		if l.find(f.key) != &l.fields[i] && l.err == nil {
			l.err = fmt.Errorf("cannot decode %s: two fields have the key %s", t, f.key)
		}
	}
	layouts.Store(t, l)
	return l
}

func (l *layout) collect(t reflect.Type, at []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(slices.Clone(at), i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct && f.Tag.Get("config") == "" {
			if formOf(f.Type) == formStruct {
				l.collect(f.Type, index)
				l.embedded = append(l.embedded, index)
			}
			continue
		}
		if f.IsExported() && !isNone(f.Type) {
			l.add(t, f, index)
		}
	}
}

// isNone reports whether nothing is accepted for a type.
func isNone(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t == typeNone
}

func (l *layout) add(t reflect.Type, f reflect.StructField, index []int) {
	key, flags, _ := strings.Cut(f.Tag.Get("config"), ",")
	if key == "" {
		key = strings.ToLower(f.Name)
	}
	x := field{key: key, index: index, typ: f.Type, owner: t, name: f.Name}
	for flag := range strings.SplitSeq(flags, ",") {
		switch flag {
		case "":
		case "required":
			x.required = true
		case "extension":
			x.extension = true
		default:
			l.err = fmt.Errorf("cannot decode %s.%s: no such flag: %s", t, f.Name, flag)
		}
	}
	if formOf(f.Type) == formUnknown {
		l.err = fmt.Errorf("cannot decode %s.%s: %s is no shape of a configuration", t, f.Name, f.Type)
	}
	l.fields = append(l.fields, x)
}

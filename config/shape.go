package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
)

// Form is what a value looks like in a file.
type Form string

// The forms of values.
const (
	FormMapping  Form = "mapping" // with keys that are known
	FormMap      Form = "map"     // with keys of the user
	FormList     Form = "list"
	FormMany     Form = "one or many"
	FormBool     Form = "boolean"
	FormInteger  Form = "integer"
	FormNumber   Form = "number"
	FormText     Form = "text"
	FormDuration Form = "duration"
	FormAny      Form = "any" // decoded elsewhere
)

// A Shape describes a type of the configuration, or a field of one: all that reference pages and the schema for
// editors are made of.
type Shape struct {
	Form      Form
	Key       string // of a field
	Type      string // in Go, as path.Name
	Comment   string // the doc comment of the field, or of the type if it is no field
	Required  bool
	Extension bool
	Default   string // as text; empty if the default is nothing, zero or false

	Values  []string // of an enumeration
	Pattern string   // of text
	Words   string   // what it must be, as in messages
	Number  bool     // text that may also be given as a number
	Min     *int64
	Max     *int64

	Names     string   // of a map: the pattern of its keys
	Elem      *Shape   // of a map, a list, one or many
	Fields    []*Shape // of a mapping
	Recursive bool     // a mapping that is described further up

	fallback any // the default, as JSON
}

// ShapeOf describes the type T.
func ShapeOf[T any]() *Shape { return ShapeOfType(reflect.TypeFor[T]()) }

// ShapeOfType describes a type. It panics if the type is no shape of a configuration.
func ShapeOfType(t reflect.Type) *Shape {
	for t.Kind() == reflect.Pointer && t != typeNode {
		t = t.Elem()
	}
	s := shapes{}.of(t, fresh(t))
	if s.Comment == "" {
		s.Comment = comment(typeName(t))
	}
	return s
}

// fresh is a value of a type as it is before anything is decoded into it.
func fresh(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	if formOf(t) == formStruct {
		defaults(v)
	}
	return v
}

// shapes are the structs around the type that is described.
type shapes map[reflect.Type]bool

func (open shapes) of(t reflect.Type, v reflect.Value) *Shape {
	s := &Shape{Type: typeName(t), Words: wordsFor(t)}
	f := formOf(t)
	switch f {
	case formPointer:
		elem := fresh(t.Elem())
		return open.of(t.Elem(), elem)
	case formNode:
		s.Form = FormAny
	case formSelf:
		return selfShape(t)
	case formStruct:
		open.structure(s, t, v)
	case formMap:
		s.Form, s.Names = FormMap, patternOf(t.Key())
		s.Elem = open.of(t.Elem(), fresh(t.Elem()))
	case formSlice, formMany:
		s.Form = FormList
		if f == formMany {
			s.Form = FormMany
		}
		s.Elem = open.of(t.Elem(), fresh(t.Elem()))
	default:
		s.scalar(f, t)
	}
	return s
}

func (s *Shape) scalar(f form, t reflect.Type) {
	switch f {
	case formBool:
		s.Form = FormBool
	case formInt, formUint:
		s.Form = FormInteger
		s.bounds(t)
	case formFloat:
		s.Form = FormNumber
	case formDuration:
		s.Form, s.Pattern = FormDuration, durationPattern
	case formText, formString:
		s.Form, s.Pattern, s.Values = FormText, patternOf(t), valuesOf(t)
		if x, ok := reflect.New(t).Interface().(interface{ TakesNumber() bool }); ok {
			s.Number = x.TakesNumber()
			s.bounds(t)
		}
	default:
		panic(fmt.Sprintf("config: %s is no shape of a configuration", t))
	}
}

func (s *Shape) bounds(t reflect.Type) {
	if lo, hi, ok := boundsOf(t); ok {
		s.Min = &lo
		if hi != math.MaxInt64 {
			s.Max = &hi
		}
	}
}

// selfShape asks a type that decodes itself for its shape.
func selfShape(t reflect.Type) *Shape {
	if x, ok := reflect.New(t).Interface().(interface{ ConfigShape() *Shape }); ok {
		s := *x.ConfigShape()
		s.Type = typeName(t)
		return &s
	}
	return &Shape{Form: FormAny, Type: typeName(t), Words: wordsFor(t)}
}

func (open shapes) structure(s *Shape, t reflect.Type, v reflect.Value) {
	s.Form = FormMapping
	if open[t] {
		s.Recursive = true
		return
	}
	open[t] = true
	defer delete(open, t)
	l := layoutOf(t)
	if l.err != nil {
		panic("config: " + l.err.Error())
	}
	for i := range l.fields {
		f := &l.fields[i]
		value := v.FieldByIndex(f.index)
		x := open.of(f.typ, value)
		x.Key, x.Required, x.Extension = f.key, f.required, f.extension
		x.Comment = comment(typeName(f.owner) + "." + f.name)
		if x.Form != FormMapping && !value.IsZero() {
			x.Default, x.fallback = defaultText(value), defaultJSON(value)
		}
		s.Fields = append(s.Fields, x)
	}
}

// defaultText is a default as it would be written in a file.
func defaultText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return durationText(x)
	case encoding.TextMarshaler:
		if b, err := x.MarshalText(); err == nil {
			return string(b)
		}
	case fmt.Stringer:
		return x.String()
	}
	switch v.Kind() {
	case reflect.Pointer:
		return defaultText(v.Elem())
	case reflect.Slice:
		all := make([]string, v.Len())
		for i := range all {
			all[i] = defaultText(v.Index(i))
		}
		return strings.Join(all, ", ")
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64:
		return fmt.Sprint(v.Interface())
	}
	if v.CanInt() || v.CanUint() {
		return fmt.Sprint(v.Interface())
	}
	return ""
}

func defaultJSON(v reflect.Value) any {
	switch {
	case v.Type() == typeDuration:
	case v.Kind() == reflect.Pointer:
		return defaultJSON(v.Elem())
	case v.CanInt(), v.CanUint(), v.CanFloat(), v.Kind() == reflect.Bool:
		return v.Interface()
	case v.Kind() == reflect.Slice:
		all := make([]any, v.Len())
		for i := range all {
			all[i] = defaultJSON(v.Index(i))
		}
		return all
	}
	return defaultText(v)
}

// durationText is shorter than Duration.String: 1h, not 1h0m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

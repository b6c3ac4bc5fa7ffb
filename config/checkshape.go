package config

import (
	"errors"
	"fmt"
	"reflect"
)

// CheckShape finds what is wrong with a type of the configuration: a field of no shape, one that the schema cannot
// describe, one without a comment, one whose default cannot be shown. It is for tests.
func CheckShape(t reflect.Type) error {
	for t.Kind() == reflect.Pointer && t != typeNode {
		t = t.Elem()
	}
	c := checker{seen: map[reflect.Type]bool{}}
	c.check(t, t.String())
	return errors.Join(c.faults...)
}

type checker struct {
	seen   map[reflect.Type]bool
	faults []error
}

func (c *checker) addf(format string, a ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, a...))
}

func (c *checker) check(t reflect.Type, where string) {
	x := reflect.New(t).Interface()
	switch formOf(t) {
	case formUnknown:
		c.addf("cannot decode %s: %s is no shape of a configuration", where, t)
	case formPointer, formSlice, formMany, formMap:
		c.check(t.Elem(), where)
	case formStruct:
		c.structure(t)
	case formSelf:
		if _, ok := x.(interface{ ConfigShape() *Shape }); !ok {
			c.addf("cannot describe %s: %s decodes itself and has no method ConfigShape", where, t)
		}
	case formText:
		if _, ok := x.(interface{ Pattern() string }); !ok {
			c.addf("cannot describe %s: %s reads text and has no method Pattern", where, t)
		}
		if _, ok := x.(interface{ Words() string }); !ok {
			c.addf("cannot describe %s: %s reads text and has no method Words", where, t)
		}
	}
}

func (c *checker) structure(t reflect.Type) {
	if c.seen[t] {
		return
	}
	c.seen[t] = true
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && f.Type.Kind() == reflect.Struct && formOf(f.Type) != formStruct {
			c.addf("cannot decode %s: the embedded %s decodes itself", t, f.Type)
		}
	}
	l := layoutOf(t)
	if l.err != nil {
		c.faults = append(c.faults, l.err)
		return
	}
	v := fresh(t)
	for _, f := range l.fields {
		name := typeName(f.owner) + "." + f.name
		c.check(f.typ, name)
		if comment(name) == "" {
			c.addf("cannot describe %s: it has no comment, or gozilla/internal/all is stale", name)
		}
		if value := v.FieldByIndex(f.index); formOf(f.typ) != formStruct && !value.IsZero() && defaultText(value) == "" {
			c.addf("cannot show the default of %s", name)
		}
	}
}

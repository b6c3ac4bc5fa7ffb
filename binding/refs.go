package binding

import (
	"reflect"

	"gozilla/config"
	"gozilla/guard"
	"gozilla/vault"
)

// A referrer is a value in a config struct that names other components: a vault.Ref, a guard.Ref, text with the
// attributes of a session in it.
type referrer interface {
	Refers() (category string, names []config.Ref)
}

// walkRefs calls back with every reference that stands in a decoded body, and where. Routes are left out: they know
// more of theirs.
func walkRefs(r *config.Report, body any, f func(Reference)) {
	w := refWalk{r, f}
	w.value(reflect.ValueOf(body).Elem())
}

type refWalk struct {
	r *config.Report
	f func(Reference)
}

func (w *refWalk) value(v reflect.Value) {
	if ref, ok := v.Addr().Interface().(referrer); ok {
		w.found(ref, w.r.At(v.Addr().Interface()))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && v.Type() != reflect.TypeFor[*config.Node]() {
			w.value(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				w.value(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			w.value(v.Index(i))
		}
	case reflect.Map:
		w.entries(v)
	}
}

// entries walks a map, whose keys and values may be references. They have no addresses, so copies are looked at.
func (w *refWalk) entries(m reflect.Value) {
	for _, key := range m.MapKeys() {
		if ref, ok := key.Interface().(referrer); ok {
			w.found(ref, w.r.AtKey(m.Addr().Interface(), key.String()))
		}
		value := reflect.New(m.Type().Elem()).Elem()
		value.Set(m.MapIndex(key))
		w.value(value)
	}
}

func (w *refWalk) found(ref referrer, at config.Pos) {
	category, names := ref.Refers()
	for _, name := range names {
		if name != "" {
			w.f(Reference{To: category, Name: name, Pos: at, Route: -1})
		}
	}
}

// Parts are the components in service that a binding may name.
type Parts struct {
	Vaults map[string]vault.Vault // by qualified name
	Guards map[string]guard.Guard
}

// Vault is the vault that the binding's configuration names; nil for no name.
func (b *Builder) Vault(ref vault.Ref) vault.Vault {
	return b.parts.Vaults[config.Ref(ref).Qualified(b.Node.Namespace)]
}

// Guard is the guard that the binding's configuration names; nil for no name.
func (b *Builder) Guard(ref guard.Ref) guard.Guard {
	return b.parts.Guards[config.Ref(ref).Qualified(b.Node.Namespace)]
}

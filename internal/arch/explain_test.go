package arch

import (
	"slices"
	"testing"

	"gozilla/binding"
	"gozilla/config"
)

// TestExplained wants every binding that has routes to say how streams go through it, so that gozilla explain knows.
func TestExplained(t *testing.T) {
	for _, name := range binding.Registry.Names() {
		typ, _ := binding.Registry.Get(name)
		for _, v := range typ.Variants() {
			routes := slices.ContainsFunc(v.Shape.Fields, func(f *config.Shape) bool { return f.Key == "routes" })
			if form := typ.Kinds[binding.Kind(v.Kind)]; routes && !form.Explained() {
				t.Errorf("the %s %s has routes, and no binding.Explains", name, v.Kind)
			}
		}
	}
}

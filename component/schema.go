package component

import (
	"slices"

	"gozilla/config"
)

// sections are the keys of a namespace that hold components, by category; telemetry.exporters is one level down.
var sections = map[string]string{
	"binding": "bindings", "guard": "guards", "vault": "vaults", "store": "stores", "catalog": "catalogs",
}

// Schema is the JSON schema of a whole configuration, by which editors complete and check it: that of a namespace, in
// which a component's body is that of its type and kind.
func Schema() config.Object {
	namespace := config.ShapeOf[config.Namespace]().Schema()
	schema := config.Object{
		{Name: "$schema", Value: "http://json-schema.org/draft-07/schema#"},
		{Name: "title", Value: "A configuration of gozilla: one namespace of a zilla.yaml"},
	}
	schema = append(schema, namespace...)
	for _, c := range Categories() {
		if section, ok := sections[c.Name()]; ok {
			setElement(schema, section, bodies(c))
		} else if c.Name() == "exporter" {
			setElement(property(schema, "telemetry"), "exporters", bodies(c))
		}
	}
	return schema
}

func property(schema config.Object, name string) config.Object {
	properties, _ := schema.Get("properties").(config.Object)
	o, _ := properties.Get(name).(config.Object)
	return o
}

// setElement makes element the schema of every value in a map.
func setElement(schema config.Object, name string, element config.Object) {
	o := property(schema, name)
	if i := slices.IndexFunc(o, func(m config.Member) bool { return m.Name == "additionalProperties" }); i >= 0 {
		o[i].Value = element
	}
}

// bodies is the schema of a component of a category: it has a type, and what else there is follows from it.
func bodies(c Category) config.Object {
	if len(c.Names()) == 0 {
		return config.Object{{Name: "description", Value: "Not built yet."}, {Name: "not", Value: config.Object{}}}
	}
	var rules []config.Object
	for _, name := range c.Names() {
		t, _ := c.Lookup(name)
		var kinds []string
		for _, v := range t.Variants() {
			if v.Kind != "" {
				kinds = append(kinds, v.Kind)
			}
			rules = append(rules, rule(name, v.Kind, v.Shape.Schema()))
		}
		if len(kinds) > 0 {
			allowed := config.Object{{Name: "properties", Value: config.Object{{Name: "kind", Value: config.Object{{Name: "enum", Value: kinds}}}}}}
			rules = append(rules, rule(name, "", allowed))
		}
	}
	o := config.Object{
		{Name: "type", Value: "object"},
		{Name: "required", Value: []string{"type"}},
		{Name: "properties", Value: config.Object{{Name: "type", Value: config.Object{{Name: "enum", Value: c.Names()}}}}},
	}
	return append(o, config.Member{Name: "allOf", Value: rules})
}

// rule is what holds for a type, and a kind if there is one.
func rule(name, kind string, then config.Object) config.Object {
	is := config.Object{{Name: "type", Value: config.Object{{Name: "const", Value: name}}}}
	required := []string{"type"}
	if kind != "" {
		is = append(is, config.Member{Name: "kind", Value: config.Object{{Name: "const", Value: kind}}})
		required = append(required, "kind")
	}
	return config.Object{
		{Name: "if", Value: config.Object{{Name: "properties", Value: is}, {Name: "required", Value: required}}},
		{Name: "then", Value: then},
	}
}

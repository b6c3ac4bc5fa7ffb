package config

import (
	"bytes"
	"encoding/json"
)

// An Object is a JSON object whose members keep their order.
type Object []Member

// A Member is one name of an Object, and its value.
type Member struct {
	Name  string
	Value any
}

// Get gives the value of a member, or nil.
func (o Object) Get(name string) any {
	for _, m := range o {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

func (o *Object) set(name string, value any) { *o = append(*o, Member{name, value}) }

// MarshalJSON writes the members in their order.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.Name)
		if err != nil {
			return nil, err
		}
		value, err := marshal(m.Value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// marshal leaves <, > and & as they are: a schema is read by people too.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// Schema gives the shape as JSON Schema, draft 7, without the $schema member of a whole document. A scalar may also
// be given by an expression such as ${{env.PORT}}.
func (s *Shape) Schema() Object {
	var o Object
	if s.Comment != "" {
		o.set("description", s.Comment)
	}
	switch s.Form {
	case FormMapping:
		s.mappingSchema(&o)
	case FormMap:
		o.set("type", "object")
		if s.Names != "" {
			o.set("propertyNames", Object{{"pattern", s.Names}})
		}
		o.set("additionalProperties", s.Elem.Schema())
	case FormList:
		o.set("type", "array")
		o.set("items", s.Elem.Schema())
	case FormMany:
		elem := s.Elem.Schema()
		o.set("anyOf", []Object{elem, {{"type", "array"}, {"items", elem}}})
	case FormAny:
	default:
		s.scalarSchema(&o)
	}
	if s.fallback != nil {
		o.set("default", s.fallback)
	}
	if s.Extension {
		o.set("x-extension", true)
	}
	return o
}

func (s *Shape) mappingSchema(o *Object) {
	o.set("type", "object")
	if s.Recursive {
		return
	}
	properties, required := Object{}, []string{}
	for _, f := range s.Fields {
		properties.set(f.Key, f.Schema())
		if f.Required {
			required = append(required, f.Key)
		}
	}
	o.set("properties", properties)
	if len(required) > 0 {
		o.set("required", required)
	}
	o.set("additionalProperties", false)
}

// scalarSchema says what the value itself may be, or an expression. Any text covers both.
func (s *Shape) scalarSchema(o *Object) {
	plain := s.plainSchemas()
	if s.Form == FormText && s.Pattern == "" && s.Values == nil {
		*o = append(*o, plain[0]...)
		return
	}
	o.set("anyOf", append(plain, Object{{"type", "string"}, {"pattern", expressionPattern}}))
}

const expressionPattern = `\$\{\{\s*[^\s\}]*\.[^\s\}]*\s*\}\}`

func (s *Shape) plainSchemas() []Object {
	switch s.Form {
	case FormBool:
		return []Object{{{"type", "boolean"}}}
	case FormNumber:
		return []Object{{{"type", "number"}}}
	case FormInteger:
		return []Object{s.integerSchema()}
	}
	if s.Values != nil {
		return []Object{{{"enum", s.Values}}}
	}
	text := Object{{"type", "string"}}
	if s.Pattern != "" {
		text.set("pattern", s.Pattern)
	}
	if s.Number {
		return []Object{s.integerSchema(), text}
	}
	return []Object{text}
}

func (s *Shape) integerSchema() Object {
	o := Object{{"type", "integer"}}
	if s.Min != nil {
		o.set("minimum", *s.Min)
	}
	if s.Max != nil {
		o.set("maximum", *s.Max)
	}
	return o
}

package config_test

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gozilla/config"
)

const pkg = "gozilla/config_test."

// described are the comments that the generator would find.
var described = map[string]string{
	"gozilla/config_test":   "The tests.",
	pkg + "server":          "A server of the tests.",
	pkg + "server.Options":  "How it listens.",
	pkg + "server.Routes":   "Where streams go.",
	pkg + "server.Exit":     "Where streams go that no route has taken.",
	pkg + "head.Type":       "The type.",
	pkg + "head.Kind":       "The kind.",
	pkg + "options.Host":    "The address to listen on. It is looked up once, and what is found first is taken; this is a long comment.",
	pkg + "options.Port":    "The ports.\n\nEach once.",
	pkg + "options.Backlog": "How many wait.",
	pkg + "options.Timeout": "How long.",
	pkg + "options.TLS":     "With keys.",
	pkg + "options.Labels":  "By name.",
	pkg + "options.Only":    "Which ones.",
	pkg + "options.Numbers": "Of all sorts.",
	pkg + "options.Raw":     "Anything.",
	pkg + "options.Color":   "How it looks.",
	pkg + "tls.Keys":        "The keys.",
	pkg + "tls.Strict":      "Without mercy.",
	pkg + "label.Text":      "The text.",
	pkg + "numbers.Int":     "An int.",
	pkg + "numbers.Int8":    "A small one.",
	pkg + "numbers.Uint":    "A positive one.",
	pkg + "numbers.Float":   "A float.",
	pkg + "numbers.Bool":    "A bool.",
	pkg + "route.When":      "If any of these holds.",
	pkg + "route.Guarded":   "Who may.",
	pkg + "route.Exit":      "Where to.",
	pkg + "when.Port":       "The port.",
	pkg + "when.CIDR":       "The network.",
	pkg + "when.Authority":  "The name.",
	pkg + "when.Even":       "Something even.",
}

func TestMain(m *testing.M) {
	config.Comments(described)
	os.Exit(m.Run())
}

func TestReference(t *testing.T) {
	s := config.ShapeOf[server]()
	if config.PackageComment(s) != "The tests." || s.Comment != "A server of the tests." || s.Type != pkg+"server" {
		t.Errorf("the shape is of %s: %s", s.Type, s.Comment)
	}
	golden := func(name string, write func(*strings.Builder) error) {
		t.Helper()
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil || b.String() != string(want) {
			t.Errorf("%s, %v: got\n%s", name, err, b.String())
		}
	}
	golden("testdata/reference.md", func(b *strings.Builder) error { return s.Markdown(b, 3) })
	golden("testdata/reference.txt", func(b *strings.Builder) error { return s.Text(b, 60) })
	golden("testdata/schema.json", func(b *strings.Builder) error {
		e := json.NewEncoder(b)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(s.Schema())
	})
}

// TestSchema reads the schema back and looks at what an editor would.
func TestSchema(t *testing.T) {
	b, err := json.Marshal(config.ShapeOf[server]().Schema())
	if err != nil {
		t.Fatal(err)
	}
	var root any
	if err := json.Unmarshal(b, &root); err != nil {
		t.Fatal(err)
	}
	f := func(path string, want any) {
		t.Helper()
		at := root
		for name := range strings.SplitSeq(path, "/") {
			switch x := at.(type) {
			case map[string]any:
				at = x[name]
			case []any:
				at = x[name[0]-'0']
			default:
				t.Fatalf("nothing at %s", path)
			}
		}
		if !reflect.DeepEqual(at, want) {
			t.Errorf("%s is %#v", path, at)
		}
	}
	f("type", "object")
	f("additionalProperties", false)
	f("required", []any{"type"})
	f("properties/kind/anyOf/0/enum", []any{"server", "client", "proxy"})
	f("properties/options/properties/host", map[string]any{"description": described[pkg+"options.Host"], "type": "string"})
	f("properties/options/properties/backlog/x-extension", true)
	f("properties/options/properties/backlog/anyOf/0/maximum", 100.0)
	f("properties/options/properties/timeout/default", "1m30s")
	f("properties/options/properties/numbers/properties/float/default", 1.5)
	f("properties/options/properties/port/default", []any{"80", "8000-8010"})
	f("properties/options/properties/port/anyOf/1/type", "array")
	f("properties/options/properties/tls/properties/strict/default", true)
	f("properties/options/properties/labels/additionalProperties/properties/text/type", "string")
	f("properties/routes/items/required", []any{"exit"})
	f("properties/routes/items/properties/with", nil)
	f("properties/routes/items/properties/guarded/propertyNames/pattern", config.Ref("").Pattern())
}

// TestSchemaPatterns guards against patterns that an editor's dialect of regular expressions reads differently.
func TestSchemaPatterns(t *testing.T) {
	b, err := json.Marshal(config.ShapeOf[server]().Schema())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"pattern":("(?:[^"\\]|\\.)*")`).FindAllSubmatch(b, -1) {
		var p string
		if err := json.Unmarshal(m[1], &p); err != nil {
			t.Fatal(err)
		}
		if _, err := regexp.Compile(p); err != nil || strings.Contains(p, "(?") {
			t.Errorf("%s is no pattern for everybody: %v", p, err)
		}
	}
}

type tree struct {
	Children []tree
	More     map[string]*tree
}

func TestRecursiveShape(t *testing.T) {
	s := config.ShapeOf[tree]()
	if _, err := json.Marshal(s.Schema()); err != nil || !s.Fields[0].Elem.Recursive {
		t.Errorf("a tree has the shape %+v, %v", s.Fields[0], err)
	}
	r, docs := parse("children: [{children: []}, {more: {a: {}}}]", nil)
	if x := config.Decode[tree](r, docs[0], "a tree"); r.Err() != nil || x.Children[1].More["a"] == nil {
		t.Errorf("got %+v, %v", x, r.Err())
	}
}

type selfMade struct{ X int }

func (*selfMade) DecodeConfig(*config.Report, *config.Node) {}

type otherMade struct{}

func (*otherMade) DecodeConfig(*config.Report, *config.Node) {}

type textMade struct{ X int }

func (*textMade) UnmarshalText([]byte) error { return nil }

func TestCheckShape(t *testing.T) {
	f := func(v any, want ...string) {
		t.Helper()
		err := config.CheckShape(reflect.TypeOf(v))
		if err == nil && len(want) == 0 {
			return
		}
		for _, w := range append(want, "\x00")[:max(1, len(want))] {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%T: %v", v, err)
			}
		}
	}
	f(server{})
	f(&server{})
	f(struct{ F func() }{}, "is no shape of a configuration")
	f(struct{ M map[int]string }{}, "is no shape of a configuration")
	f(struct {
		A int
		B int `config:"a"`
	}{}, "two fields have the key a")
	f(struct {
		A int `config:"a,optional"`
	}{}, "no such flag: optional")
	f(struct{ A int }{}, "it has no comment")
	f(struct{ A []*selfMade }{}, "decodes itself and has no method ConfigShape")
	f(struct{ A textMade }{}, "has no method Pattern", "has no method Words")
	f(struct{ selfMade }{}, "decodes itself and has no method ConfigShape") // it has its method
	f(struct {
		selfMade
		otherMade
	}{}, "the embedded config_test.selfMade decodes itself")
}

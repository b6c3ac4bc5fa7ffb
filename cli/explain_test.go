package cli

import (
	"strings"
	"testing"

	"gozilla/engine"
	"gozilla/stream"
)

// TestPaintedExplanation has colours where they are wanted, and columns that line up for all that.
func TestPaintedExplanation(t *testing.T) {
	e := &engine.Explanation{
		Path: []string{"north"}, Reason: "no route", Details: "of\x1b[31m",
		Steps: []engine.Step{{
			Binding: "north", Type: "tcp", Kind: "server", Facts: []engine.Fact{{Name: "from", Value: "a\nb"}},
			Routes: []engine.Verdict{
				{Route: "routes[9]", When: "größe 1", To: "south", Why: "größe"},
				{Route: "routes[10]", When: "x 1", To: "south", Taken: true},
				{Route: "routes[11]"}, {Route: "exit"},
			},
		}},
	}
	f := func(color bool, want string) {
		t.Helper()
		p := painted{color: color}
		p.explanation(e)
		if got := p.String(); got != want {
			t.Errorf("got\n%s\nnot\n%s", got, want)
		}
	}
	f(false, `north  tcp server
    from a\nb
    routes[9]   no: größe  größe 1 -> south
    routes[10]  yes        x 1 -> south
    routes[11] and exit were not tried

refused: north: no route: of\x1b[31m
`)
	f(true, strings.NewReplacer("<b>", bold, "<g>", green, "<r>", red, "<f>", faint, "<0>", plain).Replace(`<b>north<0>  tcp server
    from a\nb
    routes[9]   <f>no: größe<0>  größe 1 -> south
    routes[10]  <g>yes<0>        x 1 -> south
    <f>routes[11] and exit were not tried<0>

<r>refused<0>: north: no route: of\x1b[31m
`))
}

func TestFieldOf(t *testing.T) {
	f := func(text string, want stream.Field, wrong string) {
		t.Helper()
		got, err := fieldOf(text)
		if textOf(err) != wrong || err == nil && got != want {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
	f("Accept: text/html", stream.Field{Name: "accept", Value: "text/html"}, "")
	f("x:", stream.Field{Name: "x"}, "")
	f(":path:/a:b", stream.Field{Name: ":path", Value: "/a:b"}, "")
	f(":path", stream.Field{}, `the flag --header must be a name, a colon and a value, not ":path"`)
	f("::", stream.Field{}, "there is no header :, but :method, :path, :scheme or :authority")
	f(": x", stream.Field{}, `the flag --header must be a name, a colon and a value, not ": x"`)
	f(" : x", stream.Field{}, "a header needs a name")
	f("a b: x", stream.Field{}, `"a b" is no name of a header`)
	f("", stream.Field{}, `the flag --header must be a name, a colon and a value, not ""`)
}

func TestBeside(t *testing.T) {
	for name, want := range map[string]string{
		"zilla.yaml": "zilla.test.yaml", "etc/a.yml": "etc/a.test.yml", "a.json": "a.test.json", "a": "a.test.yaml",
		"https://a.example/zilla.yaml": "https://a.example/zilla.test.yaml",
	} {
		if got := beside(name); got != want {
			t.Errorf("beside %s is %s", name, got)
		}
	}
}

func TestQuoted(t *testing.T) {
	for word, want := range map[string]string{
		"": "''", "a.example": "a.example", ":path: /a b": "':path: /a b'", "it's": `'it'\''s'`, "$x": "'$x'", "::1": "::1",
	} {
		if got := quoted(word); got != want {
			t.Errorf("%q is quoted as %s", word, got)
		}
	}
}

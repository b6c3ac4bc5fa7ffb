package engine_test

import (
	"context"
	"strings"
	"testing"

	"gozilla/config"
	"gozilla/engine"
	"gozilla/internal/gwtest"
)

// TestFaults loads the zilla.yaml of each file in testdata and compares what a user would read. A file whose first word
// is strict is read as zilla would read it.
func TestFaults(t *testing.T) {
	gwtest.RunArchives(t, "testdata/*.txtar", func(t *testing.T, a *gwtest.Archive) {
		p := load(a.Text("zilla.yaml"), engine.Options{Strict: strings.HasPrefix(a.Head, "strict")})
		var b strings.Builder
		if err := p.Report.Write(&b, false); err != nil {
			t.Fatal(err)
		}
		if p.Report.Err() == nil {
			b.WriteString(p.Summary() + "\n")
		}
		a.Expect(t, "faults", b.String())
	})
}

func load(yaml string, o engine.Options) *engine.Plan {
	env := func(name string) (string, bool) { return "secret", name == "SECRET" }
	return engine.Load(context.Background(), config.Source{Name: "zilla.yaml", Text: []byte(yaml), Env: env}, o)
}

func TestEmpty(t *testing.T) {
	f := func(yaml string, want bool) {
		t.Helper()
		p := load(yaml, engine.Options{System: "events: { type: stdout }"})
		if err := p.Report.Err(); err != nil || p.Empty() != want {
			t.Errorf("%q: empty is %v, the faults are %v", yaml, p.Empty(), err)
		}
	}
	f("", true)
	f("# nothing\n", true)
	f("name: test\n", false)
}

package component_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"gozilla/component"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/telemetry"
)

// Lamp is a test component in a file.
type Lamp struct {
	// The type.
	Type string `config:"type,required"`
	// What it is like.
	Options LampOptions
}

// LampOptions says what a lamp is like.
type LampOptions struct {
	// Its colours, by name.
	Colours map[string]int
	// How bright it is.
	Watts int
}

// Defaults is what holds for keys that are left out.
func (o *LampOptions) Defaults() { o.Watts = 40 }

type lampType struct{ component.Recipe[string] }

var lamps = component.NewRegistry[lampType]("lamp", "gas", "oil", "halogen")

func init() {
	for _, name := range []string{"halogen", "candle"} {
		lamps.Register(name, lampType{component.Make(func(b *component.Builder, c *Lamp) (string, error) {
			if c.Options.Watts == 0 {
				return "", errors.New("a lamp needs watts")
			}
			return fmt.Sprint(b.Node, " with ", c.Options.Watts, " watts"), nil
		})})
	}
}

// read parses a text; the environment is candel.
func read(t *testing.T, r *config.Report, text string) *config.Node {
	t.Helper()
	docs := config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte(text), Env: func(string) (string, bool) { return "candel", true }})
	if len(docs) != 1 {
		t.Fatalf("%s is %d documents", text, len(docs))
	}
	return docs[0]
}

func TestFind(t *testing.T) {
	f := func(text string, found bool, want string) {
		t.Helper()
		r := &config.Report{}
		_, ok := lamps.Find(r, read(t, r, "type: "+text).Get("type"))
		got := ""
		if err := r.Err(); err != nil {
			got = err.Error()
		}
		if ok != found || got != want {
			t.Errorf("%s: found %v, and\n%s\nnot\n%s", text, ok, got, want)
		}
	}
	const have = "\n  hint: this build has candle or halogen"
	f("candle", true, "")
	f("halogen", true, "") // zilla has it, and it is built
	f("gas", false, "zilla.yaml:1:7: the lamp type \"gas\" is not built yet"+have)
	f("candel", false, "zilla.yaml:1:7: there is no lamp type \"candel\"\n  hint: did you mean \"candle\"?")
	f("oli", false, "zilla.yaml:1:7: there is no lamp type \"oli\"\n  hint: did you mean \"oil\"?")
	f("floodlight", false, "zilla.yaml:1:7: there is no lamp type \"floodlight\""+have)
	f("7", false, "zilla.yaml:1:7: there is no lamp type 7"+have)
	f("[ candle ]", false, "zilla.yaml:1:7: the type of a lamp must be text, not a list")
	f("{}", false, "zilla.yaml:1:7: the type of a lamp must be text, not a mapping")
	f("${{env.LAMP}}", false, "zilla.yaml:1:7: there is no lamp type ${{env.LAMP}}"+have) // nothing tells what it is
}

// TestFindInAnEmptyRegistry has nothing to offer.
func TestFindInAnEmptyRegistry(t *testing.T) {
	none := component.NewRegistry[lampType]("sun", "yellow")
	f := func(text, want string) {
		t.Helper()
		r := &config.Report{}
		if _, ok := none.Find(r, read(t, r, "type: "+text).Get("type")); ok || r.Err().Error() != want {
			t.Errorf("got %v, want %s", r.Err(), want)
		}
	}
	f("yellow", `zilla.yaml:1:7: the sun type "yellow" is not built yet`)
	f("green", `zilla.yaml:1:7: there is no sun type "green"`)
}

func TestRegister(t *testing.T) {
	f := func(name string) {
		t.Helper()
		defer func() {
			if got, want := fmt.Sprint(recover()), fmt.Sprintf("component: lamp type %q is registered twice", name); got != want {
				t.Errorf("the panic is %s", got)
			}
		}()
		lamps.Register(name, lampType{})
	}
	f("candle")
	f("")
	if got := lamps.Names(); !slices.Equal(got, []string{"candle", "halogen"}) {
		t.Errorf("the names are %v", got)
	}
	if got := lamps.Unbuilt(); !slices.Equal(got, []string{"gas", "oil"}) {
		t.Errorf("not built are %v", got)
	}
	if _, ok := lamps.Lookup("gas"); ok {
		t.Error("what is not built is found")
	}
	if _, ok := lamps.Get("candle"); !ok {
		t.Error("the candle is lost")
	}
}

// TestCategories may be asked for by several at once.
func TestCategories(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var names []string
			for _, c := range component.Categories() {
				names = append(names, c.Name())
			}
			if !slices.IsSorted(names) || !slices.Contains(names, "lamp") {
				t.Errorf("the categories are %v", names)
			}
		})
	}
	wg.Wait()
}

// draft decodes a lamp.
func draft(t *testing.T, text string) (*component.Draft[string], *config.Report) {
	t.Helper()
	r := &config.Report{}
	typ, _ := lamps.Get("candle")
	return typ.Decode(r, read(t, r, text), "a candle lamp"), r
}

func TestRecipe(t *testing.T) {
	b := &component.Builder{Node: &stream.Node{Namespace: "test", Name: "bedside"}}
	d, r := draft(t, "{ type: candle }")
	if got, err := d.Build(b); err != nil || got != "test:bedside with 40 watts" || r.Err() != nil {
		t.Errorf("built %q, %v, %v", got, err, r.Err())
	}
	if _, r = draft(t, "{ options: { wats: 60 } }"); r.Err() == nil ||
		!strings.Contains(r.Err().Error(), "a candle lamp needs type") || !strings.Contains(r.Err().Error(), `did you mean "watts"?`) {
		t.Errorf("the faults are %v", r.Err())
	}
	d, _ = draft(t, "{ type: candle, options: { watts: 0 } }")
	if got, err := d.Build(b); err == nil || err.Error() != "a lamp needs watts" || got != "" {
		t.Errorf("built %q, %v", got, err)
	}
}

func TestDigestOfADraft(t *testing.T) {
	digest := func(options string) string {
		d, r := draft(t, "{ type: candle, options: "+options+" }")
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		return d.Digest
	}
	base := digest("{ colours: { red: 1, blue: 2 } }")
	for _, same := range []string{"{ colours: { blue: 2, red: 1 } }", "{ watts: 40, colours: { red: 1, blue: 2 } }"} {
		if digest(same) != base {
			t.Errorf("another digest for %s", same)
		}
	}
	for _, other := range []string{"{}", "{ colours: { red: 2, blue: 1 } }", "{ watts: 41, colours: { red: 1, blue: 2 } }"} {
		if digest(other) == base {
			t.Errorf("the same digest for %s", other)
		}
	}
}

// TestBuilder declares, and nothing happens.
func TestBuilder(t *testing.T) {
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 10, false))
	b := &component.Builder{Node: &stream.Node{Namespace: "test", Name: "north"}, Host: host}
	fail := func() { t.Error("a declaration was carried out") }
	b.Listen(component.Listener{Host: "127.0.0.1", Port: 7}, func(*stream.Scope, *net.TCPConn) { fail() })
	b.Go("work", func(context.Context) error { fail(); return nil })
	b.OnEvent(func(*telemetry.Event) { fail() })
	if l := b.Listeners(); len(l) != 1 || l[0].Host != "127.0.0.1" || l[0].Port != 7 || l[0].Serve == nil {
		t.Errorf("the listeners are %v", l)
	}
	if tasks := b.Tasks(); len(tasks) != 1 || tasks[0].Name != "work" || len(b.Handlers()) != 1 {
		t.Errorf("the tasks are %v", tasks)
	}
	if b.Limits() != host.Limits {
		t.Error("the limits are not those of the host")
	}
	s := stream.Begin(stream.WithHost(t.Context(), host), b.Node)
	b.Warn(nil, "test.said", "%d things", 3)
	b.Warn(s, "test.said", "%d more", 4)
	s.End(nil)
	entries, _, _ := host.Log.Since(0)
	for i, want := range []telemetry.Event{
		{Namespace: "test", Name: "north", ID: "test.said", Message: "3 things", Warning: true},
		{Namespace: "test", Name: "north", ID: "test.said", Message: "4 more", Warning: true, Scope: s.ID()},
	} {
		got := *entries[i].Event
		if want.Time = got.Time; got != want || got.Time.IsZero() {
			t.Errorf("the event is %+v, not %+v", got, want)
		}
	}
}

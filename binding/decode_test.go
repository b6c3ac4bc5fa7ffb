package binding_test

import (
	"log/slog"
	"strings"
	"testing"

	"gozilla/binding"
	"gozilla/component"
	"gozilla/stream"
)

func TestDecodeFaults(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		_, r := decode(t, "north", body)
		got := ""
		if err := r.Err(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", body, got, want)
		}
	}
	kinds := "\n  hint: a test binding is a server, client, proxy or cache_client"
	f("[]", "zilla.yaml:1:1: the binding north must be a mapping")
	f("{}", "zilla.yaml:1:1: the binding north needs a type\n  hint: this build has test")
	f("{ type: }", "zilla.yaml:1:1: the binding north needs a type\n  hint: this build has test")
	f("{ type: [] }", "zilla.yaml:1:9: the type of a binding must be text, not a list")
	f("{ type: tset }", "zilla.yaml:1:9: there is no binding type \"tset\"\n  hint: did you mean \"test\"?")
	f("{ type: mqtt }", "zilla.yaml:1:9: the binding type \"mqtt\" is not built yet\n  hint: this build has test")
	f("{ type: test }", "zilla.yaml:1:1: the binding north needs a kind"+kinds)
	f("{ type: test, kind: ~ }", "zilla.yaml:1:1: the binding north needs a kind"+kinds)
	f("{ type: test, kind: [ server ] }", "zilla.yaml:1:21: the kind of a binding must be text, not a list"+kinds)
	f("{ type: test, kind: cache_server }", "zilla.yaml:1:21: a test binding cannot be a \"cache_server\""+kinds)
	f("{ type: test, kind: servant }", "zilla.yaml:1:21: there is no kind \"servant\""+kinds)
	f("{ type: test, kind: server }", "zilla.yaml:1:1: the binding needs an exit, or a route that has one")
	f("{ type: test, kind: server, routes: [ {} ] }", "zilla.yaml:1:39: a route of a test server needs exit")
	f("{ type: test, kind: proxy }", "zilla.yaml:1:1: a test proxy needs exit")
	f("{ type: test, kind: client, exit: one }", "zilla.yaml:1:29: a test client takes no exit")
	f("{ type: test, kind: cache_client, routes: [ { exit: one } ] }", "zilla.yaml:1:47: a route of a test cache_client takes no exit")
	f("{ type: test, kind: proxy, exit: 'a:b:c' }", "zilla.yaml:1:34: exit must be a name, or namespace:name, not \"a:b:c\"")
}

func TestForm(t *testing.T) {
	f := func(body, faces, exits string) {
		t.Helper()
		s := spec(t, "north", body)
		if got := strings.Join(s.Form.Faces(), " "); got != faces {
			t.Errorf("%s: the faces are %q", body, got)
		}
		if got := s.Form.ExitFor("bytes"); got != exits {
			t.Errorf("%s: bytes leave it as %q", body, got)
		}
	}
	f("{ type: test, kind: client }", "words", "")
	f("{ type: test, kind: server, exit: one }", "words", "words")
	f("{ type: test, kind: proxy, exit: one }", "words", "bytes")
	f("{ type: test, kind: cache_client }", "", "")
}

func TestSpec(t *testing.T) {
	s := spec(t, "north", "{ type: test, kind: server, exit: one, telemetry: { metrics: [ stream.* ] } }")
	if s.Namespace != "test" || s.Name != "north" || s.Type != "test" || s.Kind != binding.Server || s.Pos.Line != 1 {
		t.Errorf("the spec is %+v", s)
	}
	if got := s.Telemetry().Metrics; len(got) != 1 || got[0] != "stream.*" {
		t.Errorf("the metrics are %v", got)
	}
}

func TestDigestOfASpec(t *testing.T) {
	digest := func(rest string) string {
		return spec(t, "north", "type: test\nkind: server\nexit: one\n"+rest).Digest()
	}
	base := digest("")
	for _, same := range []string{"options: {}\n", "telemetry: { metrics: [ stream.* ] }\n", doors[:strings.Index(doors, "exit: four")],
		"routes: [ { exit: one, guarded: { who: [] } } ]\n"} {
		if digest(same) != base {
			t.Errorf("another digest with\n%s", same)
		}
	}
	if digest("options: { fails: later }\n") == base {
		t.Error("the options do not count")
	}
	if spec(t, "north", "{ type: test, kind: proxy, exit: one }").Digest() == spec(t, "north", "{ type: test, kind: client }").Digest() {
		t.Error("the kind does not count")
	}
}

func TestAConstructorThatFails(t *testing.T) {
	s := spec(t, "north", "{ type: test, kind: server, exit: one, options: { fails: too little } }")
	b, err := s.Build(&component.Builder{Node: &stream.Node{}, Host: host, Log: slog.New(slog.DiscardHandler)}, binding.Parts{})
	if b != nil || err == nil || err.Error() != "too little" {
		t.Errorf("got %v, %v", b, err)
	}
}

func TestVariants(t *testing.T) {
	typ, _ := binding.Registry.Get("test")
	var kinds []string
	for _, v := range typ.Variants() {
		kinds = append(kinds, v.Kind)
	}
	if got := strings.Join(kinds, " "); got != "server client proxy cache_client" {
		t.Errorf("the kinds are %s", got)
	}
}

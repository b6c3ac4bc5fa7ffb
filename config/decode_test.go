package config_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gozilla/config"
)

const every = `type: tcp
kind: server
options:
  host: localhost
  port: [80, 8000-8010, "443"]
  backlog: 100
  timeout: PT1M30.5S
  tls:
    keys: [a, "5"]
  labels:
    one: {text: a}
    2: {text: b}
  only: client
  numbers: {int: -5, int8: 0x7f, uint: 0o17, float: 1e3, bool: True}
  raw: {a: [1]}
  color: {name: red}
routes:
  - when:
      - port: 1
        cidr: 127.0.0.1/24
        authority: "*.example.com"
        even: ab
      - {}
    guarded: {jwt: [admin], other:jwt: []}
    exit: other:echo
exit: echo
`

func TestDecodeEveryShape(t *testing.T) {
	r, docs := parse(every, nil)
	s := config.Decode[server](r, docs[0], "a tcp server")
	if err := r.Err(); err != nil || len(r.Faults()) > 0 {
		t.Fatal(err, r.Faults())
	}
	equal := func(got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %#v, want %#v", got, want)
		}
	}
	equal(s.head, head{"tcp", "server"})
	equal(s.Options.Port, config.Ports{{From: 80, To: 80}, {From: 8000, To: 8010}, {From: 443, To: 443}})
	equal(s.Options.Backlog, percent(100))
	equal(s.Options.Timeout, 90*time.Second+500*time.Millisecond)
	equal(s.Options.TLS, &tls{[]string{"a", "5"}, true})
	equal(s.Options.Labels, map[string]label{"one": {"a"}, "2": {"b"}})
	equal(s.Options.Only, config.List[kind]{"client"})
	equal(s.Options.Numbers, numbers{-5, 127, 15, 1000, true})
	equal(s.Options.Raw.Get("a").Items[0].Value, "1")
	equal(s.Options.Color, color{"red"})
	equal(s.Routes[0].When[0].CIDR.String(), "127.0.0.0/24")
	equal(s.Routes[0].When[0].Authority, config.Wildcard("*.example.com"))
	equal(s.Routes[0].When[0].Even, even("ab"))
	equal(s.Routes[0].Guarded, map[config.Ref][]string{"jwt": {"admin"}, "other:jwt": {}})
	equal(s.Exit, config.Ref("echo"))
}

func TestDefaults(t *testing.T) {
	r, docs := parse("{type: tcp, exit: a}\n---\n{type: tcp, exit: a, options: {host: a, port: 1, numbers: {int: 1}}}", nil)
	absent := config.Decode[server](r, docs[0], "a tcp server")
	given := config.Decode[server](r, docs[1], "a tcp server")
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if absent.Options.Timeout != 90*time.Second || absent.Options.Port.String() != "80, 8000-8010" || absent.Options.TLS != nil {
		t.Errorf("without options there are no defaults: %+v", absent.Options)
	}
	if given.Options.Port.String() != "1" || given.Options.Numbers.Float != 1.5 || given.Options.Numbers.Int != 1 {
		t.Errorf("given options do not replace the defaults: %+v", given.Options)
	}
}

func TestPlaces(t *testing.T) {
	r, docs := parse(every, nil)
	s := config.Decode[server](r, docs[0], "a tcp server")
	at := func(field any, want string) {
		t.Helper()
		if got := r.At(field).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	at(s, "zilla.yaml:1:1")
	at(&s.head, "zilla.yaml:1:1")
	at(&s.Kind, "zilla.yaml:2:7")
	at(&s.Options, "zilla.yaml:4:3")
	at(&s.Options.Host, "zilla.yaml:4:9")
	at(&s.Options.Port, "zilla.yaml:5:9")
	at(&s.Options.Port[1], "zilla.yaml:5:14")
	at(&s.Options.TLS, "zilla.yaml:9:5")
	at(s.Options.TLS, "zilla.yaml:9:5")
	at(&s.Options.TLS.Keys[1], "zilla.yaml:9:15")
	at(&s.Options.TLS.Strict, "zilla.yaml:9:5") // absent: the struct
	at(&s.Options.Only, "zilla.yaml:13:9")
	at(&s.Routes[0].When[0].CIDR, "zilla.yaml:20:15")
	at(&s.Routes[0].When[1].Port, "zilla.yaml:23:9")
	at(new(int), "")

	key := func(field any, key, want string) {
		t.Helper()
		if got := r.AtKey(field, key).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	key(&s.Options.Labels, "2", "zilla.yaml:12:5")
	key(&s.Routes[0].Guarded, "other:jwt", "zilla.yaml:24:29")
	key(&s.Options.Labels, "none", "zilla.yaml:11:5") // absent: the map
}

func TestDecodeNothing(t *testing.T) {
	r := &config.Report{}
	if s := config.Decode[server](r, nil, "a tcp server"); s == nil || r.Err() == nil {
		t.Fatalf("got %v, %v", s, r.Err())
	}
}

func TestDecodePanicsOnOtherShapes(t *testing.T) {
	type wrong struct{ F func() }
	r, docs := parse("f: 1", nil)
	defer func() {
		if x := recover(); x == nil || !strings.Contains(x.(string), "func() is no shape of a configuration") {
			t.Fatalf("got %v", x)
		}
	}()
	config.Decode[wrong](r, docs[0], "a wrong")
}

func TestReport(t *testing.T) {
	r := &config.Report{}
	if r.Err() != nil || len(r.Faults()) != 0 {
		t.Fatal("a report without faults has some")
	}
	r.Warnf(config.Pos{File: "b", Line: 1, Column: 1}, "second")
	r.Errorf(config.Pos{File: "a", Line: 10, Column: 1}, "first").Note(config.Pos{}, "nowhere").Hintf("try %d", 1)
	r.Errorf(config.Pos{File: "a", Line: 10, Column: 1}, "first")
	r.Errorf(config.Pos{}, "no place")
	const want = "no place\na:10:1: first\n  note: nowhere\n  hint: try 1\nb:1:1: warning: second"
	if got := r.Err().Error(); got != want {
		t.Errorf("got %s", got)
	}
	var b strings.Builder
	if err := r.Write(&b, true); err != nil || !strings.Contains(b.String(), "\x1b[1ma:10:1:\x1b[0m first\n") {
		t.Errorf("got %q, %v", b.String(), err)
	}
}

func TestDigest(t *testing.T) {
	digest := func(text string, without ...string) string {
		t.Helper()
		r, docs := parse(text, nil)
		s := config.Decode[server](r, docs[0], "a tcp server")
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		if config.Digest(s) != config.Digest(*s) {
			t.Error("a pointer has another digest than what it points to")
		}
		return config.Digest(s, without...)
	}
	base := digest(every)
	same := []string{
		strings.Replace(every, "    one: {text: a}\n    2: {text: b}\n", "    2: {text: b}\n    one: {text: a}\n", 1),
		strings.Replace(every, "PT1M30.5S", "90500ms", 1),
		strings.Replace(every, "127.0.0.1/24", "127.0.0.255/24", 1),
		"# a comment\n" + every,
	}
	for _, text := range same {
		if digest(text) != base {
			t.Errorf("another digest:\n%s", text)
		}
	}
	seen := []string{base}
	for _, change := range [][2]string{{"localhost", "local"}, {"[80,", "[81,"}, {"PT1M30.5S", "1s"}, {"[a, \"5\"]", "[a5]"},
		{"{a: [1]}", "{a: [\"1\"]}"}, {"red", "blue"}, {"127.0.0.1/24", "127.0.0.1/25"}, {"[admin]", "[]"}, {"    2:", "    3:"}} {
		d := digest(strings.Replace(every, change[0], change[1], 1))
		if slices.Contains(seen, d) {
			t.Errorf("the same digest with %s", change[1])
		}
		seen = append(seen, d)
	}
	other := strings.Replace(every, "exit: echo\n", "exit: other\n", 1)
	if digest(other, "exit", "type") != digest(every, "exit", "type") || digest(other, "kind") == digest(every, "kind") {
		t.Error("without does not leave the field out, or another too")
	}
}

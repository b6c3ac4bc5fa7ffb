// Package corpus makes configurations of which it is known by construction whether they are right: every way to put
// some building blocks together, and every mistake made in each of them where it can be made.
package corpus

import (
	"fmt"
	"regexp"
	"strings"
)

// Verdict is what must be said of a file.
type Verdict int

// The verdicts.
const (
	Valid      Verdict = iota // nothing at all
	Beyond                    // nothing, but faults if gozilla's extensions are not allowed
	Suspicious                // warnings
	Wrong                     // errors
)

// A File is one configuration.
type File struct {
	Name    string
	Text    string
	Verdict Verdict
	Line    int // where a fault must be, 0 where it may be anywhere
}

// Env is the environment that the files ask for.
func Env(name string) (string, bool) {
	value, ok := map[string]string{"HOST": "127.0.0.1", "PORT": "12345", "KIND": "server"}[name]
	return value, ok
}

// Files are all of them, always in the same order.
func Files() []File {
	var all []File
	for _, b := range bases() {
		all = append(all, File{Name: b.name, Text: b.text})
		for _, c := range changes {
			text, line, ok := c.make(b.text)
			if !ok {
				continue
			}
			if !c.placed || c.verdict != Wrong {
				line = 0
			}
			all = append(all, File{Name: b.name + ", " + c.name, Text: text, Verdict: c.verdict, Line: line})
		}
	}
	return all
}

type base struct{ name, text string }

// bases are the right files: each front with each back, each with and without the rest.
func bases() []base {
	fronts := []base{
		{"port", "options:\n  host: 127.0.0.1\n  port: 12345\nexit: back\n"},
		{"range", "options:\n  host: 0.0.0.0\n  port: 12345-12347\nexit: back\n"},
		{"ports", "options:\n  host: \"::0\"\n  port: [12345, 12346-12350]\nroutes:\n  - exit: back\n    when:\n      - port: 12345\n      - cidr: 127.0.0.0/8\n        authority: \"*.example\"\nexit: back\n"},
		{"routes", "options:\n  host: localhost\n  port: [12345]\nroutes:\n  - when:\n      - cidr: fd00::/8\n    exit: back\n  - exit: back\n"},
	}
	backs := []base{
		{"echo", "back:\n  type: echo\n  kind: server\n"},
		{"fan", "back:\n  type: fan\n  kind: server\n  exit: last\nlast:\n  type: echo\n  kind: server\n"},
		{"client", "back:\n  type: tcp\n  kind: client\n  options:\n    host: backend.example\n    port: 8080\n"},
		{"any client", "back:\n  type: tcp\n  kind: client\n  options:\n    host: \"*\"\n    port: 8080\n  routes:\n    - when:\n        - authority: \"*.example\"\n          port: [80, 443]\n        - cidr: 10.0.0.0/8\n"},
		{"system client", "back:\n  type: fan\n  kind: server\n  exit: sys:tcp_client\n"},
	}
	telemetry := "telemetry:\n  metrics:\n    - stream.opens.received\n    - http.duration\n  exporters:\n    out:\n      type: stdout\n    prom:\n      type: prometheus\n      options:\n        endpoints:\n          - scheme: http\n            port: 7190\n            path: /metrics\n"
	measured := "telemetry:\n  metrics:\n    - stream.*\n"
	var all []base
	for _, front := range fronts {
		for _, back := range backs {
			server := "front:\n  type: tcp\n  kind: server\n" + indent(front.text, 2)
			all = append(all,
				base{front.name + " to " + back.name, "name: example\nbindings:\n" + indent(server+back.text, 2)},
				base{front.name + " to " + back.name + " with telemetry",
					"name: example\n" + telemetry + "bindings:\n" + indent(server+indent(measured, 2)+back.text, 2)},
				base{front.name + " to " + back.name + " elsewhere",
					"name: north\nbindings:\n" + indent(regexp.MustCompile(`exit: back`).ReplaceAllString(server, "exit: south:back"), 2) +
						"---\nname: south\nbindings:\n" + indent(back.text, 2)},
			)
		}
	}
	return all
}

func indent(text string, n int) string {
	return regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(text, strings.Repeat(" ", n)+"$1")
}

// A change makes another file of a right one, with a verdict that follows from the change.
type change struct {
	name    string
	verdict Verdict
	from    string // a regular expression for a line without its indentation; the first that matches is changed
	to      string // with $1 for groups; lines are indented like the one that they replace; "" removes it
	whole   func(string) string
	placed  bool // the fault is on the changed line
}

func (c change) make(text string) (changed string, line int, ok bool) {
	if c.whole != nil {
		changed = c.whole(text)
		return changed, 0, changed != text
	}
	re := regexp.MustCompile(`^( *(?:- )?)` + c.from + `$`)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, l := range lines {
		m := re.FindStringSubmatchIndex(l)
		if m == nil {
			continue
		}
		lead := l[m[2]:m[3]]
		var out []string
		if c.to != "" {
			// Groups of from are counted behind the one for the indentation.
			to := regexp.MustCompile(`\$(\d)`).ReplaceAllStringFunc(c.to, func(s string) string { return fmt.Sprintf("${%d}", s[1]-'0'+1) })
			for n, add := range strings.Split(string(re.ExpandString(nil, to, l, m)), "\n") {
				if n > 0 {
					lead = strings.Repeat(" ", len(lead))
				}
				out = append(out, lead+add)
			}
		}
		all := append(append(append([]string{}, lines[:i]...), out...), lines[i+1:]...)
		return strings.Join(all, "\n") + "\n", i + len(out), true
	}
	return "", 0, false
}

func whole(from, to string) func(string) string {
	return func(s string) string { return strings.ReplaceAll(s, from, to) }
}

var changes = []change{
	// What says the same in other words.
	{name: "CRLF", whole: whole("\n", "\r\n")},
	{name: "byte order mark", whole: func(s string) string { return "\ufeff" + s }},
	{name: "no last line break", whole: func(s string) string { return strings.TrimSuffix(s, "\n") }},
	{name: "blank lines", whole: whole("\n", "\n\n")},
	{name: "comments", whole: whole("\n", " # nothing\n# ${{env.OTHER.}} is only a comment\n")},
	{name: "document marks", whole: func(s string) string { return "---\n" + s + "...\n" }},
	{name: "empty documents", whole: func(s string) string { return "---\n---\n" + s + "---\n" }},
	{name: "quoted name", from: `name: (\w+)`, to: `"name": '$1'`},
	{name: "quoted type", from: `type: (\w+)`, to: `'type': "$1"`},
	{name: "flow list", from: `port: (12345|8080)`, to: `port: [ $1 ]`},
	{name: "port as text", from: `port: (12345|8080)`, to: `port: "$1"`},
	{name: "port on the next line", from: `port: (\d+)`, to: "port:\n  $1"},
	{name: "host from the environment", from: `host: 127.0.0.1`, to: "host: ${{env.HOST}}"},
	{name: "port from the environment", from: `port: 12345`, to: "port: ${{ env.PORT }}"},
	{name: "kind from the environment", from: `kind: server`, to: `kind: "${{env.KIND}}"`},
	{name: "anchor", from: `kind: server`, to: `kind: &kind server`},

	// What gozilla has beyond zilla.
	{name: "nodelay", verdict: Beyond, from: `host: (127.0.0.1|0.0.0.0|localhost)`, to: "host: $1\nnodelay: false"},
	{name: "keepalive", verdict: Beyond, from: `host: (127.0.0.1|0.0.0.0|localhost)`, to: "host: $1\nkeepalive: 30s"},
	{name: "idle", verdict: Beyond, from: `port: 8080`, to: "port: 8080\nidle: 5m"},
	{name: "backlog", verdict: Beyond, from: `port: 12345-12347`, to: "port: 12345-12347\nbacklog: 10"},
	{name: "source", verdict: Beyond, from: `cidr: fd00::/8`, to: "source: [10.0.0.0/8, 127.0.0.1/32]"},

	// What is odd.
	{name: "a binding that nothing leads to", verdict: Suspicious, from: `bindings:`, to: "bindings:\n  alone: {type: echo, kind: server}"},
	{name: "a pattern that matches nothing", verdict: Suspicious, from: `- stream\.\*`, to: "- grpc.*"},
	{name: "an unset variable", verdict: Suspicious, from: `path: /metrics`, to: "path: /metrics${{env.UNSET}}"},

	// What is wrong, and where.
	{name: "unknown type", verdict: Wrong, from: `type: (tcp|echo|fan|stdout|prometheus)`, to: "type: $1x", placed: true},
	{name: "type of another form", verdict: Wrong, from: `type: (\w+)`, to: "type: [$1]", placed: true},
	{name: "empty type", verdict: Wrong, from: `type: (\w+)`, to: `type: ""`, placed: true},
	{name: "no type", verdict: Wrong, from: `type: \w+`},
	{name: "unknown kind", verdict: Wrong, from: `kind: (\w+)`, to: "kind: $1x", placed: true},
	{name: "kind that the type has not", verdict: Wrong, from: `kind: \w+`, to: "kind: proxy", placed: true},
	{name: "no kind", verdict: Wrong, from: `kind: \w+`},
	{name: "exit to nowhere", verdict: Wrong, from: `exit: back`, to: "exit: nowhere", placed: true},
	{name: "exit to another namespace", verdict: Wrong, from: `exit: \S+`, to: "exit: nowhere:back", placed: true},
	{name: "exit without a name", verdict: Wrong, from: `exit: \S+`, to: `exit: ""`, placed: true},
	{name: "exit that is a list", verdict: Wrong, from: `exit: (\S+)`, to: "exit: [$1]", placed: true},
	{name: "exit to a server", verdict: Wrong, from: `exit: back`, to: "exit: front", placed: true},
	{name: "exit of a fan to itself", verdict: Wrong, from: `exit: last`, to: "exit: back", placed: true},
	{name: "exit twice", verdict: Wrong, from: `exit: (\S+)`, to: "exit: $1\nexit: $1", placed: false},
	{name: "high port", verdict: Wrong, from: `port: 12345`, to: "port: 65536", placed: true},
	{name: "negative port", verdict: Wrong, from: `port: \d+`, to: "port: -1", placed: true},
	{name: "port that is a word", verdict: Wrong, from: `port: \d+`, to: "port: http", placed: true},
	{name: "port with a fraction", verdict: Wrong, from: `port: \d+`, to: "port: 80.5", placed: true},
	{name: "port that is a mapping", verdict: Wrong, from: `port: \d+`, to: "port: {from: 1}", placed: true},
	{name: "range backwards", verdict: Wrong, from: `port: 12345-12347`, to: "port: 12347-12345", placed: true},
	{name: "range in a list too high", verdict: Wrong, from: `port: \[.*\]`, to: "port: [1, 60000-70000]", placed: true},
	{name: "no port", verdict: Wrong, from: `port: (?:12345-12347|8080|\[.*\])`},
	{name: "no host", verdict: Wrong, from: `host: \S+`},
	{name: "host that is a mapping", verdict: Wrong, from: `host: \S+`, to: "host: {name: x}", placed: true},
	{name: "host that is every one", verdict: Wrong, from: `host: 127.0.0.1`, to: `host: "*"`, placed: true},
	{name: "bad network", verdict: Wrong, from: `cidr: \S+`, to: "cidr: 10.0.0.0/33", placed: true},
	{name: "network that is none", verdict: Wrong, from: `cidr: \S+`, to: "cidr: somewhere", placed: true},
	{name: "unknown key in a binding", verdict: Wrong, from: `kind: (\w+)`, to: "kind: $1\ncolour: red", placed: true},
	{name: "unknown key in options", verdict: Wrong, from: `host: (\S+)`, to: "host: $1\ncolour: red", placed: true},
	{name: "unknown key in a condition", verdict: Wrong, from: `cidr: (\S+)`, to: "cidr: $1\ncolour: red", placed: true},
	{name: "unknown key in the namespace", verdict: Wrong, from: `bindings:`, to: "binding: {}\nbindings:"},
	{name: "key of zilla's other types", verdict: Wrong, from: `exit: last`, to: "exit: last\nvault: keys", placed: true},
	{name: "key twice", verdict: Wrong, from: `host: (\S+)`, to: "host: $1\nhost: $1", placed: true},
	{name: "binding twice", verdict: Wrong, from: `back:`, to: "back: {type: echo, kind: server}\nback:", placed: true},
	{name: "options that are text", verdict: Wrong, from: `options:`, to: "options: none\nx:"},
	{name: "no name", verdict: Wrong, from: `name: \w+`},
	{name: "name that is none", verdict: Wrong, from: `name: \w+`, to: "name: 1st", placed: true},
	{name: "name of the system", verdict: Wrong, from: `name: (example|north)`, to: "name: sys", placed: true},
	{name: "two of the same name", verdict: Wrong, from: `name: south`, to: "name: north", placed: true},
	{name: "binding that is none", verdict: Wrong, from: `bindings:`, to: "bindings:\n  none:"},
	{name: "binding with a bad name", verdict: Wrong, from: `bindings:`, to: "bindings:\n  \"a b\": {type: echo, kind: server}", placed: true},
	{name: "bindings in a list", verdict: Wrong, from: `bindings:`, to: "bindings: []\nx:"},
	{name: "unknown guard", verdict: Wrong, from: `exit: back`, to: "exit: back\nguarded:\n  nobody: [role]"},
	{name: "unknown guard type", verdict: Wrong, from: `bindings:`, to: "guards:\n  jwt:\n    type: jot\nbindings:"},
	{name: "vault without a file", verdict: Wrong, from: `bindings:`, to: "vaults:\n  keys:\n    type: filesystem\n    options:\n      keys:\n        store: nowhere.p12\nbindings:"},
	{name: "unbuilt catalog", verdict: Wrong, from: `bindings:`, to: "catalogs:\n  all:\n    type: inline\nbindings:"},
	{name: "unbuilt store", verdict: Wrong, from: `bindings:`, to: "stores:\n  all:\n    type: memory\nbindings:"},
	{name: "unknown metric", verdict: Wrong, from: `- stream.opens.received`, to: "- stream.opens.taken", placed: true},
	{name: "pattern that is none", verdict: Wrong, from: `- stream\.\*`, to: "- stream.(", placed: true},
	{name: "patterns that are no list", verdict: Wrong, from: `- stream\.\*`, to: "stream: opens", placed: false},
	{name: "unknown scheme", verdict: Wrong, from: `scheme: http`, to: "scheme: https", placed: true},
	{name: "exporter on no port", verdict: Wrong, from: `port: 7190`, to: "port: 0", placed: true},
	{name: "exporter on a bad path", verdict: Wrong, from: `path: /metrics`, to: "path: metrics", placed: true},
	{name: "tab", verdict: Wrong, from: `host: (\S+)`, to: "\thost: $1", placed: true},
	{name: "open quotes", verdict: Wrong, from: `host: (\S+)`, to: `host: "` + "x"},
	{name: "open bracket", verdict: Wrong, from: `port: \d+`, to: `port: [80`},
	{name: "two colons", verdict: Wrong, from: `type: (\w+)`, to: "type: $1: x", placed: true},
	{name: "unknown alias", verdict: Wrong, from: `host: \S+`, to: "host: *nothing", placed: true},
	{name: "a tag", verdict: Wrong, from: `port: (\d+)`, to: "port: !none $1", placed: true},
	{name: "deeper by one", verdict: Wrong, from: `kind: (\w+)`, to: " kind: $1", placed: true},
	{name: "bad UTF-8", verdict: Wrong, from: `host: \S+`, to: "host: \xff", placed: true},
	{name: "NUL", verdict: Wrong, from: `host: \S+`, to: "host: \x00", placed: true},
	{name: "escape", verdict: Wrong, from: `host: \S+`, to: "host: \x1b[31m", placed: true},
	{name: "UTF-16", verdict: Wrong, whole: func(s string) string { return "\xff\xfe" + strings.ReplaceAll(s, "", "\x00")[1:] }},
	{name: "text", verdict: Wrong, whole: func(string) string { return "hello\n" }},
	{name: "list", verdict: Wrong, whole: func(s string) string { return "- " + strings.TrimSuffix(indent(s, 2)[2:], "\n") + "\n" }},
	{name: "cut off", verdict: Wrong, whole: func(s string) string { return s[:strings.LastIndex(s, ": ")+1] }},
}

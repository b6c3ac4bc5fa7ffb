package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gozilla/config"
)

// firstFault parses text that is expected to be wrong.
func firstFault(t *testing.T, text string) string {
	t.Helper()
	r, _ := parse(text, nil)
	if len(r.Faults()) != 1 {
		t.Fatalf("got %d faults: %v", len(r.Faults()), r.Err())
	}
	return r.Faults()[0].String()
}

func TestBounds(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := firstFault(t, text); !strings.Contains(got, want) {
			t.Errorf("got %s", got)
		}
	}
	f(strings.Repeat("#", config.MaxText+1), "zilla.yaml: the file is longer than 4 MiB")
	f(strings.Repeat("[", 5000), "nested")
	f(strings.Repeat("[", 101)+strings.Repeat("]", 101), "nested")
	f(strings.Repeat("- ", 150)+"a", "nested")

	r, _ := parse(strings.Repeat("${{env.X}}\n", config.MaxExpressions+1), map[string]string{"X": "x"})
	if got := r.Faults()[0].String(); got != "zilla.yaml:10001:1: the file has more than 10000 expressions" {
		t.Errorf("got %s", got)
	}
	r, _ = parse(strings.Repeat("${{env.X}}", 100), map[string]string{"X": strings.Repeat("x", config.MaxText/50)})
	if got := r.Faults()[0].String(); got != "zilla.yaml:1:501: the file is longer than 4 MiB once the environment is put in" {
		t.Errorf("got %s", got)
	}

	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 30 {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), i)
	}
	f(bomb.String(), "zilla.yaml:6:5: the document has more than 500000 values, aliases expanded")

	var deep strings.Builder
	deep.WriteString("a0: &a0 x\n")
	for i := range 200 {
		fmt.Fprintf(&deep, "a%d: &a%d [*a%d]\n", i+1, i+1, i)
	}
	f(deep.String(), "values are nested more than 100 deep")

	r, docs := parse(strings.Repeat("[", 99)+"a"+strings.Repeat("]", 99), nil)
	if len(docs) != 1 {
		t.Errorf("99 lists inside one another are refused: %v", r.Err())
	}
}

// TestLongLine guards against work in proportion to the square of a line: with it this would take minutes.
func TestLongLine(t *testing.T) {
	start := time.Now()
	r, docs := parse("["+strings.Repeat("é,", 200_000)+"]", nil)
	if len(docs) != 1 || len(docs[0].Items) != 200_000 {
		t.Fatal(r.Err())
	}
	if last := docs[0].Items[199_999].Pos; last.Column != 400_000 {
		t.Errorf("the last item stands at %s", last)
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("it took %s", d)
	}
}

func TestSubstitution(t *testing.T) {
	env := map[string]string{"PORT": "80", "NAME": "name", "DOLLAR": `$1 \1 ${1}`, "SPACE": "a b", "A.B": "dots"}
	f := func(text, want string, typ config.Type) {
		t.Helper()
		r, docs := parse(text, env)
		if len(docs) != 1 || len(docs[0].Entries) != 1 {
			t.Fatal(text, r.Err())
		}
		n := docs[0].Entries[0].Value
		if n.Value != want || n.Type != typ || n.Substituted() != (want != text[3:]) {
			t.Errorf("%s is %q, type %d, substituted %v", text, n.Value, n.Type, n.Substituted())
		}
	}
	f("a: ${{env.PORT}}", "80", config.Integer)
	f("a: ${{ env.PORT }}0", "800", config.Integer)
	f(`a: "${{env.PORT}}"`, "80", config.Text)
	f("a: x${{env.NAME}}-${{env.NAME}}", "xname-name", config.Text)
	f("a: '${{env.DOLLAR}}'", `$1 \1 ${1}`, config.Text)
	f("${{env.NAME}}: ${{env.SPACE}}", "a b", config.Text)
	f("a: ${{other.PORT}}", "${{other.PORT}}", config.Text)
	f("a: ${{env PORT}}", "${{env PORT}}", config.Text)
	f("a: ${{env.A.B}}", "${{env.A.B}}", config.Text) // upstream's context would be env.A
	f("a: ${env.PORT}", "${env.PORT}", config.Text)
}

func TestScalarTypes(t *testing.T) {
	f := func(typ config.Type, texts ...string) {
		t.Helper()
		for _, s := range texts {
			_, docs := parse("[ "+s+" ]", nil)
			if n := docs[0].Items[0]; n.Kind != config.Scalar || n.Type != typ {
				t.Errorf("%s is of kind %d and type %d", s, n.Kind, n.Type)
			}
		}
	}
	f(config.Text, "yes", "no", "on", "1_000", "0b1", "1e", "e5", "--1", "+-1", "0x", "-0x1", "0o8", "1.2.3", "inf", "NaN",
		"2001-01-01", "12:30:45", `"1"`, "'true'", "!!str 5", "! 5", "tRUE", "0x1p-2", "Infinity", "''")
	f(config.Integer, "0", "-1", "+1", "010", "0x1F", "0o17", "99999999999999999999")
	f(config.Float, "1.5", "1e3", "-.5", "1.", ".inf", "-.Inf", ".nan", "1e999", "!!float 1.5")
	f(config.Bool, "true", "True", "FALSE")
}

func TestMerge(t *testing.T) {
	r, docs := parse("a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {<<: [*a, *b], y: 3}\nd: {<<: *b, <<: *a}\ne: {\"<<\": 1}\n", nil)
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	f := func(key, want string) {
		t.Helper()
		got := ""
		for _, e := range docs[0].Get(key).Entries {
			got += e.Key.Value + e.Value.Value + " "
		}
		if got != want {
			t.Errorf("%s is %s", key, got)
		}
	}
	f("c", "y3 x1 z2 ")
	f("d", "x2 z2 y1 ")
	f("e", "<<1 ")
}

func TestDocuments(t *testing.T) {
	f := func(text string, want int) {
		t.Helper()
		if r, docs := parse(text, nil); len(docs) != want || r.Err() != nil {
			t.Errorf("%q has %d documents, %v", text, len(docs), r.Err())
		}
	}
	f("", 0)
	f("# nothing\n", 0)
	f("---\n---\n", 0)
	f("\ufeffname: a\n---\n# nothing\n---\nname: b\n...\n", 2)
	f(`{"name": "a", "bindings": {"b": [1, null, true]}}`, 1)
	f("%YAML 1.2\n---\nname: a\n", 1)
	f("a: b\u2028", 1)
}

// decodeAll does all that can be done with a file.
func decodeAll(text, value string) (string, *config.Report) {
	r, docs := parse(text, map[string]string{"X": value})
	for _, n := range docs {
		s := config.Decode[server](r, n, "a tcp server")
		config.Digest(s)
		ns := config.Decode[config.Namespace](r, n, "a namespace")
		config.Digest(ns)
	}
	var b strings.Builder
	if err := r.Write(&b, false); err != nil {
		panic(err)
	}
	if err := r.Err(); err != nil {
		b.WriteString(err.Error())
	}
	return b.String(), r
}

func FuzzParse(f *testing.F) {
	f.Add(every, "secret")
	f.Add("a: [&b ${{env.X}}, *b]\n? {a: b}\n: |\n  ${{env.X}}\n", "a\n b: c")
	f.Add("type: &${{env.X}} !${{env.X}} x\nkind: *x", "n")
	f.Add("\"${{env.X}}\": '${{env.X}}'\n<<: {a: ${{ env.X }}}\r\n# ${{env.NO}}", "\"")
	f.Add("options:\n  - a\n  #c\n\n  #d\n---\n- b:\n  #c\n\n#d", "")
	f.Fuzz(func(t *testing.T, text, value string) {
		out, r := decodeAll(text, value)
		if !utf8.ValidString(out) || strings.ContainsFunc(out, func(c rune) bool { return c < ' ' && c != '\n' }) {
			t.Errorf("the output has control characters: %q", out)
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, x := range r.Faults() {
			if x.Pos.Line > lines || x.Pos.Line > 0 && x.Pos.Column < 1 {
				t.Errorf("a fault stands outside of the file: %s", x.String())
			}
		}
	})
}

// TestSecrets puts a value into every place of a file, in turn one of those that are hard on YAML, and looks for it in
// all that is shown.
func TestSecrets(t *testing.T) {
	secrets := []string{"s3cr3t", "s3cr3t: [", `"s3cr3t`, "'s3cr3t", "s3cr3t\nother", "{s3cr3t: {s3cr3t: s3cr3t}}", "[s3cr3t, [s3cr3t]]",
		"*s3cr3t", "&s3cr3t", "!s3cr3t x", "|\n  s3cr3t", "s3cr3t #", "- s3cr3t", "\ts3cr3t", "s3cr3t\x01", "@s3cr3t", "%s3cr3t", "s3cr3t:a:b"}
	for i := range len(every) {
		line, _, _ := strings.Cut(every[i:], "\n")
		for k, secret := range secrets {
			if (i+k)%3 != 0 {
				continue
			}
			for _, rest := range []string{every[i:], every[i+len(line):]} {
				text := every[:i] + "${{env.X}}" + rest
				if out, _ := decodeAll(text, secret); strings.Contains(out, "s3cr3t") {
					t.Fatalf("%q is shown for\n%s\nas\n%s", secret, text, out)
				}
			}
		}
	}
}

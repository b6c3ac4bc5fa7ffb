package coremodel

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gozilla/component"
	"gozilla/config"
	"gozilla/model"
	"gozilla/stream"
	"gozilla/telemetry"
)

// decode reads a model as it stands in a file.
func decode(t testing.TB, text string) (*model.Config, *config.Report) {
	t.Helper()
	r := &config.Report{}
	docs := config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte(text), Env: func(string) (string, bool) { return "", false }})
	if len(docs) != 1 {
		t.Fatalf("%s is %d documents: %v", text, len(docs), r.Err())
	}
	return config.Decode[model.Config](r, docs[0], "it"), r
}

// A rig is a model, and the events that it has emitted.
type rig struct {
	model.Model
	events []string
}

func with(t testing.TB, text string) *rig {
	t.Helper()
	c, r := decode(t, text)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 8, false))
	m, err := c.Build(&component.Builder{Node: &stream.Node{Namespace: "test", Name: "north"}, Host: host})
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{Model: m}
	t.Cleanup(host.Log.Handle(func(e *telemetry.Event) { g.events = append(g.events, e.ID+" "+e.Message) }))
	return g
}

// verdict is what a model says of a value: "" that it is right, "lenient: …" that it passes all the same. However the
// value is cut, the verdict must be that of the whole.
func (g *rig) verdict(t testing.TB, c model.Coder, value []byte) string {
	t.Helper()
	judged := func(err error) string {
		events := g.events
		g.events = nil
		var f *model.Fault
		switch {
		case err == nil && len(events) == 0:
			return ""
		case err == nil && len(events) == 1:
			return "lenient: " + events[0]
		case len(events) != 1 || !errors.As(err, &f) || !model.IsFault(fmt.Errorf("so: %w", err)):
			t.Errorf("%q: %v with the events %v", value, err, events)
		case !strings.HasSuffix(events[0], "("+f.Model+"). I"+f.Text[1:]+".") && !strings.HasSuffix(events[0], ". The byte is neither 0 nor 1."):
			t.Errorf("%q: %v with the event %v", value, err, events)
		case f.Malformed:
			return "malformed: " + f.Text
		}
		return f.Text
	}
	dst, err := c.Value(t.Context(), []byte("kept"), value)
	if string(dst) != "kept" || !c.Identity() {
		t.Errorf("%q: a value was changed", value)
	}
	want := judged(err)
	check := func(pieces ...[]byte) {
		t.Helper()
		if got := judged(piped(t, c, pieces)); got != want && (malformation(got) != malformation(want) || got == "" || want == "") {
			t.Errorf("%.60q in %d pieces is %q, not %q", value, len(pieces), got, want)
		}
	}
	check(value)
	check(slices.Collect(slices.Chunk(value, 1))...)
	for i := range min(len(value), 40) + 1 {
		check(value[:i], value[i:])
		for j := i; j <= min(len(value), 12); j++ {
			check(value[:i], value[i:j], value[j:])
		}
	}
	return want
}

// malformation is which of the verdicts it is, where a value that is wrong in two ways is cut so that another comes first.
func malformation(verdict string) bool { return strings.HasPrefix(verdict, "lenient") }

func piped(t testing.TB, c model.Coder, pieces [][]byte) error {
	p := c.Pipe(t.Context())
	for _, piece := range pieces {
		piece = bytes.Clone(piece) // nobody keeps it
		dst, err := p.Write(nil, piece)
		if len(dst) > 0 {
			t.Errorf("%q was changed", piece)
		}
		if err != nil {
			return err
		}
		for i := range piece {
			piece[i] = 0xff
		}
	}
	_, err := p.End(nil)
	return err
}

func (g *rig) expect(t *testing.T, value, want string) {
	t.Helper()
	if got := g.verdict(t, g.Decoder(), []byte(value)); got != want {
		t.Errorf("%.60q is %q, not %q", value, got, want)
	}
}

func TestString(t *testing.T) {
	f := func(options, value, want string) {
		t.Helper()
		with(t, options).expect(t, value, want)
	}
	const bad = "malformed: it is not UTF-8"
	f("string", "", "")
	f("string", "hello", "")
	f("string", "héllo wörld €uro 😀", "")
	f("string", "\x00", "")
	f("string", "\xff", bad)
	f("string", "a\xe2\x82", bad)             // the end of a character is missing
	f("string", "\xe2\x82a", bad)             // and here in the middle
	f("string", "\xf0\x9f\x98", bad)          // here too
	f("string", "\xc0\x80", bad)              // longer than it must be
	f("string", "\xed\xa0\x80", bad)          // half of a pair of UTF-16
	f("string", "\xf4\x90\x80\x80", bad)      // beyond the last character
	f("string", "\x80", bad)                  // nothing but the end of one
	f("string", strings.Repeat("é", 500), "") // longer than any piece
	f("{ model: string, encoding: utf_16 }", "hé", "")
	f("{ model: string, encoding: utf_16 }", "h\xff", bad)

	short := "{ model: string, minLength: 3, maxLength: 4 }"
	f(short, "", "it has less than 3 characters")
	f(short, "ab", "it has less than 3 characters")
	f(short, "éé", "it has less than 3 characters") // although it is four bytes
	f(short, "ééé", "")
	f(short, "😀😀😀😀", "")
	f(short, "abcde", "it has more than 4 characters")
	f(short, "abcd\xff", bad)
	f("{ model: string, maxLength: 1 }", "", "")

	pattern := `{ model: string, pattern: "[a-z]+\\d?" }`
	f(pattern, "abc1", "")
	f(pattern, "abc12", "it does not match the pattern") // the whole of it
	f(pattern, "1abc", "it does not match the pattern")
	f(pattern, "", "it does not match the pattern")
	f(`{ model: string, pattern: "a|bc" }`, "bc", "")
	f(`{ model: string, pattern: "a|bc" }`, "ac", "it does not match the pattern")
	f(`{ model: string, pattern: "é{3}€" }`, "ééé€", "") // all of it, not as many bytes as there are characters
	f(`{ model: string, pattern: "a.c" }`, "a\nc", "it does not match the pattern")
	f(`{ model: string, pattern: "^a$" }`, "a", "")
	f(`{ model: string, pattern: "^a$" }`, "a\n", "it does not match the pattern")
	f(`{ model: string, pattern: '\u00e9\Q.+\E[\u0061-c]' }`, "é.+b", "")
	f(`{ model: string, pattern: a*, minLength: 2 }`, "a", "it has less than 2 characters")
}

func TestHeld(t *testing.T) {
	g := with(t, `{ model: string, pattern: "a*" }`)
	long := bytes.Repeat([]byte("a"), heldMost+1)
	for _, c := range []struct {
		value []byte
		wrong bool
	}{{long, true}, {long[1:], false}} {
		_, whole := g.Decoder().Value(t.Context(), nil, c.value)
		pieces := piped(t, g.Decoder(), slices.Collect(slices.Chunk(c.value, 32<<10)))
		if (whole != nil) != c.wrong || (pieces != nil) != c.wrong {
			t.Errorf("%d bytes: %v, %v", len(c.value), whole, pieces)
		}
	}
}

func TestInteger(t *testing.T) {
	f := func(options, value, want string) {
		t.Helper()
		with(t, options).expect(t, value, want)
	}
	const (
		empty = "malformed: it is empty"
		word  = "malformed: it is no whole number"
		huge  = "malformed: it has more than 32 bits"
	)
	f("int32", "0", "")
	f("int32", "-0", "")
	f("int32", "+42", "")
	f("int32", "007", "")
	f("int32", strings.Repeat("0", 100)+"1", "")
	f("int32", "2147483647", "")
	f("int32", "-2147483648", "")
	f("int32", "2147483648", huge)
	f("int32", "-2147483649", huge)
	f("int32", "99999999999999999999999", huge)
	f("int32", "", empty)
	f("int32", "-", "malformed: it is no number")
	f("int32", "+", "malformed: it is no number")
	f("int32", "1-", word)
	f("int32", "--1", word)
	f("int32", " 1", word)
	f("int32", "1 ", word)
	f("int32", "1.0", word)
	f("int32", "1e3", word)
	f("int32", "0x10", word)
	f("int32", "١", word) // a digit, but not ours
	f("int64", "9223372036854775807", "")
	f("int64", "-9223372036854775808", "")
	f("int64", "9223372036854775808", "malformed: it has more than 64 bits")
	f("int64", "-9223372036854775809", "malformed: it has more than 64 bits")
	f("int64", "18446744073709551617", "malformed: it has more than 64 bits")

	ranged := func(g, value string, ok bool) {
		t.Helper()
		want := "it is not in the range " + g
		if ok {
			want = ""
		}
		f(`{ model: int32, range: "`+g+`" }`, value, want)
	}
	for _, c := range []struct{ g, in, out string }{
		{"[0,100)", "0 99", "-1 100"}, {"(0,100]", "1 100", "0 101"}, {"(,10]", "-2147483648 10", "11"}, {"[,10)", "9", "10"},
		{"[-5,]", "-5 2147483647", "-6"}, {"(-5,)", "-4", "-5"}, {"[7,7]", "7", "6 8"}, {"(6,8)", "7", "6 8"},
		{"[2147483647,]", "2147483647", "2147483646"},
	} {
		for v := range strings.FieldsSeq(c.in) {
			ranged(c.g, v, true)
		}
		for v := range strings.FieldsSeq(c.out) {
			ranged(c.g, v, false)
		}
	}
	f("{ model: int64, multiple: 5 }", "-15", "")
	f("{ model: int64, multiple: 5 }", "0", "")
	f("{ model: int64, multiple: 5 }", "16", "it is no multiple of 5")
	f(`{ model: int64, multiple: 5, range: "[,10]" }`, "16", "it is not in the range [,10]")
}

func TestIntegerInBinary(t *testing.T) {
	f := func(options string, value []byte, want string) {
		t.Helper()
		with(t, options).expect(t, string(value), want)
	}
	b32 := func(n int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
	b64 := func(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	small := `{ model: int32, format: binary, range: "[-1,256]", multiple: 1 }`
	f(small, b32(0), "")
	f(small, b32(-1), "")
	f(small, b32(256), "")
	f(small, b32(257), "it is not in the range [-1,256]")
	f(small, b32(-2), "it is not in the range [-1,256]")
	f(small, b32(0)[:3], "malformed: it has not 4 bytes")
	f(small, append(b32(0), 0), "malformed: it has not 4 bytes")
	f(small, nil, "malformed: it is empty")
	f("{ model: int64, format: binary, multiple: 3 }", b64(math.MinInt64+2), "")
	f("{ model: int64, format: binary, multiple: 3 }", b64(math.MinInt64), "it is no multiple of 3")
	f("{ model: int64, format: binary }", b32(7), "malformed: it has not 8 bytes")
}

func TestDecimal(t *testing.T) {
	f := func(options, value, want string) {
		t.Helper()
		with(t, options).expect(t, value, want)
	}
	const word = "malformed: it is no decimal number"
	for _, right := range []string{"0", "-0", "+1", "1.5", ".5", "5.", "-0.25", "00012.5", "0.000", "-.5", strings.Repeat("0", 500) + "1",
		"0." + strings.Repeat("0", 2000) + "1", "1." + strings.Repeat("3", 2000)} {
		f("double", right, "")
		f("float", right, "")
	}
	for wrong, want := range map[string]string{
		"": "malformed: it is empty", ".": "malformed: it is no number", "-": "malformed: it is no number", "-.": "malformed: it is no number",
		"1e3": word, "1.2.3": word, "NaN": word, "inf": word, "1,5": word, " 1": word, "1-": word, "0x1p2": word, "1_0": word, "..": word,
	} {
		f("double", wrong, want)
	}
	f("float", "340282346638528859811704183484516925440", "") // the greatest one
	f("float", "340282366920938463463374607431768211456", "malformed: it is more than a float can hold")
	f("double", "340282366920938463463374607431768211456", "")
	f("double", strings.Repeat("9", 310), "malformed: it is more than a double can hold")
	f("double", "-"+strings.Repeat("9", 1000)+".5", "malformed: it is more than a double can hold")

	ranged := `{ model: double, range: "[0.5,1.5)" }`
	f(ranged, "0.5", "")
	f(ranged, "1.4999999", "")
	f(ranged, "1.5", "it is not in the range [0.5,1.5)")
	f(ranged, "0.4999999999", "it is not in the range [0.5,1.5)")
	f(`{ model: float, range: "[0,0.1]" }`, "0.1", "") // which is more than 0.1, once it is a float
	f(`{ model: float, range: "(,0.1)" }`, "0.1", "it is not in the range (,0.1)")
	f(`{ model: double, range: "[-1,)" }`, "99999999", "")
	// A double's half of the last place, which decides how it is rounded: what is far behind the point counts.
	half := "1.00000000000000011102230246251565404236316680908203125"
	f(`{ model: double, range: "(1,]" }`, half, "it is not in the range (1,]")
	f(`{ model: double, range: "(1,]" }`, half+strings.Repeat("0", 3000), "it is not in the range (1,]")
	f(`{ model: double, range: "(1,]" }`, half+strings.Repeat("0", 3000)+"1", "")

	f("{ model: double, multiple: 0.1 }", "0.3", "")
	f("{ model: double, multiple: 0.1 }", "0.35", "it is no multiple of 0.1")
	f("{ model: double, multiple: 3 }", "-9", "")
	f("{ model: float, multiple: 0.1 }", "0.7", "")
	f("{ model: float, multiple: 0.1 }", "0.75", "it is no multiple of 0.1")
}

func TestDecimalInBinary(t *testing.T) {
	f := func(options string, value []byte, want string) {
		t.Helper()
		with(t, options).expect(t, string(value), want)
	}
	b32 := func(n float32) []byte { return binary.BigEndian.AppendUint32(nil, math.Float32bits(n)) }
	b64 := func(n float64) []byte { return binary.BigEndian.AppendUint64(nil, math.Float64bits(n)) }
	f("{ model: float, format: binary }", b32(1.5), "")
	f("{ model: float, format: binary }", b64(1.5), "malformed: it has not 4 bytes")
	f("{ model: float, format: binary }", b32(float32(math.NaN())), "")
	f(`{ model: float, format: binary, range: "[,0.1]" }`, b32(0.1), "")
	f(`{ model: double, format: binary, range: "[0,1]" }`, b64(1), "")
	f(`{ model: double, format: binary, range: "[0,1]" }`, b64(math.NaN()), "it is not in the range [0,1]")
	f(`{ model: double, format: binary, range: "[0,]" }`, b64(math.Inf(1)), "")
	f(`{ model: double, format: binary, range: "[0,1]" }`, b64(math.Inf(-1)), "it is not in the range [0,1]")
	f("{ model: double, format: binary, multiple: 2 }", b64(math.NaN()), "it is no multiple of 2")
	f("{ model: double, format: binary }", b64(1)[:7], "malformed: it has not 8 bytes")
	f("{ model: double, format: binary }", nil, "malformed: it is empty")
}

func TestBooleanAndBytes(t *testing.T) {
	with(t, "boolean").expect(t, "\x00", "")
	with(t, "boolean").expect(t, "\x01", "")
	with(t, "boolean").expect(t, "\x02", "malformed: the byte is neither 0 nor 1")
	with(t, "boolean").expect(t, "", "malformed: it is empty")
	with(t, "boolean").expect(t, "\x01\x01", "malformed: it is longer than one byte")
	with(t, "boolean").expect(t, "true", "malformed: it is longer than one byte")
	for _, value := range []string{"", "anything", "\xff\x00"} {
		with(t, "bytes").expect(t, value, "")
	}
}

// TestValidate has values that are malformed, and such that are against the rules, in both directions.
func TestValidate(t *testing.T) {
	const passes = "lenient: model.core.validation.failed A message payload failed validation. A field was not the expected type (int32). It is not in the range [,5]."
	const refused = "it is not in the range [,5]"
	f := func(validate, decode, encode string) {
		t.Helper()
		g := with(t, `{ model: int32, range: "[,5]"`+validate+` }`)
		for _, c := range []struct {
			model.Coder
			want string
		}{{g.Decoder(), decode}, {g.Encoder(), encode}} {
			if got := g.verdict(t, c, []byte("7")); got != c.want {
				t.Errorf("%s: 7 is %q, not %q", validate, got, c.want)
			}
			if got := g.verdict(t, c, []byte("x")); got != "malformed: it is no whole number" {
				t.Errorf("%s: x is %q", validate, got)
			}
		}
	}
	f("", refused, refused)
	f(", validate: strict", refused, refused)
	f(", validate: lenient", passes, passes)
	f(", validate: { decode: lenient }", passes, refused)
	f(", validate: { encode: lenient }", refused, passes)
	f(", validate: { decode: lenient, encode: lenient }", passes, passes)
	f(", validate: { decode: strict, encode: strict }", refused, refused)

	lenient := with(t, `{ model: string, maxLength: 2, pattern: a*, validate: lenient }`)
	lenient.expect(t, "aaa", "lenient: model.core.validation.failed A message payload failed validation. A field was not the expected type (string). It has more than 2 characters.")
	lenient.expect(t, "b", "lenient: model.core.validation.failed A message payload failed validation. A field was not the expected type (string). It does not match the pattern.")
	lenient.expect(t, "aaa\xff", "malformed: it is not UTF-8")
}

func TestFaults(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, r := decode(t, text)
		got := ""
		if all := r.Faults(); len(all) > 0 {
			got = (&config.Invalid{Faults: all}).Error()
		}
		if got != want {
			t.Errorf("%s:\n%s\nnot\n%s", text, got, want)
		}
	}
	const have = "\n  hint: this build has boolean, bytes, double, float, int32, int64 or string"
	f("strin", "zilla.yaml:1:1: there is no model type \"strin\"\n  hint: did you mean \"string\"?")
	f("csv", "zilla.yaml:1:1: there is no model type \"csv\""+have)
	f("avro", "zilla.yaml:1:1: the model type \"avro\" is not built yet"+have)
	f("{ model: avro, view: json }", "zilla.yaml:1:10: the model type \"avro\" is not built yet"+have)
	f("{ model: [ string ] }", "zilla.yaml:1:10: the type of a model must be text, not a list")
	f("[ string ]", "zilla.yaml:1:1: a model must be the name of a type or a mapping, not a list")
	f("{ type: string }", "zilla.yaml:1:1: a model needs the key model, which says of what type it is\n  hint: did you mean \"model\" where it says type?")
	f("{ maxLength: 1 }", "zilla.yaml:1:1: a model needs the key model, which says of what type it is"+have)
	f("{ model: string, minLength: 5, maxLength: 4 }",
		"zilla.yaml:1:29: minLength is greater than maxLength: no text is right\n  note: zilla.yaml:1:43: maxLength is 4")
	f("{ model: string, maxLength: 0 }", "zilla.yaml:1:29: maxLength must be a whole number from 1 to 2147483647, not the number 0")
	f("{ model: string, maxlength: 1 }", "zilla.yaml:1:18: unknown key \"maxlength\" in a string model\n  hint: did you mean \"maxLength\"?")
	f("{ model: int32, maxLength: 1 }", "zilla.yaml:1:17: unknown key \"maxLength\" in an int32 model\n  hint: the keys are model, validate, format, range, multiple")
	f("{ model: string, encoding: utf_16 }", "zilla.yaml:1:28: warning: text is read as UTF-8 all the same, as zilla does")
	f("{ model: string, encoding: latin_1 }", "zilla.yaml:1:28: encoding must be utf_8 or utf_16, not \"latin_1\"")
	f("{ model: int32, format: hex }", "zilla.yaml:1:25: format must be text or binary, not \"hex\"")
	f("{ model: int32, multiple: 0 }", "zilla.yaml:1:27: multiple must be a whole number from 1 on, not the number 0")
	f("{ model: double, multiple: 0 }", "zilla.yaml:1:28: multiple must be greater than 0")
	f("{ model: double, multiple: -0.5 }", "zilla.yaml:1:28: multiple must be greater than 0")
	f("{ model: bytes, validate: loose }", "zilla.yaml:1:27: validate must be strict or lenient, not \"loose\"")
	f("{ model: bytes, validate: { decode: loose } }", "zilla.yaml:1:37: decode must be strict or lenient, not \"loose\"")
	f("{ model: bytes, validate: { both: lenient } }", "zilla.yaml:1:29: unknown key \"both\" in validate\n  hint: the keys are decode, encode")
}

func TestRangeFaults(t *testing.T) {
	f := func(model, text, wrong, hint string) {
		t.Helper()
		_, r := decode(t, `{ model: `+model+`, range: `+text+` }`)
		want := fmt.Sprintf("zilla.yaml:1:%d: %s", 19+len(model), wrong)
		if hint != "" {
			want += "\n  hint: " + hint
		}
		if err := r.Err(); err == nil || err.Error() != want {
			t.Errorf("%s:\n%v\nnot\n%s", text, err, want)
		}
	}
	is := func(text string) string { return `the range must be text like "[0,100)" or "(,10]", not ` + text }
	f("int32", "[0,10]", is("a list"), "put it in quotes, or YAML takes it for a list")
	f("int32", "10", is("10"), "")
	for text, hint := range map[string]string{
		"":          "a comma stands between the bounds, also where one of them is left out",
		"[5]":       "a comma stands between the bounds, also where one of them is left out",
		"[0, 10]":   "leave out the white space",
		"0,10":      "begin with [ if the lower bound is in the range, or with ( if it is not",
		"{0,10}":    "begin with [ if the lower bound is in the range, or with ( if it is not",
		"[0,10":     "end with ] if the upper bound is in the range, or with ) if it is not",
		"[0,10]x":   "end with ] if the upper bound is in the range, or with ) if it is not",
		"[0,1,2]":   "a range has one comma, between its bounds",
		"[a,1]":     "a bound is a number such as 10, -1 or 0.5",
		"[0,+1]":    "a bound is a number such as 10, -1 or 0.5",
		"[0,1e3]":   "a bound is a number such as 10, -1 or 0.5",
		"[0,1.]":    "a bound is a number such as 10, -1 or 0.5",
		"[[0,1]":    "a bound is a number such as 10, -1 or 0.5",
		"(,)":       "give at least one bound, or leave the range out",
		"[0,1]]":    "a bound is a number such as 10, -1 or 0.5",
		"[0.5.5,1]": "a bound is a number such as 10, -1 or 0.5",
	} {
		f("int32", `"`+text+`"`, is(`"`+text+`"`), hint)
	}
	f("int32", `"[0,0.5]"`, "0.5 in the range is no int32", "")
	f("int32", `"[0,2147483648]"`, "2147483648 in the range is no int32", "")
	f("int64", `"[9223372036854775808,]"`, "9223372036854775808 in the range is no int64", "")
	f("int32", `"[5,4]"`, "no number is in the range [5,4]", "")
	f("int32", `"(5,6)"`, "no number is in the range (5,6)", "")
	f("int32", `"(2147483647,]"`, "no number is in the range (2147483647,]", "")
	f("int64", `"[,-9223372036854775808)"`, "no number is in the range [,-9223372036854775808)", "")
	f("double", `"[1,0.5]"`, "no number is in the range [1,0.5]", "")
	f("double", `"[1,1)"`, "no number is in the range [1,1)", "")
	f("float", `"[,999999999999999999999999999999999999999999]"`, "999999999999999999999999999999999999999999 in the range is more than a float can hold", "")
}

func TestPatternFaults(t *testing.T) {
	f := func(pattern, wrong string) {
		t.Helper()
		_, r := decode(t, `{ model: string, pattern: '`+pattern+`' }`)
		got := ""
		if err := r.Err(); err != nil {
			got, _, _ = strings.Cut(strings.TrimPrefix(err.Error(), "zilla.yaml:1:27: "), "\n")
			got = strings.TrimPrefix(got, "the pattern ")
		}
		if got != wrong {
			t.Errorf("%s: %s\nnot %s", pattern, got, wrong)
		}
	}
	java := func(what string) string { return "has " + what + ", which only Java's regular expressions know" }
	f(`(?=a)b`, java("a lookahead, (?="))
	f(`a(?!b)`, java("a lookahead, (?!"))
	f(`(?<=a)b`, java("a lookbehind, (?<="))
	f(`(?<!a)b`, java("a lookbehind, (?<!"))
	f(`(?>a|b)`, java("an atomic group, (?>"))
	f(`a++`, java("a possessive quantifier, ++"))
	f(`a*+b`, java("a possessive quantifier, *+"))
	f(`a{2,3}+`, java("a possessive quantifier, {2,3}+"))
	f(`(a)\1`, java(`a backreference, \1`))
	f(`(?<x>a)\k<x>`, java(`a backreference, \k`))
	f(`[a-z&&[^b]]`, java("an intersection of classes, &&"))
	f(`[a[bc]]`, java("a class within a class, [["))
	f(`a\Z`, java(`the escape \Z`))
	f(`(?x)a b`, java("the flag x"))
	f(`(?iu:a)`, java("the flag u"))
	// These only look like it.
	f(`a+?b*?c??`, "")
	f(`[*+]+[+]`, "")
	f(`\++`, "")
	f(`a\{2}+`, "")
	f(`\Q(?=a)++[[\E`, "")
	f(`\[[\[&]`, "")
	f(`(?<year>\d{4})`, "")
	f(`(?i)abc`, "")
	f(`(?:a)(?i:b)`, "")
	f(`[]a]`, "")
	f(`[^]a]`, "")
	f(`[\d\-]`, "")
	f(`\u0041[\u0042]`, "")
	f(`\p{Lu}\w`, "")
	f(`a{2}?`, "")
	f(`a{x}+`, "")
	// These are wrong for everybody, or in other ways.
	f(`(a`, `is no regular expression: missing closing ): (a`)
	f(`[a`, `is no regular expression: missing closing ]: [a`)
	f(`a)b`, `is no regular expression: unexpected ): a)b`)
	f(`*a`, `is no regular expression: missing argument to repetition operator: *`)
	f(`a{2000}`, `is no regular expression: invalid repeat count: {2000}`)
	f(`\p{IsAlphabetic}`, `is no regular expression: invalid character class range: \p{IsAlphabetic}`)
	f(`a\`, `is no regular expression: trailing backslash at end of expression`)
}

func TestDigest(t *testing.T) {
	digest := func(text string) string {
		c, r := decode(t, text)
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		return c.Digest
	}
	if digest("int32") != digest("{ format: text, model: int32, validate: strict }") {
		t.Error("the same model has two digests")
	}
	for _, other := range []string{"int64", "{ model: int32, format: binary }", `{ model: int32, range: "[0,1]" }`, "{ model: int32, validate: { decode: lenient } }"} {
		if digest(other) == digest("int32") {
			t.Errorf("%s has the digest of another", other)
		}
	}
}

// TestNoAllocation has values whole, which cost nothing but time.
func TestNoAllocation(t *testing.T) {
	for _, b := range benches {
		c, value, ctx := with(t, b.model).Decoder(), []byte(b.value), t.Context()
		if n := testing.AllocsPerRun(100, func() {
			if _, err := c.Value(ctx, nil, value); err != nil {
				t.Fatal(err)
			}
		}); n > 0 && !raced {
			t.Errorf("%s: %v allocations", b.model, n)
		}
	}
}

var benches = []struct{ name, model, value string }{
	{"string", "string", "hello, wörld"},
	{"length", "{ model: string, minLength: 1, maxLength: 64 }", "hello, wörld"},
	{"long", "{ model: string, minLength: 1, maxLength: 64 }", "hello, wörld, which is longer than what fits into a word or two"},
	{"pattern", `{ model: string, pattern: "[a-z]+-[0-9]{1,5}" }`, "item-12345"},
	{"int32", `{ model: int32, range: "[0,100000)" }`, "12345"},
	{"double", `{ model: double, range: "[0,1)" }`, "0.12345"},
	{"binary", `{ model: int64, format: binary }`, "\x00\x00\x00\x00\x00\x00\x00\x01"},
	{"boolean", "boolean", "\x01"},
}

func BenchmarkValue(b *testing.B) {
	for _, bench := range benches {
		b.Run(bench.name, func(b *testing.B) {
			c, value := with(b, bench.model).Decoder(), []byte(bench.value)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Value(context.Background(), nil, value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPipe(b *testing.B) {
	piece := bytes.Repeat([]byte("hello, wörld. "), 1024)
	for _, bench := range []struct{ name, model string }{{"string", "string"}, {"length", "{ model: string, maxLength: 1000000 }"}} {
		b.Run(bench.name, func(b *testing.B) {
			c := with(b, bench.model).Decoder()
			b.SetBytes(int64(len(piece)))
			b.ReportAllocs()
			for b.Loop() {
				p := c.Pipe(context.Background())
				if _, err := p.Write(nil, piece); err != nil {
					b.Fatal(err)
				}
				if _, err := p.End(nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzSplit gives values to all models, whole and in pieces, which must not make a difference.
func FuzzSplit(f *testing.F) {
	models := []string{"string", "{ model: string, minLength: 2, maxLength: 5 }", `{ model: string, pattern: "[a-zé]{2,4}" }`,
		"{ model: string, maxLength: 3, validate: lenient }", "int32", `{ model: int64, range: "(-5,1000]", multiple: 3, validate: lenient }`,
		"{ model: int32, format: binary }", "float", `{ model: double, range: "[0,1)" }`, "{ model: double, format: binary }", "boolean", "bytes"}
	for _, seed := range []string{"", "héllo", "-2147483648", "0.5", "\x00\x00\x00\x01", "a\xe2\x82"} {
		f.Add([]byte(seed), uint16(1), uint16(3))
	}
	rigs := map[string]*rig{}
	for _, text := range models {
		rigs[text] = with(f, text)
	}
	f.Fuzz(func(t *testing.T, value []byte, i, j uint16) {
		a := int(i) % (len(value) + 1)
		b := a + int(j)%(len(value)-a+1)
		for text, g := range rigs {
			c := g.Decoder()
			_, whole := c.Value(t.Context(), nil, value)
			pieces := piped(t, c, [][]byte{value[:a], value[a:b], value[b:]})
			if (whole == nil) != (pieces == nil) {
				t.Errorf("%s: %q is %v whole, and %v cut at %d and %d", text, value, whole, pieces, a, b)
			}
		}
	})
}

// FuzzPattern compiles patterns: what is found to be Java's is told, and nothing panics.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{`a++`, `[a&&b]`, `(?<=a)`, `\Q`, `\u00`, `(?`, `[^`, `a{1,2}+`, `\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		re, wrong, _ := compile(pattern)
		if (re == nil) == (wrong == "") {
			t.Errorf("%q: %v, %q", pattern, re, wrong)
		}
	})
}

func FuzzRange(f *testing.F) {
	for _, seed := range []string{"[0,100)", "(,10]", "[", ",", "[,", "[-,.]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var g Range
		if hint := g.parse(text); hint == "" && string(text[0])+g.low.text+","+g.high.text+text[len(text)-1:] != text {
			t.Errorf("%q is %q to %q", text, g.low.text, g.high.text)
		}
	})
}

package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// expression is ${{ context.NAME }}. The last dot divides, as upstream has it.
var expression = regexp.MustCompile(`\$\{\{\s*([^\s\}]*)\.([^\s\}]*)\s*\}\}`)

// substitute puts the environment into the text, before anything is parsed. Expressions of another context are
// left as they are. It reports false if the result cannot be parsed.
func (t *text) substitute(r *Report, env func(string) (string, bool)) bool {
	ok := true
	var out bytes.Buffer
	last := 0
	for _, m := range expression.FindAllSubmatchIndex(t.written, -1) {
		if string(t.written[m[2]:m[3]]) != "env" {
			continue
		}
		e := edit{from: m[0], to: m[1]}
		value, fine := t.lookUp(r, e, string(t.written[m[4]:m[5]]), env)
		ok = ok && fine
		out.Write(t.written[last:e.from])
		e.start = out.Len()
		out.WriteString(value)
		e.end = out.Len()
		last = e.to
		t.edits = append(t.edits, e)
		if len(t.edits) > MaxExpressions {
			r.Errorf(t.pos(e.from), "the file has more than %d expressions", MaxExpressions)
			return false
		}
		if out.Len() > MaxText {
			r.Errorf(t.pos(e.from), "the file is longer than %d MiB once the environment is put in", MaxText>>20)
			return false
		}
	}
	out.Write(t.written[last:])
	t.parsed = out.Bytes()
	acceptYAML12(t.parsed)
	t.parsedLines = lineStarts(t.parsed, true)
	return ok
}

// lookUp gives the value of one expression.
func (t *text) lookUp(r *Report, e edit, name string, env func(string) (string, bool)) (string, bool) {
	at := t.pos(e.from)
	r.width(at, utf8.RuneCount(t.written[e.from:e.to]))
	value, set := "", false
	if env != nil {
		value, set = env(name)
	}
	switch {
	case !set:
		r.Warnf(at, "environment variable %s is not set", shown(name))
		return "", true
	case strings.TrimSpace(value) == "":
		r.Warnf(at, "environment variable %s is empty", shown(name))
	}
	if i, _ := unprintable([]byte(value)); i >= 0 {
		r.Errorf(at, "the value of environment variable %s is not plain UTF-8 text", shown(name))
		return "", false
	}
	r.hidden.add(value, t.expression(e))
	return value, true
}

// unprintable finds the first character that YAML does not allow, and says what it is. -1 is none.
func unprintable(b []byte) (int, string) {
	for i := 0; i < len(b); {
		c, n := utf8.DecodeRune(b[i:])
		switch {
		case c == utf8.RuneError && n == 1:
			return i, "a byte that is not UTF-8"
		case c == 0:
			return i, "a NUL character"
		case c < ' ' && c != '\t' && c != '\n' && c != '\r':
			return i, fmt.Sprintf("the control character U+%04X", c)
		case c == 0xfffe, c == 0xffff:
			return i, fmt.Sprintf("the character U+%04X, which YAML does not allow", c)
		}
		i += n
	}
	return -1, ""
}

// acceptYAML12 makes "%YAML 1.2" before the first document 1.1, which is all that the library takes. What is read here
// means the same in both.
func acceptYAML12(b []byte) {
	for line := range bytes.Lines(b) {
		switch {
		case bytes.HasPrefix(line, []byte("%YAML 1.2")):
			line[len("%YAML 1.")] = '1'
		case len(bytes.TrimSpace(line)) > 0 && line[0] != '#' && line[0] != '%':
			return
		}
	}
}

package httpfilesystem

import (
	"errors"
	"strings"

	"gozilla/stream/file"
)

// Target is the path of a file or a folder.
type Target string

// Words says what a target is.
func (Target) Words() string { return "a path in which ${params.name} may stand" }

// A target is a Target made ready: texts and params in turn.
type target struct {
	texts  []string // one more than params
	params []string
}

const (
	paramBegin = "${params."
	paramEnd   = "}"
)

// compile makes the target ready. A slash at its beginning means nothing.
func (t Target) compile() (m target) {
	rest := strings.TrimPrefix(string(t), "/")
	text := ""
	for {
		before, after, ok := strings.Cut(rest, paramBegin)
		name, behind, closed := strings.Cut(after, paramEnd)
		if !ok || !closed {
			break
		}
		if name == "" || strings.Trim(name, nameLetters) != "" {
			text, rest = text+before+paramBegin, after
			continue
		}
		m.texts, m.params = append(m.texts, text+before), append(m.params, name)
		text, rest = "", behind
	}
	m.texts = append(m.texts, text+rest)
	return m
}

// valid reports whether a target can be that of a file, whatever the params are.
func (t *target) valid() bool {
	return file.Valid(strings.Join(t.texts, "x"))
}

// Why a request is about no file that it could be.
var (
	errEscape = errors.New("the path has an escape that is none, or that stands for a slash, a backslash or a NUL")
	errPath   = errors.New("the path has .. or . in it, or an empty part")
	errParam  = errors.New("the condition that holds does not capture what the file is named by")
	errFolder = errors.New("a folder is not replaced by a PUT")
)

// name is the file or folder that the target is for a path that the condition holds for.
func (t *target) name(w *When, path string, dir bool) (string, error) {
	if t.texts == nil { // the route says nothing
		return "", nil
	}
	name := t.texts[0]
	for i, param := range t.params {
		value := ""
		if w != nil {
			value = w.path.param(path, param)
		}
		if value == "" {
			return "", errParam
		}
		value, err := unescape(value)
		if err != nil {
			return "", err
		}
		name += value + t.texts[i+1]
	}
	if dir && !file.IsDir(name) {
		name += "/"
	}
	if !file.Valid(name) {
		return "", errPath
	}
	return name, nil
}

// plain is a path in which what need not be escaped is not, so that a route cannot be passed by (RFC 3986, section 6.2.2.2).
func plain(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			hi, ok := digit(path[i+1])
			lo, also := digit(path[i+2])
			if c := hi<<4 | lo; ok && also && isUnreserved(c) {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// unescape decodes the escapes of a path, once. What would be taken for more than one name then, or for another one by
// the system, is refused.
func unescape(s string) (string, error) {
	if strings.ContainsAny(s, "\\\x00") {
		return "", errEscape
	}
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for ; i >= 0; i = strings.IndexByte(s, '%') {
		b = append(b, s[:i]...)
		if len(s) < i+3 {
			return "", errEscape
		}
		hi, ok := digit(s[i+1])
		lo, also := digit(s[i+2])
		c := hi<<4 | lo
		if !ok || !also || c == 0 || c == '/' || c == '\\' {
			return "", errEscape
		}
		b = append(b, c)
		s = s[i+3:]
	}
	return string(append(b, s...)), nil
}

func digit(c byte) (n byte, ok bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

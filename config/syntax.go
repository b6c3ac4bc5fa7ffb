package config

import (
	"errors"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// said is a message of the library in our words, and what to do about it.
type said struct {
	text, hint string
	atContext  bool // the fault is where the construct begins
}

var syntaxWords = map[string]said{
	"mapping values are not allowed in this context": {
		text: `a ":" cannot stand here`, hint: "check the indentation, or put the value in quotes"},
	"could not find expected ':'":                            {text: `a ":" is expected after this key`, atContext: true},
	"did not find expected key":                              {text: "a key is expected here", hint: "check the indentation"},
	"did not find expected '-' indicator":                    {text: `a "-" is expected here`, hint: "check the indentation of the list"},
	"did not find expected ',' or ']'":                       {text: `a "," or "]" is expected here`},
	"did not find expected ',' or '}'":                       {text: `a "," or "}" is expected here`},
	"did not find expected node content":                     {text: "a value is expected here"},
	"did not find expected <document start>":                 {text: "the document is over, but there is more text", hint: "check the indentation"},
	"block sequence entries are not allowed in this context": {text: "a list cannot begin here", hint: "put it on the next line"},
	"found unexpected end of stream":                         {text: "these quotes are never closed", atContext: true},
	"found unexpected document indicator":                    {text: "these quotes are never closed", atContext: true},
	"found unknown escape character":                         {text: "there is no such escape in double quotes", hint: `write \\ for a backslash, or use single quotes`},
	"found incompatible YAML document":                       {text: "only YAML 1.1 and 1.2 are understood"},
	"found undefined tag handle":                             {text: "a tag such as !name has no meaning here"},
	"found a comment without preceding whitespace":           {text: `a space is needed before "#"`},
	"found a tab character that violates indentation":        {text: "a tab cannot be used for indentation", hint: "use spaces"},
	"found a tab character where an indentation space is expected": {
		text: "a tab cannot be used for indentation", hint: "use spaces"},
}

var contextWords = map[string]string{
	"while scanning a quoted scalar":   "the quotes open here",
	"while parsing a block mapping":    "the mapping begins here",
	"while parsing a flow mapping":     "the mapping begins here",
	"while parsing a flow sequence":    "the list begins here",
	"while parsing a block collection": "the list begins here",
	"while scanning a simple key":      "the key begins here",
	"while scanning a block scalar":    "the text begins here",
}

// syntax reports what the library did not understand.
func (t *text) syntax(r *Report, err error) {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		r.Errorf(Pos{File: t.name}, "the file is not YAML")
		return
	}
	offset := t.offset(e.Mark.Line, e.Mark.Column)
	at := t.pos(t.origin(offset))
	s := t.words(e, offset)
	if s.atContext && e.ContextMark.Line > 0 {
		at = t.pos(t.origin(t.offset(e.ContextMark.Line, e.ContextMark.Column)))
	}
	f := r.Errorf(at, "%s", shown(s.text))
	if words, ok := contextWords[e.ContextMsg]; ok && e.ContextMark.Line > 0 {
		if begin := t.pos(t.origin(t.offset(e.ContextMark.Line, e.ContextMark.Column))); begin != at {
			f.Note(begin, "%s", words)
		}
	}
	if s.hint != "" {
		f.Hintf("%s", s.hint)
	}
}

// words finds our words for the library's. Its own are used only if they cannot hold text of the file.
func (t *text) words(e *yaml.LoadError, offset int) said {
	if s, ok := syntaxWords[e.Message]; ok {
		return s
	}
	switch {
	case strings.Contains(e.Message, errDepth.Error()):
		return said{text: "values are nested too deep"}
	case e.Message == "found character that cannot start any token":
		return t.badStart(offset)
	case strings.HasPrefix(e.Message, "unknown anchor"):
		return said{text: "this alias names an anchor that is not defined before it", hint: "put the value in quotes if it is text"}
	case strings.ContainsAny(e.Message, "'\"`(") && len(t.edits) > 0:
		return said{text: "this is not YAML"}
	}
	text := e.Message
	if rest, ok := strings.CutPrefix(text, "did not find expected "); ok {
		text = rest + " is expected here"
	}
	text = strings.TrimPrefix(text, "found ")
	return said{text: text}
}

// badStart says why a value cannot begin with a character.
func (t *text) badStart(offset int) said {
	if len(t.within(offset, offset+1)) > 0 || offset >= len(t.parsed) {
		return said{text: "a value cannot begin like this"}
	}
	c, _ := utf8.DecodeRune(t.parsed[offset:])
	if c == '\t' {
		return said{text: "a tab cannot be used for indentation", hint: "use spaces"}
	}
	return said{text: "a value cannot begin with " + quote(string(c)), hint: "put it in quotes"}
}

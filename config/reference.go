package config

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"
)

// entry is a line of a reference: a key, and where it stands.
type entry struct {
	path  string // options.port, routes[].when[].port
	depth int
	*Shape
}

// entries lists the keys below a shape in the order of the file.
func (s *Shape) entries(path string, depth int) []entry {
	inner, below := s, path
	for inner.Elem != nil {
		below += map[Form]string{FormMap: ".*", FormList: "[]", FormMany: "[]"}[inner.Form]
		inner = inner.Elem
	}
	var all []entry
	for _, f := range inner.Fields {
		p := strings.TrimPrefix(below+"."+f.Key, ".")
		all = append(all, entry{p, depth, f})
		all = append(all, f.entries(p, depth+1)...)
	}
	return all
}

// kind says in words what the value of a key is.
func (s *Shape) kind() string {
	switch s.Form {
	case FormMapping:
		return "mapping"
	case FormMap:
		return "mapping of names to " + plural(s.Elem.kind())
	case FormList:
		return "list of " + plural(s.Elem.kind())
	case FormMany:
		if s.Elem.Form == FormText && s.Elem.Words != "" {
			return s.Words
		}
		return s.Elem.kind() + ", or a list of them"
	case FormAny:
		return "any value"
	case FormText:
		if s.Values != nil {
			return "one of " + strings.Join(s.Values, ", ")
		}
	}
	return strings.TrimPrefix(strings.TrimPrefix(s.Words, "a "), "an ")
}

// plural is simple: what has more than one word is left as it is.
func plural(kind string) string {
	if strings.Contains(kind, " ") {
		return kind
	}
	return kind + "s"
}

// traits are what else there is to say of a key in a word.
func (s *Shape) traits(code string) []string {
	var all []string
	if s.Required {
		all = append(all, "required")
	}
	if s.Default != "" {
		all = append(all, "default "+code+s.Default+code)
	}
	if s.Extension {
		all = append(all, "(extension)")
	}
	return all
}

// Markdown writes the keys of the shape as a page of reference: a heading of the level for each key, below it what
// the value is and what it is for.
func (s *Shape) Markdown(w io.Writer, level int) error {
	var b bytes.Buffer
	for i, e := range s.entries("", 0) {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(strings.Repeat("#", level) + " `" + e.path + "`\n\n")
		b.WriteString("*" + e.kind() + "*")
		for _, t := range e.traits("`") {
			b.WriteString(" · " + t)
		}
		b.WriteByte('\n')
		if e.Comment != "" {
			b.WriteString("\n" + strings.TrimSpace(e.Comment) + "\n")
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Text writes the same for a terminal that is width characters wide.
func (s *Shape) Text(w io.Writer, width int) error {
	var b bytes.Buffer
	for _, e := range s.entries("", 0) {
		indent := strings.Repeat("  ", e.depth)
		head := strings.Join(append([]string{e.kind()}, e.traits("")...), ", ")
		head = strings.ReplaceAll(head, ", (", " (")
		name := indent + e.Key
		pad := max(1, 20-utf8.RuneCountInString(name))
		wrap(&b, name+strings.Repeat(" ", pad), strings.Repeat(" ", max(20, len(name)+pad)), head, width)
		for paragraph := range strings.SplitSeq(strings.TrimSpace(e.Comment), "\n\n") {
			wrap(&b, indent+"    ", indent+"    ", paragraph, width)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// wrap writes words in lines of a width; first and next are what the lines begin with.
func wrap(b *bytes.Buffer, first, next, text string, width int) {
	line, empty := first, true
	for word := range strings.FieldsSeq(text) {
		switch {
		case empty:
			line, empty = line+word, false
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			b.WriteString(line + "\n")
			line = next + word
		default:
			line += " " + word
		}
	}
	if !empty {
		b.WriteString(line + "\n")
	}
}

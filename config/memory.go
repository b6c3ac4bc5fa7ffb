package config

import (
	"bytes"
	"unicode/utf8"
)

// A Memory is for who reads the same file again and again: bindings of which neither a letter nor the line has changed are
// not parsed again, and what was made of them is kept with them. It is for one goroutine at a time, and for one environment.
// The zero value is ready for use.
type Memory struct {
	units map[int]*unit // by line
	round int
}

// A unit is the part of a file that says one thing of a section: a binding.
type unit struct {
	text  string
	pos   Pos
	entry Entry
	size  int // values
	memo  Memo
	round int // in which it was met last
}

// A Memo is what is kept of a part of a file.
type Memo struct {
	// Report has the places of the part, also of what is decoded of it with this report. Its faults are those of the whole
	// file's report too.
	Report *Report
	// Value is what somebody has made of the part, for the next time.
	Value any
}

// Memo is what is kept of the node; nil if nothing is.
func (n *Node) Memo() *Memo { return n.memo }

// section begins the lines of what is divided.
var section, lineEnd = []byte("bindings:"), []byte("\n")

// isUnusual reports whether a text has something that means, or may mean, more than the lines around it tell: anchors,
// aliases, merges, directives, tabs and breaks that YAML does not have.
func isUnusual(b []byte) bool {
	blank := true // nothing but spaces in the line so far
	for i, c := range b {
		next := byte('\n')
		if i+1 < len(b) {
			next = b[i+1]
		}
		begins := i == 0 || b[i-1] == '\n'
		switch c {
		case '&', '*':
			if (begins || bytes.IndexByte([]byte(" \t[{,:-"), b[i-1]) >= 0) && bytes.IndexByte([]byte(" \t\r\n\"'"), next) < 0 {
				return true
			}
		case '<':
			if next == '<' {
				return true
			}
		case '\t', '?':
			if blank {
				return true
			}
		case '\r':
			if next != '\n' || i+1 == len(b) {
				return true
			}
		case '%', '.':
			if begins {
				return true
			}
		case '-':
			if begins && bytes.HasPrefix(b[i:], []byte("---")) && i+3 < len(b) && bytes.IndexByte([]byte(" \t\r\n"), b[i+3]) < 0 {
				return true
			}
		case 0xC2, 0xE2, 0xEF: // the first bytes of breaks, and of a byte order mark
			if r, _ := utf8.DecodeRune(b[i:]); r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xFEFF {
				return true
			}
		}
		blank = c == '\n' || blank && c == ' '
	}
	return false
}

// parse is Parse that reads only what is not known. It reports false if the file cannot be divided, or has a fault: then
// nothing was reported.
func (m *Memory) parse(r *Report, s Source) (roots []*Node, ok bool) {
	if len(s.Text) > MaxText || bytes.Count(s.Text, []byte("${{")) > MaxExpressions || isUnusual(s.Text) {
		return nil, false
	}
	if i, _ := unprintable(s.Text); i >= 0 {
		return nil, false
	}
	m.round++
	if m.units == nil {
		m.units = map[int]*unit{}
	}
	d := division{memory: m, source: s}
	for line, rest := 0, s.Text; len(rest) > 0; {
		doc := untilSeparator(rest)
		root, ok := d.document(doc, line)
		if !ok {
			return nil, false
		}
		if root != nil {
			roots = append(roots, root)
		}
		line += bytes.Count(doc, []byte("\n"))
		rest = rest[len(doc):]
	}
	for line, u := range m.units {
		if u.round != m.round {
			delete(m.units, line)
		}
	}
	if r.texts == nil {
		r.texts = map[string]*text{}
	}
	r.texts[s.Name] = newText(s.Name, s.Text)
	for _, part := range d.parts {
		r.join(part)
	}
	return roots, true
}

// untilSeparator is the text up to the next line that begins a document.
func untilSeparator(text []byte) []byte {
	if i := bytes.Index(text[1:], []byte("\n---")); i >= 0 {
		return text[:i+2]
	}
	return text
}

// A division is a file on its way into units.
type division struct {
	memory *Memory
	source Source
	parts  []*Report
	size   int
}

// document reads one document, which begins behind that many lines.
func (d *division) document(doc []byte, line int) (*Node, bool) {
	rest, pieces, ok := divide(doc)
	if !ok {
		return nil, false
	}
	var where Pos
	entries := make([]Entry, 0, len(pieces))
	for i, p := range pieces {
		u := d.unit(doc[p.from:p.to], line+p.line)
		if u == nil {
			return nil, false
		}
		if i == 0 {
			where = u.pos
		}
		entries = append(entries, u.entry)
	}
	return d.compose(rest, line, where, entries)
}

// A piece is the part of a document that has one entry of the section.
type piece struct {
	from, to int
	line     int // of the document, from 0
}

// divide finds the pieces of a document, and gives what is left with an empty line for each of theirs. It reports false if
// the section is there twice, or is not indented as a block is.
func divide(doc []byte) (rest []byte, pieces []piece, ok bool) {
	rest = make([]byte, 0, 1024)
	sections, indent := 0, -1 // of the entries; -1: outside of the section, 0: not known yet
	open := false             // the last piece goes on
	for offset, line := 0, 0; offset < len(doc); line++ {
		l := firstLineOf(doc[offset:])
		text := bytes.TrimLeft(l, " ")
		own, blank := len(l)-len(text), len(bytes.TrimSpace(text)) == 0 || text[0] == '#'
		switch {
		case blank:
		case own == 0:
			open, indent = false, -1
			if bytes.HasPrefix(l, section) {
				if sections++; isAlone(l[len(section):]) {
					indent = 0
				}
			}
		case indent > own:
			return nil, nil, false
		case indent == 0 || indent == own:
			open, indent = true, own
			pieces = append(pieces, piece{from: offset, line: line})
		}
		offset += len(l)
		if open {
			pieces[len(pieces)-1].to = offset
			l = lineEnd
		}
		rest = append(rest, l...)
	}
	return rest, pieces, sections <= 1
}

// firstLineOf is the first line of a text, with its end.
func firstLineOf(b []byte) []byte {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i+1]
	}
	return b
}

// isAlone reports whether nothing but a comment stands behind a key.
func isAlone(b []byte) bool {
	text := bytes.TrimSpace(b)
	return len(text) == 0 || text[0] == '#' && (b[0] == ' ' || b[0] == '\t')
}

// compose reads what is left of a document and puts the entries of its section, which begin at where, into it.
func (d *division) compose(rest []byte, line int, where Pos, entries []Entry) (*Node, bool) {
	root, size, part, ok := d.read(rest, line, 1)
	if !ok {
		return nil, false
	}
	d.parts = append(d.parts, part)
	d.size += size
	if len(entries) == 0 {
		return root, d.size <= MaxNodes
	}
	known := make(map[string]bool, len(entries))
	for i := range entries {
		key := entries[i].Key.Value
		if known[key] {
			return nil, false
		}
		known[key] = true
	}
	for i := range root.entries() {
		e := &root.Entries[i]
		if e.Key.Value == "bindings" && e.Value.Kind == Null && !e.Value.substituted {
			e.Value = &Node{Kind: Mapping, Pos: where, Entries: entries}
			return root, d.size <= MaxNodes
		}
	}
	return nil, false
}

func (n *Node) entries() []Entry {
	if n == nil {
		return nil
	}
	return n.Entries
}

// unit is the entry that a part of a section says, read or remembered; nil if it is none.
func (d *division) unit(b []byte, line int) *unit {
	u := d.memory.units[line]
	if u == nil || u.text != string(b) {
		root, size, part, ok := d.read(b, line, 3)
		if !ok || root == nil || root.Kind != Mapping || len(root.Entries) != 1 {
			return nil
		}
		u = &unit{text: string(b), pos: root.Pos, entry: root.Entries[0], size: size, memo: Memo{Report: part}}
		value := *u.entry.Value // which may be shared
		value.memo = &u.memo
		u.entry.Value = &value
		d.memory.units[line] = u
	}
	u.round = d.memory.round
	d.size += u.size
	d.parts = append(d.parts, u.memo.Report)
	return u
}

// read parses a part of a document, which begins behind that many lines, and that many values deep.
func (d *division) read(b []byte, line, depth int) (root *Node, size int, part *Report, ok bool) {
	part = &Report{}
	t := newText(d.source.Name, b)
	t.before = line
	if !t.substitute(part, d.source.Env) {
		return nil, 0, nil, false
	}
	for _, e := range t.edits {
		if bytes.ContainsAny(t.parsed[e.start:e.end], "\r\n\u0085\u2028\u2029") {
			return nil, 0, nil, false // it may have a structure of its own
		}
	}
	docs := load(part, t)
	if len(docs) > 1 || part.errors > 0 {
		return nil, 0, nil, false
	}
	build := builder{r: part, t: t}
	for _, doc := range docs {
		build.visit(doc)
		root = build.document(doc, depth)
	}
	return root, len(build.starts), part, part.errors == 0
}

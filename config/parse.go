package config

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Bounds of what is read. A configuration is written by people; what exceeds these is an accident or an attack.
const (
	MaxText  = 4 << 20 // bytes of one file, also once the environment is put in
	MaxNodes = 500_000 // values of one document, after aliases are expanded
	MaxDepth = 100     // values inside values

	MaxExpressions = 10_000 // expressions of one file that are replaced
)

// A Source is the text of one file, and the environment that its expressions ask for.
type Source struct {
	Name string // as it is to appear in messages
	Text []byte
	Env  func(name string) (value string, set bool) // nil: nothing is set

	Memory *Memory // of the last time that the file was read; may be nil
}

// Parse reads a file and gives the root of each of its YAML documents that is not empty. What is wrong is
// reported; the documents before a fault of syntax are still returned.
func Parse(r *Report, s Source) []*Node {
	if s.Memory != nil {
		if roots, ok := s.Memory.parse(r, s); ok {
			return roots
		}
	}
	t := newText(s.Name, s.Text)
	if r.texts == nil {
		r.texts = map[string]*text{}
	}
	r.texts[s.Name] = t
	if !t.readable(r) || !t.substitute(r, s.Env) {
		return nil
	}
	b := builder{r: r, t: t}
	for _, doc := range load(r, t) {
		b.visit(doc)
	}
	var roots []*Node
	for _, doc := range b.docs {
		if n := b.document(doc, 1); n != nil {
			roots = append(roots, n)
		}
	}
	return roots
}

// readable checks the text as bytes. A byte order mark is taken off.
func (t *text) readable(r *Report) bool {
	whole := Pos{File: t.name}
	if len(t.written) > MaxText {
		r.Errorf(whole, "the file is longer than %d MiB", MaxText>>20)
		return false
	}
	if bytes.HasPrefix(t.written, []byte{0xff, 0xfe}) || bytes.HasPrefix(t.written, []byte{0xfe, 0xff}) {
		r.Errorf(whole, "the file is UTF-16: it must be UTF-8")
		return false
	}
	if rest, ok := bytes.CutPrefix(t.written, []byte("\xef\xbb\xbf")); ok {
		*t = *newText(t.name, rest)
	}
	if i, what := unprintable(t.written); i >= 0 {
		r.Errorf(t.pos(i), "the file has %s here", what)
		return false
	}
	return true
}

// load has the library parse the text, up to the first fault of syntax.
func load(r *Report, t *text) []*yaml.Node {
	loader, err := yaml.NewLoader(bytes.NewReader(t.parsed), yaml.WithV4Defaults(), yaml.WithPlugin(limits{}))
	if err != nil {
		panic("config: " + err.Error()) // our own options are wrong
	}
	var docs []*yaml.Node
	for {
		doc := new(yaml.Node)
		err := loader.Load(doc)
		switch {
		case errors.Is(err, io.EOF):
			return docs
		case err != nil:
			t.syntax(r, err)
			return docs
		}
		docs = append(docs, doc)
	}
}

// limits keeps the library from descending too far. Aliases are counted when they are expanded.
type limits struct{}

var errDepth = errors.New("too deep")

// CheckDepth implements yaml.LoaderLimitsPlugin.
func (limits) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > MaxDepth {
		return errDepth
	}
	return nil
}

// CheckAlias implements yaml.LoaderLimitsPlugin.
func (limits) CheckAlias(int, int) error { return nil }

// width notes how many characters are to be underlined at a place.
func (r *Report) width(at Pos, n int) {
	if r.widths == nil {
		r.widths = map[Pos]int{}
	}
	r.widths[at] = n
}

// scalarEnd finds the end of a scalar that starts at an offset of the parsed text, and at the latest ends where
// the next node starts. Where it is not sure it says the latter: too much is hidden then, and never too little.
func scalarEnd(b []byte, start, next int, n *yaml.Node) int {
	i := start
	for i < next && (b[i] == '!' || b[i] == '&') {
		i += bytes.IndexAny(append(b[i:next:next], ' '), " \t\r\n")
		for i < next && bytes.IndexByte([]byte(" \t\r\n"), b[i]) >= 0 {
			i++
		}
	}
	i = min(i, next)
	rest := b[i:next]
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0 && len(rest) > 0:
		return i + quotedLen(rest, '"', '\\')
	case n.Style&yaml.SingleQuotedStyle != 0 && len(rest) > 0:
		return i + quotedLen(rest, '\'', '\'')
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && n.Value != "" && bytes.HasPrefix(rest, []byte(n.Value)):
		return i + len(n.Value)
	}
	return i + len(bytes.TrimRight(rest, " \t\r\n"))
}

// quotedLen is the length of a quoted scalar with its quotes.
func quotedLen(b []byte, mark, escape byte) int {
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == escape && i+1 < len(b) && (escape != mark || b[i+1] == mark):
			i++
		case b[i] == mark:
			return i + 1
		}
	}
	return len(b)
}

// firstLine counts the characters before the end of a line.
func firstLine(b []byte) int {
	if i := bytes.IndexAny(b, "\r\n"); i >= 0 {
		b = b[:i]
	}
	return utf8.RuneCount(b)
}

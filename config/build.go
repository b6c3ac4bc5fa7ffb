package config

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A builder turns the library's nodes into ours: with places in the file as written, aliases followed, merge keys
// merged, keys unique.
type builder struct {
	r *Report
	t *text

	docs   []*yaml.Node
	starts []int // where each node starts in the parsed text, in the order of the file
	next   int   // index of the node that is built next

	anchors map[*yaml.Node]built // complete anchors
	open    map[*yaml.Node]bool  // anchors whose value is being built
	failed  bool                 // a bound was exceeded, and this was said
}

// built is a node and how much it becomes once aliases are expanded.
type built struct {
	node  *Node
	size  int
	depth int
}

// visit notes where the nodes of a document start.
func (b *builder) visit(doc *yaml.Node) {
	b.docs = append(b.docs, doc)
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		b.starts = append(b.starts, b.t.offset(n.Line, n.Column))
		for _, c := range n.Content {
			walk(c)
		}
	}
	for _, c := range doc.Content {
		walk(c)
	}
}

// document builds one document, which stands so many values deep; nil if it is empty or exceeds a bound.
func (b *builder) document(doc *yaml.Node, depth int) *Node {
	b.anchors, b.open, b.failed = map[*yaml.Node]built{}, map[*yaml.Node]bool{}, false
	var root built
	for _, c := range doc.Content {
		root = b.build(c, depth)
	}
	if b.failed || root.node == nil || root.node.Kind == Null && !root.node.substituted {
		return nil
	}
	return root.node
}

func (b *builder) build(n *yaml.Node, depth int) built {
	i := b.next
	b.next++
	start, end := b.starts[i], len(b.t.parsed)
	if i+1 < len(b.starts) {
		end = max(start, b.starts[i+1])
	}
	if n.Anchor != "" {
		b.open[n] = true
	}
	res := built{node: &Node{Pos: b.t.pos(b.t.origin(start))}, size: 1, depth: 1}
	switch n.Kind {
	case yaml.AliasNode:
		return b.alias(n, res, depth)
	case yaml.MappingNode:
		b.mapping(n, &res, depth)
	case yaml.SequenceNode:
		b.sequence(n, &res, depth)
	default:
		b.scalar(n, res.node, start, end)
		if i > 0 && n.Value == "" && res.node.Kind == Null {
			b.vanished(res.node, b.starts[i-1], end)
		}
	}
	if n.Anchor != "" {
		delete(b.open, n)
		b.anchors[n] = res
	}
	b.check(res, depth)
	return res
}

// check reports the first bound that is exceeded.
func (b *builder) check(x built, depth int) {
	switch {
	case b.failed:
	case depth+x.depth-1 > MaxDepth:
		b.failed = true
		b.r.Errorf(x.node.Pos, "values are nested more than %d deep", MaxDepth)
	case x.size > MaxNodes:
		b.failed = true
		b.r.Errorf(x.node.Pos, "the document has more than %d values, aliases expanded", MaxNodes)
	}
}

func (b *builder) alias(n *yaml.Node, self built, depth int) built {
	if b.open[n.Alias] {
		b.failed = true
		b.r.Errorf(self.node.Pos, "an alias cannot stand inside the value that it names")
		return self
	}
	x, ok := b.anchors[n.Alias]
	if !ok {
		return self
	}
	b.check(built{self.node, x.size, x.depth}, depth)
	return x
}

func (b *builder) sequence(n *yaml.Node, res *built, depth int) {
	res.node.Kind = Sequence
	b.collection(n, res.node, "!!seq")
	res.node.Items = make([]*Node, 0, len(n.Content))
	for _, c := range n.Content {
		x := b.build(c, depth+1)
		res.add(x)
		res.node.Items = append(res.node.Items, x.node)
	}
}

func (x *built) add(y built) {
	x.size = min(x.size+y.size, MaxNodes+1)
	x.depth = max(x.depth, y.depth+1)
}

func (b *builder) mapping(n *yaml.Node, res *built, depth int) {
	res.node.Kind = Mapping
	b.collection(n, res.node, "!!map")
	res.node.Entries = make([]Entry, 0, len(n.Content)/2)
	first := map[string]*Node{}
	var merged []*Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		merge := isMerge(n.Content[i])
		key, value := b.build(n.Content[i], depth+1), b.build(n.Content[i+1], depth+1)
		res.add(key)
		res.add(value)
		switch {
		case merge:
			merged = append(merged, value.node)
		case key.node.Kind == Mapping || key.node.Kind == Sequence:
			b.r.Errorf(key.node.Pos, "a key must be text, not %s", key.node.describe())
		default:
			b.entry(res.node, first, key.node, value.node)
		}
	}
	for _, m := range merged {
		b.merge(res.node, first, m)
	}
}

// entry adds a key that is not there yet.
func (b *builder) entry(n *Node, first map[string]*Node, key, value *Node) {
	if key.Kind == Null {
		null := *key
		null.Kind = Scalar
		key = &null
	}
	if before, twice := first[key.Value]; twice {
		b.r.Errorf(key.Pos, "key %s is given twice", shown(key.quoted())).Note(before.Pos, "first given here")
		return
	}
	first[key.Value] = key
	n.Entries = append(n.Entries, Entry{key, value})
}

func isMerge(key *yaml.Node) bool {
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && key.Style&quoted == 0 &&
		(key.Tag == "!!merge" || key.Style&yaml.TaggedStyle == 0)
}

// merge adds the keys of another mapping that are not there yet, as YAML 1.1 has it.
func (b *builder) merge(n *Node, first map[string]*Node, from *Node) {
	sources := from.Items
	if from.Kind != Sequence {
		sources = []*Node{from}
	}
	for _, s := range sources {
		if s.Kind != Mapping {
			b.r.Errorf(s.Pos, "<< takes a mapping or a list of mappings, not %s", s.describe())
			continue
		}
		for _, e := range s.Entries {
			if _, there := first[e.Key.Value]; !there {
				first[e.Key.Value] = e.Key
				n.Entries = append(n.Entries, e)
			}
		}
	}
}

// collection checks the tag of a mapping or sequence.
func (b *builder) collection(n *yaml.Node, node *Node, tag string) {
	if n.Tag != "" && n.Tag != "!" && n.Tag != tag {
		b.r.Errorf(node.Pos, "a tag such as !name has no meaning here")
	}
}

func (b *builder) scalar(n *yaml.Node, node *Node, start, next int) {
	end := scalarEnd(b.t.parsed, start, next, n)
	node.Value = n.Value
	if edits := b.t.within(start, end); len(edits) > 0 {
		b.substituted(node, start, end, edits)
	}
	b.r.width(node.Pos, firstLine(b.t.written[b.t.origin(start):b.t.originEnd(end)]))
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	node.Quoted = n.Style&quoted != 0
	node.Kind, node.Type = Scalar, Text
	kind, typ := resolve(n.Value)
	switch tag := n.Tag; {
	case n.Style&yaml.TaggedStyle == 0:
		if !node.Quoted && tag != "!" {
			node.Kind, node.Type = kind, typ
		}
	case tag == "!!str" || tag == "!!merge":
	case tag == "!!null" && kind == Null, tag == "!!bool" && typ == Bool, tag == "!!int" && typ == Integer,
		tag == "!!float" && typ == Float, tag == "!!float" && typ == Integer:
		node.Kind, node.Type = kind, typ
	default:
		b.r.Errorf(node.Pos, "a tag such as !name has no meaning here")
	}
}

// substituted marks a scalar that has text of the environment in it, so that it is never shown.
func (b *builder) substituted(node *Node, start, end int, edits []edit) {
	from, to := b.t.origin(start), b.t.originEnd(end)
	from, to = min(from, edits[0].from), max(to, edits[len(edits)-1].to)
	node.substituted = true
	node.written = string(b.t.written[from:to])
	if strings.ContainsAny(node.written, "\r\n") {
		node.written = b.t.expression(edits[0])
	}
	node.Pos = b.t.pos(from)
	b.r.hidden.add(node.Value, node.written)
}

// vanished finds the expression that left nothing behind. The library gives such a value a place near its key.
func (b *builder) vanished(node *Node, previous, next int) {
	for _, e := range b.t.within(previous, next) {
		if blank := b.t.parsed[e.start:e.end]; len(bytes.TrimSpace(blank)) == 0 {
			node.substituted, node.written, node.Pos = true, b.t.expression(e), b.t.pos(e.from)
		}
	}
}

package page

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gozilla/engine"
)

// A drawing is the graph as the page's template draws it.
type drawing struct {
	Width, Height float64
	Boxes         []box
	Lines         []flow
}

// A box is a binding.
type box struct {
	X, Y, W, H float64
	InW, InH   float64 // of its frame
	RateX      float64
	Role       string // entry, middle or end: where it stands on the way of a stream; unused if there is none
	Name       string // cut where there is no room
	Kind       string // its type and kind, and where it listens
	Open       int64
	Errors     string // how many streams were refused or cut; "" for none
	Rate       string // "" if it stands at the line that leads here, or is not known
	Title      string // all of that
}

// A flow is a line from a box to another.
type flow struct {
	Path          string // of SVG
	Width         string
	Busy          bool   // something flows
	Streams       string // the rate of the streams, "" if it is not told here
	Bytes         string // the rate of the bytes
	LabelX        float64
	LabelY        float64
	From, To, Way string // the bindings, and by which routes
}

// draw draws a graph. The rate of what a binding takes stands at the line that leads to it, if that is the only one;
// else in its box, since nobody counts what comes by which line.
func draw(g *engine.Graph, rates map[string]rate) *drawing {
	edges, ways := edgesOf(g)
	in, out := make([]int, len(g.Bindings)), make([]int, len(g.Bindings))
	for _, e := range edges {
		in[e.to]++
		out[e.from]++
	}
	at := arrange(len(g.Bindings), edges)
	d := &drawing{Width: at.width, Height: at.height}
	for i := range g.Bindings {
		b := &g.Bindings[i]
		r, known := rates[b.Qualified()]
		d.Boxes = append(d.Boxes, boxOf(b, oneNamespace(g), at.boxes[i]))
		d.Boxes[i].Role = role(b.Entry, in[i], out[i])
		if known && (b.Entry || in[i] > 1) {
			d.Boxes[i].Rate = r.text()
		}
	}
	for i, e := range edges {
		if len(at.lines[i]) == 0 {
			continue
		}
		to := &g.Bindings[e.to]
		f := flow{Path: curve(at.lines[i]), Width: "1.5", From: g.Bindings[e.from].Qualified(), To: to.Qualified(), Way: ways[i]}
		if r, known := rates[to.Qualified()]; known && in[e.to] == 1 {
			f.show(r, at.boxes[e.to])
		}
		d.Lines = append(d.Lines, f)
	}
	return d
}

// edgesOf are the edges of a graph, each once, and the routes that are that edge.
func edgesOf(g *engine.Graph) (edges []edge, ways []string) {
	index := map[string]int{}
	for i := range g.Bindings {
		index[g.Bindings[i].Qualified()] = i
	}
	for from := range g.Bindings {
		for _, exit := range g.Bindings[from].Exits {
			to, ok := index[exit.To]
			if !ok {
				continue
			}
			way := exit.Route
			if exit.When != "" {
				way += " when " + exit.When
			}
			if i := slices.Index(edges, edge{from, to}); i >= 0 {
				ways[i] += "\n" + way
				continue
			}
			edges, ways = append(edges, edge{from, to}), append(ways, way)
		}
	}
	return edges, ways
}

// oneNamespace reports whether all bindings are in one namespace, which then goes without saying.
func oneNamespace(g *engine.Graph) bool {
	return !slices.ContainsFunc(g.Bindings, func(b engine.GraphBinding) bool { return b.Namespace != g.Bindings[0].Namespace })
}

func role(entry bool, in, out int) string {
	switch {
	case entry:
		return "entry"
	case in == 0:
		return "unused"
	case out == 0:
		return "end"
	}
	return "middle"
}

const (
	nameRunes   = 22 // of a name in a box
	kindRunes   = 34 // of the line below it
	errorsRunes = 13 // of those, if streams have failed
)

func boxOf(b *engine.GraphBinding, oneNamespace bool, at point) box {
	kind := b.Type + " " + b.Kind
	x := box{
		X: at.x, Y: at.y, W: boxWidth, H: boxHeight, InW: boxWidth - 1, InH: boxHeight - 1, RateX: boxWidth - 12, Name: cutMiddle(b.Name, nameRunes), Open: b.Streams.Open,
		Title: fmt.Sprintf("%s\n%s\n%d streams are open, %d were opened, %d refused or cut\nreceived %s, sent %s", b.Qualified(), kind,
			b.Streams.Open, b.Streams.Opened, b.Streams.Errors, size(float64(b.Streams.Received)), size(float64(b.Streams.Sent))),
	}
	if len(b.Listeners) > 0 {
		x.Title += "\nlistens on " + strings.Join(b.Listeners, ", ")
		kind += " · " + listening(b.Listeners, oneNamespace)
	}
	if !oneNamespace {
		kind = b.Namespace + " · " + kind
	}
	room := kindRunes
	if b.Streams.Errors > 0 {
		x.Errors, room = count(b.Streams.Errors), room-errorsRunes
	}
	x.Kind = cut(kind, room)
	return x
}

// listening is where a binding listens, in few words: of several addresses the first, and only the port if room is scarce.
func listening(all []string, room bool) string {
	text := all[0]
	if !room {
		text = text[strings.LastIndexByte(text, ':'):]
	}
	if len(all) > 1 {
		text += fmt.Sprintf(" +%d", len(all)-1)
	}
	return text
}

// show tells a rate at the end of a line, where it meets the box at to.
func (f *flow) show(r rate, to point) {
	f.Streams, f.Bytes = perSecond(r.streams), size(r.received+r.sent)+"/s"
	f.LabelX, f.LabelY = to.x-10, to.y+boxHeight/2
	f.Busy = r.streams > 0 || r.received+r.sent > 0
	if f.Busy { // a line of 1 MiB/s is twice as wide as one of 1 KiB/s
		f.Width = number(2+math.Log2(1+(r.received+r.sent)/1024)/5, 1)
	}
}

func (r rate) text() string { return perSecond(r.streams) + " · " + size(r.received+r.sent) + "/s" }

// curve is a line through points as a path of SVG: it leaves and meets them horizontally.
func curve(points []point) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%s %s", number(points[0].x, 1), number(points[0].y, 1))
	for i := 1; i < len(points); i++ {
		from, to := points[i-1], points[i]
		if i%2 == 0 { // it passes between boxes
			fmt.Fprintf(&b, "L%s %s", number(to.x, 1), number(to.y, 1))
			continue
		}
		end := to.x
		if i == len(points)-1 {
			end -= lastX // where its rate stands
		}
		bend := (end - from.x) / 2
		fmt.Fprintf(&b, "C%s %s %s %s %s %s", number(from.x+bend, 1), number(from.y, 1), number(end-bend, 1), number(to.y, 1),
			number(end, 1), number(to.y, 1))
	}
	fmt.Fprintf(&b, "H%s", number(points[len(points)-1].x, 1))
	return b.String()
}

// cutMiddle is a text of at most n characters, of which the first and the last are kept, by which names differ.
func cutMiddle(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n/2]) + "…" + string(runes[len(runes)-(n-n/2-1):])
}

// cut is a text of at most n characters.
func cut(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}

// perSecond is a rate with about two digits.
func perSecond(v float64) string {
	if v >= 10 || v == 0 {
		return count(int64(math.Round(v))) + "/s"
	}
	return number(v, 1) + "/s"
}

// count is a whole number with about three digits.
func count(n int64) string { return scaled(float64(n), 1000, []string{"", "k", "M", "G", "T"}) }

// size is a number of bytes with about three digits.
func size(v float64) string { return scaled(v, 1024, []string{" B", " KiB", " MiB", " GiB", " TiB"}) }

func scaled(v, step float64, units []string) string {
	i := 0
	for ; i < len(units)-1 && math.Round(v) >= step; i++ {
		v /= step
	}
	places := 0
	if i > 0 && v < 99.95 {
		places = 1
	}
	return number(v, places) + units[i]
}

// number is a number with so many places behind the point, at most.
func number(v float64, places int) string {
	s := strconv.FormatFloat(v, 'f', places, 64)
	if places > 0 {
		s = strings.TrimSuffix(s, "."+strings.Repeat("0", places))
	}
	return s
}

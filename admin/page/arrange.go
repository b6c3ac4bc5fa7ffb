package page

import (
	"cmp"
	"math"
	"slices"
)

// What a drawing measures, in pixels.
const (
	boxWidth   = 216.0
	boxHeight  = 66.0
	bendHeight = 10.0 // of the place where a line passes between boxes
	betweenX   = 136.0
	lastX      = 68.0 // of a line, straight, before it meets a box
	betweenY   = 22.0
	margin     = 12.0
)

// An arrangement is where the boxes of a graph are drawn, and how the lines between them run. Every line runs from left
// to right.
type arrangement struct {
	width, height float64
	boxes         []point   // the upper left corners, by the index of the box
	lines         [][]point // by the index of the edge: from the right side of a box to the left side of another
}

type point struct{ x, y float64 }

// An edge leads from one box to another, by their indices.
type edge struct{ from, to int }

// A place is a box, or where a line passes through the column of boxes in between.
type place struct {
	column     int
	box        int // -1: a line passes
	prev, next []*place
	at         float64 // the order in the column while that is sought, then the middle
}

func (p *place) height() float64 {
	if p.box < 0 {
		return bendHeight
	}
	return boxHeight
}

// arrange puts boxes into columns, each to the right of all from which an edge leads to it, orders each column so that
// few lines cross, and moves boxes close to those they are connected with.
func arrange(boxes int, edges []edge) *arrangement {
	columns, routes := layers(boxes, edges)
	untangle(columns)
	height := settle(columns)
	a := &arrangement{
		width:  2*margin + max(float64(len(columns))*(boxWidth+betweenX)-betweenX, 0),
		height: 2*margin + height,
		boxes:  make([]point, boxes), lines: make([][]point, len(edges)),
	}
	for _, column := range columns {
		for _, p := range column {
			if p.box >= 0 {
				a.boxes[p.box] = point{p.left(), margin + p.at - boxHeight/2}
			}
		}
	}
	for i, route := range routes {
		a.lines[i] = line(route)
	}
	return a
}

func (p *place) left() float64 { return margin + float64(p.column)*(boxWidth+betweenX) }

// line gives the points of a line through places: two for each, but one for the first and the last.
func line(route []*place) []point {
	var points []point
	for i, p := range route {
		if i > 0 {
			points = append(points, point{p.left(), margin + p.at})
		}
		if i < len(route)-1 {
			points = append(points, point{p.left() + boxWidth, margin + p.at})
		}
	}
	return points
}

// layers makes the columns, and the places that each edge runs through. An edge that would lead back is without any.
func layers(boxes int, edges []edge) (columns [][]*place, routes [][]*place) {
	column := depths(boxes, edges)
	places := make([]*place, boxes)
	add := func(column, box int) *place {
		for len(columns) <= column {
			columns = append(columns, nil)
		}
		p := &place{column: column, box: box}
		columns[column] = append(columns[column], p)
		return p
	}
	for i := range places {
		places[i] = add(column[i], i)
	}
	for _, e := range edges {
		if column[e.from] >= column[e.to] {
			routes = append(routes, nil)
			continue
		}
		route := []*place{places[e.from]}
		for c := column[e.from] + 1; c <= column[e.to]; c++ {
			next := places[e.to]
			if c < column[e.to] {
				next = add(c, -1)
			}
			last := route[len(route)-1]
			last.next, next.prev = append(last.next, next), append(next.prev, last)
			route = append(route, next)
		}
		routes = append(routes, route)
	}
	return columns, routes
}

// depths is how far from the left each box is: the length of the longest way to it. Loops, which a configuration cannot
// have, are cut open.
func depths(boxes int, edges []edge) []int {
	in := make([][]int, boxes)
	for _, e := range edges {
		in[e.to] = append(in[e.to], e.from)
	}
	depth, state := make([]int, boxes), make([]int, boxes) // 0: not seen, 1: on the way, 2: known
	var visit func(int) int
	visit = func(i int) int {
		if state[i] == 0 {
			state[i] = 1
			for _, from := range in[i] {
				if state[from] != 1 {
					depth[i] = max(depth[i], visit(from)+1)
				}
			}
			state[i] = 2
		}
		return depth[i]
	}
	for i := range boxes {
		visit(i)
	}
	return depth
}

// untangle orders the columns, back and forth, by where the neighbours of each place are on average, and keeps the order
// in which the fewest lines cross.
func untangle(columns [][]*place) {
	const sweeps = 12
	for _, column := range columns {
		enumerate(column)
	}
	best, order := crossings(columns), remember(columns)
	for i := range sweeps {
		for c := range columns {
			column, neighbours := columns[c], func(p *place) []*place { return p.prev }
			if i%2 == 1 {
				column, neighbours = columns[len(columns)-1-c], func(p *place) []*place { return p.next }
			}
			for _, p := range column {
				p.at = mean(p, neighbours(p))
			}
			slices.SortStableFunc(column, func(a, b *place) int { return cmp.Compare(a.at, b.at) })
			enumerate(column)
		}
		if n := crossings(columns); n < best {
			best, order = n, remember(columns)
		}
	}
	for c := range columns {
		copy(columns[c], order[c])
		enumerate(columns[c])
	}
}

func enumerate(column []*place) {
	for i, p := range column {
		p.at = float64(i)
	}
}

func remember(columns [][]*place) [][]*place {
	all := make([][]*place, len(columns))
	for i, column := range columns {
		all[i] = slices.Clone(column)
	}
	return all
}

// mean is where the neighbours of a place are on average; its own place if it has none.
func mean(p *place, neighbours []*place) float64 {
	if len(neighbours) == 0 {
		return p.at
	}
	sum := 0.0
	for _, n := range neighbours {
		sum += n.at
	}
	return sum / float64(len(neighbours))
}

// crossings is how many pairs of lines cross between neighbouring columns.
func crossings(columns [][]*place) int {
	n := 0
	for _, column := range columns {
		for i, a := range column {
			for _, b := range column[i+1:] {
				for _, to := range a.next {
					for _, other := range b.next {
						if to.at > other.at {
							n++
						}
					}
				}
			}
		}
	}
	return n
}

// settle gives every place its middle, as close as may be to where its neighbours are, and tells how high all is.
func settle(columns [][]*place) (height float64) {
	const rounds = 24
	for _, column := range columns {
		y := 0.0
		for _, p := range column {
			p.at = y + p.height()/2
			y += p.height() + betweenY
		}
		for _, p := range column { // so that they begin around one line
			p.at -= y / 2
		}
	}
	for i := range rounds {
		neighbours := func(p *place) []*place { return p.prev }
		switch {
		case i >= rounds-2:
			neighbours = func(p *place) []*place { return slices.Concat(p.prev, p.next) }
		case i%2 == 1:
			neighbours = func(p *place) []*place { return p.next }
		}
		for c := range columns {
			column := columns[c]
			if i%2 == 1 {
				column = columns[len(columns)-1-c]
			}
			wanted := make([]float64, len(column))
			for j, p := range column {
				wanted[j] = mean(p, neighbours(p))
			}
			spread(column, wanted)
		}
	}
	return fromZero(columns)
}

// fromZero moves all down or up, so that the topmost begins at 0.
func fromZero(columns [][]*place) (height float64) {
	top, bottom := 0.0, 0.0
	for c, column := range columns {
		for i, p := range column {
			upper, lower := p.at-p.height()/2, p.at+p.height()/2
			if c == 0 && i == 0 {
				top, bottom = upper, lower
			}
			top, bottom = min(top, upper), max(bottom, lower)
		}
	}
	for _, column := range columns {
		for _, p := range column {
			p.at = math.Round(p.at - top)
		}
	}
	return math.Ceil(bottom - top)
}

// A block is a run of neighbours that stand as close as they may.
type block struct {
	sum   float64 // of where each wants to be, less what those above it in the column take up
	count int
}

func (b block) mean() float64 { return b.sum / float64(b.count) }

// spread gives the places of a column, which keep their order and do not overlap, the middles that are, in sum of squares,
// closest to what is wanted.
func spread(column []*place, wanted []float64) {
	offsets := make([]float64, len(column)) // by which each is below the first one at least
	var blocks []block
	for i, p := range column {
		if i > 0 {
			offsets[i] = offsets[i-1] + (column[i-1].height()+p.height())/2 + betweenY
		}
		blocks = append(blocks, block{wanted[i] - offsets[i], 1})
		for n := len(blocks); n > 1 && blocks[n-2].mean() >= blocks[n-1].mean(); n-- {
			blocks[n-2].sum += blocks[n-1].sum
			blocks[n-2].count += blocks[n-1].count
			blocks = blocks[:n-1]
		}
	}
	i := 0
	for _, b := range blocks {
		for range b.count {
			column[i].at = b.mean() + offsets[i]
			i++
		}
	}
}

package page

import (
	"math/rand/v2"
	"testing"
)

// check wants boxes that do not overlap, inside of the drawing, each to the right of those that lead to it; and lines that
// begin and end at their boxes, and do not run through others.
func check(t *testing.T, boxes int, edges []edge) *arrangement {
	t.Helper()
	a := arrange(boxes, edges)
	for i, b := range a.boxes {
		if b.x < margin-1 || b.y < margin-1 || b.x+boxWidth > a.width || b.y+boxHeight > a.height {
			t.Errorf("box %d at %v is outside of %v x %v", i, b, a.width, a.height)
		}
		for j, c := range a.boxes[:i] {
			if b.x == c.x && b.y < c.y+boxHeight && c.y < b.y+boxHeight {
				t.Errorf("box %d at %v and box %d at %v overlap", i, b, j, c)
			}
		}
	}
	for i, e := range edges {
		line, from, to := a.lines[i], a.boxes[e.from], a.boxes[e.to]
		if len(line) == 0 {
			continue
		}
		first, last := line[0], line[len(line)-1]
		if first != (point{from.x + boxWidth, from.y + boxHeight/2}) || last != (point{to.x, to.y + boxHeight/2}) || first.x >= last.x {
			t.Errorf("the line of %v runs from %v to %v", e, first, last)
		}
		for k := 2; k < len(line); k += 2 { // where it passes a column
			for j, b := range a.boxes {
				if b.x == line[k-1].x && line[k].y > b.y && line[k].y < b.y+boxHeight {
					t.Errorf("the line of %v runs through box %d", e, j)
				}
			}
		}
	}
	return a
}

func TestArrange(t *testing.T) {
	f := func(boxes, columns, crossed int, edges ...edge) {
		t.Helper()
		a := check(t, boxes, edges)
		if want := 2*margin + float64(columns)*(boxWidth+betweenX) - betweenX; columns > 0 && a.width != want {
			t.Errorf("%v: it is %v wide, want %d columns", edges, a.width, columns)
		}
		places, _ := layers(boxes, edges)
		untangle(places)
		if n := crossings(places); n != crossed {
			t.Errorf("%v: %d lines cross, want %d", edges, n, crossed)
		}
	}
	f(0, 0, 0)
	f(1, 1, 0)
	f(3, 3, 0, edge{0, 1}, edge{1, 2})
	f(3, 3, 0, edge{2, 1}, edge{1, 0})             // whatever the order in the file
	f(4, 3, 0, edge{0, 1}, edge{1, 2}, edge{0, 2}) // one passes by
	f(4, 2, 0, edge{0, 3}, edge{1, 2})             // as they come, they would cross
	f(6, 2, 0, edge{0, 5}, edge{1, 4}, edge{2, 3})
	f(4, 2, 1, edge{0, 2}, edge{0, 3}, edge{1, 2}, edge{1, 3}) // there is no way without
	f(2, 2, 0, edge{0, 1}, edge{1, 0})                         // a loop, of which one line is left out
	f(1, 1, 0, edge{0, 0})
}

// Neighbours that stand alone are at the same height, so that a plain chain is a straight line.
func TestChainIsStraight(t *testing.T) {
	a := check(t, 4, []edge{{0, 1}, {1, 2}, {2, 3}})
	for _, b := range a.boxes {
		if b.y != margin {
			t.Errorf("a box is at %v", b)
		}
	}
	if a.height != boxHeight+2*margin {
		t.Errorf("it is %v high", a.height)
	}
}

func TestArrangeMany(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for boxes := 2; boxes <= 100; boxes += 7 {
		var edges []edge
		for to := 1; to < boxes; to++ {
			for range 1 + random.IntN(2) {
				edges = append(edges, edge{random.IntN(to), to})
			}
		}
		check(t, boxes, edges)
	}
}

func TestSpread(t *testing.T) {
	column := []*place{{box: 0}, {box: 1}, {box: 2}}
	const step = boxHeight + betweenY
	f := func(wanted, want [3]float64) {
		t.Helper()
		spread(column, wanted[:])
		for i, p := range column {
			if p.at != want[i] {
				t.Errorf("%v: number %d is at %v, want %v", wanted, i, p.at, want[i])
			}
		}
	}
	f([3]float64{0, 500, 1000}, [3]float64{0, 500, 1000})                 // there is room
	f([3]float64{100, 100, 100}, [3]float64{100 - step, 100, 100 + step}) // around what all want
	f([3]float64{0, 0, 1000}, [3]float64{-step / 2, step / 2, 1000})
}

package cli

import (
	"io"
	"strings"
	"unicode/utf8"

	"gozilla/telemetry"
)

// A table is text in columns that line up.
type table struct {
	columns []column
	rows    [][]string
}

// A column has a title, which may be empty, and is aligned to the left or to the right.
type column struct {
	title string
	right bool
}

// add adds a row, with a cell for each column; cells left out are empty.
func (t *table) add(cells ...string) {
	row := make([]string, len(t.columns))
	for i := range row {
		if i < len(cells) {
			row[i] = telemetry.OneLine(cells[i])
		}
	}
	t.rows = append(t.rows, row)
}

// columnGap is what stands between two columns.
const columnGap = "   "

// write writes the titles, if there are any, and the rows. Lines have no spaces at their ends.
func (t *table) write(w io.Writer) error {
	titles := make([]string, len(t.columns))
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		titles[i] = c.title
		widths[i] = utf8.RuneCountInString(c.title)
	}
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	if strings.Join(titles, "") != "" {
		t.line(&b, titles, widths)
	}
	for _, row := range t.rows {
		t.line(&b, row, widths)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *table) line(b *strings.Builder, cells []string, widths []int) {
	var line strings.Builder
	for i, cell := range cells {
		if i > 0 {
			line.WriteString(columnGap)
		}
		space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if t.columns[i].right {
			line.WriteString(space + cell)
		} else {
			line.WriteString(cell + space)
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

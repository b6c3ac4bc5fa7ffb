package component

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"gozilla/config"
)

// A Page is one page of the reference. It is made of what the code says, so that it says what the code does.
type Page struct {
	Name  string // as gozilla docs takes it: tcp, limits
	Title string
	Path  string // below docs/reference, without an ending
	write func(w io.Writer, as form) error
}

// form is how a page is shown.
type form int

const (
	markdown form = iota
	terminal
)

// Markdown is the page for a browser.
func (p Page) Markdown() []byte { return p.as(markdown) }

// Text is the page for a terminal.
func (p Page) Text() []byte { return p.as(terminal) }

func (p Page) as(f form) []byte {
	var b bytes.Buffer
	if f == markdown {
		fmt.Fprintf(&b, "<!-- Generated from the code by go generate. -->\n\n# %s\n\n", p.Title)
	} else {
		fmt.Fprintf(&b, "%s\n%s\n\n", p.Title, strings.Repeat("=", len(p.Title)))
	}
	if err := p.write(&b, f); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// TypePages are the pages of all component types, by category and name.
func TypePages() []Page {
	var pages []Page
	for _, c := range Categories() {
		for _, name := range c.Names() {
			t, _ := c.Lookup(name)
			pages = append(pages, Page{
				Name: name, Title: fmt.Sprintf("The %s %s", name, c.Name()), Path: c.Name() + "/" + name,
				write: func(w io.Writer, f form) error { return writeType(w, f, t) },
			})
		}
	}
	return pages
}

// ShapePage is the page of a config struct.
func ShapePage(name, title, path, intro string, s *config.Shape) Page {
	return Page{Name: name, Title: title, Path: path, write: func(w io.Writer, f form) error {
		fmt.Fprintf(w, "%s\n\n", intro)
		return writeShape(w, f, s)
	}}
}

func writeType(w io.Writer, f form, t Type) error {
	for i, v := range t.Variants() {
		if about := config.PackageComment(v.Shape); i == 0 && about != "" {
			writeProse(w, f, strings.TrimPrefix(about, "Package "))
		}
		if v.Kind != "" && f == markdown {
			fmt.Fprintf(w, "## kind: %s\n\n", v.Kind)
		} else if v.Kind != "" {
			fmt.Fprintf(w, "kind: %s\n%s\n\n", v.Kind, strings.Repeat("-", len(v.Kind)+6))
		}
		fmt.Fprintf(w, "%s\n\n", v.Shape.Comment)
		if err := writeShape(w, f, v.Shape); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return nil
}

func writeShape(w io.Writer, f form, s *config.Shape) error {
	if f == markdown {
		return s.Markdown(w, 3)
	}
	return s.Text(w, width)
}

// writeProse writes a package comment. Its drawings are indented, which is code in Markdown with a fence around.
func writeProse(w io.Writer, f form, text string) {
	if f == terminal {
		fmt.Fprintf(w, "%s\n\n", text)
		return
	}
	for _, paragraph := range strings.Split(text, "\n\n") {
		if !strings.HasPrefix(paragraph, "\t") {
			if strings.HasPrefix(paragraph, "# ") { // the page has a heading of its own above
				paragraph = "#" + paragraph
			}
			fmt.Fprintf(w, "%s\n\n", paragraph)
			continue
		}
		fmt.Fprintf(w, "```\n%s\n```\n\n", strings.ReplaceAll(paragraph[1:], "\n\t", "\n"))
	}
}

// TextPage is a page that is written out already.
func TextPage(name, title, path, text string) Page {
	return Page{Name: name, Title: title, Path: path, write: func(w io.Writer, f form) error {
		if f == terminal {
			text = fold(text)
		}
		_, err := io.WriteString(w, text)
		return err
	}}
}

// width is how wide pages are on a terminal, in characters.
const width = 100

// fold breaks the long lines of a text, those of lists with an indent.
func fold(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		next := ""
		if strings.HasPrefix(line, "* ") {
			next = "  "
		}
		for len(line) > width {
			at := strings.LastIndexByte(line[:width], ' ')
			if at <= len(next) {
				break
			}
			b.WriteString(line[:at] + "\n")
			line = next + line[at+1:]
		}
		b.WriteString(line)
	}
	return b.String()
}

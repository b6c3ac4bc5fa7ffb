//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// report is a whole run, as it is printed and written.
type report struct {
	o        *options
	when     time.Time
	machine  string
	suite    *suite // nil: all of them
	proxies  []reportedProxy
	outcomes []*outcome
}

type reportedProxy struct {
	Name    string `json:"name"`
	About   string `json:"settings"`
	Version string `json:"version"`
}

func newReport(o *options) *report {
	return &report{o: o, when: time.Now().UTC(), machine: machine()}
}

// machine says where the figures were taken.
func machine() string {
	var u unix.Utsname
	kernel := "unknown"
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Release[:])
	}
	cpu := "unknown CPU"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if k, v, _ := strings.Cut(line, ":"); strings.TrimSpace(k) == "model name" {
				cpu = strings.TrimSpace(v)
				break
			}
		}
	}
	return fmt.Sprintf("%d x %s, Linux %s, %s", runtime.NumCPU(), cpu, kernel, runtime.Version())
}

// write prints the tables of all suites and leaves three files for each, if there is a place for them.
func (r *report) write() error {
	for i, s := range r.suites() {
		if i > 0 {
			fmt.Println()
		}
		if err := s.writeSuite(); err != nil {
			return err
		}
	}
	return nil
}

// suites are reports of one suite each, with the proxies that take part.
func (r *report) suites() []*report {
	var all []*report
	for _, s := range suites {
		part := *r
		part.suite = s
		part.outcomes = slices.DeleteFunc(slices.Clone(r.outcomes), func(o *outcome) bool { return o.c.suite != s })
		part.proxies = slices.DeleteFunc(slices.Clone(r.proxies), func(p reportedProxy) bool {
			return !slices.ContainsFunc(part.outcomes, func(o *outcome) bool { return o.err != nil || o.of(p.Name) != nil })
		})
		if len(part.outcomes) > 0 {
			all = append(all, &part)
		}
	}
	return all
}

func (r *report) writeSuite() error {
	text := r.markdown()
	fmt.Print(text)
	if r.o.out == "" {
		return nil
	}
	data, err := r.json()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.o.out, 0o755); err != nil {
		return fmt.Errorf("cannot create directory: %w", err)
	}
	write := func(name string, b []byte) error {
		if err := os.WriteFile(filepath.Join(r.o.out, name), b, 0o644); err != nil {
			return fmt.Errorf("cannot write report: %w", err)
		}
		return nil
	}
	return errors.Join(
		write(r.suite.name+".md", []byte(text)),
		write(r.suite.name+".json", data),
		write(r.suite.name+".svg", []byte(chart(r.suite, r.subtitle(), r.outcomes))))
}

func (r *report) subtitle() string {
	return fmt.Sprintf("%s; %s; medians of %d rounds of %v", r.when.Format("2 January 2006"), r.machine, r.o.rounds, r.o.window)
}

// markdown has a table for each kind of case. Cells are padded: it reads well as plain text too.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s beside %s\n\n%s.\n\n", r.suite.title, r.suite.beside, r.subtitle())
	for _, p := range r.proxies {
		fmt.Fprintf(&b, "* %s: %s (%s)\n", p.Name, p.About, p.Version)
	}
	if r.suite.about != "" {
		fmt.Fprintf(&b, "\n%s\n", r.suite.about)
	}
	fmt.Fprintf(&b, "\nIQR: from the first to the third quartile of the rounds. x %s: median of the ratios within each round; less is better.\n", r.suite.short)
	for _, k := range kinds {
		if rows := r.rows(k); len(rows) > 0 {
			fmt.Fprintf(&b, "\n## %s\n\n%s", k.title, table(append([][]string{r.heads(k)}, rows...), 2))
		}
	}
	if rows := r.verdicts(); len(rows) > 0 {
		heads := []string{"case", "figure", subject, "target", "result"}
		fmt.Fprintf(&b, "\n## Targets\n\n%s", table(append([][]string{heads}, rows...), 2))
	}
	for _, o := range r.outcomes {
		if o.err != nil {
			fmt.Fprintf(&b, "\nFAILED %v\n", o.err)
		}
	}
	return b.String()
}

func (r *report) verdicts() [][]string {
	var rows [][]string
	for _, o := range r.outcomes {
		for _, v := range o.verdicts() {
			rows = append(rows, v.row(o.c))
		}
	}
	return rows
}

func (r *report) heads(k *kind) []string {
	first := k.metrics[0]
	h := []string{"case", "proxy", first.Head + " " + first.Unit, "IQR", "x " + r.suite.short, "IQR"}
	for _, m := range k.metrics[1:] {
		h = append(h, strings.TrimSpace(strings.TrimPrefix(m.Head+" "+m.Unit, "rate ")))
	}
	return h
}

func (r *report) rows(k *kind) [][]string {
	var rows [][]string
	for _, o := range r.outcomes {
		if o.c.kind != k {
			continue
		}
		for i, s := range o.series {
			name := ""
			if i == 0 {
				name = o.c.title
			}
			first := summarize(s.column(0))
			row := []string{name, s.proxy.name, figure(first.Median), span(first), "", ""}
			if ratio, ok := o.ratio(s); ok {
				row[4] = fmt.Sprintf("%.2f", ratio.Median)
				if s != o.base() {
					row[5] = fmt.Sprintf("%.2f-%.2f", ratio.Q1, ratio.Q3)
				}
			}
			for m := 1; m < len(k.metrics); m++ {
				row = append(row, figure(summarize(s.column(m)).Median))
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// ratio is the headline figure of a series, divided by that of the base.
func (o *outcome) ratio(s *series) (summary, bool) {
	base := o.base()
	if base == nil {
		return summary{}, false
	}
	rs := ratios(s.column(0), base.column(0))
	return summarize(rs), len(rs) > 0
}

// figure shows three digits that count.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func span(s summary) string { return figure(s.Q1) + "-" + figure(s.Q3) }

// table lays rows out as Markdown, the first as its head: the first left columns to the left, the
// others to the right.
func table(rows [][]string, left int) string {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	rule := make([]string, len(width))
	for i, w := range width {
		rule[i] = strings.Repeat("-", w)
		if i >= left {
			rule[i] = strings.Repeat("-", w-1) + ":"
		}
	}
	var b strings.Builder
	for _, row := range slices.Insert(slices.Clone(rows), 1, rule) {
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i < left {
				b.WriteString("| " + cell + pad + " ")
			} else {
				b.WriteString("| " + pad + cell + " ")
			}
		}
		b.WriteString("|\n")
	}
	return b.String()
}

type jsonRun struct {
	When    time.Time       `json:"when"`
	Machine string          `json:"machine"`
	Rounds  int             `json:"rounds"`
	WarmS   float64         `json:"warmSeconds"`
	WindowS float64         `json:"windowSeconds"`
	Proxies []reportedProxy `json:"proxies"`
	Cases   []jsonCase      `json:"cases"`
}

type jsonCase struct {
	Name    string       `json:"name"`
	Title   string       `json:"title"`
	Mode    mode         `json:"mode"`
	Metrics []metric     `json:"metrics"`
	RatioTo string       `json:"ratioTo,omitempty"`
	Targets []verdict    `json:"targets,omitempty"`
	Proxies []jsonSeries `json:"proxies,omitempty"`
	Error   string       `json:"error,omitempty"`
}

type jsonSeries struct {
	Name    string                `json:"name"`
	Ratio   *summary              `json:"ratio,omitempty"`
	Figures map[string]jsonFigure `json:"figures"`
}

type jsonFigure struct {
	summary
	Rounds []float64 `json:"rounds"`
}

func (r *report) json() ([]byte, error) {
	run := jsonRun{
		When: r.when, Machine: r.machine, Rounds: r.o.rounds,
		WarmS: r.o.warm.Seconds(), WindowS: r.o.window.Seconds(), Proxies: r.proxies,
	}
	for _, o := range r.outcomes {
		run.Cases = append(run.Cases, o.json())
	}
	b, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode report: %w", err)
	}
	return append(b, '\n'), nil
}

func (o *outcome) json() jsonCase {
	c := jsonCase{Name: o.c.name, Title: o.c.title, Mode: o.c.mode, Metrics: o.c.kind.metrics}
	if o.err != nil {
		c.Error = o.err.Error()
	}
	if base := o.base(); base != nil {
		c.RatioTo = base.proxy.name
	}
	c.Targets = o.verdicts()
	for _, s := range o.series {
		js := jsonSeries{Name: s.proxy.name, Figures: map[string]jsonFigure{}}
		if ratio, ok := o.ratio(s); ok {
			js.Ratio = &ratio
		}
		for i, m := range o.c.kind.metrics {
			col := s.column(i)
			js.Figures[m.Key] = jsonFigure{summarize(col), col}
		}
		c.Proxies = append(c.Proxies, js)
	}
	return c
}

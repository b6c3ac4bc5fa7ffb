//go:build linux

package main

import (
	"fmt"
	"html"
	"strings"
)

// Measures of the chart, in pixels.
const (
	chartWidth = 900
	barLeft    = 286 // where the bars begin
	barRight   = 710 // where the axis ends
	ratioRight = 758 // figures stand in columns: beside the bars they would meet the lines
	valueLeft  = 768
	barHeight  = 15
	barStep    = 19
	groupGap   = 16
	headHeight = 104
	axisMax    = 2.0 // longer bars are cut off, with a mark; their ratio tells how long
)

// chartStyle names colours per class, twice: CSS variables would be shorter, but librsvg and others
// do not know them.
const chartStyle = `<style>
text { font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-size: 18px; font-weight: 600 }
.soft { font-size: 11.5px; fill: #59636e }
.strong { font-weight: 600 }
.paper, .cut { fill: #ffffff }
.grid { stroke: #d8dee4 }
.one { stroke: #1f2328; stroke-width: 1.5 }
.whisker { stroke: #1f2328; stroke-width: 1.2; fill: none }
.gozilla { fill: #2f6fde }
.gozilla-relay { fill: #a5c1f3 }
.nginx { fill: #2f9461 }
.haproxy-64k { fill: #a9b3bf }
.nginx-64k { fill: #93ceb0 }
.coder { fill: #d9822b }
.gobwas { fill: #c2578f }
.other { fill: #b07ad0 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.soft { fill: #9198a1 }
.paper, .cut { fill: #0d1117 }
.grid { stroke: #30363d }
.one, .whisker { stroke: #e6edf3 }
.gozilla { fill: #4c8bf5 }
.gozilla-relay { fill: #31538f }
.nginx { fill: #3fb27a }
.haproxy-64k { fill: #6b7683 }
.nginx-64k { fill: #2b6a4c }
.coder { fill: #e09a4e }
.gobwas { fill: #d477a8 }
.other { fill: #b98be0 }
}
</style>
`

// knownBars are the proxies with a colour of their own.
var knownBars = []string{"gozilla", "nginx", "haproxy-64k", "nginx-64k", "gozilla-relay", coderPeer, gobwasPeer}

func barClass(name string) string {
	for _, k := range knownBars {
		if k == name {
			return name
		}
	}
	return "other"
}

// chart draws the headline figure of every case as a ratio to the base: a group of bars per case, the
// median as its length, the middle half of the rounds as a whisker.
func chart(s *suite, subtitle string, outcomes []*outcome) string {
	var body strings.Builder
	y := headHeight
	var names []string
	for _, o := range outcomes {
		if o.base() == nil {
			continue
		}
		names = append(names, barNames(o)...)
		y = drawGroup(&body, o, y) + groupGap
	}
	height := y + 18
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n",
		chartWidth, height, chartWidth, height)
	fmt.Fprintf(&b, "<title>%s: cost relative to %s</title>\n", html.EscapeString(s.title), html.EscapeString(s.beside))
	b.WriteString(chartStyle)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d"/>`+"\n", chartWidth, height)
	label(&b, 20, 30, "title", s.title+": cost relative to "+s.beside+", less is better")
	label(&b, 20, 49, "soft", subtitle)
	drawLegend(&b, names, s.beside)
	drawAxis(&b, y-groupGap+6)
	b.WriteString(body.String())
	b.WriteString("</svg>\n")
	return b.String()
}

func label(b *strings.Builder, x, y float64, class, text string) {
	fmt.Fprintf(b, `<text x="%.0f" y="%.0f" class="%s">%s</text>`+"\n", x, y, class, html.EscapeString(text))
}

func barNames(o *outcome) []string {
	var names []string
	for _, s := range o.series {
		if s != o.base() {
			names = append(names, s.proxy.name)
		}
	}
	return names
}

// drawLegend names each colour once, in the order of appearance.
func drawLegend(b *strings.Builder, names []string, beside string) {
	x := 20.0
	seen := map[string]bool{}
	for _, n := range names {
		if seen[n] {
			continue
		}
		seen[n] = true
		fmt.Fprintf(b, `<rect x="%.0f" y="61" width="12" height="12" rx="2" class="%s"/>`+"\n", x, barClass(n))
		label(b, x+18, 72, "", n)
		x += 34 + 7.6*float64(len(n))
	}
	fmt.Fprintf(b, `<line x1="%.0f" x2="%.0f" y1="60" y2="74" class="one"/>`+"\n", x+6, x+6)
	label(b, x+16, 72, "", beside+" = 1.00")
}

// barX is the place of a ratio on the axis.
func barX(ratio float64) float64 {
	return barLeft + min(ratio, axisMax)/axisMax*(barRight-barLeft)
}

func drawAxis(b *strings.Builder, bottom int) {
	for i := range 5 {
		v := axisMax * float64(i) / 4
		class := "grid"
		if v == 1 {
			class = "one"
		}
		x := barX(v)
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" class="%s"/>`+"\n", x, x, headHeight-8, bottom, class)
		fmt.Fprintf(b, `<text x="%.1f" y="%d" class="soft" text-anchor="middle">%.2f</text>`+"\n", x, headHeight-13, v)
	}
}

// drawGroup draws the bars of one case and returns where they end.
func drawGroup(b *strings.Builder, o *outcome, y int) int {
	m := o.c.kind.metrics[0]
	base := o.base()
	label(b, 20, float64(y+12), "strong", o.c.title)
	label(b, 20, float64(y+28), "soft", fmt.Sprintf("%s: %s %s", base.proxy.name, figure(base.headline()), m.Unit))
	end := y + 32
	for _, s := range o.series {
		if s == base {
			continue
		}
		if ratio, ok := o.ratio(s); ok {
			drawBar(b, s.proxy.name, y, ratio, figure(s.headline())+" "+m.Unit)
		}
		y += barStep
	}
	return max(end, y)
}

func drawBar(b *strings.Builder, name string, y int, ratio summary, value string) {
	x := barX(ratio.Median)
	fmt.Fprintf(b, `<g><title>%s: %.2f (%.2f-%.2f), %s</title>`, html.EscapeString(name), ratio.Median, ratio.Q1, ratio.Q3, value)
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" class="%s"/>`,
		barLeft, y, max(x-barLeft, 1), barHeight, barClass(name))
	if ratio.Median > axisMax {
		fmt.Fprintf(b, `<path d="M%d %d l6 -%d h5 l-6 %d z" class="cut"/>`, barRight-22, y+barHeight, barHeight, barHeight)
	} else {
		lo, hi, mid := barX(ratio.Q1), barX(ratio.Q3), float64(y)+barHeight/2.0
		fmt.Fprintf(b, `<path d="M%.1f %.1f H%.1f M%.1f %.1f v7 M%.1f %.1f v7" class="whisker"/>`,
			lo, mid, hi, lo, mid-3.5, hi, mid-3.5)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" class="strong" text-anchor="end">%.2f</text>`, ratioRight, y+12, ratio.Median)
	fmt.Fprintf(b, `<text x="%d" y="%d" class="soft">%s</text></g>`+"\n", valueLeft, y+12, html.EscapeString(value))
}

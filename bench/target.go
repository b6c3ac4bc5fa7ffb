//go:build linux

package main

import "fmt"

// target is the most that a case's headline figure of gozilla may be, for what it is built.
type target struct {
	most float64
	over string // the proxy whose figure it is divided by, bestPeer, or "": the figure itself counts
}

// verdict is how gozilla did in a case.
type verdict struct {
	Value float64 `json:"value"`
	Most  float64 `json:"most"`
	Over  string  `json:"over,omitempty"`
	Met   bool    `json:"met"`
}

// verdicts has none for a target where a party is missing.
func (o *outcome) verdicts() []verdict {
	var all []verdict
	s := o.of(subject)
	if s == nil {
		return nil
	}
	for _, t := range o.c.targets {
		values := s.column(0)
		if t.over != "" {
			base := o.of(t.over)
			if t.over == bestPeer {
				base = o.base()
			}
			if base == nil {
				continue
			}
			values = ratios(values, base.column(0))
		}
		if v := summarize(values).Median; len(values) > 0 {
			all = append(all, verdict{Value: v, Most: t.most, Over: t.over, Met: v <= t.most})
		}
	}
	return all
}

// row is the verdict in a table.
func (v verdict) row(c *testCase) []string {
	unit, result := c.kind.metrics[0].Unit, "met"
	if v.Over != "" {
		unit = "x " + v.Over
	}
	if !v.Met {
		result = "missed"
	}
	return []string{c.title, unit, fmt.Sprintf("%.2f", v.Value), fmt.Sprintf("<= %.2f", v.Most), result}
}

//go:build linux

package main

import (
	"math/bits"
	"slices"
)

// summary of the rounds of one figure.
type summary struct {
	Median float64 `json:"median"`
	Q1     float64 `json:"q1"`
	Q3     float64 `json:"q3"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func summarize(xs []float64) summary {
	if len(xs) == 0 {
		return summary{}
	}
	s := slices.Sorted(slices.Values(xs))
	return summary{
		Median: quantile(s, 0.5), Q1: quantile(s, 0.25), Q3: quantile(s, 0.75),
		Min: s[0], Max: s[len(s)-1],
	}
}

// quantile interpolates between the two neighbours in a sorted list (R's type 7).
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	part := at - float64(i)
	return sorted[i]*(1-part) + sorted[i+1]*part
}

// ratios divides round by round: neighbours in time met the same machine.
func ratios(xs, base []float64) []float64 {
	out := make([]float64, 0, len(xs))
	for i := range min(len(xs), len(base)) {
		if base[i] > 0 {
			out = append(out, xs[i]/base[i])
		}
	}
	return out
}

const (
	histBits = 7 // 128 steps per octave: values are right to within 1 %
	histSub  = 1 << histBits
)

// histogram counts nanoseconds in steps that grow with the value, as HdrHistogram does.
type histogram struct {
	counts [(64 - histBits + 1) * histSub]int64
	total  int64
}

func (h *histogram) add(ns int64) {
	h.counts[histIndex(uint64(max(ns, 0)))]++
	h.total++
}

func (h *histogram) reset() { *h = histogram{} }

// quantile is the upper edge of the step that holds the q-th value.
func (h *histogram) quantile(q float64) int64 {
	if h.total == 0 {
		return 0
	}
	left := int64(q * float64(h.total-1))
	for i, n := range h.counts {
		if left < n {
			return histUpper(i)
		}
		left -= n
	}
	return histUpper(len(h.counts) - 1)
}

// histIndex keeps the leading histBits+1 bits of v.
func histIndex(v uint64) int {
	shift := max(0, bits.Len64(v)-histBits-1)
	return shift*histSub + int(v>>shift)
}

// histUpper is the largest value that falls on index i.
func histUpper(i int) int64 {
	shift := max(0, i/histSub-1)
	return int64((uint64(i-shift*histSub)+1)<<shift - 1)
}

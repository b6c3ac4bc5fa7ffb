//go:build linux

package main

import (
	"math"
	"slices"
	"testing"
)

func TestSummarize(t *testing.T) {
	f := func(xs []float64, want summary) {
		t.Helper()
		if got := summarize(xs); got != want {
			t.Errorf("summarize(%v) = %+v, want %+v", xs, got, want)
		}
	}
	f(nil, summary{})
	f([]float64{7}, summary{7, 7, 7, 7, 7})
	f([]float64{4, 1, 3, 2}, summary{Median: 2.5, Q1: 1.75, Q3: 3.25, Min: 1, Max: 4})
	f([]float64{5, 1, 4, 2, 3}, summary{Median: 3, Q1: 2, Q3: 4, Min: 1, Max: 5})
}

func TestRatios(t *testing.T) {
	got := ratios([]float64{1, 3, 9}, []float64{2, 2, 0})
	if want := []float64{0.5, 1.5}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	if got := h.quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing = %d", got)
	}
	for i := range int64(100_000) {
		h.add(i * 100)
	}
	for _, q := range []float64{0.01, 0.5, 0.99, 1} {
		want := q * 100_000 * 100
		if got := float64(h.quantile(q)); math.Abs(got-want) > want*0.01+100 {
			t.Errorf("quantile(%v) = %v, want %v within 1 %%", q, got, want)
		}
	}
	h.reset()
	if h.total != 0 || h.quantile(1) != 0 {
		t.Error("reset leaves values")
	}
}

// Every value lies on the step whose upper edge is the next at or above it.
func TestHistogramSteps(t *testing.T) {
	for _, v := range []uint64{0, 1, 127, 128, 255, 256, 257, 511, 512, 1 << 20, 1<<20 + 1, 1<<40 - 1, math.MaxInt64} {
		i := histIndex(v)
		if up := histUpper(i); up < int64(v) || float64(up) > float64(v)*1.01 {
			t.Errorf("%d is on step %d, which ends at %d", v, i, up)
		}
		if i > 0 && histUpper(i-1) >= int64(v) {
			t.Errorf("%d is on step %d, but fits on the one before", v, i)
		}
	}
	if i := histIndex(math.MaxUint64); i != len(histogram{}.counts)-1 {
		t.Errorf("largest value on step %d of %d", i, len(histogram{}.counts))
	}
}

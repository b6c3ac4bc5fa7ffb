//go:build linux

package main

import (
	"slices"
	"testing"
)

func TestVerdict(t *testing.T) {
	f := func(o *outcome, want ...verdict) {
		t.Helper()
		if got := o.verdicts(); !slices.Equal(got, want) {
			t.Errorf("got %+v", got)
		}
	}
	of := func(name string, values ...float64) *series {
		s := &series{proxy: &proxy{name: name}}
		for _, v := range values {
			s.rows = append(s.rows, []float64{v})
		}
		return s
	}
	over := &testCase{kind: messages, targets: []target{{0.9, baseline}}}
	f(&outcome{c: over, series: []*series{of("haproxy", 10, 10, 20), of("gozilla", 8, 9, 10)}}, verdict{0.8, 0.9, baseline, true})
	f(&outcome{c: over, series: []*series{of("haproxy", 10), of("gozilla", 10)}}, verdict{1, 0.9, baseline, false})
	f(&outcome{c: over, series: []*series{of("gozilla", 10)}})
	f(&outcome{c: over, series: []*series{of("haproxy", 10)}})
	f(&outcome{c: over})
	f(&outcome{c: &testCase{kind: messages}, series: []*series{of("haproxy", 10), of("gozilla", 10)}})
	plain := &testCase{kind: memories, targets: []target{{most: 20}}}
	f(&outcome{c: plain, series: []*series{of("haproxy", 10), of("gozilla", 19, 20, 30)}}, verdict{20, 20, "", true})
	both := &testCase{kind: messages, targets: []target{{1, baseline}, {0.8, "nginx"}}}
	f(&outcome{c: both, series: []*series{of("haproxy", 10), of("nginx", 8), of("gozilla", 8)}}, verdict{0.8, 1, baseline, true}, verdict{1, 0.8, "nginx", false})
	better := &testCase{suite: wsSuite, kind: messages, targets: []target{{0.8, bestPeer}}}
	f(&outcome{c: better, series: []*series{of("gozilla", 7), of(coderPeer, 10), of(gobwasPeer, 14)}}, verdict{0.7, 0.8, bestPeer, true})
	f(&outcome{c: better, series: []*series{of("gozilla", 7), of(coderPeer, 14), of(gobwasPeer, 8)}}, verdict{0.875, 0.8, bestPeer, false})
	f(&outcome{c: better, series: []*series{of("gozilla", 7)}})
	f(&outcome{c: both, series: []*series{of("nginx", 10), of("gozilla", 8)}}, verdict{0.8, 0.8, "nginx", true})
}

//go:build linux

package main

import "testing"

func TestVerdict(t *testing.T) {
	f := func(o *outcome, want verdict, wantOK bool) {
		t.Helper()
		if got, ok := o.verdict(); got != want || ok != wantOK {
			t.Errorf("got %+v, %v", got, ok)
		}
	}
	of := func(name string, values ...float64) *series {
		s := &series{proxy: &proxy{name: name}}
		for _, v := range values {
			s.rows = append(s.rows, []float64{v})
		}
		return s
	}
	over := &testCase{kind: messages, target: &target{0.9, baseline}}
	f(&outcome{c: over, series: []*series{of("haproxy", 10, 10, 20), of("gozilla", 8, 9, 10)}}, verdict{0.8, 0.9, baseline, true}, true)
	f(&outcome{c: over, series: []*series{of("haproxy", 10), of("gozilla", 10)}}, verdict{1, 0.9, baseline, false}, true)
	f(&outcome{c: over, series: []*series{of("gozilla", 10)}}, verdict{}, false)
	f(&outcome{c: over, series: []*series{of("haproxy", 10)}}, verdict{}, false)
	f(&outcome{c: over}, verdict{}, false)
	f(&outcome{c: &testCase{kind: messages}, series: []*series{of("haproxy", 10), of("gozilla", 10)}}, verdict{}, false)
	plain := &testCase{kind: memories, target: &target{most: 20}}
	f(&outcome{c: plain, series: []*series{of("haproxy", 10), of("gozilla", 19, 20, 30)}}, verdict{20, 20, "", true}, true)
}

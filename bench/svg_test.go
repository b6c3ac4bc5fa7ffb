//go:build linux

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sample is a run with plain figures: HAProxy 10, nginx 9, gozilla 5; nginx far off in the second case.
func sample() []*outcome {
	rows := func(n int, vs ...float64) [][]float64 {
		var out [][]float64
		for _, v := range vs {
			row := make([]float64, n)
			row[0] = v
			out = append(out, row)
		}
		return out
	}
	make := func(c *testCase, all map[string][][]float64) *outcome {
		o := &outcome{c: c}
		for _, p := range allProxies() {
			if r := all[p.name]; r != nil {
				o.series = append(o.series, &series{proxy: p, rows: r})
			}
		}
		return o
	}
	return []*outcome{
		make(&testCase{name: "msg-64", title: "64 connections, 64 B", suite: relaySuite, kind: messages, mode: modeTCP, targets: []target{{0.9, baseline}}}, map[string][][]float64{
			"haproxy": rows(4, 10, 10, 10), "nginx": rows(4, 9, 9, 10), "gozilla": rows(4, 5, 5, 5)}),
		make(&testCase{name: "memory", title: "idle & <held>", suite: relaySuite, kind: memories, mode: modeTCP}, map[string][][]float64{
			"haproxy": rows(3, 3), "nginx": rows(3, 17), "gozilla": rows(3, 0.3)}),
		{c: &testCase{name: "churn", title: "churn", suite: relaySuite, kind: connections}, err: errors.New("churn: nginx, round 2: cannot receive")},
	}
}

func TestChart(t *testing.T) {
	got := chart(relaySuite, "a day; a machine", sample())
	for d := xml.NewDecoder(strings.NewReader(got)); ; {
		_, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
	}
	for what, want := range map[string]int{
		"bars of gozilla and its legend": strings.Count(got, `class="gozilla"`) - 3,
		"bars that are cut off":          strings.Count(got, `class="cut"`) - 1,
		"whiskers":                       strings.Count(got, `class="whisker"`) - 3,
		"escaped title":                  strings.Count(got, "idle &amp; &lt;held&gt;") - 1,
		"a failed case":                  strings.Count(got, "churn"),
	} {
		if want != 0 {
			t.Errorf("%s: %+d", what, want)
		}
	}
	golden(t, "chart.svg", got)
}

// A title that is longer would run into the bars.
func TestTitles(t *testing.T) {
	for _, c := range cases {
		if len(c.title) > 34 {
			t.Errorf("%s has a title of %d letters", c.name, len(c.title))
		}
	}
}

// golden compares with a file in testdata, which UPDATE=1 rewrites.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (UPDATE=1 rewrites it):\n%s", path, got)
	}
}

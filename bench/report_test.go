//go:build linux

package main

import (
	"encoding/json"
	"testing"
	"time"
)

func sampleReport() *report {
	return &report{
		suite:    relaySuite,
		o:        &options{rounds: 3, window: 2 * time.Second, warm: time.Second},
		when:     time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC),
		machine:  "a machine",
		proxies:  []reportedProxy{{"haproxy", "defaults", "2.6"}, {"gozilla", "records on", "go1.26"}},
		outcomes: sample(),
	}
}

func TestMarkdown(t *testing.T) { golden(t, "relay.md", sampleReport().markdown()) }

func TestTable(t *testing.T) {
	got := table([][]string{{"a", "bc"}, {"long", "1"}, {"", "µ"}}, 1)
	want := "" +
		"| a    | bc |\n" +
		"| ---- | -: |\n" +
		"| long |  1 |\n" +
		"|      |  µ |\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Each suite has a report of its own, with the proxies that take part.
func TestSuites(t *testing.T) {
	r := sampleReport()
	r.proxies = append(r.proxies, reportedProxy{"squid", "takes no part", "7"})
	secure := &testCase{name: "tls-msg", title: "secured", suite: tlsSuite, kind: messages}
	r.outcomes = append(r.outcomes, &outcome{c: secure, series: r.outcomes[0].series[2:]})
	parts := r.suites()
	if len(parts) != 2 || parts[0].suite != relaySuite || parts[1].suite != tlsSuite {
		t.Fatalf("%d parts", len(parts))
	}
	if got := len(parts[0].outcomes); got != 3 {
		t.Errorf("the relay has %d cases", got)
	}
	if got := parts[1]; len(got.outcomes) != 1 || len(got.proxies) != 1 || got.proxies[0].Name != subject {
		t.Errorf("tls has %d cases of %v", len(got.outcomes), got.proxies)
	}
}

func TestJSON(t *testing.T) {
	b, err := sampleReport().json()
	if err != nil {
		t.Fatal(err)
	}
	var run jsonRun
	if err := json.Unmarshal(b, &run); err != nil {
		t.Fatal(err)
	}
	first := run.Cases[0].Proxies[2]
	if first.Name != "gozilla" || first.Ratio.Median != 0.5 || first.Figures["cpu"].Median != 5 || len(first.Figures["cpu"].Rounds) != 3 {
		t.Errorf("gozilla in %s: %+v", run.Cases[0].Name, first)
	}
	if got := run.Cases[0].Targets; len(got) != 1 || !got[0].Met || got[0].Value != 0.5 || run.Cases[1].Targets != nil {
		t.Errorf("targets %+v", got)
	}
	if failed := run.Cases[2]; failed.Error == "" || failed.Proxies != nil {
		t.Errorf("a failed case has an error and no figures: %+v", failed)
	}
}

func TestFigure(t *testing.T) {
	f := func(v float64, want string) {
		t.Helper()
		if got := figure(v); got != want {
			t.Errorf("figure(%v) = %s, want %s", v, got, want)
		}
	}
	f(1234.5, "1234")
	f(12.345, "12.3")
	f(1.234, "1.23")
	f(0.1234, "0.123")
	f(0, "0.000")
}

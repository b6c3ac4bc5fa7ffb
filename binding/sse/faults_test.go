package sse_test

import (
	"context"
	"strings"
	"testing"

	"gozilla/config"
	"gozilla/engine"
	"gozilla/internal/gwtest"
)

// TestFaults has files with faults, and what is told of them.
func TestFaults(t *testing.T) {
	gwtest.RunArchives(t, "testdata/bad/*.txtar", func(t *testing.T, a *gwtest.Archive) {
		plan := engine.Load(context.Background(), config.Source{Name: "zilla.yaml", Text: []byte(a.Text("zilla.yaml"))}, engine.Options{})
		var all []config.Fault
		for _, f := range plan.Report.Faults() {
			if !strings.Contains(f.Text, "no stream comes to") {
				all = append(all, f)
			}
		}
		got := ""
		if len(all) > 0 {
			got = (&config.Invalid{Faults: all}).Error() + "\n"
		}
		a.Expect(t, "faults", got)
	})
}

package gwtest

import (
	"strings"
	"testing"

	"gozilla/config"
	"gozilla/engine"
)

// RunFaults loads the zilla.yaml of every archive that the pattern names, and compares what a user is told is wrong with it,
// but for bindings that nothing leads to. With -update, that becomes what is expected.
func RunFaults(t *testing.T, pattern string) {
	t.Helper()
	RunArchives(t, pattern, func(t *testing.T, a *Archive) {
		plan := engine.Load(t.Context(), config.Source{Name: "zilla.yaml", Text: []byte(a.Text("zilla.yaml"))}, engine.Options{})
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

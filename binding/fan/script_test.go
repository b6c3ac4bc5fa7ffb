package fan_test

import (
	"testing"

	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestScripts(t *testing.T) { gwtest.RunScripts(t, "testdata/*.txtar") }

// TestScriptsWatched wants nobody to notice that somebody watches.
func TestScriptsWatched(t *testing.T) {
	gwtest.RunScripts(t, "testdata/*.txtar", gwtest.Watched())
}

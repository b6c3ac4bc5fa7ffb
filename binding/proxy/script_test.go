package proxy_test

import (
	"testing"

	_ "gozilla/binding/proxy"
	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestScripts has the scenarios of zilla under their names.
func TestScripts(t *testing.T) { gwtest.RunScripts(t, "testdata/*.txtar") }

// TestScriptsWatched wants nobody to notice that somebody watches.
func TestScriptsWatched(t *testing.T) {
	gwtest.RunScripts(t, "testdata/*.txtar", gwtest.Watched())
}

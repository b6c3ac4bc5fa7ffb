package ws_test

import (
	"testing"

	"gozilla/internal/gwtest"
)

// TestFaults has files with faults, and what is told of them.
func TestFaults(t *testing.T) { gwtest.RunFaults(t, "testdata/bad/*.txtar") }

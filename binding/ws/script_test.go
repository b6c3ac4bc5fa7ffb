package ws_test

import (
	"testing"

	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestScripts(t *testing.T) { gwtest.RunScripts(t, "testdata/*.txtar") }

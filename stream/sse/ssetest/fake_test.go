package ssetest_test

import (
	"testing"

	"gozilla/internal/gwtest/leak"
	"gozilla/stream/sse/ssetest"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestFake(t *testing.T) {
	ssetest.Run(t, func(*testing.T) ssetest.Source { return ssetest.Of(&ssetest.Fake{}) })
}

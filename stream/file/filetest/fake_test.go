package filetest_test

import (
	"testing"

	"gozilla/internal/gwtest/leak"
	"gozilla/stream/file"
	"gozilla/stream/file/filetest"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestFake(t *testing.T) {
	filetest.Run(t, func(*testing.T) file.Port { return &filetest.Fake{} })
}

package filesystem

import (
	"os"
	"path/filepath"
	"testing"

	"gozilla/internal/gwtest/leak"
	"gozilla/stream/file"
	"gozilla/stream/file/filetest"
)

func TestMain(m *testing.M) { leak.Main(m) }

// serving is a server of a folder of its own.
func serving(t testing.TB, links Symlinks) (*server, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return serverOf(t, dir, links), dir
}

func serverOf(t testing.TB, dir string, links Symlinks) *server {
	s := &server{follow: links == Follow}
	s.location.folder = dir
	s.watch.look = s.look
	t.Cleanup(s.location.close)
	return s
}

func TestConformance(t *testing.T) {
	for _, links := range []Symlinks{Ignore, Follow} {
		t.Run(string(links), func(t *testing.T) {
			filetest.Run(t, func(t *testing.T) file.Port {
				s, _ := serving(t, links)
				return s
			})
		})
	}
}

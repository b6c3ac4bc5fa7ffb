package test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"testing"
)

// browsers are the names that Chromium goes by.
var browsers = []string{"chromium-headless-shell", "chromium", "google-chrome", "chromium-browser"}

// visit opens a page in a browser and gives what it looks like once its requests are over.
func visit(t testing.TB, url string) string {
	t.Helper()
	i := slices.IndexFunc(browsers, func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	path := need(t, browsers[max(i, 0)], browsers[0])
	dir, err := os.MkdirTemp("", "browser")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir) // its children may write still: what is left is the system's to remove
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// It sees our own pages only, so it need not be shut in, which it cannot be as root. Its clock goes on as soon as it
	// waits for nothing but that.
	out, err := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+dir, "--virtual-time-budget=20000", "--dump-dom", url).Output()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(out)
}

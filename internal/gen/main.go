// Gen writes the files of the tree that are made of others: run it by "go generate ./...", or directly:
//
//	go run gozilla/internal/gen          writes what is stale
//	go run gozilla/internal/gen -check   lists what is stale and exits with 1
//
//	folders under binding/ guard/ … ──▶ internal/all/packages.go   what is built in
//	doc comments of config structs  ──▶ internal/all/comments.go   what the pages say
//
// A further file is a further writer.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A writer makes one file of the tree at root. The path is relative to root, with slashes. It does not write.
type writer func(root string) (path string, content []byte, err error)

var writers = []writer{comments, packages}

func main() {
	check := flag.Bool("check", false, "only list the files that are stale, and exit with 1 if there are any")
	flag.Parse()
	stale, err := run(*check)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(2)
	}
	for _, path := range stale {
		fmt.Println(path)
	}
	if *check && len(stale) > 0 {
		fmt.Fprintln(os.Stderr, "gen: the files above are stale: run go generate ./...")
		os.Exit(1)
	}
}

// run makes every file and gives the paths of those that were stale. With check it leaves them so.
func run(check bool) (stale []string, err error) {
	root, err := findRoot()
	if err != nil {
		return nil, err
	}
	for _, w := range writers {
		path, content, err := w(root)
		if err != nil {
			return nil, err
		}
		name := filepath.Join(root, filepath.FromSlash(path))
		old, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot compare %s: %w", path, err)
		}
		if err == nil && bytes.Equal(old, content) {
			continue
		}
		stale = append(stale, path)
		if check {
			continue
		}
		if err := write(name, content); err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", path, err)
		}
	}
	return stale, nil
}

func write(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o644)
}

// findRoot is the nearest folder above that has a go.mod.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("cannot find the module: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("cannot find the module: no go.mod above")
		}
		dir = up
	}
}

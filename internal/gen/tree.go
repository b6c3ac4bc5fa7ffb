package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const module = "gozilla"

// kinds are the folders whose direct children are implementations.
var kinds = []string{"binding", "guard", "vault", "catalog", "store", "model", "exporter"}

// documented are the folders that hold config structs, with all below them.
var documented = append([]string{"component", "config", "stream"}, kinds...)

// sources are the Go files of one folder, without tests.
func sources(root, folder string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(root, folder))
	if err != nil {
		return nil, fmt.Errorf("cannot list %s: %w", folder, err)
	}
	var names []string
	for _, e := range entries {
		if name := e.Name(); !e.IsDir() && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			names = append(names, filepath.Join(root, folder, name))
		}
	}
	return names, nil
}

// packageFolders lists a folder and those below it that hold a package, with slashes. One that does not exist has none.
func packageFolders(root, top string) ([]string, error) {
	var folders []string
	err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && os.IsNotExist(err):
			return nil
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case d.Name() == "testdata" || d.Name() == "internal":
			return fs.SkipDir
		}
		folder, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files, err := sources(root, folder)
		if err == nil && len(files) > 0 {
			folders = append(folders, filepath.ToSlash(folder))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot walk %s: %w", top, err)
	}
	slices.Sort(folders)
	return folders, nil
}

// parse reads the files of a folder with their comments.
func parse(root, folder string) ([]*ast.File, error) {
	names, err := sources(root, folder)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	files := make([]*ast.File, len(names))
	for i, name := range names {
		files[i], err = parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("cannot parse %s: %w", folder, err)
		}
	}
	return files, nil
}

// Pages writes the reference pages and the schema for editors, which are made of what the binary knows. It runs after
// internal/gen, which writes what the binary is made of.
//
//	go run gozilla/internal/gen/pages          writes what is stale
//	go run gozilla/internal/gen/pages -check   lists what is stale and exits with 1
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"gozilla/cli"
	_ "gozilla/internal/all"
)

func main() {
	check := flag.Bool("check", false, "only list the files that are stale, and exit with 1 if there are any")
	root := flag.String("root", "", "the folder of the module; by default the one above that has a go.mod")
	flag.Parse()
	stale, err := run(*root, *check)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pages:", err)
		os.Exit(2)
	}
	for _, path := range stale {
		fmt.Println(path)
	}
	if *check && len(stale) > 0 {
		fmt.Fprintln(os.Stderr, "pages: the files above are stale: run go generate ./...")
		os.Exit(1)
	}
}

// run writes every file that is stale, or only names them.
func run(root string, check bool) (stale []string, err error) {
	if root == "" {
		if root, err = findRoot(); err != nil {
			return nil, err
		}
	}
	files, err := files(root)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		name := filepath.Join(root, "docs", filepath.FromSlash(f.path))
		old, err := os.ReadFile(name)
		if err == nil && bytes.Equal(old, f.content) {
			continue
		}
		stale = append(stale, "docs/"+f.path)
		if check {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(name, f.content, 0o644); err != nil {
			return nil, err
		}
	}
	return stale, nil
}

type file struct {
	path    string // below docs
	content []byte
}

func files(root string) ([]file, error) {
	schema, err := cli.Schema()
	if err != nil {
		return nil, err
	}
	all := []file{{"zilla.schema.json", schema}}
	var index bytes.Buffer
	index.WriteString("<!-- Generated from the code by go generate. -->\n\n# Reference\n\n")
	for _, p := range cli.Pages() {
		examples, err := examples(root, p.Path)
		if err != nil {
			return nil, err
		}
		all = append(all, file{"reference/" + p.Path + ".md", append(p.Markdown(), examples...)})
		fmt.Fprintf(&index, "* [%s](%s.md)\n", p.Title, p.Path)
	}
	index.WriteString("* [The JSON schema for editors](../zilla.schema.json)\n")
	return append(all, file{"reference/README.md", index.Bytes()}), nil
}

func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no folder above has a go.mod")
		}
		dir = up
	}
}

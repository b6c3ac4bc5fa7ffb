package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// examples are the conversations by which a component is tested, as part of its page: those that say what they are
// about, each with its configuration. They run with the tests, so they work.
func examples(root, component string) ([]byte, error) {
	names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(component), "testdata", "*.txtar"))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		about, yaml := exampleOf(string(text))
		if about == "" {
			continue
		}
		if b.Len() == 0 {
			b.WriteString("\n## Examples\n")
		}
		fmt.Fprintf(&b, "\n%s\n\n```yaml\n%s```\n", about, yaml)
	}
	return b.Bytes(), nil
}

// exampleOf is the comment before the first file of an archive, and the file zilla.yaml.
func exampleOf(archive string) (about, yaml string) {
	const marker = "-- zilla.yaml --\n"
	about, rest, _ := strings.Cut(archive, "-- ")
	if _, after, ok := strings.Cut("-- "+rest, marker); ok {
		yaml, _, _ = strings.Cut(after, "\n-- ")
	}
	return strings.TrimSpace(about), strings.TrimRight(yaml, "\n") + "\n"
}

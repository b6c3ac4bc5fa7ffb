package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// A certFile is a file to be written.
type certFile struct {
	File       string     `json:"file"`
	Purpose    string     `json:"purpose"`
	Subject    string     `json:"subject,omitempty"`
	Aliases    []string   `json:"aliases,omitempty"`
	ValidUntil *time.Time `json:"validUntil,omitempty"`

	content []byte
	secret  bool
	temp    string
}

func (m *certMaker) add(files ...certFile) {
	for _, f := range files {
		f.File = m.path(f.File)
		m.made = append(m.made, f)
	}
}

// checkFiles tells of files that cannot be written.
func (m *certMaker) checkFiles() error {
	for i, f := range m.made {
		// Not every file system tells upper from lower case.
		if slices.ContainsFunc(m.made[:i], func(g certFile) bool { return strings.EqualFold(f.File, g.File) }) {
			return usagef("%s would be written twice: each NAME is of one authority, server, client or trust store", f.File)
		}
		switch have, err := os.Lstat(f.File); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("cannot write %s: %w", f.File, err)
		case have.IsDir():
			return fmt.Errorf("cannot write %s: it is a directory", f.File)
		case !m.force:
			return fmt.Errorf("%s is there already; nothing was written, --force overwrites it", f.File)
		}
	}
	return nil
}

// write writes all files under other names, then gives them theirs.
func (m *certMaker) write() (err error) {
	if err := m.makeDir(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			for _, f := range m.made {
				if f.temp != "" {
					os.Remove(f.temp)
				}
			}
		}
	}()
	for i := range m.made {
		if err := m.made[i].writeTemp(m.dir); err != nil {
			return err
		}
	}
	for i := range m.made {
		f := &m.made[i]
		if err := os.Rename(f.temp, f.File); err != nil {
			return fmt.Errorf("cannot write %s: %w", f.File, err)
		}
		f.temp = ""
	}
	return nil
}

// makeDir makes the directory, if it is not there, and keeps it out of git.
func (m *certMaker) makeDir() error {
	if _, err := os.Stat(m.dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return fmt.Errorf("cannot make the directory: %w", err)
	}
	if err := os.WriteFile(m.path(".gitignore"), []byte("*\n"), 0o644); err != nil {
		return fmt.Errorf("cannot keep the directory out of git: %w", err)
	}
	return nil
}

// writeTemp writes the file under another name, which nobody but its owner may read until it is complete.
func (f *certFile) writeTemp(dir string) error {
	t, err := os.CreateTemp(dir, ".certs-*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", f.File, err)
	}
	f.temp = t.Name()
	_, err = t.Write(f.content)
	if err == nil && !f.secret {
		err = t.Chmod(0o644)
	}
	if err := cmp.Or(err, t.Sync(), t.Close()); err != nil {
		return fmt.Errorf("cannot write %s: %w", f.File, err)
	}
	return nil
}

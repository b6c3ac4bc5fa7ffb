package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"gozilla/telemetry"
)

// accessOptions are the flags of gozilla start for the access log.
type accessOptions struct {
	format string // one of telemetry.AccessFormats, "" for no access log
	file   string // "" for standard output
}

func (o accessOptions) check() error {
	switch {
	case o.format != "" && !slices.Contains(telemetry.AccessFormats, o.format):
		return usagef("the access log must be %s, not %q", oneOf(telemetry.AccessFormats), o.format)
	case o.format == "" && o.file != "":
		return usagef("--access-log-file needs --access-log, which says in which form")
	}
	return nil
}

// oneOf lists words for a sentence: a, b or c.
func oneOf(words []string) string {
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// accessClosing is how long the end of the process waits for the access log to be written.
const accessClosing = 2 * time.Second

// openAccess writes the exchanges that end from now on to the access log, if there is one, until closing is called.
func (s *starter) openAccess(ctx context.Context) (closing func(), err error) {
	if s.access.format == "" {
		return func() {}, nil
	}
	var out io.Writer = s.env.Stdout
	closeFile := func() {}
	if s.access.file != "" {
		f, err := openAccessFile(s.access.file)
		if err != nil {
			return nil, fmt.Errorf("cannot open the access log: %w", err)
		}
		out, closeFile = f, func() { f.file.Close() }
	}
	ctx, cancel := context.WithCancel(ctx)
	access := telemetry.NewAccessLog(s.access.format, out, s.log)
	undo := s.host.Log.HandleRecords(access.Record)
	done := make(chan struct{})
	go func() { // ends with ctx, unless the system holds its last write
		defer close(done)
		access.Run(ctx)
		closeFile()
	}()
	return func() {
		undo()
		cancel()
		select {
		case <-done:
		case <-time.After(accessClosing):
			s.log.Warn("the end of the access log could not be written in time")
		}
	}, nil
}

// An accessFile is a file that is written at its end. When another program has moved it away, as those that rotate logs
// do, it is made anew.
type accessFile struct {
	name string
	file *os.File
}

func openAccessFile(name string) (*accessFile, error) {
	f := &accessFile{name: name}
	return f, f.open()
}

func (f *accessFile) open() (err error) {
	f.file, err = os.OpenFile(f.name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	return err
}

// Write is part of io.Writer. It is called by one goroutine.
func (f *accessFile) Write(b []byte) (int, error) {
	if f.moved() {
		f.file.Close()
		if err := f.open(); err != nil {
			return 0, err
		}
	}
	return f.file.Write(b)
}

func (f *accessFile) moved() bool {
	have, err := f.file.Stat()
	if err != nil {
		return true
	}
	there, err := os.Stat(f.name)
	return err != nil || !os.SameFile(have, there)
}

package cli

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"time"
)

// notifyDiagnose sends the signal on which diagnostics are written.
func notifyDiagnose(c chan os.Signal) { signal.Notify(c, diagnoseSignal) }

// diagnoseOnSignal is the goroutine that writes diagnostics when they are asked for. It ends when over is closed.
func (s *starter) diagnoseOnSignal(over <-chan struct{}) {
	for {
		select {
		case <-s.diagnoses:
			s.diagnose()
		case <-over:
			return
		}
	}
}

// diagnose writes what helps to understand the process as it is now, as a zip in the directory for diagnostics.
func (s *starter) diagnose() {
	if s.settings.diagnostics == "" {
		s.log.Warn("no diagnostics are written: start with --diagnostics-directory to say where to")
		return
	}
	name := filepath.Join(s.settings.diagnostics, "zilla-diagnostics-"+time.Now().Format("20060102-150405")+".zip")
	if err := s.writeDiagnostics(name); err != nil {
		s.log.Error("cannot write diagnostics: " + err.Error())
		return
	}
	s.log.Info("diagnostics were written", "file", name)
}

func (s *starter) writeDiagnostics(name string) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, f.Close()) }()
	z := zip.NewWriter(f)
	for _, part := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"status.json", func(w io.Writer) error { return json.NewEncoder(w).Encode(s.Status()) }},
		{"metrics.json", func(w io.Writer) error { return json.NewEncoder(w).Encode(s.metrics.Snapshot()) }},
		{"bindings.txt", s.engine.Describe},
		{"logs.txt", s.writeLog},
		{"memory.json", writeMemory},
		{"goroutines.txt", func(w io.Writer) error { return pprof.Lookup("goroutine").WriteTo(w, 1) }},
		{"heap.pprof", func(w io.Writer) error { return pprof.Lookup("heap").WriteTo(w, 0) }},
	} {
		w, err := z.Create(part.name)
		if err != nil {
			return err
		}
		if err := part.write(w); err != nil {
			return fmt.Errorf("cannot write %s: %w", part.name, err)
		}
	}
	return z.Close()
}

// writeMemory writes what the runtime knows of the memory, after a collection.
func writeMemory(w io.Writer) error {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	m.PauseNs, m.PauseEnd = [256]uint64{}, [256]uint64{}
	return json.NewEncoder(w).Encode(m)
}

func (s *starter) writeLog(w io.Writer) error {
	entries, _, _ := s.host.Log.Since(0)
	for _, e := range entries {
		line := ""
		if e.Event != nil {
			line = e.Event.Text()
		} else {
			line = e.Record.Text()
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

package watch

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// told waits for a change, and says how long that took.
func told(t *testing.T, f *File) time.Duration {
	t.Helper()
	began := time.Now()
	if err := f.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// untold checks that nothing is told for a while.
func untold(t *testing.T, f *File) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("enough"))
	defer cancel()
	if err := f.Await(ctx); err == nil || err.Error() != "enough" {
		t.Errorf("something was told: %v", err)
	}
}

func TestFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFolder(t)
		f := Of(d.write("zilla.yaml", "one"))
		untold(t, f)
		d.write("zilla.yaml", "two")
		if took := told(t, f); took > calm || !f.Same() {
			t.Errorf("a write is told after %v", took)
		}
		untold(t, f)
		d.must(os.Rename(d.write("new", "three"), f.name))
		if took := told(t, f); took > calm {
			t.Errorf("another file is told after %v", took)
		}
		d.must(os.Remove(f.name))
		if took := told(t, f); took < calm || took > 2*calm {
			t.Errorf("that it is gone is told after %v", took)
		}
		untold(t, f)
		d.write("zilla.yaml", "three")
		told(t, f)
		d.write("zilla.yaml", "four")
		if f.Same() {
			t.Error("it was written to")
		}
	})
}

func needsLeases(t *testing.T) {
	t.Helper()
	if written, known := hasWriter(newFolder(t).write("x", "x")); written || !known {
		t.Skip("this system does not tell whether a file is being written")
	}
}

// TestAFileInHalves is read when who writes to it is done, or does nothing for a while.
func TestAFileInHalves(t *testing.T) {
	needsLeases(t)
	synctest.Test(t, func(t *testing.T) {
		d := newFolder(t)
		f := Of(d.write("zilla.yaml", "one"))
		w, err := os.OpenFile(f.name, os.O_WRONLY|os.O_TRUNC, 0)
		d.must(err)
		go func() {
			for range 10 {
				time.Sleep(200 * time.Millisecond)
				w.WriteString("more")
			}
			w.Close()
		}()
		if took := told(t, f); took < 2*time.Second || took > 2*time.Second+calm+2*glance {
			t.Errorf("it was told after %v", took)
		}
		if text, _ := os.ReadFile(f.name); len(text) != 40 {
			t.Errorf("it has %d bytes", len(text))
		}
		idle, err := os.OpenFile(f.name, os.O_WRONLY|os.O_TRUNC, 0)
		d.must(err)
		defer idle.Close()
		if took := told(t, f); took < held || took > held+2*glance {
			t.Errorf("what somebody has open and does not write to is told after %v", took)
		}
	})
}

// TestAFileWrittenAgainAndAgain is read meanwhile.
func TestAFileWrittenAgainAndAgain(t *testing.T) {
	needsLeases(t)
	synctest.Test(t, func(t *testing.T) {
		d := newFolder(t)
		f := Of(d.write("zilla.yaml", "one"))
		over := time.Now().Add(5 * time.Second)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; time.Now().Before(over); i++ {
				time.Sleep(20 * time.Millisecond)
				d.write("zilla.yaml", "text"[:i%4])
			}
		}()
		for range 10 {
			if took := told(t, f); took > calm {
				t.Errorf("a write is told after %v", took)
			}
		}
		<-done
	})
}

// TestALinkIsFollowed as Kubernetes exchanges the files of a volume.
func TestALinkIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFolder(t)
		d.must(os.Mkdir(d.name("1"), 0o700))
		d.must(os.Mkdir(d.name("2"), 0o700))
		d.write("1/zilla.yaml", "one")
		d.write("2/zilla.yaml", "two")
		d.must(os.Symlink("1", d.name("..data")))
		d.must(os.Symlink("..data/zilla.yaml", d.name("zilla.yaml")))
		f := Of(d.name("zilla.yaml"))
		untold(t, f)
		d.must(os.Symlink("2", d.name("..new")))
		d.must(os.Rename(d.name("..new"), d.name("..data")))
		if took := told(t, f); took > calm {
			t.Errorf("the other link is told after %v", took)
		}
	})
}

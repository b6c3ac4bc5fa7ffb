//go:build linux

package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	s, err := parseStat("4242 (a (b) c) S 17 4242 4242 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 1 0 1 2 3\n")
	if want := (procStat{4242, 17, 200}); err != nil || s != want {
		t.Errorf("got %+v, %v; want %+v", s, err, want)
	}
	for _, bad := range []string{"", "1 x", "1 (x) S 2", "z (x) S 17 4242 4242 0 -1 4194560 1 2 3 4 150 50 7"} {
		if s, err := parseStat(bad); err == nil {
			t.Errorf("parseStat(%q) = %+v", bad, s)
		}
	}
}

func TestParseRollup(t *testing.T) {
	text := `55d0c0000000-7ffe00000000 ---p 00000000 00:00 0      [rollup]
Rss:               20480 kB
Pss:                5120 kB
Pss_Anon:            100 kB
`
	m, err := parseRollup(strings.NewReader(text))
	if want := (memory{20480, 5120}); err != nil || m != want {
		t.Errorf("got %+v, %v; want %+v", m, err, want)
	}
	if m, err := parseRollup(strings.NewReader("Rss: 1 kB\n")); err == nil {
		t.Errorf("no Pss: got %+v", m)
	}
}

// The clock and the ticks of /proc/PID/stat are one account.
func TestCPUTime(t *testing.T) {
	self := []int{os.Getpid()}
	before, err := cpuTime(self)
	if err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); time.Since(begin) < 200*time.Millisecond; {
	}
	after, err := cpuTime(self)
	if err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseStat(string(line))
	if err != nil {
		t.Fatal(err)
	}
	if after <= before {
		t.Errorf("no CPU time used: %v, %v", before, after)
	}
	ticks := time.Duration(s.ticks) * 10 * time.Millisecond
	if d := ticks - after; d < -30*time.Millisecond || d > 30*time.Millisecond {
		t.Errorf("clock says %v, ticks %v", after, ticks)
	}
}

func TestFamily(t *testing.T) {
	cmd := exec.Command("sleep", "10")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	all, err := family(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(all, os.Getpid()) || !slices.Contains(all, cmd.Process.Pid) {
		t.Errorf("family of %d is %v, child %d", os.Getpid(), all, cmd.Process.Pid)
	}
	if m, err := memoryOf(all[:1]); err != nil || m.pss <= 0 || m.rss < m.pss {
		t.Errorf("memory %+v, %v", m, err)
	}
}

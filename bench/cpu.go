//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the CPU time that processes have used since they began, user and system, all threads,
// also those that have ended. It reads the process CPU clock of clock_getcpuclockid(3): the same
// account that utime+stime in /proc/PID/stat is scaled to, in nanoseconds instead of 10 ms ticks
// and brought up to date at the call instead of at the last tick.
func cpuTime(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		var ts unix.Timespec
		if err := unix.ClockGettime(processClock(pid), &ts); err != nil {
			return 0, fmt.Errorf("cannot read CPU clock of process %d: %w", pid, err)
		}
		sum += time.Duration(ts.Nano())
	}
	return sum, nil
}

// processClock is the kernel's MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED).
func processClock(pid int) int32 { return int32(^pid)<<3 | 2 }

// procStat is the part of /proc/PID/stat that is of use here.
type procStat struct {
	pid, parent int
	ticks       int64 // utime + stime
}

// parseStat reads a line of /proc/PID/stat. The second field is the name in brackets, which may
// itself hold spaces and brackets: the last bracket counts.
func parseStat(line string) (procStat, error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return procStat{}, fmt.Errorf("no process name in %q", line)
	}
	f := strings.Fields(line[end+1:])
	if len(f) < 13 {
		return procStat{}, fmt.Errorf("too few fields in %q", line)
	}
	var s procStat
	var utime, stime int64
	numbers := strings.Join([]string{line[:open], f[1], f[11], f[12]}, " ")
	if _, err := fmt.Sscan(numbers, &s.pid, &s.parent, &utime, &stime); err != nil {
		return procStat{}, fmt.Errorf("no number in %q: %w", line, err)
	}
	s.ticks = utime + stime
	return s, nil
}

// family lists a process and all that descend from it.
func family(pid int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("cannot list processes: %w", err)
	}
	children := map[int][]int{}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		line, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		s, err := parseStat(string(line))
		if err != nil {
			return nil, err
		}
		children[s.parent] = append(children[s.parent], s.pid)
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	slices.Sort(all)
	return all, nil
}

// memory is what processes hold, in KiB. PSS divides a shared page by its users and so adds up
// over processes; RSS counts it once for each.
type memory struct{ rss, pss float64 }

func memoryOf(pids []int) (memory, error) {
	var sum memory
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return memory{}, fmt.Errorf("cannot read memory of process %d: %w", pid, err)
		}
		m, err := parseRollup(bytes.NewReader(b))
		if err != nil {
			return memory{}, fmt.Errorf("process %d: %w", pid, err)
		}
		sum.rss += m.rss
		sum.pss += m.pss
	}
	return sum, nil
}

// parseRollup reads /proc/PID/smaps_rollup.
func parseRollup(r io.Reader) (memory, error) {
	var m memory
	found := 0
	for lines := bufio.NewScanner(r); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) != 3 || f[2] != "kB" {
			continue
		}
		to := map[string]*float64{"Rss:": &m.rss, "Pss:": &m.pss}[f[0]]
		if to == nil {
			continue
		}
		v, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			return memory{}, fmt.Errorf("no number in %q", lines.Text())
		}
		*to = v
		found++
	}
	if found != 2 {
		return memory{}, fmt.Errorf("no Rss and Pss in smaps_rollup")
	}
	return m, nil
}

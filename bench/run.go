//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// series holds the figures of one proxy in one case: a row per round, in the order of the kind's
// metrics.
type series struct {
	proxy *proxy
	rows  [][]float64
}

// column is one metric over the rounds.
func (s *series) column(i int) []float64 {
	out := make([]float64, len(s.rows))
	for r, row := range s.rows {
		out[r] = row[i]
	}
	return out
}

// headline is the median of the first metric.
func (s *series) headline() float64 { return summarize(s.column(0)).Median }

// outcome is a case that was run: figures, or an error and no figures.
type outcome struct {
	c      *testCase
	series []*series
	err    error
}

// base is the series that ratios are taken to: of those that it may be, the one with the least headline figure; or nil.
func (o *outcome) base() *series {
	var best *series
	for _, s := range o.series {
		if slices.Contains(o.c.suite.against, s.proxy.name) && (best == nil || s.headline() < best.headline()) {
			best = s
		}
	}
	return best
}

// of is the series of a proxy, or nil.
func (o *outcome) of(name string) *series {
	for _, s := range o.series {
		if s.proxy.name == name {
			return s
		}
	}
	return nil
}

// bench runs the selected cases and writes the report. A case that fails has no figures and makes
// the whole run fail, after the others have been run.
func bench(ctx context.Context, o *options) (err error) {
	if o.temp, err = os.MkdirTemp("", "gozilla-bench-"); err != nil {
		return fmt.Errorf("cannot create directory: %w", err)
	}
	defer os.RemoveAll(o.temp)
	if err := raiseFiles(); err != nil {
		return err
	}
	proxies, err := o.compared()
	if err != nil {
		return err
	}
	list := o.selected()
	if len(list) == 0 {
		return errors.New("no case matches -run; -list shows them")
	}
	if err := makeKeys(o.temp); err != nil {
		return err
	}
	rep := newReport(o)
	for _, p := range proxies {
		if !slices.ContainsFunc(list, func(c *testCase) bool { return o.takesPart(p, c) }) {
			continue
		}
		v, err := p.locate(ctx, o)
		if err != nil {
			return err
		}
		rep.proxies = append(rep.proxies, reportedProxy{p.name, p.about, v})
	}
	if rep.outcomes, err = runCases(ctx, o, list, proxies); err != nil {
		return err
	}
	if err := rep.write(); err != nil {
		return err
	}
	failed := 0
	for _, out := range rep.outcomes {
		if out.err != nil {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d cases failed", failed, len(list))
	}
	return nil
}

// runCases runs one case after the other until the context ends.
func runCases(ctx context.Context, o *options, list []*testCase, proxies []*proxy) ([]*outcome, error) {
	var all []*outcome
	for i, c := range list {
		fmt.Fprintf(os.Stderr, "[%d/%d] %s\n", i+1, len(list), c)
		out := runCase(ctx, o, c, proxies)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if out.err != nil {
			out.err = fmt.Errorf("%s: %w", c.name, out.err)
			fmt.Fprintln(os.Stderr, "FAILED", out.err)
		}
		all = append(all, out)
	}
	return all, nil
}

// runCase measures all proxies in turn, there and back: A B C, C B A, A B C. A drift of the machine
// thus falls on all of them.
func runCase(ctx context.Context, o *options, c *testCase, proxies []*proxy) *outcome {
	out := &outcome{c: c}
	rigs, err := startRigs(o, c, proxies)
	defer func() {
		for _, r := range rigs {
			r.close()
		}
	}()
	if err != nil {
		out.err = err
		return out
	}
	all := make([]*series, len(rigs))
	order := make([]int, len(rigs))
	for i, r := range rigs {
		all[i], order[i] = &series{proxy: r.proxy}, i
	}
	for round := range c.roundsOf(o) {
		for _, i := range order {
			row, err := c.measure(ctx, o, c, rigs[i])
			if err != nil {
				out.err = fmt.Errorf("%s, round %d: %w", rigs[i].proxy.name, round+1, err)
				return out
			}
			all[i].rows = append(all[i].rows, row)
		}
		slices.Reverse(order)
	}
	out.series = all
	return out
}

// startRigs sets up all that take part. What it returns must be closed, also if there is an error.
func startRigs(o *options, c *testCase, proxies []*proxy) (rigs []*rig, err error) {
	if err := enoughFiles(c.descriptors()); err != nil {
		return nil, err
	}
	for _, p := range proxies {
		if !o.takesPart(p, c) {
			continue
		}
		r, err := newRig(p, c.mode, c.backend, o.temp)
		if err != nil {
			return rigs, fmt.Errorf("%s: %w", p.name, err)
		}
		rigs = append(rigs, r)
		if c.fresh {
			continue
		}
		if err := r.start(); err != nil {
			return rigs, err
		}
		if err := r.await(r.accepts, 10*time.Millisecond); err != nil {
			return rigs, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return rigs, nil
}

// raiseFiles lifts the soft limit to the hard one, for all that is started from here. The syscall
// package must do it: it would otherwise set children back to the limit it found.
func raiseFiles() error {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("cannot read limit of open files: %w", err)
	}
	lim.Cur = lim.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("cannot raise limit of open files: %w", err)
	}
	return nil
}

func enoughFiles(n uint64) error {
	most, err := filesMost()
	if err == nil && most < n {
		err = fmt.Errorf("the proxy needs %d open files, the limit is %d (ulimit -Hn)", n, most)
	}
	return err
}

// filesMost is how many files a process may have open.
func filesMost() (uint64, error) {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return 0, fmt.Errorf("cannot read limit of open files: %w", err)
	}
	return lim.Cur, nil
}

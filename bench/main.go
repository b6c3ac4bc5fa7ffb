//go:build linux

// Command bench puts gozilla beside HAProxy and nginx, as a TCP relay and with TLS: see README.md in its folder.
//
// One program plays all parts. It starts the proxies, and itself again as backends and as load:
//
//	load (1 thread) --> proxy (2 threads) --> backend (1 thread)
//	   reads the proxy's CPU clock at both ends of its window
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// All processes are started by the main thread: they are told to end when it does.
func init() { runtime.LockOSThread() }

func main() {
	if err := dispatch(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func dispatch(args []string) error {
	if len(args) == 2 && args[0] == "load" {
		return runLoad(args[1])
	}
	if len(args) == 2 && args[0] == "backend" {
		return runBackend(args[1])
	}
	if len(args) == 4 && args[0] == "reverse" {
		return runReverse(args[1], args[2], mode(args[3]))
	}
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.list {
		for _, c := range cases {
			fmt.Println(c)
		}
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return bench(ctx, o)
}

// results is where a full run leaves its report. A trial does not replace it unasked.
const results = "bench/results"

// options are the flags.
type options struct {
	rounds       int
	warm, window time.Duration
	settle       time.Duration
	run, tuned   *regexp.Regexp
	proxies      []string
	bin, out     string
	list         bool

	temp string // directory of this run, removed at its end
}

func parseOptions(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&o.rounds, "rounds", 9, "rounds per case")
	f.DurationVar(&o.window, "window", 2*time.Second, "measured time per round and proxy")
	f.DurationVar(&o.warm, "warm", 300*time.Millisecond, "time before it")
	f.DurationVar(&o.settle, "settle", 5*time.Second, "time for idle connections to settle before memory is read")
	quick := f.Bool("quick", false, "3 rounds of 0.5s unless said otherwise: to try it out, not to quote")
	run := f.String("run", "", "run the cases whose name matches this `regexp`")
	tuned := f.String("tuned", "^bulk", "add haproxy-64k and nginx-64k to the cases that match this `regexp`")
	proxies := f.String("proxies", "haproxy,nginx,gozilla", "what to compare, in this order")
	f.StringVar(&o.bin, "bin", "", "gozilla `binary` to run in place of one built from this tree")
	f.StringVar(&o.out, "out", "", "`directory` for relay, tls, http, h2, ws and sse, each as .json, .md and .svg (default "+results+
		" if none of -quick, -run, -proxies and -bin is given, else none)")
	f.BoolVar(&o.list, "list", false, "list the cases")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	set := map[string]bool{}
	f.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if *quick {
		o.quicken(set)
	}
	if o.out == "" && !set["quick"] && !set["run"] && !set["proxies"] && !set["bin"] {
		o.out = results
	}
	if f.NArg() > 0 || o.rounds < 1 || o.window <= 0 {
		return nil, errors.New("usage: bench [flags]; rounds and window are more than 0; -h lists the flags")
	}
	o.proxies = strings.Split(*proxies, ",")
	var err1, err2 error
	o.run, err1 = regexp.Compile(*run)
	o.tuned, err2 = regexp.Compile(*tuned)
	return o, errors.Join(err1, err2)
}

// quicken shortens what the flags did not set.
func (o *options) quicken(set map[string]bool) {
	if !set["rounds"] {
		o.rounds = 3
	}
	if !set["window"] {
		o.window = 500 * time.Millisecond
	}
	if !set["settle"] {
		o.settle = time.Second
	}
}

func (o *options) selected() []*testCase {
	var list []*testCase
	for _, c := range cases {
		if o.run.MatchString(c.name) && (!c.extra || o.run.String() != "") {
			list = append(list, c)
		}
	}
	return list
}

// compared lists the proxies of the run, variants last.
func (o *options) compared() ([]*proxy, error) {
	all := allProxies()
	var list []*proxy
	for _, name := range o.proxies {
		i := slices.IndexFunc(all, func(p *proxy) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown proxy %q", name)
		}
		list = append(list, all[i])
	}
	for _, p := range all {
		if p.base != "" && slices.Contains(o.proxies, p.base) && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list, nil
}

// takesPart reports whether a proxy is measured in a case: those that -proxies names are in all, but for what they
// cannot.
func (o *options) takesPart(p *proxy, c *testCase) bool {
	if slices.Contains(c.without, p.name) {
		return false
	}
	return slices.Contains(o.proxies, p.name) || slices.Contains(c.also, p.name) || p.tuned && o.tuned.MatchString(c.name)
}

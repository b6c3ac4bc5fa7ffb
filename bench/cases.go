//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// metric is one figure of a case. Less is better for the first of a kind, the headline.
type metric struct {
	Key  string `json:"key"`
	Head string `json:"title"`
	Unit string `json:"unit"`
}

// suite is what has a report of its own.
type suite struct {
	name, title string
	about       string // what all its cases have in common
}

var (
	relaySuite = &suite{name: "relay", title: "TCP relay"}
	tlsSuite   = &suite{"tls", "TLS", "TLS 1.3 with TLS_AES_128_GCM_SHA256 and X25519 everywhere; " +
		"session tickets only where a case says so or resumes sessions."}
	httpSuite = &suite{"http", "HTTP/1.1", "Keep-alive on both sides. HAProxy and nginx write no log; gozilla counts http.* and keeps a record of each exchange."}
	suites    = []*suite{relaySuite, tlsSuite, httpSuite}
)

// kind is what a group of cases has in common: the figures, in the order in which its measure
// function returns them.
type kind struct {
	title   string
	metrics []metric
}

var (
	messages = &kind{"Messages: CPU of the proxy per round trip", []metric{
		{"cpu", "CPU", "us/msg"}, {"rate", "rate", "k msg/s"}, {"p50", "p50", "ms"}, {"p99", "p99", "ms"}}}
	requests = &kind{"Requests: CPU of the proxy per request", []metric{
		{"cpu", "CPU", "us/req"}, {"rate", "rate", "k req/s"}, {"p50", "p50", "ms"}, {"p99", "p99", "ms"}}}
	connections = &kind{"Connections: CPU of the proxy per connection (open, 64 B there and back, close)", []metric{
		{"cpu", "CPU", "us/conn"}, {"rate", "rate", "k conn/s"}, {"p50", "p50", "ms"}, {"p99", "p99", "ms"}}}
	handshakes = &kind{"Handshakes: CPU of the proxy per connection (open, agree, 64 B there and back, close; 16 at a time)", connections.metrics}
	bulk       = &kind{"Bulk: CPU of the proxy per 10^9 bytes one way", []metric{
		{"cpu", "CPU", "s/GB"}, {"rate", "rate", "GB/s"}}}
	memories = &kind{"Memory: growth of PSS per idle proxied connection", []metric{
		{"pss", "memory", "KiB/conn"}, {"freshRSS", "fresh RSS", "MiB"}, {"freshPSS", "fresh PSS", "MiB"}}}
	starts = &kind{"Cold start: from exec to the first echoed byte", []metric{
		{"start", "time", "ms"}}}

	kinds = []*kind{messages, requests, connections, handshakes, bulk, memories, starts}
)

// testCase names what it measures.
type testCase struct {
	name   string
	title  string
	suite  *suite
	kind   *kind
	mode   mode
	extra  bool     // only run when -run is given
	also   []string // variants that take part
	target *target

	backend string
	load    loadSpec // without port, processes and times
	fresh   bool     // measure starts and stops the proxy itself, in each round
	rounds  int      // most rounds, if not 0: for figures that hardly vary
	measure func(ctx context.Context, o *options, c *testCase, r *rig) ([]float64, error)
}

var cases = []*testCase{
	pingpong("msg-1", "1 connection, 64 B", 1, 64, 0),
	pingpong("msg-64", "64 connections, 64 B", 64, 64, 0),
	pingpong("msg-1000", "1,000 connections, 64 B", 1000, 64, 0),
	pingpong("msg-64-1k", "64 connections, 1 KiB", 64, 1024, 0),
	pingpong("paced-64", "64 connections, 64 B, 15,000/s", 64, 64, 15000),
	{
		name: "churn", title: "connect, 64 B, close; 16 at a time", suite: relaySuite, kind: connections, mode: modeTCP,
		backend: "echo", load: loadSpec{Mode: "churn", Conns: 16, Size: 64}, measure: measureOps,
	},
	transfer("bulk-1", "bulk to the client, 1 connection", "source", "receive", 1, false),
	transfer("bulk-16", "bulk to the client, 16 connections", "source", "receive", 16, false),
	transfer("bulk-up-1", "bulk to the server, 1 connection", "sink", "send", 1, true),
	transfer("bulk-up-16", "bulk to the server, 16 connections", "sink", "send", 16, true),
	{
		name: "memory", title: "2,000 idle connections", suite: relaySuite, kind: memories, mode: modeTCP, fresh: true, rounds: 3,
		backend: "echo", load: loadSpec{Mode: "hold", Conns: 2000, Size: 4096}, measure: measureMemory,
	},
	{
		name: "start", title: "cold start", suite: relaySuite, kind: starts, mode: modeTCP, fresh: true,
		backend: "echo", measure: measureStart,
	},
	handshake("tls-handshake", "full handshake, ECDSA P-256", modeTLS, 0, &target{0.85, baseline}),
	handshake("tls-handshake-tickets", "full handshake, tickets sent", modeTicket, 3, nil),
	handshake("tls-handshake-rsa", "full handshake, RSA 2048", modeRSA, 3, nil),
	handshake("tls-resume", "resumed session", modeResume, 3, nil),
	secured(pingpong("tls-msg-64", "64 connections, 64 B", 64, 64, 0), &target{0.90, baseline}),
	secured(transfer("tls-bulk-1", "encrypt to client, 1 connection", "source", "receive", 1, true), nil),
	secured(transfer("tls-bulk-16", "encrypt to client, 16 connections", "source", "receive", 16, false), &target{0.95, baseline}),
	secured(transfer("tls-bulk-up-1", "decrypt to server, 1 connection", "sink", "send", 1, true), nil),
	secured(transfer("tls-bulk-up-16", "decrypt to server, 16 connections", "sink", "send", 16, false), &target{0.95, baseline}),
	{
		name: "tls-memory", title: "2,000 idle connections", suite: tlsSuite, kind: memories, mode: modeTLS, fresh: true, rounds: 3,
		target: &target{most: 20}, backend: "echo", load: loadSpec{Mode: "hold", Conns: 2000, Size: 64}, measure: measureMemory,
	},
	{
		name: "tls-sni", title: "by SNI, 64 connections, 64 B", suite: tlsSuite, kind: messages, mode: modeSNI,
		also: []string{ownRelay}, target: &target{1.05, ownRelay},
		backend: "echo", load: loadSpec{Mode: "pingpong", Conns: 64, Size: 64}, measure: measureOps,
	},
	asking("http-64", "64 connections, 13 B", 64, 0, requestSpec{Path: "/small"}, 0.90),
	asking("http-rich", "64 connections, 12 + 10 fields", 64, 0, requestSpec{Path: "/rich", Rich: true}, 0.92),
	asking("http-16k", "64 connections, 16 KiB", 64, 0, requestSpec{Path: "/16k"}, 0.80),
	asking("http-post", "64 connections, POST 1 KiB", 64, 0, requestSpec{Path: "/small", Body: 1 << 10}, 0.92),
	asking("http-1000", "1,000 connections, 13 B", 1000, 0, requestSpec{Path: "/small"}, 0.92),
	asking("http-paced", "64 connections, 13 B, 20,000/s", 64, 20000, requestSpec{Path: "/small"}, 0),
	{
		name: "http-memory", title: "2,000 idle keep-alive connections", suite: httpSuite, kind: memories, mode: modeHTTP, fresh: true, rounds: 3,
		target: &target{most: 8}, backend: "http", load: loadSpec{Mode: "hold", Conns: 2000, Request: &requestSpec{Path: "/small"}}, measure: measureMemory,
	},
}

// asking is a case of HTTP; most is the target over HAProxy, 0 for none.
func asking(name, title string, conns, rate int, r requestSpec, most float64) *testCase {
	c := &testCase{
		name: name, title: title, suite: httpSuite, kind: requests, mode: modeHTTP, also: []string{stdReverse}, backend: "http",
		load: loadSpec{Mode: "pingpong", Conns: conns, Rate: rate, Request: &r}, measure: measureOps,
	}
	if most > 0 {
		c.target = &target{most, baseline}
	}
	return c
}

func handshake(name, title string, m mode, rounds int, t *target) *testCase {
	return &testCase{
		name: name, title: title, suite: tlsSuite, kind: handshakes, mode: m, rounds: rounds, target: t,
		backend: "echo", load: loadSpec{Mode: "churn", Conns: 16, Size: 64}, measure: measureOps,
	}
}

// secured is a case of the relay with TLS between the client and the proxy.
func secured(c *testCase, t *target) *testCase {
	c.suite, c.mode, c.target = tlsSuite, modeTLS, t
	return c
}

func pingpong(name, title string, conns, size, rate int) *testCase {
	return &testCase{
		name: name, title: title, suite: relaySuite, kind: messages, mode: modeTCP, backend: "echo",
		load: loadSpec{Mode: "pingpong", Conns: conns, Size: size, Rate: rate}, measure: measureOps,
	}
}

func transfer(name, title, backend, load string, conns int, extra bool) *testCase {
	return &testCase{
		name: name, title: title, suite: relaySuite, kind: bulk, mode: modeTCP, backend: backend, extra: extra,
		load: loadSpec{Mode: load, Conns: conns}, measure: measureBulk,
	}
}

// measureLoad puts the load of a case on a running proxy for one window.
func measureLoad(ctx context.Context, o *options, c *testCase, r *rig) (loadResult, error) {
	spec := r.dress(c.load)
	spec.Warm, spec.Window = o.warm, o.window
	var err error
	if spec.PIDs, err = r.pids(); err != nil {
		return loadResult{}, err
	}
	res, err := load(ctx, spec)
	if err := errors.Join(err, r.alive()); err != nil {
		return loadResult{}, err
	}
	return res, nil
}

func measureOps(ctx context.Context, o *options, c *testCase, r *rig) ([]float64, error) {
	res, err := measureLoad(ctx, o, c, r)
	if err != nil {
		return nil, err
	}
	n := float64(res.Ops)
	return []float64{res.CPU / n * 1e6, n / res.Seconds / 1e3, res.P50 * 1e3, res.P99 * 1e3}, nil
}

func measureBulk(ctx context.Context, o *options, c *testCase, r *rig) ([]float64, error) {
	res, err := measureLoad(ctx, o, c, r)
	if err != nil {
		return nil, err
	}
	gb := float64(res.Bytes) / 1e9
	return []float64{res.CPU / gb, gb / res.Seconds}, nil
}

// measureMemory compares a fresh process with the same process when it holds idle connections.
func measureMemory(ctx context.Context, o *options, c *testCase, r *rig) ([]float64, error) {
	defer r.stop()
	if err := r.start(); err != nil {
		return nil, err
	}
	if err := r.await(r.echoes, 10*time.Millisecond); err != nil {
		return nil, err
	}
	time.Sleep(o.settle / 10)
	pids, err := r.pids()
	if err != nil {
		return nil, err
	}
	fresh, err := memoryOf(pids)
	if err != nil {
		return nil, err
	}
	spec := r.dress(c.load)
	var held memory
	err = whileHeld(ctx, spec, func() (err error) {
		time.Sleep(o.settle) // collectors and allocators give back what they do not need
		held, err = memoryOf(pids)
		return err
	})
	if err := errors.Join(err, r.alive()); err != nil {
		return nil, err
	}
	return []float64{(held.pss - fresh.pss) / float64(spec.Conns), fresh.rss / 1024, fresh.pss / 1024}, nil
}

// measureStart tries without pause, so that the figure is not rounded up to the next try.
func measureStart(_ context.Context, _ *options, _ *testCase, r *rig) ([]float64, error) {
	defer r.stop()
	begin := time.Now()
	if err := r.start(); err != nil {
		return nil, err
	}
	if err := r.await(r.echoes, 100*time.Microsecond); err != nil {
		return nil, err
	}
	return []float64{time.Since(begin).Seconds() * 1e3}, nil
}

// roundsOf is how often a case is measured.
func (c *testCase) roundsOf(o *options) int {
	if c.rounds > 0 {
		return min(c.rounds, o.rounds)
	}
	return o.rounds
}

// descriptors is what a proxy needs for the case: two sockets a connection, and some.
func (c *testCase) descriptors() uint64 { return uint64(2*c.load.Conns + 256) }

func (c *testCase) String() string { return fmt.Sprintf("%-21s %s", c.name, c.title) }

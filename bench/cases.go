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
	about       string   // what all its cases have in common
	beside      string   // what ratios are to, in words
	short       string   // the same as the head of a column
	against     []string // the proxies that is one of: in each case that with the least headline figure
}

var (
	relaySuite = besideHAProxy("relay", "TCP relay", "")
	tlsSuite   = besideHAProxy("tls", "TLS", "TLS 1.3 with TLS_AES_128_GCM_SHA256 and X25519 everywhere; "+
		"session tickets only where a case says so or resumes sessions.")
	httpSuite = besideHAProxy("http", "HTTP/1.1", "Keep-alive on both sides. HAProxy and nginx write no log; gozilla counts http.* and keeps a record of each exchange.")
	h2Suite   = besideHAProxy("h2", "HTTP/2", "HTTP/2 in the clear, by prior knowledge. The load is h2load. "+
		"Behind the proxy is the backend of HTTP/1.1, for large bodies a server of net/http, and nghttpd where HTTP/2 goes on. nginx has none to backends.")
	wsSuite = &suite{
		name: "ws", title: "WebSockets", beside: "the better of coder/websocket and gobwas/ws", short: "better", against: []string{coderPeer, gobwasPeer},
		about: "Binary messages of 64 B over HTTP/1.1 in the clear, no compression. All answer by themselves: nothing is behind. Which peer is the better one is " +
			"decided in each case, by the headline figure. gozilla counts stream.* and http.* and keeps records, the peers do neither.",
	}
	sseSuite = &suite{
		name: "sse", title: "Events", beside: "net/http", short: stdPeer, against: []string{stdPeer},
		about: "One source behind, whose events of 100 B go to 1,000 clients, each as soon as it comes. HTTP/1.1 in the clear, chunked. " +
			"gozilla counts stream.* and http.*, keeps records, and reads every event; net/http passes on lines.",
	}
	suites = []*suite{relaySuite, tlsSuite, httpSuite, h2Suite, wsSuite, sseSuite}
)

func besideHAProxy(name, title, about string) *suite {
	return &suite{name: name, title: title, about: about, beside: "HAProxy", short: "HAProxy", against: []string{baseline}}
}

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

	streams = &kind{"Requests over HTTP/2: CPU of the proxy per request", []metric{
		{"cpu", "CPU", "us/req"}, {"rate", "rate", "k req/s"}, {"mean", "mean", "ms"}, {"max", "max", "ms"}}}
	stream = &kind{"A large body over one stream of HTTP/2: time per 10^9 bytes one way", []metric{
		{"time", "time", "s/GB"}, {"rate", "rate", "GB/s"}, {"cpu", "CPU", "s/GB"}}}

	fans = &kind{"Fan: time per delivery, of a message to one of all", []metric{
		{"time", "time", "us/delivery"}, {"rate", "rate", "k/s"}, {"cpu", "CPU", "us/delivery"}, {"p50", "p50", "ms"}, {"p99", "p99", "ms"}}}
	deliveries = &kind{"Events: CPU of the server per delivery, of an event to one of all", []metric{
		{"cpu", "CPU", "us/delivery"}, {"rate", "rate", "k/s"}, {"p50", "p50", "ms"}, {"p99", "p99", "ms"}}}
	sockets = &kind{"Memory: growth of PSS per idle WebSocket", []metric{
		{"pss", "memory", "KiB/socket"}, {"freshRSS", "fresh RSS", "MiB"}, {"freshPSS", "fresh PSS", "MiB"}, {"sockets", "sockets", ""}}}

	kinds = []*kind{messages, requests, streams, stream, fans, deliveries, connections, handshakes, bulk, memories, sockets, starts}
)

// testCase names what it measures.
type testCase struct {
	name    string
	title   string
	suite   *suite
	kind    *kind
	mode    mode
	extra   bool     // only run when -run is given
	also    []string // variants that take part
	without []string // proxies that do not
	targets []target

	backend string
	load    loadSpec   // without port, processes and times
	streams streamSpec // in place of it, what h2load does
	fresh   bool       // measure starts and stops the proxy itself, in each round
	rounds  int        // most rounds, if not 0: for figures that hardly vary
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
	handshake("tls-handshake", "full handshake, ECDSA P-256", modeTLS, 0, target{0.85, baseline}),
	handshake("tls-handshake-tickets", "full handshake, tickets sent", modeTicket, 3),
	handshake("tls-handshake-rsa", "full handshake, RSA 2048", modeRSA, 3),
	handshake("tls-resume", "resumed session", modeResume, 3),
	secured(pingpong("tls-msg-64", "64 connections, 64 B", 64, 64, 0), target{0.90, baseline}),
	secured(transfer("tls-bulk-1", "encrypt to client, 1 connection", "source", "receive", 1, true)),
	secured(transfer("tls-bulk-16", "encrypt to client, 16 connections", "source", "receive", 16, false), target{0.95, baseline}),
	secured(transfer("tls-bulk-up-1", "decrypt to server, 1 connection", "sink", "send", 1, true)),
	secured(transfer("tls-bulk-up-16", "decrypt to server, 16 connections", "sink", "send", 16, false), target{0.95, baseline}),
	{
		name: "tls-memory", title: "2,000 idle connections", suite: tlsSuite, kind: memories, mode: modeTLS, fresh: true, rounds: 3,
		targets: []target{{most: 20}}, backend: "echo", load: loadSpec{Mode: "hold", Conns: 2000, Size: 64}, measure: measureMemory,
	},
	{
		name: "tls-sni", title: "by SNI, 64 connections, 64 B", suite: tlsSuite, kind: messages, mode: modeSNI,
		also: []string{ownRelay}, targets: []target{{1.05, ownRelay}},
		backend: "echo", load: loadSpec{Mode: "pingpong", Conns: 64, Size: 64}, measure: measureOps,
	},
	asking("http-64", "64 connections, 13 B", 64, 0, requestSpec{Path: "/small"}, 0.90),
	asking("http-rich", "64 connections, 12 + 10 fields", 64, 0, requestSpec{Path: "/rich", Rich: true}, 0.92),
	asking("http-16k", "64 connections, 16 KiB", 64, 0, requestSpec{Path: "/16k"}, 0.80),
	asking("http-post", "64 connections, POST 1 KiB", 64, 0, requestSpec{Path: "/small", Body: 1 << 10}, 0.92),
	asking("http-1000", "1,000 connections, 13 B", 1000, 0, requestSpec{Path: "/small"}, 0.92),
	file("http-file", "16 connections, a file of 1 MiB", 16, target{1.00, "nginx"}),
	asking("http-paced", "64 connections, 13 B, 20,000/s", 64, 20000, requestSpec{Path: "/small"}, 0),
	{
		name: "http-memory", title: "2,000 idle keep-alive connections", suite: httpSuite, kind: memories, mode: modeHTTP, fresh: true, rounds: 3,
		targets: []target{{most: 8}}, backend: "http", load: loadSpec{Mode: "hold", Conns: 2000, Request: &requestSpec{Path: "/small"}}, measure: measureMemory,
	},
	multiplexed("h2-8x32", "8 connections x 32 streams, 13 B", modeH2, streamSpec{Conns: 8, Streams: 32}, target{1.00, baseline}, target{0.80, "nginx"}),
	multiplexed("h2-1x100", "1 connection, 100 streams, 13 B", modeH2, streamSpec{Conns: 1, Streams: 100}, target{1.10, baseline}),
	multiplexed("h2-h2-8x32", "8 x 32, HTTP/2 to the backend", modeH2H2, streamSpec{Conns: 8, Streams: 32}),
	multiplexed("h2-h2-1x100", "1 x 100, HTTP/2 to the backend", modeH2H2, streamSpec{Conns: 1, Streams: 100}),
	single("h2-down", "1 GiB to the client", modeH2, streamSpec{Take: gib}, target{1 / 0.8, baseline}),
	single("h2-up", "1 GiB to the backend", modeH2, streamSpec{Send: gib}, target{1 / 0.8, baseline}),
	single("h2-h2-down", "1 GiB to the client, all HTTP/2", modeH2H2, streamSpec{Take: gib}),
	single("h2-h2-up", "1 GiB to the backend, all HTTP/2", modeH2H2, streamSpec{Send: gib}),
	socket(pingpong("ws-64", "64 sockets, 64 B", 64, 64, 0), target{0.80, bestPeer}),
	socket(pingpong("ws-1000", "1,000 sockets, 64 B", 1000, 64, 0)),
	socket(pingpong("ws-paced", "64 sockets, 64 B, 15,000/s", 64, 64, 15000)),
	fanned("ws-fan", "1 to 1,000 sockets, 8 under way", 8, target{1 / 1.5, bestPeer}),
	fanned("ws-fan-1", "1 to 1,000 sockets, 1 under way", 1),
	{
		name: "ws-memory", title: "5,000 idle sockets", suite: wsSuite, kind: sockets, mode: modeSocket, fresh: true, rounds: 3, without: passers,
		also: wsSuite.against, targets: []target{{most: 8}}, backend: "echo", load: loadSpec{Mode: "hold", Conns: 5000, Size: 64, Socket: true}, measure: measureSockets,
	},
	emitted("sse-fan", "1 to 1,000 clients, 8 under way", 8, 0),
	emitted("sse-paced", "1 to 1,000 clients, 50 events/s", 64, 50),
}

const gib = 1 << 30

// multiplexed is a case of HTTP/2 with many requests at a time.
func multiplexed(name, title string, m mode, s streamSpec, t ...target) *testCase {
	c := &testCase{
		name: name, title: title, suite: h2Suite, kind: streams, mode: m, also: []string{stdReverse}, targets: t, backend: "http",
		load: loadSpec{Conns: s.Conns * s.Streams}, streams: s, measure: measureStreams,
	}
	c.streams.Path = "/small"
	if m == modeH2H2 {
		c.backend, c.without = "nghttpd", []string{"nginx"}
	}
	return c
}

// single is a case of HTTP/2 with one large body. Where the answer is large, how long it is is its path. With HTTP/2 on both
// sides it is run only when -run is given.
func single(name, title string, m mode, s streamSpec, t ...target) *testCase {
	c := &testCase{
		name: name, title: title, suite: h2Suite, kind: stream, mode: m, also: []string{stdReverse}, targets: t, backend: "std",
		streams: s, measure: measureStream,
	}
	if c.streams.Path = "/small"; s.Take > 0 {
		c.streams.Path = fmt.Sprintf("/%d", s.Take)
	}
	if m == modeH2H2 {
		c.extra, c.backend, c.without = true, "nghttpd", []string{"nginx"}
	}
	return c
}

// file is a case of HTTP/1.1 in which the proxy serves a file by itself. HAProxy has no files.
func file(name, title string, conns int, t target) *testCase {
	return &testCase{
		name: name, title: title, suite: httpSuite, kind: requests, mode: modeFile, without: []string{"haproxy"}, targets: []target{t}, backend: "http",
		load: loadSpec{Mode: "pingpong", Conns: conns, Request: &requestSpec{Path: fileName}}, measure: measureOps,
	}
}

// asking is a case of HTTP; most is the target over HAProxy, 0 for none.
func asking(name, title string, conns, rate int, r requestSpec, most float64) *testCase {
	c := &testCase{
		name: name, title: title, suite: httpSuite, kind: requests, mode: modeHTTP, also: []string{stdReverse}, backend: "http",
		load: loadSpec{Mode: "pingpong", Conns: conns, Rate: rate, Request: &r}, measure: measureOps,
	}
	if most > 0 {
		c.targets = []target{{most, baseline}}
	}
	return c
}

func handshake(name, title string, m mode, rounds int, t ...target) *testCase {
	return &testCase{
		name: name, title: title, suite: tlsSuite, kind: handshakes, mode: m, rounds: rounds, targets: t,
		backend: "echo", load: loadSpec{Mode: "churn", Conns: 16, Size: 64}, measure: measureOps,
	}
}

// secured is a case of the relay with TLS between the client and the proxy.
func secured(c *testCase, t ...target) *testCase {
	c.suite, c.mode, c.targets = tlsSuite, modeTLS, t
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

// spareFiles is what a proxy opens besides its sockets, at most.
const spareFiles = 256

// descriptors is what a proxy needs for the case: two sockets a connection, and some.
func (c *testCase) descriptors() uint64 {
	if c.kind == sockets {
		return 2 * spareFiles // there are as many connections as there can be
	}
	return uint64(2*c.load.Conns + spareFiles)
}

func (c *testCase) String() string { return fmt.Sprintf("%-21s %s", c.name, c.title) }

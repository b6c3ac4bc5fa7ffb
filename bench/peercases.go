//go:build linux

package main

import "context"

// passers have no sockets or events of their own.
var passers = []string{baseline, "nginx"}

// socket is a case of the relay over WebSockets.
func socket(c *testCase, t ...target) *testCase {
	c.suite, c.mode, c.backend, c.load.Socket = wsSuite, modeSocket, "echo", true
	c.also, c.without, c.targets = wsSuite.against, passers, t
	return c
}

// fanned is a case in which all WebSockets get what one of them says.
func fanned(name, title string, ahead int, t ...target) *testCase {
	return &testCase{
		name: name, title: title, suite: wsSuite, kind: fans, mode: modeFan, also: wsSuite.against, without: passers, targets: t, backend: "echo",
		load: loadSpec{Mode: "fan", Conns: 1000, Size: 64, Ahead: ahead, Socket: true}, measure: measureFan,
	}
}

// emitted is a case in which all clients get the events of one source.
func emitted(name, title string, ahead, rate int) *testCase {
	return &testCase{
		name: name, title: title, suite: sseSuite, kind: deliveries, mode: modeEvents, also: sseSuite.against, without: passers, backend: "events",
		load: loadSpec{Mode: "events", Conns: 1000, Size: 100, Ahead: ahead, Rate: rate}, measure: measureOps,
	}
}

// measureFan begins with the reciprocal of the rate, of which less is better.
func measureFan(ctx context.Context, o *options, c *testCase, r *rig) ([]float64, error) {
	row, err := measureOps(ctx, o, c, r)
	if err != nil {
		return nil, err
	}
	return append([]float64{1e3 / row[1], row[1], row[0]}, row[2:]...), nil
}

// measureSockets is measureMemory with as many connections as there may be descriptors for.
func measureSockets(ctx context.Context, o *options, c *testCase, r *rig) ([]float64, error) {
	most, err := filesMost()
	if err != nil {
		return nil, err
	}
	fits := *c
	fits.load.Conns = min(c.load.Conns, int(most-spareFiles)/2) // gozilla keeps as many for what a proxy dials
	row, err := measureMemory(ctx, o, &fits, r)
	return append(row, float64(fits.load.Conns)), err
}

//go:build linux

package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

// Each load runs against each peer that is for it.
func TestPeers(t *testing.T) {
	p := &peers{path: filepath.Join(t.TempDir(), "peers")}
	if err := buildPeers(t.Context(), "peers", p.path); err != nil {
		t.Fatal(err)
	}
	all := map[string]*proxy{}
	for _, x := range p.proxies() {
		all[x.name] = x
	}
	for _, name := range []string{"ws-64", "ws-paced", "ws-fan", "sse-fan", "sse-paced"} {
		c := *caseOf(t, name)
		c.load.Conns = 20
		for _, peer := range c.also {
			t.Run(name+"/"+peer, func(t *testing.T) {
				r := startedRig(t, all[peer], &c)
				row, err := c.measure(t.Context(), &options{warm: 20 * time.Millisecond, window: 100 * time.Millisecond}, &c, r)
				if err != nil || len(row) != len(c.kind.metrics) {
					t.Fatalf("%v, %v", row, err)
				}
				for i, v := range row {
					if v <= 0 {
						t.Errorf("%s is %v", c.kind.metrics[i].Key, v)
					}
				}
			})
		}
	}
	c := *caseOf(t, "ws-memory")
	c.load.Conns = 20
	r, err := newRig(all[gobwasPeer], c.mode, c.backend, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	row, err := c.measure(t.Context(), &options{}, &c, r)
	if err != nil || len(row) != len(c.kind.metrics) || row[3] != 20 {
		t.Errorf("memory: %v, %v", row, err)
	}
}

func caseOf(t *testing.T, name string) *testCase {
	t.Helper()
	for _, c := range cases {
		if c.name == name {
			return c
		}
	}
	t.Fatalf("no case %s", name)
	return nil
}

func startedRig(t *testing.T, p *proxy, c *testCase) *rig {
	t.Helper()
	r, err := newRig(p, c.mode, c.backend, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	if err := r.await(r.accepts, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	return r
}

// The source of events serves those who listen by itself too.
func TestEvents(t *testing.T) {
	b, port, err := startBackend("events", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer b.stop()
	r, err := load(context.Background(), loadSpec{
		Mode: "events", Port: port, Source: port, Conns: 5, Size: 100, Ahead: 4, Window: 50 * time.Millisecond, PIDs: []int{b.cmd.Process.Pid},
	})
	if err != nil || r.Ops == 0 || r.Bytes != 100*r.Ops {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestChunk(t *testing.T) {
	f := func(in string, size int, rest string, ok bool) {
		t.Helper()
		n, r, err := chunk([]byte(in))
		if n != size || string(r) != rest || (err == nil) != ok {
			t.Errorf("%q: %d, %q, %v", in, n, r, err)
		}
	}
	f("", 0, "", true)
	f("1", 0, "", true)
	f("3\r", 0, "", true)
	f("3\r\nabc\r", 0, "", true)
	f("3\r\nabc\r\n", 3, "abc\r\n", true)
	f("00B\r\nabcdefghijk\r\n1", 11, "abcdefghijk\r\n1", true)
	f("0\r\n\r\n", 0, "", false)
	f("\r\n", 0, "", false)
	f("x\r\n", 0, "", false)
	f("fffffffff\r\n", 0, "", false)
}

func TestMasked(t *testing.T) {
	frame := served(patternAt(0, 64))
	out := masked(frame)
	number(out, frame, 12345)
	if string(masked(frame)) != string(out) || len(out) != 64+maskedHead {
		t.Error("the number is not masked like the rest")
	}
}

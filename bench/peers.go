//go:build linux

package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
)

// The peers of WebSockets and of events, which HAProxy and nginx only pass on.
const (
	coderPeer  = "coder"
	gobwasPeer = "gobwas"
	stdPeer    = "http.Server" // of net/http

	bestPeer = "best peer" // in a target: that of the suite's peers which does best in the case
)

// peersFolder is a module of its own, seen from the top folder.
const peersFolder = "bench/peers"

// peers is the program that has them all, which is built from this tree.
type peers struct{ path string }

// proxies are those that it has: each takes part where a case names it.
func (p *peers) proxies() []*proxy {
	return []*proxy{
		p.of(coderPeer, "net/http and coder/websocket, no compression", "github.com/coder/websocket", map[mode]string{modeSocket: "coder-echo", modeFan: "coder-fan"}),
		p.of(gobwasPeer, "gobwas/ws, a goroutine and a bufio.Reader for each connection, no compression", "github.com/gobwas/ws", map[mode]string{modeSocket: "gobwas-echo", modeFan: "gobwas-fan"}),
		p.of(stdPeer, "net/http, a goroutine and a channel for each client, a flush for each event", "", map[mode]string{modeEvents: "http-sse"}),
	}
}

func (p *peers) of(name, about, module string, servers map[mode]string) *proxy {
	return &proxy{
		name: name, base: subject, about: about,
		locate: func(ctx context.Context, o *options) (string, error) { return p.locate(ctx, o, module) },
		command: func(t task) ([]string, error) {
			server := servers[t.mode]
			if server == "" {
				return nil, t.unknown(name)
			}
			return []string{p.path, server, strconv.Itoa(t.listen), strconv.Itoa(t.backend)}, nil
		},
	}
}

// locate builds the program once, and says which version of a library it has.
func (p *peers) locate(ctx context.Context, o *options, module string) (string, error) {
	if p.path == "" {
		path := filepath.Join(o.temp, "peers")
		if err := buildPeers(ctx, peersFolder, path); err != nil {
			return "", err
		}
		p.path = path
	}
	info, err := buildinfo.ReadFile(p.path)
	if err != nil {
		return "", fmt.Errorf("cannot read build of peers: %w", err)
	}
	for _, m := range info.Deps {
		if m.Path == module {
			return m.Version + ", " + info.GoVersion, nil
		}
	}
	return info.GoVersion, nil
}

func buildPeers(ctx context.Context, folder, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, ".")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build %s: %w%s", folder, err, indented(string(out)))
	}
	return nil
}

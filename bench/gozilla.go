//go:build linux

package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

const gozillaPackage = "gozilla/cmd/gozilla"

// gozillaConfig has a place for vaults, and one for the bindings between both ends.
const gozillaConfig = `name: bench
telemetry:
  metrics:
    - stream.data.received
    - stream.data.sent
    - stream.active.received
    - stream.opens.received
    - http.duration
    - http.request.size
    - http.response.size
    - http.active.requests
  exporters:
    metrics:
      type: prometheus
      options:
        endpoints:
          - scheme: http
            port: %d
%sbindings:
  north:
    type: tcp
    kind: server
    options:
      host: 127.0.0.1
      port: %d
    telemetry:
      metrics:
        - stream.*
    exit: %s
%s`

// gozillaSouth has a place for the port of the backend.
const gozillaSouth = `  south:
    type: tcp
    kind: client
    options:
      host: 127.0.0.1
      port: %d
    telemetry:
      metrics:
        - stream.*
`

const gozillaVault = `vaults:
  keys:
    type: filesystem
    options:
      keys:
        store: %s
        type: pkcs12
        password: ` + storePassword + `
`

const gozillaServer = `  middle:
    type: tls
    kind: server
    vault: keys
    options:
      keys:
        - ` + storeAlias + `
    telemetry:
      metrics:
        - stream.*
    exit: south
`

// gozillaHTTP has a place for the versions that the server takes, and one for those that the client does.
const gozillaHTTP = `  middle:
    type: http
    kind: server
    options:
      versions: [ %s ]
    telemetry:
      metrics:
        - http.*
    exit: client
  client:
    type: http
    kind: client
    options:
      versions: [ %s ]
    telemetry:
      metrics:
        - http.*
    exit: south
`

// gozillaFiles has a place for the folder.
const gozillaFiles = `  middle:
    type: http
    kind: server
    telemetry:
      metrics:
        - http.*
    exit: mapping
  mapping:
    type: http-filesystem
    kind: proxy
    routes:
      - when:
          - path: /{path}
        with:
          path: ${params.path}
        exit: files
  files:
    type: filesystem
    kind: server
    options:
      location: %s
`

const gozillaProxy = `  middle:
    type: tls
    kind: proxy
    telemetry:
      metrics:
        - stream.*
    routes:
      - when:
          - authority: ` + serverName + `
        exit: south
`

// gozillaSockets has a place for what answers.
const gozillaSockets = `  middle:
    type: http
    kind: server
    telemetry:
      metrics:
        - http.*
    exit: sockets
  sockets:
    type: ws
    kind: server
    exit: %s
  fan:
    type: fan
    kind: server
    exit: echo
  echo:
    type: echo
    kind: server
`

const gozillaEvents = `  middle:
    type: http
    kind: server
    telemetry:
      metrics:
        - http.*
    exit: events
  events:
    type: sse
    kind: server
    exit: fan
  fan:
    type: fan
    kind: server
    exit: source
  source:
    type: sse
    kind: client
    exit: client
  client:
    type: http
    kind: client
    options:
      versions: [ http/1.1 ]
    telemetry:
      metrics:
        - http.*
    exit: south
`

// gozilla is built from this tree unless a binary is given.
type gozilla struct{ path, version string }

// locate is called once for each of the proxies that run the binary.
func (g *gozilla) locate(ctx context.Context, o *options) (_ string, err error) {
	if g.path == "" {
		if g.path = o.bin; g.path == "" {
			g.path = filepath.Join(o.temp, "gozilla")
			if err := g.build(ctx); err != nil {
				return "", err
			}
		}
		g.version, err = buildOf(g.path)
	}
	return g.version, err
}

func (g *gozilla) build(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "build", "-o", g.path, gozillaPackage).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot build %s (leave it out with -proxies haproxy,nginx): %w\n    %s", gozillaPackage, err,
			strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", "\n    "))
	}
	return nil
}

// buildOf is what a binary was built from.
func buildOf(path string) (string, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot read build of gozilla: %w", err)
	}
	v := info.Path + " " + info.GoVersion // the path tells what -bin really gave
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "vcs.modified" {
			v += fmt.Sprintf(" %s=%s", s.Key, s.Value)
		}
	}
	return v, nil
}

func (g *gozilla) command(t task) ([]string, error) {
	var vault, middle string
	exit := "middle"
	switch t.mode {
	case modeTCP:
		exit = "south"
	case modeTLS, modeRSA, modeTicket, modeResume:
		vault, middle = fmt.Sprintf(gozillaVault, keyFile(t.keys, t.mode, ".p12")), gozillaServer
	case modeHTTP:
		middle = fmt.Sprintf(gozillaHTTP, "http/1.1", "http/1.1")
	case modeH2:
		middle = fmt.Sprintf(gozillaHTTP, "h2", "http/1.1")
	case modeH2H2:
		middle = fmt.Sprintf(gozillaHTTP, "h2", "h2")
	case modeFile:
		middle = fmt.Sprintf(gozillaFiles, t.path("files"))
	case modeSNI:
		middle = gozillaProxy
	case modeSocket:
		middle = fmt.Sprintf(gozillaSockets, "echo")
	case modeFan:
		middle = fmt.Sprintf(gozillaSockets, "fan")
	case modeEvents:
		middle = gozillaEvents
	default:
		return nil, t.unknown("gozilla")
	}
	if t.mode != modeSocket && t.mode != modeFan {
		middle += fmt.Sprintf(gozillaSouth, t.backend)
	}
	metrics, err := freePort()
	if err != nil {
		return nil, err
	}
	file, err := t.write("zilla.yaml", fmt.Sprintf(gozillaConfig, metrics, vault, t.listen, exit, middle))
	return []string{g.path, "start", "-c", file, "-P", "zilla.engine.directory=" + t.path("engine")}, err
}

// relay is the command that passes on bytes unread, whatever the mode asks for: what a mode adds is seen against it.
func (g *gozilla) relay(t task) ([]string, error) {
	t.mode = modeTCP
	return g.command(t)
}

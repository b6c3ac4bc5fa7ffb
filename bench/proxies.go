//go:build linux

package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// mode is what a proxy is to do in a case.
type mode string

const modeTCP mode = "tcp" // relay a byte stream

// task is one proxy's part in a case, for which it configures itself.
type task struct {
	mode    mode
	dir     string // its own, empty at first
	listen  int    // port to serve
	backend int    // port to connect to
}

func (t task) path(name string) string { return filepath.Join(t.dir, name) }

// proxy is a program under test with one set of options.
type proxy struct {
	name  string
	base  string // the proxy it is a tuned variant of, or ""
	about string // its settings, for the report

	// locate finds the program, or says which package has it, and returns its version.
	locate func(ctx context.Context, o *options) (version string, err error)

	// command writes the configuration for a task and returns what to run.
	command func(t task) (argv []string, err error)
}

const baseline = "haproxy" // all ratios are to this one

func allProxies() []*proxy {
	g := &gozilla{}
	return []*proxy{
		haproxy("haproxy", "", 0),
		nginx("nginx", "", 0),
		{name: "gozilla", about: "stream metrics and records on", locate: g.locate, command: g.command},
		haproxy("haproxy-64k", "haproxy", 64<<10),
		nginx("nginx-64k", "nginx", 64<<10),
	}
}

func (t task) only(m mode, name string) error {
	if t.mode != m {
		return fmt.Errorf("%s has no configuration for mode %q", name, t.mode)
	}
	return nil
}

func (t task) write(name, text string) (string, error) {
	path := t.path(name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return "", fmt.Errorf("cannot write configuration: %w", err)
	}
	return path, nil
}

// version runs a tool that prints its version somewhere in its first line.
func version(ctx context.Context, argv ...string) (string, error) {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot run %s: %w", strings.Join(argv, " "), err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line, nil
}

const haproxyConfig = `global
	nbthread 2
	maxconn 4096
%sdefaults
	mode tcp
	timeout connect 5s
	timeout client 1m
	timeout server 1m
listen bench
	bind 127.0.0.1:%d
	server backend 127.0.0.1:%d
`

// haproxy with two threads; bufsize 0 leaves tune.bufsize at its default of 16 KiB.
func haproxy(name, base string, bufsize int) *proxy {
	var path, tune string
	about := "mode tcp, nbthread 2, defaults"
	if bufsize > 0 {
		tune = fmt.Sprintf("\ttune.bufsize %d\n", bufsize)
		about = fmt.Sprintf("mode tcp, nbthread 2, tune.bufsize %d", bufsize)
	}
	return &proxy{
		name: name, base: base, about: about,
		locate: func(ctx context.Context, _ *options) (v string, err error) {
			if path, err = find("haproxy", "haproxy"); err != nil {
				return "", err
			}
			return version(ctx, path, "-v")
		},
		command: func(t task) ([]string, error) {
			if err := t.only(modeTCP, name); err != nil {
				return nil, err
			}
			file, err := t.write("haproxy.cfg", fmt.Sprintf(haproxyConfig, tune, t.listen, t.backend))
			return []string{path, "-db", "-f", file}, err
		},
	}
}

const nginxModule = "/usr/lib/nginx/modules/ngx_stream_module.so"

const nginxConfig = `load_module %s;
daemon off;
worker_processes 2;
pid %s;
error_log stderr;
events { worker_connections 8192; }
stream {
	server {
		listen 127.0.0.1:%d reuseport backlog=4096;
		proxy_pass 127.0.0.1:%d;
%s	}
}
`

// nginx stream with two workers; bufsize 0 leaves proxy_buffer_size at its default of 16 KiB.
func nginx(name, base string, bufsize int) *proxy {
	var path, tune string
	about := "stream, 2 workers, reuseport, defaults"
	if bufsize > 0 {
		tune = fmt.Sprintf("\t\tproxy_buffer_size %d;\n", bufsize)
		about = fmt.Sprintf("stream, 2 workers, reuseport, proxy_buffer_size %d", bufsize)
	}
	return &proxy{
		name: name, base: base, about: about,
		locate: func(ctx context.Context, _ *options) (v string, err error) {
			if path, err = find("nginx", "nginx-light"); err != nil {
				return "", err
			}
			if _, err := os.Stat(nginxModule); err != nil {
				return "", fmt.Errorf("nginx has no stream module: install the package libnginx-mod-stream, or run bench/setup.sh: %w", err)
			}
			return version(ctx, path, "-v")
		},
		command: func(t task) ([]string, error) {
			if err := t.only(modeTCP, name); err != nil {
				return nil, err
			}
			file, err := t.write("nginx.conf",
				fmt.Sprintf(nginxConfig, nginxModule, t.path("nginx.pid"), t.listen, t.backend, tune))
			return []string{path, "-p", t.dir, "-c", file, "-e", "stderr"}, err
		},
	}
}

const gozillaPackage = "gozilla/cmd/gozilla"

const gozillaConfig = `name: bench
telemetry:
  metrics:
    - stream.data.received
    - stream.data.sent
    - stream.active.received
    - stream.opens.received
  exporters:
    metrics:
      type: prometheus
      options:
        endpoints:
          - scheme: http
            port: %d
bindings:
  north:
    type: tcp
    kind: server
    options:
      host: 127.0.0.1
      port: %d
    telemetry:
      metrics:
        - stream.*
    exit: south
  south:
    type: tcp
    kind: client
    options:
      host: 127.0.0.1
      port: %d
    telemetry:
      metrics:
        - stream.*
`

// gozilla is built from this tree unless a binary is given.
type gozilla struct{ path string }

func (g *gozilla) locate(ctx context.Context, o *options) (string, error) {
	g.path = o.bin
	if g.path == "" {
		g.path = filepath.Join(o.temp, "gozilla")
		out, err := exec.CommandContext(ctx, "go", "build", "-o", g.path, gozillaPackage).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("cannot build %s (leave it out with -proxies haproxy,nginx): %w\n    %s", gozillaPackage, err,
				strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", "\n    "))
		}
	}
	info, err := buildinfo.ReadFile(g.path)
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
	if err := t.only(modeTCP, "gozilla"); err != nil {
		return nil, err
	}
	metrics, err := freePort()
	if err != nil {
		return nil, err
	}
	file, err := t.write("zilla.yaml", fmt.Sprintf(gozillaConfig, metrics, t.listen, t.backend))
	return []string{g.path, "start", "-c", file, "-P", "zilla.engine.directory=" + t.path("engine")}, err
}

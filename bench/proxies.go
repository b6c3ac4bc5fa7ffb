//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// mode is what a proxy is to do in a case.
type mode string

const (
	modeTCP    mode = "tcp"        // relay a byte stream
	modeTLS    mode = "tls"        // end TLS 1.3, with an ECDSA certificate and without session tickets
	modeRSA    mode = "tls-rsa"    // the same with an RSA certificate
	modeTicket mode = "tls-ticket" // the same with tickets and caches, as they are by default
	modeResume mode = "tls-resume" // the same, for clients that come back
	modeHTTP   mode = "http"       // relay requests of HTTP/1.1
	modeH2     mode = "h2"         // relay requests of HTTP/2 in the clear, as HTTP/1.1
	modeH2H2   mode = "h2-h2"      // the same, as HTTP/2
	modeFile   mode = "file"       // serve files by HTTP/1.1
	modeSocket mode = "ws"         // answer messages of WebSockets
	modeFan    mode = "ws-fan"     // give all WebSockets what one says
	modeEvents mode = "sse"        // give all clients the events of one source
	modeSNI    mode = "tls-sni"    // pass TLS on, to a backend that is chosen by the name that the client asks for
)

// secure reports whether the proxy has the key.
func (m mode) secure() bool { return m == modeTLS || m == modeRSA || m.tickets() }

// streams reports whether clients speak HTTP/2.
func (m mode) streams() bool { return m == modeH2 || m == modeH2H2 }

// tickets reports whether the proxy lets clients resume sessions.
func (m mode) tickets() bool { return m == modeTicket || m == modeResume }

// task is one proxy's part in a case, for which it configures itself.
type task struct {
	mode    mode
	dir     string // its own, empty at first
	keys    string // directory with keys, for modes that are secure
	listen  int    // port to serve
	backend int    // port to connect to
}

func (t task) path(name string) string { return filepath.Join(t.dir, name) }

// proxy is a program under test with one set of options.
type proxy struct {
	name  string
	base  string // the proxy it is a variant of, or ""
	tuned bool   // a variant that takes part in what -tuned says; the others do where a case names them
	about string // its settings, for the report

	// locate finds the program, or says which package has it, and returns its version.
	locate func(ctx context.Context, o *options) (version string, err error)

	// command writes the configuration for a task and returns what to run.
	command func(t task) (argv []string, err error)
}

const (
	baseline = "haproxy"       // ratios are to this one where it takes part
	subject  = "gozilla"       // targets are for this one
	ownRelay = "gozilla-relay" // gozilla without TLS

	stdReverse = "ReverseProxy" // of net/http/httputil
)

func allProxies() []*proxy {
	g := &gozilla{}
	return append([]*proxy{
		haproxy("haproxy", "", 0),
		nginx("nginx", "", 0),
		{name: subject, about: "stream metrics and records on", locate: g.locate, command: g.command},
		haproxy("haproxy-64k", "haproxy", 64<<10),
		nginx("nginx-64k", "nginx", 64<<10),
		reverse(stdReverse, subject),
		{name: ownRelay, base: subject, about: "tcp server to tcp client, whatever the bytes are", locate: g.locate, command: g.relay},
	}, (&peers{}).proxies()...)
}

func (t task) unknown(name string) error {
	return fmt.Errorf("%s has no configuration for mode %q", name, t.mode)
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

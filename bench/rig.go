//go:build linux

package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// rig is one proxy with a backend of its own, set up for a case. Backends are not shared, so that
// what one proxy leaves behind (ports in TIME_WAIT) does not hinder the next.
type rig struct {
	proxy   *proxy
	mode    mode
	dir     string
	keys    string // directory with the keys of the run
	argv    []string
	port    int // of the proxy
	behind  int // port of the backend
	backend *process
	running *process // the proxy, or nil
}

// newRig starts the backend and configures the proxy, which it does not start. In temp are the keys, and all that is
// written.
func newRig(p *proxy, m mode, backend, temp string) (*rig, error) {
	dir, err := os.MkdirTemp(temp, p.name+"-")
	if err != nil {
		return nil, fmt.Errorf("cannot create directory: %w", err)
	}
	r := &rig{proxy: p, mode: m, dir: dir, keys: temp}
	if r.backend, r.behind, err = startBackend(backend, dir); err != nil {
		return nil, err
	}
	if err = r.lay(); err == nil {
		r.port, err = freePort()
	}
	if err == nil {
		r.argv, err = p.command(task{mode: m, dir: dir, keys: temp, listen: r.port, backend: r.behind})
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// lay writes the file that is served in modeFile.
func (r *rig) lay() error {
	if r.mode != modeFile {
		return nil
	}
	files := filepath.Join(r.dir, "files")
	if err := errors.Join(os.Chmod(r.keys, 0o755), os.Chmod(r.dir, 0o755), os.Mkdir(files, 0o755)); err != nil { // workers of nginx run as another user
		return fmt.Errorf("cannot make directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(files, fileName), patternOf(answers[fileName].body), 0o644); err != nil {
		return fmt.Errorf("cannot write file: %w", err)
	}
	return nil
}

func (r *rig) start() (err error) {
	r.running, err = start(r.proxy.name, r.dir, nil, r.argv...)
	return err
}

// await returns when try succeeds: the proxy is ready then.
func (r *rig) await(try func() error, pause time.Duration) error {
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(pause) {
		err := try()
		if err == nil {
			return nil
		}
		if err := r.alive(); err != nil {
			return err
		}
		if time.Now().After(limit) {
			return fmt.Errorf("not ready within 10s: %w%s", err, tail(r.running.log))
		}
	}
}

// accepts is nil when the port of the proxy can be connected to.
func (r *rig) accepts() error {
	c, err := r.dial()
	if err == nil {
		c.Close()
	}
	return err
}

// echoes is nil when a byte makes the way through the proxy and back.
func (r *rig) echoes() error {
	if r.mode == modeHTTP || r.mode.streams() {
		return r.asksOnce()
	}
	if r.mode == modeSocket {
		return r.talks()
	}
	c, err := r.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	b := []byte{'z'}
	if _, err := c.Write(b); err != nil {
		return err
	}
	b[0] = 0
	if _, err := c.Read(b); err != nil {
		return err
	}
	if b[0] != 'z' {
		return errors.New("another byte came back")
	}
	return nil
}

func (r *rig) dial() (net.Conn, error) {
	d, address := &net.Dialer{Timeout: time.Second}, fmt.Sprintf("127.0.0.1:%d", r.port)
	if r.mode.secure() {
		return tls.DialWithDialer(d, "tcp4", address, &tls.Config{ServerName: serverName, InsecureSkipVerify: true}) // the load looks closer
	}
	return d.Dial("tcp4", address)
}

// url is that of a path.
func (r *rig) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", r.port, path) }

// dress makes a load one that the rig's mode is for.
func (r *rig) dress(spec loadSpec) loadSpec {
	spec.Port, spec.Source = r.port, r.behind
	switch {
	case r.mode.secure():
		spec.Secure = &secureSpec{Name: serverName, Cert: keyFile(r.keys, r.mode, ".pem"), Tickets: r.mode.tickets(), Resume: r.mode == modeResume}
	case r.mode == modeSNI:
		spec.Hello = serverName
	}
	return spec
}

func (r *rig) alive() error {
	return errors.Join(r.running.alive(), r.backend.alive())
}

// pids are the proxy's processes.
func (r *rig) pids() ([]int, error) { return family(r.running.cmd.Process.Pid) }

func (r *rig) stop() {
	if r.running != nil {
		r.running.stop()
		r.running = nil
	}
}

func (r *rig) close() {
	r.stop()
	r.backend.stop()
}

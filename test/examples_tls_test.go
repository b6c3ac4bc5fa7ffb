package test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A manual is the README of an example beside a copy of its files, with other ports. Its commands are run as they stand
// there, so a test of the example is one of its README.
type manual struct {
	t      testing.TB
	dir    string // where the commands are run
	env    []string
	port   map[int]int
	blocks [][]string // of commands, line by line
}

// manualOf copies an example and makes its certificates, by the first block of its README if that does so.
func manualOf(t testing.TB, name string) *manual {
	t.Helper()
	need(t, "openssl", "openssl")
	m := &manual{t: t, dir: t.TempDir(), port: map[int]int{}}
	m.env = append(os.Environ(), "PATH="+filepath.Dir(binary(t))+":"+os.Getenv("PATH"), "KEYSTORE_PASSWORD=generated", "TRUSTSTORE_PASSWORD=generated")
	from, to := filepath.Join("..", "examples", name), filepath.Join(m.dir, "examples", name)
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(from, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the example %s has no configuration, %v", name, err)
	}
	for _, file := range files {
		text := regexp.MustCompile(`(port: |http://localhost:).*`).ReplaceAllStringFunc(string(mustRead(t, file)), func(line string) string { return m.moved(line, true) })
		write(t, filepath.Join(to, filepath.Base(file)), text)
	}
	m.copyOthers(from, to)
	readme := m.moved(string(mustRead(t, filepath.Join(from, "README.md"))), false)
	readme = strings.ReplaceAll(readme, "/tmp/", m.dir+"/tmp/")
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)\n```").FindAllStringSubmatch(readme, -1) {
		m.blocks = append(m.blocks, strings.Split(strings.ReplaceAll(block[1], "\\\n", ""), "\n"))
	}
	if first := m.blocks[0][0]; strings.HasPrefix(first, "gozilla certs ") {
		if out, err := m.sh(first).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", first, err, out)
		}
	}
	return m
}

// copyOthers copies what is beside the configurations, with the ports that these were given.
func (m *manual) copyOthers(from, to string) {
	m.t.Helper()
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		case filepath.Ext(name) == ".yaml" || filepath.Ext(name) == ".key":
			return nil
		}
		write(m.t, filepath.Join(to, name), m.moved(string(mustRead(m.t, path)), false))
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// moved is a text with other ports: those that a configuration has, which are given to new ones if they may be.
func (m *manual) moved(text string, more bool) string {
	return regexp.MustCompile(`\b\d{4,5}\b`).ReplaceAllStringFunc(text, func(s string) string {
		have := atoi(m.t, s)
		if m.port[have] == 0 && more {
			m.port[have] = freePort(m.t)
		}
		if m.port[have] == 0 {
			return s
		}
		return strconv.Itoa(m.port[have])
	})
}

// sh is a command of the shell that is yet to be run.
func (m *manual) sh(line string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", line)
	cmd.Dir, cmd.Env = m.dir, m.env
	return cmd
}

// line is the one command that has all the parts, in the folder that its block goes to.
func (m *manual) line(parts ...string) *exec.Cmd {
	m.t.Helper()
	var found []*exec.Cmd
	for _, block := range m.blocks {
		for _, line := range block {
			if slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
				continue
			}
			cmd := m.sh(regexp.MustCompile(` +#.*`).ReplaceAllString(line, ""))
			if folder, ok := strings.CutPrefix(block[0], "cd "); ok {
				cmd.Dir = filepath.Join(m.dir, folder)
			}
			if !slices.ContainsFunc(found, func(c *exec.Cmd) bool { return c.Dir == cmd.Dir && c.Args[2] == cmd.Args[2] }) {
				found = append(found, cmd)
			}
		}
	}
	if len(found) != 1 {
		m.t.Fatalf("the README has %d commands with %q, want one", len(found), parts)
	}
	return found[0]
}

// says runs a command to its end, for which it has the patience of a test, and gives what it writes on its standard output. The
// error is its status.
func (m *manual) says(parts ...string) (string, error) {
	m.t.Helper()
	cmd := m.line(parts...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &errs, time.Second
	err := cmd.Start()
	if err == nil {
		late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		err = cmd.Wait()
		late.Stop()
	}
	if err != nil {
		err = fmt.Errorf("%w: %s", err, &errs)
	}
	return out.String(), err
}

// start runs the block that starts the gateway with a file: what it starts before it too, until the test ends. It
// returns once the ports listen, those of the servers among them.
func (m *manual) start(file string, servers ...int) *gateway {
	m.t.Helper()
	for _, block := range m.blocks {
		last := block[len(block)-1]
		if !strings.HasPrefix(last, "gozilla start ") || !strings.HasSuffix(last, "/"+file) {
			continue
		}
		if before := block[:len(block)-1]; len(servers) > 0 {
			m.background(strings.Join(before, "\n"))
			for _, port := range servers {
				m.awaitServer(m.port[port])
			}
		}
		cmd := exec.Command(binary(m.t), strings.Fields(last)[1:]...)
		cmd.Env = m.env
		g := launchCmd(m.t, cmd, m.dir)
		g.awaitStart()
		return g
	}
	m.t.Fatalf("the README does not start %s", file)
	return nil
}

// background runs what goes on in the background until the test ends.
func (m *manual) background(lines string) {
	var out bytes.Buffer
	cmd := m.sh(lines + "\nwait")
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the shell and what it has started
		cmd.Wait()
		if m.t.Failed() {
			m.t.Logf("%s\nwrote:\n%s", lines, &out)
		}
	})
}

// awaitServer waits until somebody listens, without connecting. Who listens for IPv4 and IPv6 at once is among the latter.
func (m *manual) awaitServer(port int) {
	m.t.Helper()
	entry := regexp.MustCompile(fmt.Sprintf(`: [0-9A-F]+:%04X 0+:0000 0A `, port))
	eventually(m.t, fmt.Sprintf("somebody listens on %d", port), func() bool {
		return entry.Match(mustRead(m.t, "/proc/net/tcp6")) || entry.Match(mustRead(m.t, "/proc/net/tcp"))
	})
}

func TestExampleTLSEcho(t *testing.T) {
	m := manualOf(t, "tls.echo")
	if out, err := m.sh("gozilla check --strict -c examples/tls.echo/zilla.yaml").CombinedOutput(); err != nil || strings.Contains(string(out), "warning") {
		t.Errorf("it does not run on zilla: %v\n%s", err, out)
	}
	g := m.start("zilla.yaml")
	t.Run("checks", func(t *testing.T) {
		for _, test := range []struct {
			name  string
			parts []string
			want  string
		}{
			{"echo without a certificate", []string{"-alpn echo "}, "Hello\n"},
			{"secure-echo without a certificate", []string{"-alpn secure-echo  "}, ""},
			{"secure-echo with a certificate of another authority", []string{"-alpn secure-echo -cert client-2.crt"}, ""},
			{"secure-echo with the certificate of a client", []string{"-alpn secure-echo -cert client-1.crt"}, "Hello\n"},
		} {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				mine := *m
				mine.t = t
				if out, err := mine.says(test.parts...); out != test.want || err != nil && test.want != "" {
					t.Errorf("the client gets %q, %v, want %q", out, err, test.want)
				}
			})
		}
	})
	server := `> example:north_tls_server`
	for _, want := range []string{
		server + ` routes\[1\] > example:north_echo_server" .*tls=TLSv1\.3 alpn=echo .*by=client reason=fin`,
		server + `" .*alpn=secure-echo .*by=gateway reason=unauthenticated`,
		server + `" .*alpn=secure-echo identity=client-2 .*by=gateway reason=forbidden`,
		server + ` routes\[0\] > example:north_echo_server" .*alpn=secure-echo identity=client-1 .*by=client reason=fin`,
	} {
		g.stderr.await(t, g, want)
	}
	g.terminate()
}

// A session is an openssl s_client that is typed into.
type session struct {
	*exec.Cmd
	in  io.WriteCloser
	out *output
}

// session starts the command of a manual, and ends it at the test's end.
func (m *manual) session(more string, parts ...string) *session {
	m.t.Helper()
	s := &session{Cmd: m.line(parts...), out: newOutput()}
	s.Args[2] = "exec " + s.Args[2] + more
	s.Stdout = s.out
	var err error
	if s.in, err = s.StdinPipe(); err != nil {
		m.t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { s.Process.Kill(); s.Wait() })
	return s
}

func (s *session) has(t testing.TB, lines int) {
	t.Helper()
	eventually(t, fmt.Sprintf("a client has seen %d lines", lines), func() bool { return len(s.out.lines()) == lines })
}

func TestExampleTLSReflect(t *testing.T) {
	m := manualOf(t, "tls.reflect")
	g := m.start("zilla.yaml")
	for _, line := range []string{"Hello, Zilla!", "Bye, Zilla!"} {
		s := m.session(" -no_ign_eof", "-alpn echo")
		fmt.Fprintln(s.in, line)
		s.has(t, 1)
		s.in.Close()
		if err := s.Wait(); err != nil || s.out.String() != line+"\n" {
			t.Errorf("the client gets %q, %v, want %q", s.out, err, line)
		}
	}
	a, b := m.session("", "-alpn echo"), m.session("", "-alpn echo")
	eventually(t, "both clients are members", func() bool {
		_, out, _ := run(t, g.dir, "metrics", "north_fan_server")
		return regexp.MustCompile(`stream.active.received +2\n`).MatchString(out)
	})
	fmt.Fprintln(a.in, "Hello from client 1")
	fmt.Fprintln(b.in, "Hello from client 2")
	for _, s := range []*session{a, b} {
		s.has(t, 2)
		got := slices.Sorted(slices.Values(s.out.lines()))
		if want := []string{"Hello from client 1", "Hello from client 2"}; !slices.Equal(got, want) {
			t.Errorf("a client gets %q", got)
		}
		s.Process.Kill()
	}
	g.terminate()
}

func TestExampleTLSProxy(t *testing.T) {
	need(t, "curl", "curl")
	m := manualOf(t, "tls.proxy")
	get := func(name string) {
		t.Helper()
		if out, err := m.says("curl ", "https://"+name+".localhost"); err != nil || out != "this is "+name+"\n" {
			t.Errorf("%s: curl gets %q, %v", name, out, err)
		}
	}
	g := m.start("zilla.yaml", 8001, 8002)
	get("green")
	get("blue")
	if out, err := m.says("curl ", "https://127.0.0.1"); err == nil {
		t.Errorf("who asks for no name gets %q", out)
	}
	g.stderr.await(t, g, `> example:north_tls_proxy routes\[0\] > example:south_green" .*authority=green\.localhost`)
	g.stderr.await(t, g, `> example:north_tls_proxy routes\[1\] > example:south_blue" .*authority=blue\.localhost`)
	g.stderr.await(t, g, `by=gateway reason="no route"`)
	g.terminate()

	g = m.start("alpn.yaml", 8003)
	get("green")
	get("blue")
	out, err := m.says("-alpn acme-tls/1 < ")
	if err != nil || !strings.Contains(out, "subject=CN = blue.localhost\n") || !strings.Contains(out, "ALPN protocol: acme-tls/1\n") {
		t.Errorf("who offers acme-tls/1 gets %q, %v", out, err)
	}
	g.stderr.await(t, g, `> example:north_tls_proxy routes\[0\] > example:south_acme" .*authority=green\.localhost`)
	g.terminate()
}

func TestExampleProxyEcho(t *testing.T) {
	need(t, "nc", "netcat-openbsd")
	m := manualOf(t, "proxy.echo")
	g := m.start("zilla.yaml")
	for _, test := range []struct {
		parts []string
		want  string
	}{
		{[]string{"echo ", "# Hello"}, "Hello\n"},
		{[]string{"printf ", "localhost"}, "Hello\n"},
		{[]string{"echo ", "# nothing"}, ""},
		{[]string{"printf ", "-s 127.0.0.2"}, ""},
	} {
		if out, err := m.says(test.parts...); out != test.want || err != nil && test.want != "" {
			t.Errorf("%q: nc gets %q, %v, want %q", test.parts, out, err, test.want)
		}
	}
	balancer := g.stderr.await(t, g, fmt.Sprintf(`source=(127\.0\.0\.1:\d+) dest=127\.0\.0\.1:%d target=127\.0\.0\.1:%d `, m.port[12346], m.port[12345]))
	g.stderr.await(t, g, fmt.Sprintf(`source=%s dest=127\.0\.0\.1:%d path="[^"]* > example:north_proxy_server exit > example:north_echo_server"`, balancer[1], m.port[12346]))
	g.stderr.await(t, g, `source=192\.0\.2\.7:40000 dest=198\.51\.100\.1:443 .*by=client reason=fin`)
	g.stderr.await(t, g, `Rejected the PROXY header of a connection from 127\.0\.0\.1:\d+: there is no header`)
	g.stderr.await(t, g, `Rejected the PROXY header of a connection from 127\.0\.0\.2:\d+: it does not come from a network that is trusted`)
	g.terminate()
}

func TestExampleTCPTLSProxy(t *testing.T) {
	need(t, "curl", "curl")
	m := manualOf(t, "tcp.tls.proxy")
	g := m.start("zilla.yaml", 8443)
	for _, name := range []string{"alice", "bob"} {
		out, err := m.says("curl ", name+".crt")
		if want := regexp.MustCompile(`\A +Issuer: CN ?= ?inside-ca\n +Subject: CN ?= ?` + name + `\n`); err != nil || !want.MatchString(out) {
			t.Errorf("the server knows %s as %q, %v", name, out, err)
		}
		g.stderr.await(t, g, `example:south_tcp_client" .*identity=`+name+` .*by=server reason=fin`)
	}
	if out, err := m.says("curl ", "carol.crt"); err == nil {
		t.Errorf("carol gets %q", out)
	}
	g.stderr.await(t, g, `\(subject\.cn=carol\) matched no candidate key, so no client certificate was presented\. +event=binding\.tls\.client\.certificate\.not\.matched`)
	if out, err := m.says("curl ", "no certificate"); err == nil {
		t.Errorf("a client without a certificate gets %q", out)
	}
	g.stderr.await(t, g, `example:north_tls_server" .*reason="not verified" error="tls: client didn't provide a certificate"`)
	g.terminate()
}

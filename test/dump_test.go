package test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dump begins to watch a gateway, in its directory.
func (g *gateway) dump(t testing.TB, args ...string) *gateway {
	t.Helper()
	d := launch(t, g.dir, append([]string{"dump"}, args...)...)
	d.stderr.await(t, d, "watching")
	return d
}

// interrupt ends a dump as the user does, and gives its last words.
func (g *gateway) interrupt(t testing.TB) (last string) {
	t.Helper()
	g.signal(syscall.SIGINT)
	if status := g.end(patience); status != 0 {
		t.Errorf("the dump ends with status %d", status)
	}
	lines := g.stderr.lines()
	return lines[len(lines)-1]
}

// packets is a file that a dump has written.
type packets struct {
	t      testing.TB
	tshark string
	file   string
}

func packetsIn(t testing.TB, file string) *packets {
	t.Helper()
	return &packets{t, need(t, "tshark", "tshark"), file}
}

// show gives what tshark shows, a line each. Packets are of no interest but for those that it may filter.
func (p *packets) show(args ...string) []string {
	p.t.Helper()
	cmd := exec.Command(p.tshark, append([]string{"-n", "-r", p.file}, args...)...)
	cmd.Env = append(cmd.Environ(), "HOME="+p.t.TempDir()) // without preferences
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("tshark %q: %v\n%s", args, err, &errs)
	}
	text := strings.TrimRight(string(out), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// fields are those of the packets that a filter lets through.
func (p *packets) fields(filter string, names ...string) []string {
	p.t.Helper()
	args := []string{"-Y", filter, "-T", "fields"}
	for _, n := range names {
		args = append(args, "-e", n)
	}
	return p.show(args...)
}

// sound fails the test where Wireshark would mark something.
func (p *packets) sound() {
	p.t.Helper()
	verify := []string{"-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-Y"}
	all, good := len(p.show()), len(p.show(append(verify, "tcp.checksum.status == 1 && !ip || tcp.checksum.status == 1 && ip.checksum.status == 1")...))
	if all == 0 || good != all {
		p.t.Errorf("%d packets of %d have good checksums", good, all)
	}
	const marked = "_ws.malformed || _ws.short || tcp.analysis.flags && !tcp.analysis.reused_ports || _ws.expert.severity >= 8388608"
	if bad := p.show(append(verify, marked)...); len(bad) > 0 {
		p.t.Errorf("%d packets are not sound:\n%s", len(bad), strings.Join(bad[:min(len(bad), 10)], "\n"))
	}
}

// follow gives the two directions of a stream.
func (p *packets) follow(stream int) (sent, received []byte) {
	p.t.Helper()
	for _, line := range p.show("-q", "-z", fmt.Sprintf("follow,tcp,raw,%d", stream)) {
		b, err := hex.DecodeString(strings.TrimSpace(line))
		switch {
		case err != nil: // a line around it
		case strings.HasPrefix(line, "\t"):
			received = append(received, b...)
		default:
			sent = append(sent, b...)
		}
	}
	return sent, received
}

// streamOf is the number of the first stream on an edge.
func (p *packets) streamOf(edge string) int {
	p.t.Helper()
	all := p.fields(fmt.Sprintf("frame.interface_name == %q && tcp.flags.syn == 1", edge), "tcp.stream")
	if len(all) == 0 {
		p.t.Fatalf("there is no stream on the edge %s", edge)
	}
	n, err := strconv.Atoi(all[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func TestDumpRelay(t *testing.T) {
	port, end := freePort(t), freePort(t)
	echoing(t, end)
	g := start(t, relay(port, end))
	file := filepath.Join(g.dir, "relay.pcapng")
	p := packetsIn(t, file)
	lines, d := g.dump(t), g.dump(t, "--pcapng", file)
	sent := noise(300_000)
	c := dial(t, port)
	go func() {
		c.Write(sent)
		c.CloseWrite()
	}()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes come back, then %v", len(got), err)
	}
	broken := dial(t, port)
	if err := echoes(broken, "hello"); err != nil {
		t.Fatal(err)
	}
	reset(broken)
	lines.stdout.await(t, lines, `is cut off: cut by the client: rst`)
	if got := lines.stdout.String(); !strings.Contains(got, "example:north > south  ->     5  hello\n") || !strings.Contains(got, "example:north > south  -- is over\n") {
		t.Errorf("the dump shows\n%s", got)
	}
	last := lines.interrupt(t)
	eventually(t, "the file is as far", func() bool {
		info, err := os.Stat(file)
		if err != nil || info.Size() < 600_010 {
			return false
		}
		// It is read while it is written, so that its end may be cut short.
		resets, _ := exec.Command(p.tshark, "-n", "-r", file, "-Y", "tcp.flags.reset == 1", "-T", "fields", "-e", "tcp.stream").Output()
		return len(resets) > 0
	})
	d.interrupt(t)
	if want := regexp.MustCompile(`^gozilla: \d+ chunks, 600010 bytes of data, 0 lost$`); !want.MatchString(last) {
		t.Errorf("it says %q", last)
	}
	p.sound()
	if there, back := p.follow(0); !bytes.Equal(there, sent) || !bytes.Equal(back, sent) {
		t.Errorf("the stream is %d and %d bytes, or others than were sent", len(there), len(back))
	}
	if there, back := p.follow(1); string(there) != "hello" || string(back) != "hello" {
		t.Errorf("the stream is %q and %q", there, back)
	}
	from := c.LocalAddr().String()
	if got := p.fields("tcp.stream == 0 && tcp.flags.syn == 1 && tcp.flags.ack == 0", "ip.src", "tcp.srcport", "tcp.dstport"); fmt.Sprint(got) != fmt.Sprintf("[127.0.0.1\t%s\t%d]", from[strings.LastIndexByte(from, ':')+1:], port) {
		t.Errorf("the stream is between %q", got)
	}
	if fins, resets := p.fields("tcp.flags.fin == 1", "tcp.stream"), p.fields("tcp.flags.reset == 1", "tcp.stream"); fmt.Sprint(fins) != "[0 0]" || fmt.Sprint(resets) != "[1]" {
		t.Errorf("streams %v end, and %v are reset", fins, resets)
	}
}

func TestDumpTLS(t *testing.T) {
	port, s := freePort(t), newStage(t)
	g := s.gateway(t, secured(port, keys(""), "exit: echo"))
	file := s.path("tls.pcapng")
	p := packetsIn(t, file)
	d := g.dump(t, "--pcapng", file)
	c, err := secure(t, port, s.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := echoes(c, "a secret"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	g.record(1)
	d.interrupt(t)
	p.sound()
	if there, back := p.follow(p.streamOf("example:inside > example:echo")); string(there) != "a secret" || string(back) != "a secret" {
		t.Errorf("inside of TLS there is %q and %q", there, back)
	}
	if b := mustRead(t, file); bytes.Count(b, []byte("a secret")) != 2 {
		t.Error("what is secret is seen in more places")
	}
	hellos := p.show("-d", fmt.Sprintf("tcp.port==%d,tls", port), "-Y", `tls.handshake.type == 1`, "-T", "fields", "-e", "frame.interface_name", "-e", "tls.handshake.extensions_server_name")
	if fmt.Sprint(hellos) != "[example:north > example:inside\tlocalhost]" {
		t.Errorf("the hellos are %q", hellos)
	}
}

func TestDumpHTTP(t *testing.T) {
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("x-method", r.Method)
		fmt.Fprintf(w, "%s %s", r.URL.Path, body)
		w.(http.Flusher).Flush()
		io.WriteString(w, "!")
	})
	port := freePort(t)
	g := start(t, hosting(port, b.port, "exit: out"), "--records")
	file := filepath.Join(g.dir, "http.pcapng")
	p := packetsIn(t, file)
	old := call(t, port)
	old.asks(plainGet, 200) // is not seen
	lines, d := g.dump(t, "--binding", "out"), g.dump(t, "--pcapng", file)
	old.asks("GET /old HTTP/1.1\r\nHost: a\r\n\r\n", 200)
	old.asks("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200)
	c := call(t, port)
	c.asks("POST /chunks HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", 200)
	c.asks("HEAD /head HTTP/1.1\r\nHost: b\r\n\r\n", 200)
	c.Close()
	g.stderr.await(t, g, `path=/head`)
	lines.stdout.await(t, lines, `(?s)HEAD /head .* is over`)
	lines.interrupt(t)
	d.interrupt(t)
	shown := regexp.MustCompile(` +`).ReplaceAllString(lines.stdout.String(), " ")
	for _, want := range []string{
		"-> GET /old HTTP/1.1 | host: a | traceparent: ", "-> 5 hello\n", "<- HTTP/1.1 200 OK | transfer-encoding: chunked | x-method: POST | ", "<- 14 /chunks hello!\n",
	} {
		if !strings.Contains(shown, "example:in > out "+want) {
			t.Errorf("there is no %q in\n%s", want, shown)
		}
	}
	p.sound()
	on := func(edge string) string { return fmt.Sprintf(" && frame.interface_name == %q", edge) }
	const inside = "example:in > example:out"
	got := p.fields("http.request"+on(inside), "http.request.method", "http.request.uri", "http.host", "http.file_data")
	want := []string{"GET\t/old\ta\t", "POST\t/post\ta\thello", "POST\t/chunks\tb\thello!", "HEAD\t/head\tb\t"}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) && fmt.Sprintf("%q", got) != fmt.Sprintf("%q", hexed(want)) {
		t.Errorf("the requests are %q, not %q", got, want)
	}
	if got := p.fields("http.response"+on(inside), "http.response.code", "http.content_type", "tcp.stream"); len(got) != 4 {
		t.Errorf("the responses are %q", got)
	}
	if got := p.fields("http.request.uri == \"/old\""+on("example:north > example:in"), "frame.number"); len(got) != 0 {
		t.Errorf("a connection is seen that was there before: %q", got)
	}
	if got := p.fields("http.request"+on("example:north > example:in"), "http.request.uri"); fmt.Sprint(got) != "[/chunks /head]" {
		t.Errorf("on the connection that came later there is %q", got)
	}
}

// hexed is what newer versions of tshark make of the last field.
func hexed(lines []string) (all []string) {
	for _, line := range lines {
		i := strings.LastIndexByte(line, '\t') + 1
		all = append(all, line[:i]+hex.EncodeToString([]byte(line[i:])))
	}
	return all
}

// TestDumpUpgrade has an exchange that becomes raw bytes.
func TestDumpUpgrade(t *testing.T) {
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(c, rw)
	})
	port := freePort(t)
	g := start(t, hosting(port, b.port, "exit: out"))
	file := filepath.Join(g.dir, "upgrade.pcapng")
	p := packetsIn(t, file)
	lines, d := g.dump(t, "--binding", "in"), g.dump(t, "--pcapng", file)
	c := call(t, port).says("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
	if r, err := http.ReadResponse(c.r, nil); err != nil || r.StatusCode != 101 {
		t.Fatalf("%v, %v", r, err)
	}
	c.says("raw bytes")
	if _, err := io.ReadFull(c.r, make([]byte, len("raw bytes"))); err != nil {
		t.Fatal(err)
	}
	c.CloseWrite()
	c.told()
	lines.stdout.await(t, lines, `in > out +-- is over`)
	lines.interrupt(t)
	d.interrupt(t)
	p.sound()
	there, back := p.follow(p.streamOf("example:in > example:out"))
	if !strings.HasPrefix(string(there), "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n") || !strings.HasSuffix(string(there), "\r\n\r\nraw bytes") ||
		!strings.HasPrefix(string(back), "HTTP/1.1 101 Switching Protocols\r\n") || !strings.HasSuffix(string(back), "\r\n\r\nraw bytes") {
		t.Errorf("the exchange is\n%s\nand\n%s", there, back)
	}
}

// TestDumpIPv6 writes packets of the other family.
func TestDumpIPv6(t *testing.T) {
	port := freePort(t)
	g := start(t, strings.Replace(echo(port), "127.0.0.1", "::1", 1))
	file := filepath.Join(g.dir, "ipv6.pcapng")
	p := packetsIn(t, file)
	d := g.dump(t, "--pcapng", file, "--bytes", "10", "--source", "::1")
	c, err := net.Dial("tcp", fmt.Sprintf("[::1]:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := echoes(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if status := d.end(patience); status != 0 {
		t.Errorf("status %d", status)
	}
	p.sound()
	if got := p.fields("ipv6 && tcp.len > 0", "ipv6.src", "tcp.payload"); fmt.Sprint(got) != "[::1\t68656c6c6f ::1\t68656c6c6f]" {
		t.Errorf("the packets are %q", got)
	}
}

// TestDumpSlow has a dump that nobody reads from. It loses chunks, and says how many; streams go on.
func TestDumpSlow(t *testing.T) {
	port := freePort(t)
	g := start(t, echo(port))
	cmd := exec.Command(binary(t), "dump", "--json")
	cmd.Dir = g.dir
	errs := newOutput()
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	eventually(t, "the dump has begun", func() bool { return strings.Contains(errs.String(), "watching") })
	sent := noise(32 << 20)
	within(t, "32 MiB through an echo that is watched", patience, func() {
		c := dial(t, port)
		go func() {
			c.Write(sent)
			c.CloseWrite()
		}()
		if n, err := io.Copy(io.Discard, c); err != nil || n != int64(len(sent)) {
			t.Errorf("%d bytes come back, then %v", n, err)
		}
	})
	over := make(chan error, 1)
	go func() { // ends with the process
		_, err := io.Copy(io.Discard, out)
		over <- err
	}()
	eventually(t, "the loss is told", func() bool { return strings.Contains(errs.String(), "lost here") })
	cmd.Process.Signal(syscall.SIGINT)
	<-over
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if m := regexp.MustCompile(`(\d+) chunks, (\d+) bytes of data, (\d+) lost\n$`).FindStringSubmatch(errs.String()); m == nil || m[1] == "0" || m[3] == "0" {
		t.Errorf("it says\n%s", errs)
	}
}

func TestDumpFilters(t *testing.T) {
	port := freePort(t)
	g := start(t, echo(port))
	here, elsewhere := g.dump(t, "--source", "127.0.0.1"), g.dump(t, "--source", "10.0.0.0/8")
	south := g.dump(t, "--binding", "example:south", "--bytes", "12")
	converse(t, port).end()
	if status := south.end(patience); status != 0 {
		t.Errorf("status %d", status)
	}
	here.stdout.await(t, here, "is over")
	for d, want := range map[*gateway]int{here: 6, elsewhere: 0, south: 3} {
		if d != south {
			d.interrupt(t)
		}
		if got := d.stdout.lines(); len(got) != want {
			t.Errorf("%q shows %q, not %d lines", d.cmd.Args, got, want)
		}
	}
	for want, args := range map[string][]string{
		`there is no binding "nort", did you mean north?`: {"--binding", "nort"},
		`the source must be a network like 10.0.0.0/8`:    {"--source", "x"},
	} {
		if status, _, stderr := run(t, g.dir, append([]string{"dump"}, args...)...); status == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%q: status %d, %s", args, status, stderr)
		}
	}
	began := time.Now()
	if status, _, stderr := run(t, g.dir, "dump", "--for", "50ms"); status != 0 || time.Since(began) < 50*time.Millisecond || !strings.HasSuffix(stderr, "gozilla: 0 chunks, 0 bytes of data, 0 lost\n") {
		t.Errorf("after %v: status %d, %s", time.Since(began), status, stderr)
	}
}

// TestDumpKilled leaves a file that can be read.
func TestDumpKilled(t *testing.T) {
	port := freePort(t)
	g := start(t, echo(port))
	file := filepath.Join(g.dir, "killed.pcapng")
	p := packetsIn(t, file)
	d := g.dump(t, "--pcapng", file)
	c := converse(t, port)
	c.say("again")
	eventually(t, "something is written", func() bool { return bytes.Count(mustRead(t, file), []byte("again")) == 2 })
	d.signal(syscall.SIGKILL)
	d.end(patience)
	p.sound()
	if there, _ := p.follow(0); string(there) != "hello\nagain\n" {
		t.Errorf("the stream is %q", there)
	}
}

// TestDumpEndsWithTheGateway is told of the drain, and ends.
func TestDumpEndsWithTheGateway(t *testing.T) {
	port := freePort(t)
	g := start(t, echo(port), "--drain", "0s")
	d := g.dump(t)
	converse(t, port)
	g.terminate()
	if status := d.end(patience); status != 0 || !strings.Contains(d.stderr.String(), "6 bytes") && !strings.Contains(d.stderr.String(), "12 bytes") {
		t.Errorf("status %d\n%s", status, d.stderr)
	}
}

// fullPipe is one that nobody reads, and that takes nothing more.
func fullPipe(t testing.TB) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	w.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	for err == nil {
		_, err = w.Write(make([]byte, 1<<20))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return w
}

// TestDumpThatNobodyReads ends when it is to, within a second on a machine that has nothing else to do.
func TestDumpThatNobodyReads(t *testing.T) {
	port := freePort(t)
	g := start(t, echo(port))
	const soon = 3 * time.Second
	dump := func(args ...string) *gateway {
		t.Helper()
		cmd := exec.Command(binary(t), append([]string{"dump"}, args...)...)
		cmd.Stdout = fullPipe(t)
		d := launchCmd(t, cmd, g.dir)
		d.stderr.await(t, d, "watching")
		converse(t, port).end()
		time.Sleep(300 * time.Millisecond) // until it is stuck
		return d
	}
	leaves := func(d *gateway) {
		t.Helper()
		if status, words := d.end(soon), d.stderr.lines(); status != 1 || words[len(words)-1] != "gozilla: not everything is shown, because nobody reads it" {
			t.Errorf("status %d\n%s", status, d.stderr)
		}
	}
	d := dump()
	d.signal(syscall.SIGINT)
	leaves(d)
	leaves(dump("--for", "1s"))
	d = dump("--json")
	d.signal(syscall.SIGTERM)
	time.Sleep(100 * time.Millisecond)
	d.signal(syscall.SIGTERM)
	if d.end(soon); d.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("it ends with %v", d.err)
	}
	g.terminate()
}

package test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A changing gateway is one whose configuration changes, which begins with number 1.
type changing struct {
	*gateway
	taken, refused int // changes so far
}

// change starts a gateway whose file is about to change.
func change(t testing.TB, zilla string, args ...string) *changing {
	t.Helper()
	return &changing{gateway: start(t, zilla, args...)}
}

// changeIn is change in a folder that has a file.
func changeIn(t testing.TB, dir string, args ...string) *changing {
	t.Helper()
	g := launch(t, dir, append([]string{"start"}, args...)...)
	g.awaitStart()
	return &changing{gateway: g}
}

// writes writes the file in place.
func (c *changing) writes(text string) *changing {
	c.t.Helper()
	write(c.t, filepath.Join(c.dir, "zilla.yaml"), text)
	return c
}

// takes waits until one more configuration is in service.
func (c *changing) takes() {
	c.t.Helper()
	c.taken++
	c.stderr.await(c.t, c.gateway, fmt.Sprintf(`Configuration %d is in service`, c.taken+1))
}

const refusedEvent = "engine.config.refused"

// refuses waits until one more was refused, for these faults, and looks whether all who ask are told that.
func (c *changing) refuses(faults ...string) {
	c.t.Helper()
	c.refused++
	pattern := fmt.Sprintf(`(?s)(?:%s.*){%d}`, regexp.QuoteMeta(refusedEvent), c.refused)
	for _, f := range faults {
		if strings.HasPrefix(f, "zilla.yaml:") { // a place is shown, with the line that is there
			pattern += `.*\n` + regexp.QuoteMeta(f) + `\n`
		}
	}
	c.stderr.await(c.t, c.gateway, pattern)
	if text := c.stderr.String(); !strings.Contains(text, fmt.Sprintf("A configuration was refused, number %d goes on: %s", c.taken+1, faults[0])) {
		c.t.Errorf("no event tells of %s:\n%s", faults[0], text)
	}
	c.counts(faults...)
}

// refusesFor waits until one more was refused, the event of which matches.
func (c *changing) refusesFor(pattern string) {
	c.t.Helper()
	c.refused++
	c.stderr.await(c.t, c.gateway, fmt.Sprintf(`(?s)(?:goes on: .*){%d}`, c.refused))
	if !regexp.MustCompile(fmt.Sprintf(`number %d goes on: .*%s`, c.taken+1, pattern)).MatchString(c.stderr.String()) {
		c.t.Errorf("no event tells of %s:\n%s", pattern, c.stderr)
	}
	c.counts()
}

// counts checks that it is told what has come of all changes so far; the faults are those of the last one refused.
func (c *changing) counts(faults ...string) {
	c.t.Helper()
	s := c.status()
	if s.Generation != c.taken+1 || s.Refused.Times != c.refused || len(faults) > 0 && !slices.Equal(s.Refused.Faults, faults) {
		c.t.Errorf("the status is %+v, not number %d after %d refused, the last one for %q", s, c.taken+1, c.refused, faults)
	}
	m := metricsOf(c.t, c.dir)
	if m["engine.config.changes"] != float64(c.taken+1) || m["engine.config.refusals"] != float64(c.refused) {
		c.t.Errorf("it counts %v changes and %v refusals, not %d and %d", m["engine.config.changes"], m["engine.config.refusals"], c.taken+1, c.refused)
	}
}

// A changedStatus is what gozilla status tells of changes.
type changedStatus struct {
	Generation int
	Ready      bool
	Loaded     time.Time
	Refused    struct {
		Faults []string
		Times  int
	}
}

func (c *changing) status() (s changedStatus) {
	c.t.Helper()
	status, out, errs := run(c.t, c.dir, "status", "--json")
	if err := json.Unmarshal([]byte(out), &s); status != 0 || err != nil {
		c.t.Errorf("status %d, %v: %s%s", status, err, out, errs)
	}
	return s
}

// metricsOf are the metrics of the gateway in dir, those of bindings as BINDING/METRIC.
func metricsOf(t testing.TB, dir string) map[string]float64 {
	t.Helper()
	var samples []struct {
		Binding, Name string
		Value         float64
	}
	status, out, errs := run(t, dir, "metrics", "--json")
	if err := json.Unmarshal([]byte(out), &samples); status != 0 || err != nil {
		t.Fatalf("status %d, %v: %s%s", status, err, out, errs)
	}
	all := map[string]float64{}
	for _, s := range samples {
		name := s.Name
		if s.Binding != "" {
			name = s.Binding + "/" + name
		}
		all[name] = s.Value
	}
	return all
}

// unknown is a configuration with a fault, and what that is.
func unknown(port int) (text, fault string) {
	return strings.Replace(echo(port), "type: echo", "type: ecko", 1), `zilla.yaml:11:11: there is no binding type "ecko"`
}

// ways are those in which the file of a folder is exchanged: n counts from 0, when there is none yet.
var ways = map[string]func(dir string, n int, text string) error{
	"in place": func(dir string, _ int, text string) error {
		return os.WriteFile(filepath.Join(dir, "zilla.yaml"), []byte(text), 0o600)
	},
	"renamed": func(dir string, _ int, text string) error {
		next := filepath.Join(dir, ".zilla.yaml.swp")
		if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
			return err
		}
		return os.Rename(next, filepath.Join(dir, "zilla.yaml"))
	},
	"a volume of Kubernetes": func(dir string, n int, text string) error {
		folder := fmt.Sprintf("..2026_11_26_%d", n)
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, folder, "zilla.yaml"), []byte(text), 0o600); err != nil {
			return err
		}
		if err := os.Symlink(folder, filepath.Join(dir, "..data_tmp")); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			return err
		}
		if n == 0 {
			return os.Symlink(filepath.Join("..data", "zilla.yaml"), filepath.Join(dir, "zilla.yaml"))
		}
		return os.RemoveAll(filepath.Join(dir, fmt.Sprintf("..2026_11_26_%d", n-1)))
	},
}

// TestChangeOfAFile takes the file in whatever way it is exchanged, and whoever says so; one with a fault is not taken.
// A connection that was there before does not notice.
func TestChangeOfAFile(t *testing.T) {
	t.Parallel()
	f := func(name, way string, ask func(g *gateway), args ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, n := t.TempDir(), -1
			exchange := func(text string) {
				t.Helper()
				n++
				if err := ways[way](dir, n, text); err != nil {
					t.Fatal(err)
				}
			}
			a, b, c := freePort(t), freePort(t), freePort(t)
			exchange(echo(a))
			g := changeIn(t, dir, args...)
			stays := converse(t, a)
			exchange(echo(b))
			ask(g.gateway)
			g.takes()
			converse(t, b).end()
			eventually(t, "the port is closed", func() bool { return refused(a) })
			text, fault := unknown(c)
			exchange(text)
			ask(g.gateway)
			g.refuses(fault)
			converse(t, b).end()
			if !refused(c) {
				t.Error("a port of a refused file listens")
			}
			exchange(echo(c))
			ask(g.gateway)
			g.takes()
			converse(t, c).end()
			g.counts(fault)
			stays.say("still there")
			stays.end()
			g.terminate()
		})
	}
	f("in place", "in place", func(*gateway) {})
	f("renamed", "renamed", func(*gateway) {})
	f("a volume of Kubernetes", "a volume of Kubernetes", func(*gateway) {})
	const unwatched = "zilla.engine.config.watch=false"
	f("SIGHUP", "in place", func(g *gateway) { g.signal(syscall.SIGHUP) }, "-P", unwatched)
	f("gozilla reload", "renamed", func(g *gateway) { run(g.t, g.dir, "reload") }, "-P", unwatched)
}

// Nobody looks at the file if that is not wanted.
func TestUnwatchedFile(t *testing.T) {
	t.Parallel()
	a, b := freePort(t), freePort(t)
	g := change(t, echo(a), "-P", "zilla.engine.config.watch=false")
	g.writes(echo(b))
	watched := change(t, echo(freePort(t))) // what looks has seen its file by the time that this one has
	watched.writes(echo(freePort(t))).takes()
	if !refused(b) {
		t.Error("the file was read")
	}
	g.signal(syscall.SIGHUP)
	g.takes()
	converse(t, b).end()
	g.signal(syscall.SIGHUP)
	g.stderr.await(t, g.gateway, "the configuration was read again, nothing has changed")
	g.counts()
	g.terminate()
}

// TestRefusedChange changes nothing, whatever is wrong: not the half of it that would be good.
func TestRefusedChange(t *testing.T) {
	t.Parallel()
	port, free := freePort(t), freePort(t)
	other, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	inUse := other.Addr().(*net.TCPAddr).Port
	server := func(name string, port int, exit string) string {
		return fmt.Sprintf("  %s: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: %s }\n", name, port, exit)
	}
	g := change(t, echo(port))
	c := converse(t, port)
	socket := g.listening(port)
	more := echo(port) + server("new", free, "south")
	for _, x := range []struct {
		text   string
		faults []string
	}{
		{more + "  south: 7\n", []string{`zilla.yaml:14:3: key "south" is given twice`}},
		{more + "  east: { type: tcp", []string{`zilla.yaml:14:20: a "," or "}" is expected here`}},
		{more + server("east", 1, "sout") + server("west", 2, "sud"), []string{"zilla.yaml:14:81: there is no binding sout", "zilla.yaml:15:81: there is no binding sud"}},
		{more + "vaults:\n  safe:\n    type: filesystem\n    options: { keys: { store: none.p12 } }\n", []string{"zilla.yaml:17:31: cannot read none.p12: no such file or directory"}},
		{more + server("east", free, "south"), []string{fmt.Sprintf("zilla.yaml:14:70: example:new listens on %s already", address(free))}},
		{more + server("east", inUse, "south"), []string{fmt.Sprintf("zilla.yaml:14:70: cannot listen on %s: the port is in use", address(inUse))}},
		{"# nothing\n", []string{"the configuration is missing or empty"}},
	} {
		g.writes(x.text).refuses(x.faults...)
		if !refused(free) {
			t.Errorf("%s, and a port of that file listens", x.faults)
		}
		if now := g.listening(port); now != socket {
			t.Errorf("%s, and the socket that listens is %s, not %s", x.faults, now, socket)
		}
		c.say("still there")
		converse(t, port).end()
	}
	// What was wrong may not be any more: to write the same again is to ask again.
	g.writes(more + server("east", inUse, "south")).refuses(fmt.Sprintf("zilla.yaml:14:70: cannot listen on %s: the port is in use", address(inUse)))
	other.Close()
	g.writes(more + server("east", inUse, "south")).takes()
	for _, port := range []int{port, free, inUse} {
		converse(t, port).end()
	}
	if _, out, _ := run(t, g.dir, "status"); !strings.Contains(out, "8 times since the start; of the last one:") || !strings.Contains(out, "zilla.yaml:14:70: ") {
		t.Errorf("the status is\n%s", out)
	}
	c.end()
	g.terminate()
}

// listening is the socket that listens on a port of 127.0.0.1 or all addresses, as the files of the process name it.
func (g *gateway) listening(port int) string {
	g.t.Helper()
	const local, state, inode, listens = 1, 3, 9, "0A"
	for line := range strings.Lines(g.proc("net/tcp")) {
		fields := strings.Fields(line)
		if len(fields) <= inode || fields[state] != listens || !strings.HasSuffix(fields[local], fmt.Sprintf(":%04X", port)) {
			continue
		}
		if socket := "socket:[" + fields[inode] + "]"; slices.Contains(g.files(), socket) {
			return socket
		}
	}
	g.t.Fatalf("the process does not listen on port %d", port)
	return ""
}

// TestRemovedFile leaves what runs as it is, and takes what comes instead.
func TestRemovedFile(t *testing.T) {
	t.Parallel()
	a, b := freePort(t), freePort(t)
	g := change(t, echo(a))
	for _, next := range []int{a, b} {
		if err := os.Remove(filepath.Join(g.dir, "zilla.yaml")); err != nil {
			t.Fatal(err)
		}
		g.refuses("the configuration is missing or empty")
		converse(t, a).end()
		g.writes(echo(next))
		if next == a {
			g.stderr.await(t, g.gateway, "the configuration was read again, nothing has changed")
			continue
		}
		g.takes()
		converse(t, b).end()
	}
	g.counts("the configuration is missing or empty")
	g.terminate()
}

// A file that is not there yet, or has nothing in it, is waited for.
func TestFileThatComes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"missing": "-", "empty": "", "a comment": "# soon\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, port := t.TempDir(), freePort(t)
			if text != "-" {
				write(t, filepath.Join(dir, "zilla.yaml"), text)
			}
			g := changeIn(t, dir)
			g.stderr.await(t, g.gateway, "nothing is served: the configuration is missing or empty")
			if s := g.status(); s.Generation != 1 || s.Refused.Times != 0 {
				t.Errorf("the status is %+v", s)
			}
			faulty, fault := unknown(port)
			g.writes(faulty).refuses(fault)
			g.writes(echo(port)).takes()
			converse(t, port).end()
			g.counts(fault)
			g.terminate()
		})
	}
}

// TestFileInHalves is read when who writes to it is done, or does nothing for a while.
func TestFileInHalves(t *testing.T) {
	t.Parallel()
	a, b := freePort(t), freePort(t)
	g := change(t, echo(a))
	// slowly writes the file a few bytes at a time, and gives the longest pause.
	slowly := func(text string, each time.Duration) (longest time.Duration) {
		t.Helper()
		w, err := os.OpenFile(filepath.Join(g.dir, "zilla.yaml"), os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		tick := time.NewTicker(each)
		defer tick.Stop()
		last := time.Now()
		for chunk := range slices.Chunk([]byte(text), len(text)/8+1) {
			<-tick.C
			longest = max(longest, time.Since(last))
			last = time.Now()
			if _, err := w.Write(chunk); err != nil {
				t.Fatal(err)
			}
		}
		return longest
	}
	longest := slowly(echo(b), 80*time.Millisecond)
	g.takes()
	if n := strings.Count(g.stderr.String(), refusedEvent); n > 0 && longest < 200*time.Millisecond {
		t.Errorf("%d halves were read, and the longest pause was %v", n, longest)
	} else if n > 0 {
		t.Skipf("this machine is too busy: there was a pause of %v", longest)
	}
	converse(t, b).end()
	// Who rests with the file open has done so for long enough: what is there is read, and the rest when it comes.
	text, fault := unknown(a)
	rest, err := os.OpenFile(filepath.Join(g.dir, "zilla.yaml"), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Close()
	if _, err := rest.WriteString(text); err != nil {
		t.Fatal(err)
	}
	g.refuses(fault)
	converse(t, b).end()
	if _, err := rest.WriteAt([]byte(strings.Replace(text, "ecko", "echo", 1)), 0); err != nil {
		t.Fatal(err)
	}
	g.takes()
	converse(t, a).end()
	g.counts(fault)
	g.terminate()
}

// TestFileWrittenAgainAndAgain is read meanwhile, and never when it is half there.
func TestFileWrittenAgainAndAgain(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	g := change(t, echo(port))
	c := converse(t, port)
	text := func(i int) string {
		return strings.Replace(echo(port), "exit: south", fmt.Sprintf("routes: [ { when: [ { source: 10.0.%d.0/24 } ], exit: south }, { exit: south } ]", i%256), 1)
	}
	began, i := time.Now(), 0
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ; time.Since(began) < 3*time.Second; i++ {
		<-tick.C
		g.writes(text(i))
	}
	taken := strings.Count(g.stderr.String(), "is in service")
	t.Logf("%d writes, of which %d were taken meanwhile", i, taken)
	if taken < 2 {
		t.Errorf("of %d writes %d were taken meanwhile", i, taken)
	}
	g.writes(echo(port)) // unlike all before
	eventually(t, "the last one is taken", func() bool {
		_, out, _ := run(t, g.dir, "plan")
		return strings.HasPrefix(out, "nothing changes: ")
	})
	c.say("still there")
	c.end()
	if strings.Contains(g.stderr.String(), refusedEvent) {
		t.Errorf("half a file was read")
	}
	g.terminate()
}

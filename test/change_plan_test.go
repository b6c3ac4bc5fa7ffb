package test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// nothing is what is shown if a configuration changes nothing.
func nothing(generation int) *regexp.Regexp {
	return regexp.MustCompile(fmt.Sprintf(`^nothing changes: configuration %d is in service since (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d \([0-9a-z]+ ago\)\n$`, generation))
}

// TestPlan tells what would change, and changes nothing: neither in the gateway nor at its ports.
func TestPlan(t *testing.T) {
	t.Parallel()
	port, next := freePort(t), freePort(t)
	g := change(t, echo(port))
	c := converse(t, port)
	socket, elsewhere := g.listening(port), t.TempDir()
	engine := "zilla.engine.directory=" + filepath.Join(g.dir, ".zilla", "engine")
	unchanged := func(what string) {
		t.Helper()
		if s := g.status(); s.Generation != 1 || s.Refused.Times != 0 || !refused(next) || g.listening(port) != socket {
			t.Errorf("%s: the status is %+v, the new port is closed: %v", what, s, refused(next))
		}
		c.say("still there")
	}
	plan := func(text string, args ...string) (status int, stdout, stderr string) {
		t.Helper()
		write(t, filepath.Join(elsewhere, "new.yaml"), text)
		status, stdout, stderr = run(t, elsewhere, append([]string{"plan", "-c", "new.yaml", "-P", engine}, args...)...)
		unchanged(strings.Join(args, " "))
		return status, stdout, stderr
	}
	if status, out, errs := plan(echo(port)); status != 0 || !nothing(1).MatchString(out) || errs != "" {
		t.Errorf("of nothing: status %d\n%s%s", status, out, errs)
	}
	text := strings.Replace(echo(next), "  south:\n", "  east: { type: tcp, kind: server, streams: drain, options: { host: 127.0.0.1, port: "+fmt.Sprint(port)+" }, exit: south }\n  south:\n", 1)
	want := fmt.Sprintf(`change    component               type         connections   streams   why
add       binding example:east    tcp server
replace   binding example:north   tcp server             1   keep      its options differ
1 more stay as they are

port   address           binding
open   %s   example:north

ports that stay open: 1
connections: 1 stay, 0 drain, 0 are closed
`, address(next))
	if status, out, errs := plan(text); status != 0 || out != want || errs != "" {
		t.Errorf("status %d, want 0 and\n%snot\n%s%s", status, want, out, errs)
	}
	status, out, errs := plan(text, "--json")
	var changed struct {
		Generation int
		Change     struct {
			Components []struct{ Name, Does, Why string }
			Listeners  []struct{ Address, Does, Binding string }
		}
	}
	if err := json.Unmarshal([]byte(out), &changed); status != 0 || err != nil || errs != "" || changed.Generation != 1 {
		t.Errorf("status %d, %v\n%s%s", status, err, out, errs)
	}
	if got, want := fmt.Sprint(changed.Change), fmt.Sprintf("{[{east add } {north replace its options differ} {south keep }] [{%s keep example:east} {%s open example:north}]}", address(port), address(next)); got != want {
		t.Errorf("it would change %s, want %s", got, want)
	}
	// What would be refused, with the line as it stands there.
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	inUse := taken.Addr().(*net.TCPAddr).Port
	faulty, fault := unknown(next)
	for _, x := range []struct{ text, fault string }{
		{faulty, strings.Replace(fault, "zilla.yaml", "new.yaml", 1)},
		{echo(next) + tcpServer("east", "127.0.0.1", inUse, "", "south"), fmt.Sprintf("new.yaml:13:70: cannot listen on %s: the port is in use", address(inUse))},
		{"", "gozilla: new.yaml: the configuration is missing or empty"},
	} {
		status, out, errs := plan(x.text)
		if status != 1 || out != "" || !strings.HasPrefix(errs, x.fault+"\n") || !strings.HasSuffix(errs, "\ngozilla: this configuration would be refused, number 1 would go on\n") {
			t.Errorf("status %d, want 1 and %s\n%s%s", status, x.fault, out, errs)
		}
		status, out, errs = plan(x.text, "--json")
		var refusal struct{ Error string }
		if err := json.Unmarshal([]byte(out), &refusal); status != 1 || err != nil || refusal.Error != strings.TrimPrefix(x.fault, "gozilla: ") || errs != "" {
			t.Errorf("status %d, %v, want 1 and %s\n%s%s", status, err, x.fault, out, errs)
		}
	}
	if status, _, errs := run(t, elsewhere, "plan", "-c", "new.yaml"); status != 1 || !strings.Contains(errs, "no gozilla") {
		t.Errorf("without a gateway: status %d\n%s", status, errs)
	}
	status, _, errs = run(t, elsewhere, "plan", "-c", "none.yaml", "-P", engine)
	if status != 1 || !strings.HasPrefix(errs, "gozilla: none.yaml: the configuration is missing or empty\n") {
		t.Errorf("of a file that is not there: status %d\n%s", status, errs)
	}
	c.end()
	g.terminate()
}

// TestPlanOfFilesBeside a configuration: they are where it is, not where the gateway or who asks is.
func TestPlanOfFilesBeside(t *testing.T) {
	t.Parallel()
	port, next := freePort(t), freePort(t)
	g := start(t, echo(port))
	s := newStage(t)
	write(t, s.path("new.yaml"), secured(next, keys(""), "exit: echo"))
	engine := "zilla.engine.directory=" + filepath.Join(g.dir, ".zilla", "engine")
	beside := filepath.Join(filepath.Base(s.dir), "new.yaml")
	for _, x := range []struct{ dir, config string }{{s.dir, "new.yaml"}, {filepath.Dir(s.dir), beside}, {g.dir, s.path("new.yaml")}, {"/", "file:" + s.path("new.yaml")}} {
		if status, out, errs := run(t, x.dir, "plan", "-c", x.config, "-P", engine); status != 0 || !strings.Contains(out, "add       vault example:safe") {
			t.Errorf("in %s of %s: status %d\n%s%s", x.dir, x.config, status, out, errs)
		}
	}
	if err := os.Rename(s.path("localhost.p12"), filepath.Join(g.dir, "localhost.p12")); err != nil {
		t.Fatal(err)
	}
	status, _, errs := run(t, filepath.Dir(s.dir), "plan", "-c", beside, "-P", engine)
	if want := fmt.Sprintf("%s:5:31: cannot read %s: no such file or directory\n", beside, s.path("localhost.p12")); status != 1 || !strings.HasPrefix(errs, want) {
		t.Errorf("status %d, want 1 and %s\n%s", status, want, errs)
	}
	if !refused(next) {
		t.Error("the new port listens")
	}
	g.terminate()
}

// TestReloadOfWhatIsFollowed tells since when the file is in service.
func TestReloadOfWhatIsFollowed(t *testing.T) {
	t.Parallel()
	port, next := freePort(t), freePort(t)
	g := change(t, echo(port))
	g.writes(echo(next)).takes()
	since := g.status().Loaded.Local().Format(" since 15:04:05 ")
	time.Sleep(1100 * time.Millisecond) // a time in seconds is another one then
	if status, out, errs := run(t, g.dir, "reload"); status != 0 || !nothing(2).MatchString(out) || !strings.Contains(out, since) || errs != "" {
		t.Errorf("status %d, want%s\n%s%s", status, since, out, errs)
	}
	g.terminate()
}

// TestReloadCommand shows what has changed, or why nothing has.
func TestReloadCommand(t *testing.T) {
	t.Parallel()
	port, next := freePort(t), freePort(t)
	g := change(t, echo(port), "-P", "zilla.engine.config.watch=false")
	if status, out, errs := run(t, g.dir, "reload"); status != 0 || !nothing(1).MatchString(out) || errs != "" {
		t.Errorf("of nothing: status %d\n%s%s", status, out, errs)
	}
	g.writes(echo(next))
	if status, out, errs := run(t, g.dir, "reload"); status != 0 || !strings.Contains(out, "open    "+address(next)) || errs != "" {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	g.takes()
	converse(t, next).end()
	faulty, fault := unknown(port)
	g.writes(faulty)
	if status, out, errs := run(t, g.dir, "reload"); status != 1 || out != "" || !strings.HasPrefix(errs, fault+"\n") ||
		!strings.HasSuffix(errs, "\ngozilla: the configuration was refused, number 2 goes on\n") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	g.refuses(fault)
	status, out, errs := run(t, g.dir, "reload", "--json")
	if status != 1 || !strings.Contains(out, strings.ReplaceAll(fault, `"`, `\"`)) || errs != "" {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	g.refuses(fault)
	converse(t, next).end()
	g.terminate()
	if status, _, errs := run(t, g.dir, "reload"); status != 1 || !strings.Contains(errs, "no gozilla") {
		t.Errorf("without a gateway: status %d\n%s", status, errs)
	}
}

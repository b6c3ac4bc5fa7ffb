package test

import (
	"bufio"
	"path/filepath"
	"testing"
)

// sayer is a manual that has the client of ws.echo beside it.
func sayer(t *testing.T, name string) *manual {
	t.Helper()
	need(t, "/usr/bin/python3", "python3")
	m := manualOf(t, name)
	m.strict("examples/" + name + "/zilla.yaml")
	m.copyOthers(filepath.Join("..", "examples", "ws.echo"), filepath.Join(m.dir, "examples", "ws.echo"))
	return m
}

func TestExampleWSEcho(t *testing.T) {
	m := sayer(t, "ws.echo")
	g := m.start("zilla.yaml")
	m.get("Hello, world\nand again\n", `"and again"`)
	m.get("HTTP 404\n", "# HTTP 404")
	g.stderr.await(t, g, `ws\.received=2 ws\.sent=2 .*north_echo_server.* by=client reason=fin`)
	g.terminate()
}

func TestExampleWSReflect(t *testing.T) {
	m := sayer(t, "ws.reflect")
	g := m.start("zilla.yaml")
	waits := m.line("wait.py")
	out, err := waits.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := waits.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { waits.Process.Kill(); waits.Wait() })
	lines := bufio.NewScanner(out)
	for _, want := range []string{"Hello from here", "Hello from there"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("who waits sees %q, not %q", lines.Text(), want)
		}
		if want == "Hello from here" {
			m.get("Hello from there\n", "say.py")
		}
	}
	g.terminate()
}

func TestExampleWSProxy(t *testing.T) {
	m := sayer(t, "ws.proxy")
	g := m.start("zilla.yaml", 8443)
	m.get("you said Hello, world\n", "say.py")
	g.stderr.await(t, g, `ws\.received=1 ws\.sent=1 .*north_ws_server routes\[0\] > example:south_ws_client exit > example:south_http_client.* by=client reason=fin`)
	g.terminate()
}

package test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// tcpServer is a line of a configuration: a tcp server with more options, and its exit.
func tcpServer(name, host string, port int, options, exit string) string {
	return fmt.Sprintf("  %s: { type: tcp, kind: server, options: { host: %s, port: %d%s }, exit: %s }\n", name, host, port, options, exit)
}

const nameAndBindings, anEcho = "name: example\nbindings:\n", "  south: { type: echo, kind: server }\n"

// TestSocketStays keeps the socket on which a port listens, with who waits at it, whatever becomes of the binding: with
// other options, as another type's exit, under another name, or in exchange with another one's.
func TestSocketStays(t *testing.T) {
	t.Parallel()
	a, b := freePort(t), freePort(t)
	const host = "127.0.0.1"
	two := func(first, second int, options string) string {
		return nameAndBindings + tcpServer("north", host, first, options, "south") + tcpServer("east", host, second, "", "south") + anEcho
	}
	g := change(t, two(a, b, ""))
	sockets := []string{g.listening(a), g.listening(b)}
	old := converse(t, a)
	for _, text := range []string{
		two(a, b, ", nodelay: false"),
		two(a, b, ", keepalive: 20s"),
		two(a, b, ", backlog: 7"),
		two(a, b, ""),
		two(b, a, ""), // exchanged
		strings.ReplaceAll(two(b, a, ""), "north", "another"),
		strings.ReplaceAll(two(b, a, ""), "south", "west"),
		strings.Replace(two(a, b, ""), "name: example", "name: elsewhere", 1),
	} {
		g.writes(text).takes()
		if now := []string{g.listening(a), g.listening(b)}; now[0] != sockets[0] || now[1] != sockets[1] {
			t.Errorf("the sockets are %q, not %q, with\n%s", now, sockets, text)
		}
		converse(t, a).end()
		converse(t, b).end()
		old.say("still there")
	}
	// One on every address takes the place of one on some.
	g.writes(nameAndBindings + tcpServer("north", "0.0.0.0", a, "", "south") + anEcho).takes()
	converse(t, a).end()
	eventually(t, "the port is closed", func() bool { return refused(b) })
	g.writes(two(a, b, "")).takes()
	converse(t, a).end()
	converse(t, b).end()
	old.end()
	g.terminate()
}

// TestNameOfAnotherType makes something else of a name; who is there already stays with what it was.
func TestNameOfAnotherType(t *testing.T) {
	t.Parallel()
	port, end := freePort(t), freePort(t)
	serving(t, end, func(c *net.TCPConn) {
		io.WriteString(c, "another\n")
		c.Close()
	})
	g := change(t, nameAndBindings+tcpServer("north", "127.0.0.1", port, "", "south")+anEcho)
	old := converse(t, port)
	another := func() {
		t.Helper()
		c := dial(t, port)
		defer c.Close()
		if text, err := io.ReadAll(c); err != nil || string(text) != "another\n" {
			t.Errorf("it says %q, %v", text, err)
		}
	}
	relaying := nameAndBindings + tcpServer("north", "127.0.0.1", port, "", "south") + to(end)
	g.writes(relaying).takes()
	another()
	old.say("still an echo")
	// Once more, and back; and the name of a binding becomes that of a vault.
	hosting := nameAndBindings + tcpServer("north", "127.0.0.1", port, "", "south") + "  south: { type: http, kind: server, exit: east }\n  east: { type: echo, kind: server }\n"
	g.writes(hosting).takes()
	if body := call(t, port).asks("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200); body != "hello" {
		t.Errorf("it says %q", body)
	}
	g.writes(relaying + "vaults: { north: { type: filesystem } }\n").takes()
	another()
	old.end()
	g.terminate()
}

// TestCountersContinue over bindings that are made anew, and forget no stream that is still open at what was before.
func TestCountersContinue(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	file := func(options string) string {
		return nameAndBindings + tcpServer("north", "127.0.0.1", port, options, "south") + anEcho
	}
	g := change(t, file(""))
	old := converse(t, port)
	for i, options := range []string{", nodelay: false", ", keepalive: 20s", ""} {
		converse(t, port).end()
		before := metricsOf(t, g.dir)
		g.writes(file(options)).takes()
		after := metricsOf(t, g.dir)
		for name, was := range before {
			if strings.HasPrefix(name, "north/") && !strings.Contains(name, ".active.") && !strings.Contains(name, ".closes.") && after[name] != was {
				t.Errorf("%s was %v and is %v", name, was, after[name])
			}
		}
		converse(t, port).end()
		old.say("hello")
		m := metricsOf(t, g.dir)
		opened, bytes := float64(1+2*(i+1)), float64(6+18*(i+1))
		if m["north/stream.opens.received"] != opened || m["north/stream.data.received"] != bytes || m["north/stream.active.received"] < 1 {
			t.Errorf("after %d changes there were %v streams of %v bytes, %v are open", i+1, m["north/stream.opens.received"], m["north/stream.data.received"], m["north/stream.active.received"])
		}
	}
	old.end()
	eventually(t, "no stream is open", func() bool {
		m := metricsOf(t, g.dir)
		return m["north/stream.active.received"] == 0 && m["north/stream.closes.received"] == 7
	})
	g.terminate()
}

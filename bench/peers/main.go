// Command peers has the servers that bench puts gozilla beside where HAProxy and nginx have none: echoes and fans of WebSockets, with
// coder/websocket and with gobwas/ws, and a fan of events with net/http. Each is written as the library's own documents
// advise. It is a module of its own, so that gozilla does not depend on these libraries.
package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
)

// servers serve a listener until the process is killed. What stands behind is of use to http-sse only.
var servers = map[string]func(l net.Listener, behind string) error{
	"coder-echo":  coderEcho,
	"coder-fan":   coderFan,
	"gobwas-echo": gobwasEcho,
	"gobwas-fan":  gobwasFan,
	"http-sse":    httpEvents,
}

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(args []string) error {
	if len(args) != 3 || servers[args[0]] == nil {
		return fmt.Errorf("usage: peers SERVER PORT PORT-BEHIND")
	}
	runtime.GOMAXPROCS(2)
	l, err := net.Listen("tcp4", "127.0.0.1:"+args[1])
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	return servers[args[0]](l, "127.0.0.1:"+args[2])
}

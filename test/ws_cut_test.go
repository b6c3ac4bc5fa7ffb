package test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	coder "github.com/coder/websocket"
)

// TestCutSockets has an operator close sockets whose clients send as fast as they can: they read why.
func TestCutSockets(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	clear, secure := freePort(t), freePort(t)
	g := s.gateway(t, secured(secure, keys(""), "exit: http")+fmt.Sprintf(`  front: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: http }
  http: { type: http, kind: server, exit: ws }
  ws: { type: ws, kind: server, exit: echo }
`, clear))
	for _, url := range []string{fmt.Sprintf("ws://127.0.0.1:%d/", clear), fmt.Sprintf("wss://localhost:%d/", secure)} {
		t.Run(url[:strings.Index(url, ":")], func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c, _, err := coder.Dial(ctx, url, &coder.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: s.config()}}})
			if err != nil {
				t.Fatal(err)
			}
			var beside sync.WaitGroup
			beside.Go(func() { // ends with the socket
				for c.Write(ctx, coder.MessageBinary, make([]byte, 1000)) == nil {
				}
			})
			defer func() { c.CloseNow(); beside.Wait() }()
			for n := 0; ; n++ {
				if _, _, err = c.Read(ctx); err != nil {
					break
				}
				if n == 20 {
					all := connections(t, g.dir, "--binding", "http")
					if len(all) != 1 {
						t.Fatalf("%+v", all)
					}
					beside.Go(func() { run(t, g.dir, "connections", "--close", fmt.Sprint(all[0].ID)) }) // while what comes is read
				}
			}
			if code := coder.CloseStatus(err); code != coder.StatusPolicyViolation {
				t.Errorf("the socket ends with %v", err)
			}
		})
	}
	g.terminate()
}

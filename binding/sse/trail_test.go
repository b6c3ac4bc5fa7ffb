package sse_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"gozilla/internal/gwtest"
	"gozilla/stream/web"
)

// TestTrail is what the server of an sse client is told of who is in front: what the gateway says, each time that it is asked, and
// nothing of what the client does.
func TestTrail(t *testing.T) {
	const yaml = `name: test
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: 0 }, exit: web }
  web: { type: http, kind: server, OPTIONS exit: events }
  events: { type: sse, kind: server, exit: source }
  source: { type: sse, kind: client, options: { retry: 100 }, exit: back }
  back: { type: back, kind: server }
`
	const trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for options, want := range map[string]string{
		"": trace + "|via: 1.0 before",
		"options: { forwarded: x-forwarded, via: gw },": trace + "|via: 1.0 before|via: 1.1 gw|x-forwarded-for: 127.0.0.1|x-forwarded-host: a|x-forwarded-port: PORT|x-forwarded-proto: http",
	} {
		g := gwtest.Start(t, strings.Replace(yaml, "OPTIONS", options, 1))
		_, port, _ := strings.Cut(g.Addr("north"), ":")
		asked := make(chan string, 2)
		backOf("back").set(func(_ context.Context, r *web.Request, x web.Served) error {
			var lines []string
			for _, f := range r.Header {
				if f.Name != "accept" && f.Name != "cache-control" {
					lines = append(lines, f.Name+": "+strings.ReplaceAll(f.Value, port, "PORT"))
				}
			}
			slices.Sort(lines)
			asked <- strings.Join(lines, "|")
			if err := eventStream(x); err != nil || len(asked) == cap(asked) {
				return err
			}
			if err := send(x, "data:1\n\n"); err != nil {
				return err
			}
			return io.ErrUnexpectedEOF
		})
		c := g.Dial("north")
		gwtest.Send(t, c, "GET /events HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncookie: c\r\nauthorization: Basic eDp5\r\norigin: http://a\r\n"+
			"x-forwarded-for: 192.0.2.1\r\nforwarded: for=192.0.2.1\r\nvia: 1.0 before\r\n"+trace+"\r\n\r\n")
		if got, _ := io.ReadAll(c); !strings.Contains(string(got), "data:1\n\n") {
			t.Errorf("the answer is %q", got)
		}
		for range cap(asked) {
			if got := <-asked; got != want {
				t.Errorf("%s the server sees %s", options, got)
			}
		}
	}
}

package ws_test

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"testing"

	wsbinding "gozilla/binding/ws"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/wire/websocket"
)

// The goroutine that the fuzzer has for signals is there before leaks are looked for.
func init() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	signal.Stop(signals)
}

// FuzzServer sends a server anything: it answers by frames, and ends by a code that there is.
func FuzzServer(f *testing.F) {
	for i, r := range table() {
		if r.bytes() > 300 || i%5 != 0 && !r.deflate {
			continue
		}
		var b []byte
		for i := range r.sends {
			b = r.sends[i].append(b, true)
		}
		f.Add(b, byte(r.chop))
	}
	g := gwtest.Start(f, `name: test
bindings:
  server: { type: ws-of-tests, kind: server, options: { compression: permessage-deflate }, exit: echo }
  echo: { type: echo, kind: server }
`, gwtest.Limits(func(l *stream.Limits) { l.Message = 1 << 16 }))
	server, _ := wsbinding.Servers.Load("test:server")
	ctx := stream.WithHost(context.Background(), g.Host)
	f.Fuzz(func(t *testing.T, b []byte, chop byte) {
		scope := stream.Begin(ctx, &stream.Node{Name: "fuzz"})
		defer scope.End(nil)
		h := web.Fields("sec-websocket-version", "13", "sec-websocket-key", web.NewKey(), "sec-websocket-extensions", "permessage-deflate")
		x, err := web.Serving(server.(web.Handler)).OpenExchange(scope, &web.Request{Method: "GET", Scheme: "http", Authority: "a", Path: "/", Protocol: "websocket", Header: h, Interim: true})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		if resp, err := x.Response(); err != nil || resp.Status != 101 {
			t.Fatal(resp, err)
		}
		sent := make(chan struct{})
		go func() { // ends when all is sent, or the server has ended
			defer close(sent)
			for n := max(1, int(chop)); len(b) > 0; b = b[min(n, len(b)):] {
				if _, err := x.Write(b[:min(n, len(b))]); err != nil || x.Flush() != nil {
					return
				}
			}
			x.End(nil)
		}()
		p := newPeer(t, x, nil, true, true)
		for {
			h, payload, err := p.frame()
			if err != nil && strings.Contains(err.Error(), "faulty") {
				t.Fatal(err)
			}
			if err != nil {
				break
			}
			if h.Opcode == bye {
				if _, _, err := websocket.ParseClose(payload); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		x.Close()
		<-sent
	})
}

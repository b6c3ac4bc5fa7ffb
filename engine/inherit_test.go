package engine

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"testing"

	"gozilla/config"
	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/telemetry"
)

// TestASocketOfSomebodyElse is used again and again, and stays open in between.
func TestASocketOfSomebodyElse(t *testing.T) {
	leak.Check(t)
	e := New(stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 8, false)), nil, slog.New(slog.DiscardHandler))
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.Inherit([]*net.TCPListener{l.(*net.TCPListener)})
	port := l.Addr().(*net.TCPAddr).Port
	take := func(port int) {
		t.Helper()
		yaml := fmt.Sprintf("name: test\nbindings:\n  north: { type: test, kind: remote_server, options: { port: %d, ports: 1 } }\n", port)
		if _, err := e.Apply(t.Context(), Load(t.Context(), config.Source{Name: "zilla.yaml", Text: []byte(yaml)}, Options{})); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		take(port)
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		take(0)
		for range 3 { // nobody is at what is gone
			gone, _ := e.idle()
			for _, in := range gone {
				in.close()
			}
		}
		if len(e.inherited) != 1 {
			t.Fatalf("%d sockets are left", len(e.inherited))
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	e.Stop(ctx)
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it is open after the end")
	}
}

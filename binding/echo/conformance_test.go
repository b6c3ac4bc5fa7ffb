package echo_test

import (
	"testing"

	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/conn/conntest"
)

const reflect = `name: test
bindings:
  north:
    type: tcp
    kind: server
    options: { host: 127.0.0.1, port: 0 }
    exit: echo
  echo:
    type: echo
    kind: server
`

func TestConformance(t *testing.T) {
	conntest.RunEcho(t, func(t *testing.T) (*stream.Host, func(testing.TB) conn.Conn) {
		g := gwtest.Start(t, reflect)
		return g.Host, func(t testing.TB) conn.Conn { return g.Dial("north") }
	})
}

func TestMetrics(t *testing.T) {
	g := gwtest.Start(t, reflect)
	c := g.Dial("north")
	gwtest.Send(t, c, "hello")
	gwtest.Receive(t, c, "hello")
	c.Close()
	g.Record()
	aborted := g.Dial("north")
	gwtest.Send(t, aborted, "x")
	gwtest.Receive(t, aborted, "x")
	conn.Abort(aborted)
	g.Record()
	for _, b := range []string{"north", "echo"} {
		for name, want := range map[string]int64{
			"opens.received": 2, "opens.sent": 2, "closes.received": 1, "closes.sent": 1, "errors.received": 1,
			"errors.sent": 1, "active.received": 0, "active.sent": 0, "data.received": 6, "data.sent": 6,
		} {
			if got := g.Metric(b, "stream."+name); got != want {
				t.Errorf("stream.%s of %s is %d, not %d", name, b, got, want)
			}
		}
	}
}

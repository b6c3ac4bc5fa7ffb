package h1_test

import (
	"testing"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/stream/web"
	"gozilla/stream/web/h1"
	"gozilla/stream/web/webtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	webtest.Engine{
		Server: func(n *stream.Node, h web.Handler) conn.Server { return &h1.Server{Node: n, Handler: h} },
		Pool:   func(r *webtest.Rig, d webtest.Dial) web.Opener { return (&rig{r}).pool(d) },
	}.Run(t)
}

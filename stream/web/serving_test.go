package web_test

import (
	"testing"

	"gozilla/stream/web"
	"gozilla/stream/web/webtest"
)

func TestMain(m *testing.M) { webtest.Main(m) }

func TestServing(t *testing.T) {
	webtest.Run(t, func(t *testing.T, h web.Handler) *webtest.Gateway {
		return &webtest.Gateway{Host: webtest.NewHost(), Opener: web.Serving(h), Holds: 64 << 10}
	})
}

func TestServingRelayed(t *testing.T) {
	webtest.Run(t, func(t *testing.T, h web.Handler) *webtest.Gateway {
		return &webtest.Gateway{Host: webtest.NewHost(), Opener: web.Serving(web.Dialing(web.Serving(h))), Holds: 128 << 10}
	})
}

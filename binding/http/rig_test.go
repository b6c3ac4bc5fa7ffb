package http_test

import (
	"context"
	"testing"

	"gozilla/binding"
	"gozilla/binding/http"
	_ "gozilla/guard/inline"
	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/stream/web"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestScripts(t *testing.T) { gwtest.RunScripts(t, "testdata/*.txtar") }

// TestScriptsWatched wants nobody to notice that somebody watches.
func TestScriptsWatched(t *testing.T) {
	gwtest.RunScripts(t, "testdata/*.txtar", gwtest.Watched())
}

// sink takes exchanges and says nothing.
type sink struct{}

type sinkConfig struct{ binding.Head }

func (sink) ServeExchange(context.Context, *web.Request, web.Served) error { return nil }
func (sink) OpenExchange(context.Context, *web.Request) (web.Opened, error) {
	return nil, stream.Refuse(stream.Unavailable, "a sink gives nothing")
}

func init() {
	binding.Register(binding.Type{Name: "sink", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(func(*binding.Builder, *sinkConfig) (sink, error) { return sink{}, nil },
			binding.Face(web.Protocol, func(s sink) web.Port { return s })),
	}})
	binding.Register(binding.Type{Name: "lender", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(func(*binding.Builder, *sinkConfig) (lender, error) { return lender{}, nil },
			binding.Face(web.Protocol, func(l lender) web.Port { return l })),
	}})
}

// handler is the http server of a body, whose exits are sinks, and the scope of a connection at it.
func handler(t testing.TB, body string) (web.Handler, *stream.Scope, *stream.Node) {
	g := gwtest.Start(t, "name: test\nbindings:\n  it: { type: http-of-tests, kind: server, "+body+" }\n  sink: { type: sink, kind: server }\n  lender: { type: lender, kind: server }\n")
	h, _ := http.Made.Load("test:it")
	node := &stream.Node{Namespace: "test", Name: "it"}
	s := stream.Begin(stream.WithHost(context.Background(), g.Host), node)
	t.Cleanup(func() { s.End(nil) })
	return h.(web.Handler), s, node
}

package sse_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gozilla/binding"
	_ "gozilla/guard/inline"
	"gozilla/internal/gwtest"
	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/stream/sse"
	"gozilla/stream/sse/ssetest"
	"gozilla/stream/web"
)

func TestMain(m *testing.M) { leak.Main(m) }

func init() {
	binding.Register(binding.Type{Name: "told", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(newTold, binding.Face(sse.Protocol, func(s *told) sse.Port { return s })),
	}})
	binding.Register(binding.Type{Name: "stage", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(newStage, binding.Face(sse.Protocol, func(s *stage) sse.Port { return s.fake })),
	}})
	binding.Register(binding.Type{Name: "back", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(newBack, binding.Face(web.Protocol, func(b *back) web.Port { return web.Serving(b) })),
	}})
	binding.Register(binding.Type{Name: "reader", Kinds: map[binding.Kind]binding.Form{
		binding.Client: binding.In(newReader, binding.Face(sse.Protocol, func(r *reader) sse.Port { return r.exit }), binding.Exits[*reader](sse.Protocol)),
	}})
	binding.Register(binding.Type{Name: "browser", Kinds: map[binding.Kind]binding.Form{
		binding.Client: binding.In(newBrowser, binding.Face(web.Protocol, func(b *browser) web.Port { return b.exit }), binding.Exits[*browser](web.Protocol)),
	}})
}

// Told is a test binding in a file: streams of events that the file tells.
type Told struct {
	binding.Head
	Options ToldOptions
}

// ToldOptions are the events of a told binding, and how its streams end.
type ToldOptions struct {
	Events []ToldEvent
	End    string // fin, cut, or why it is refused; "" is fin
}

// ToldEvent is one event.
type ToldEvent struct {
	ID, Data *string
	Type     string
	Retry    int
	Time     int
}

type told struct{ c *Told }

func newTold(_ *binding.Builder, c *Told) (*told, error) { return &told{c}, nil }

// OpenEvents is part of sse.Port. The first event tells what was asked for.
func (s *told) OpenEvents(ctx context.Context, r *sse.Request) (sse.Events, error) {
	var f ssetest.Fake
	if end := s.c.Options.End; end != "" && end != "fin" && end != "cut" {
		return nil, stream.Refuse(stream.Reason(end), "the test wants it so")
	}
	e, err := f.OpenEvents(ctx, r)
	if err != nil {
		return nil, err
	}
	asked := fmt.Sprintf("%s://%s%s", r.Scheme, r.Authority, r.Path)
	if r.Resumes {
		asked += fmt.Sprintf(" after %q", r.LastID)
	}
	all := []sse.Event{{Type: "asked", Data: []byte(asked), HasData: true}}
	for _, t := range s.c.Options.Events {
		e := sse.Event{Type: t.Type, Retry: time.Duration(t.Retry) * time.Millisecond}
		if t.ID != nil {
			e.ID, e.HasID = *t.ID, true
		}
		if t.Data != nil {
			e.Data, e.HasData = []byte(*t.Data), true
		}
		if t.Time > 0 {
			e.Time = time.UnixMilli(int64(t.Time))
		}
		all = append(all, e)
	}
	f.Emit(all...)
	if s.c.Options.End == "cut" {
		f.Cut(&stream.Cut{By: "server", Why: "rst"})
	} else {
		f.End()
	}
	return e, nil
}

// Bare is a test binding in a file that has nothing to say.
type Bare struct{ binding.Head }

// Ahead is a test binding in a file that leads somewhere.
type Ahead struct {
	binding.Head
	binding.Exited
}

// stage is what the test itself lets happen.
type stage struct{ fake *ssetest.Fake }

// The parts of the gateways of a test, which run one after the other.
var (
	onStage  sync.Map // by the names of bindings
	backends sync.Map
	readers  sync.Map
	browsers sync.Map
)

func newStage(b *binding.Builder, _ *Bare) (*stage, error) {
	s := &stage{&ssetest.Fake{}}
	onStage.Store(b.Node.Name, s.fake)
	return s, nil
}

func fakeOf(name string) *ssetest.Fake {
	f, _ := onStage.Load(name)
	return f.(*ssetest.Fake)
}

// back answers by http what the test wants.
type back struct {
	mu     sync.Mutex
	answer func(ctx context.Context, r *web.Request, x web.Served) error
}

func newBack(b *binding.Builder, _ *Bare) (*back, error) {
	made := &back{}
	backends.Store(b.Node.Name, made)
	return made, nil
}

func backOf(name string) *back {
	b, _ := backends.Load(name)
	return b.(*back)
}

func (b *back) set(answer func(context.Context, *web.Request, web.Served) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
}

// ServeExchange is part of web.Handler.
func (b *back) ServeExchange(ctx context.Context, r *web.Request, x web.Served) error {
	b.mu.Lock()
	answer := b.answer
	b.mu.Unlock()
	return answer(ctx, r, x)
}

type reader struct{ exit sse.Port }

func newReader(b *binding.Builder, _ *Ahead) (*reader, error) {
	r := &reader{binding.ExitOf(b, sse.Protocol)}
	readers.Store(b.Node.Name, r)
	return r, nil
}

// readerOf is the port that a reader leads to.
func readerOf(name string) sse.Port {
	r, _ := readers.Load(name)
	return r.(*reader).exit
}

type browser struct{ exit web.Port }

func newBrowser(b *binding.Builder, _ *Ahead) (*browser, error) {
	w := &browser{binding.ExitOf(b, web.Protocol)}
	browsers.Store(b.Node.Name, w)
	return w, nil
}

func browserOf(name string) web.Port {
	b, _ := browsers.Load(name)
	return b.(*browser).exit
}

// scopeOn is a scope on the host of a gateway, which ends with the test.
func scopeOn(t testing.TB, g *gwtest.Gateway) *stream.Scope {
	s := stream.Begin(stream.WithHost(context.Background(), g.Host), &stream.Node{Namespace: "test", Name: "somebody"})
	t.Cleanup(func() { s.End(nil) })
	return s
}

// shown is an answer as people read it: the head without what differs each time, the body without its framing, and how it
// ended if not in order.
func shown(t *testing.T, r *http.Response, err error) string {
	t.Helper()
	if err != nil {
		return "(" + gwtest.How(err) + ")\n"
	}
	defer r.Body.Close()
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.Status)
	var lines []string
	for name, values := range r.Header {
		if name != "Date" {
			lines = append(lines, strings.ToLower(name)+": "+strings.Join(values, ", ")+"\n")
		}
	}
	slices.Sort(lines)
	b.WriteString(strings.Join(lines, ""))
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(&b, "\n%s", body)
	if err != nil {
		b.WriteString("(cut off)\n")
	}
	return endpoint.ReplaceAllString(b.String(), "HOST:PORT")
}

var endpoint = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+:\d+`)

package http_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gozilla/binding"
	"gozilla/internal/gwtest"
	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/telemetry"
)

// TestTalks has conversations: a zilla.yaml, what clients of the binding north send, each on a connection of its own
// that they half-close afterwards, and what they get. A binding of the type show answers with the request as it has seen
// it; back.yaml is a gateway of its own, whose port is BACK. Dates are left out.
func TestTalks(t *testing.T) {
	gwtest.RunArchives(t, "testdata/talk/*.txtar", func(t *testing.T, a *gwtest.Archive) {
		var opts []gwtest.Option
		if text := a.Text("back.yaml"); text != "" {
			_, port, _ := net.SplitHostPort(gwtest.Start(t, text).Addr("north"))
			opts = append(opts, gwtest.Env("BACK", port))
		}
		if strings.Contains(a.Text("zilla.yaml"), "env.CLOSED") {
			opts = append(opts, gwtest.Env("CLOSED", gwtest.ClosedPort(t)))
		}
		g := gwtest.Start(t, a.Text("zilla.yaml"), opts...)
		var events strings.Builder
		defer g.Host.Log.Handle(func(e *telemetry.Event) {
			if e.Namespace == "test" {
				fmt.Fprintf(&events, "%s:%s %s %s\n", e.Namespace, e.Name, e.ID, e.Message)
			}
		})()
		var records []string
		for _, f := range slices.Clone(a.Files) {
			if name, ok := strings.CutPrefix(f.Name, "request "); ok {
				a.Expect(t, "response "+name, talk(t, g, f.Text))
				for range len(requestLine.FindAllString(f.Text, -1)) {
					r := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Status != 0 })
					records = append(records, recordOf(&r))
				}
			}
		}
		a.Expect(t, "records", strings.Join(records, ""))
		a.Expect(t, "events", events.String())
	})
}

// recordOf is what a record says that is the same every time.
func recordOf(r *telemetry.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", r.HTTP.Status)
	for _, step := range r.Path {
		b.WriteString(" > " + strings.TrimSpace(step.Binding+" "+step.Route))
	}
	fmt.Fprintf(&b, "  %s: %s", r.By, r.Reason)
	if r.Err != "" {
		b.WriteString(" (" + endpoint.ReplaceAllString(r.Err, "HOST:PORT") + ")")
	}
	if r.Identity != "" {
		b.WriteString("  for " + r.Identity)
	}
	return b.String() + "\n"
}

var endpoint = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+:\d+`)

var requestLine = regexp.MustCompile(`(?m)^\S+ \S+ HTTP/\d.\d$`)

var date = regexp.MustCompile(`(?m)^date: .*\n`)

// talk sends a text, whose lines end as those of HTTP do, and gives what comes back.
func talk(t *testing.T, g *gwtest.Gateway, text string) string {
	t.Helper()
	c := g.Dial("north")
	gwtest.Send(t, c, strings.ReplaceAll(text, "\n", "\r\n"))
	c.SetReadDeadline(time.Now().Add(gwtest.Patience))
	b := make([]byte, 64<<10)
	n, _ := c.Read(b)
	c.CloseWrite() // not before, for then its end comes with the request, and is found out a second later only
	rest, err := io.ReadAll(c)
	b = append(b[:n], rest...)
	if err != nil {
		t.Fatalf("after %q: %v", b, err)
	}
	c.Close()
	return date.ReplaceAllString(strings.ReplaceAll(string(b), "\r\n", "\n"), "") + "\n"
}

// Show is a test binding in a file.
type Show struct {
	binding.Head
	Options ShowOptions
}

// ShowOptions are what a show answers with.
type ShowOptions struct {
	Headers map[string]string
	Breaks  bool // off, once the body has begun
}

type show struct {
	header web.Header
	breaks bool
}

func newShow(_ *binding.Builder, c *Show) (*show, error) {
	s := &show{breaks: c.Options.Breaks}
	for name, value := range c.Options.Headers {
		s.header.Add(name, value)
	}
	slices.SortFunc(s.header, func(a, b web.Field) int { return strings.Compare(a.Name, b.Name) })
	return s, nil
}

func (s *show) port() web.Port { return s }

func (s *show) OpenExchange(context.Context, *web.Request) (web.Opened, error) {
	return nil, stream.Refuse(stream.Unavailable, "there is nothing to show")
}

func (s *show) ServeExchange(_ context.Context, r *web.Request, x web.Served) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s://%s %s\n", r.Method, r.Scheme, r.Authority, r.Path)
	for _, f := range r.Header {
		if f.Name != "traceparent" {
			fmt.Fprintf(&b, "%s: %s\n", f.Name, local.ReplaceAllString(f.Value, "PORT"))
		}
	}
	if r.Protocol != "" {
		fmt.Fprintf(&b, "upgrade: %s\n", r.Protocol)
		return web.Reply(x, 200, s.header, []byte(b.String()))
	}
	body, err := io.ReadAll(x)
	if err != nil {
		return err
	}
	if s.breaks {
		x.Respond(&web.Response{Status: 200, Header: s.header, Length: -1})
		io.WriteString(x, "half")
		return errors.New("the test says so")
	}
	return web.Reply(x, 200, s.header, append([]byte(b.String()), body...))
}

var local = regexp.MustCompile(`^\d{5}$`)

func init() {
	binding.Register(binding.Type{Name: "show", Kinds: map[binding.Kind]binding.Form{
		binding.Server: binding.In(newShow, binding.Face(web.Protocol, (*show).port)),
	}})
}

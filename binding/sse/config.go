package sse

import (
	"slices"
	"strings"
	"time"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/model"
)

// Server sends streams of events to who asks for them by http.
type Server struct {
	binding.Head
	// What is sent besides the events, and what these must look like.
	Options ServerOptions
	binding.Routed[When, config.None]
}

// ServerOptions say what an sse server sends besides the events, and what these must look like.
type ServerOptions struct {
	// In how many milliseconds a client should come back when it has lost a stream: it is told at the beginning of each. If
	// it is left out, nothing is told, and what comes from behind is passed on in any case.
	Retry Milliseconds
	// What events must look like. The first entry counts whose path is that of the stream; of a path that none has, nothing
	// is asked. An event that is not right is left out.
	Requests []Request
	// Whether events are sent compressed to clients that take it.
	Compression Compression `config:"compression,extension"`
}

// Defaults is what holds for keys that are left out.
func (o *ServerOptions) Defaults() { o.Compression = CompressionNone }

// Request says what the events of some streams must look like.
type Request struct {
	// The path of the streams. {name} stands for any run of characters that is not empty, as short as it can be. The whole
	// path must match, without its query.
	Path Template `config:"path,required"`
	// What the data of an event must look like.
	Content *model.Config `config:"content,required"`

	path pattern
}

// Check makes the request ready.
func (q *Request) Check(r *config.Report) {
	q.path = compile(string(q.Path), "{")
	for i := range q.path.names {
		if name := q.path.names[i]; slices.Index(q.path.names, name) != i {
			r.Errorf(r.At(&q.Path), "the path has {%s} more than once", name)
			return
		}
	}
}

// Template is a path with parameters in it.
type Template string

// Pattern is what a template looks like.
func (Template) Pattern() string { return `^/([^{}?#]|\{[a-zA-Z0-9_.-]+\})*$` }

// Words says what it is.
func (Template) Words() string { return "a template like /items/{id} without a query" }

// Milliseconds is a time in milliseconds.
type Milliseconds int

// Bounds is part of the shape of a configuration.
func (Milliseconds) Bounds() (least, most int64) { return 1, 3_600_000 }

func (m Milliseconds) duration() time.Duration { return time.Duration(m) * time.Millisecond }

// Compression is how what is sent is compressed.
type Compression string

// The compressions.
const (
	CompressionNone Compression = "none"
	CompressionGzip Compression = "gzip"
)

// Values are the choices.
func (Compression) Values() []string {
	return []string{string(CompressionNone), string(CompressionGzip)}
}

// When is what a route asks of a stream.
type When struct {
	// What the path must look like, without its query: * stands for any run of characters. The whole path must match, as it
	// came. If it is left out, any path does.
	Path Pattern

	path pattern
	any  bool
}

// Pattern is what a path must look like.
type Pattern string

// Words says what a pattern is.
func (Pattern) Words() string { return "a path in which * stands for any run of characters" }

// Check makes the condition ready, and tells of one that cannot hold.
func (w *When) Check(r *config.Report) {
	w.path, w.any = compile(string(w.Path), "*"), w.Path == ""
	path, _, queried := strings.Cut(string(w.Path), "?")
	rooted := "/" + strings.TrimPrefix(path, "/")
	if strings.HasPrefix(path, "*") {
		rooted = path
	}
	switch {
	case queried:
		r.Warnf(r.At(&w.Path), "this never holds: a path is compared without its query").Hintf("write %s", rooted)
	case !w.any && path != rooted:
		r.Warnf(r.At(&w.Path), "this never holds: a path begins with /").Hintf("write %s", rooted)
	}
}

// Apart is how a condition is taken apart, to tell which of its keys do not hold: there is one.
func (w *When) Apart() []config.Part[When] {
	if w.any {
		return nil
	}
	return []config.Part[When]{{Key: "path", Only: w}}
}

func (w *When) holds(path string) bool { return w.any || w.path.match(path) }

// Client opens streams of events by asking servers for them by http.
type Client struct {
	binding.Head
	// When a stream that was lost is asked for again.
	Options ClientOptions
	binding.Routed[When, config.None]
}

// ClientOptions say when an sse client asks again for a stream that it has lost.
type ClientOptions struct {
	// In how many milliseconds, unless the server has said otherwise. It is longer each time that there is no answer, up to
	// half a minute.
	Retry Milliseconds
	// What events must look like: an sse server looks at that.
	Requests []Request
}

// Defaults is what holds for keys that are left out.
func (o *ClientOptions) Defaults() { o.Retry = 2000 }

// Check tells what is wrong with the options as a whole.
func (o *ClientOptions) Check(r *config.Report) {
	if len(o.Requests) > 0 {
		r.Warnf(r.At(&o.Requests), "an sse client does not look at events: put this into the server")
	}
}

// A pattern is texts, and gaps between them.
type pattern struct {
	parts []string // one more than gaps
	names []string // of the gaps; "" for *, which may be empty
}

// compile makes a pattern ready whose gaps begin with * or with {.
func compile(s, gap string) pattern {
	p := pattern{}
	for {
		before, rest, found := strings.Cut(s, gap)
		p.parts = append(p.parts, before)
		if !found {
			return p
		}
		name := ""
		if gap == "{" {
			name, rest, _ = strings.Cut(rest, "}")
		}
		p.names, s = append(p.names, name), rest
	}
}

// match takes for each gap the shortest run that lets the next text follow.
func (p *pattern) match(s string) bool {
	if len(p.names) == 0 {
		return s == p.parts[0]
	}
	s, ok := strings.CutPrefix(s, p.parts[0])
	last := len(p.names) - 1
	for i, name := range p.names {
		least := min(len(name), 1)
		switch {
		case !ok || len(s) < least:
			return false
		case i == last:
			return strings.HasSuffix(s[least:], p.parts[i+1])
		}
		_, s, ok = strings.Cut(s[least:], p.parts[i+1])
	}
	return false
}

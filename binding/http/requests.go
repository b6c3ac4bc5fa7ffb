package http

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unsafe"

	"gozilla/binding"
	"gozilla/component"
	"gozilla/config"
	"gozilla/model"
	"gozilla/stream"
	"gozilla/stream/web"
)

// Request says what requests must look like, by a server, and what the responses to them must, by a client. A request is
// compared with what overrides have made of it.
type Request struct {
	// The path of the requests. {name} stands for any run of characters that is not empty, as short as it can be; a slash
	// may follow at the end, and a query.
	Path Template `config:"path,required"`
	// The method of the requests; any, if it is left out.
	Method RequestMethod
	// What the header content-type of the requests says, to the letter. Requests without that header are meant too.
	ContentType []string `config:"content-type"`
	// What headers must look like that are there, by their names: each of their lines.
	Headers map[HeaderName]model.Config
	// What parameters must look like.
	Params Params
	// What the body must look like. A request without a body is asked for one if it is a POST, PUT or PATCH.
	Content *model.Config
	// What responses must look like. The last entry counts that a response matches.
	Responses []Answer
}

// Params says what parameters of a request must look like.
type Params struct {
	// Those that the path captures, by their names. They are looked at decoded: %20 is a space.
	Path map[string]model.Config
	// Those of the query that are there, by their names. Names and values are looked at decoded: %20 and + are spaces.
	Query map[string]model.Config
}

// Answer says what responses must look like.
type Answer struct {
	// The status of the responses; any, if it is left out.
	Status config.List[Status]
	// What the header content-type of the responses says, to the letter. Responses without that header are meant too.
	ContentType []string `config:"content-type"`
	// What headers must look like that are there, by their names: each of their lines. If one does not, the answer is 503.
	Headers map[HeaderName]model.Config
	// What the body must look like. If it does not, it is cut off.
	Content *model.Config
}

// RequestMethod is the method of a request.
type RequestMethod string

// Values are the methods.
func (RequestMethod) Values() []string {
	return []string{"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"}
}

// Status is the status of a response.
type Status int

// Bounds is part of the shape of a configuration.
func (Status) Bounds() (least, most int64) { return 100, 599 }

// Template is a path with parameters in it.
type Template string

// Pattern is what a template looks like.
func (Template) Pattern() string { return `^/([^{}?#]|\{[a-zA-Z0-9_.-]+\})*$` }

// Words says what it is.
func (Template) Words() string {
	return "a template like /items/{id} without a query"
}

// Check tells what is wrong with the request as a whole.
func (q *Request) Check(r *config.Report) {
	if len(q.Headers)+len(q.Params.Path)+len(q.Params.Query)+len(q.Responses) == 0 && q.Content == nil {
		r.Errorf(r.At(q), "a request needs headers, params, content or responses: what is to be looked at")
	}
	checkModels(r, &q.Headers)
	names := q.Path.compile().names
	for i, name := range names {
		if slices.Index(names, name) != i {
			r.Errorf(r.At(&q.Path), "the path has {%s} more than once", name)
			return
		}
	}
	for _, name := range slices.Sorted(maps.Keys(q.Params.Path)) {
		if slices.Contains(names, name) {
			continue
		}
		f := r.Errorf(r.AtKey(&q.Params.Path, name), "the path has no {%s}", name)
		if like, ok := config.Like(name, names); ok {
			f.Hintf("did you mean %q?", like)
		}
	}
}

// Check tells what is wrong with the response as a whole.
func (a *Answer) Check(r *config.Report) {
	if len(a.Headers) == 0 && a.Content == nil {
		r.Errorf(r.At(a), "a response needs headers or content: what is to be looked at")
	}
	checkModels(r, &a.Headers)
}

// checkModels tells of headers that are named twice, and of such that are never there.
func checkModels(r *config.Report, all *map[HeaderName]model.Config) {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(*all)) {
		at, lower := r.AtKey(all, string(name)), name.lower()
		if seen[lower] {
			r.Errorf(at, "the header %s is named twice", lower)
		}
		seen[lower] = true
		switch {
		case lower == "host":
			r.Warnf(at, "this is never looked at: the header host is called :authority here")
		case barred[lower]:
			r.Warnf(at, "this is never looked at: %s is about the connection", lower)
		}
	}
}

// A template is a Template made ready: literals, and names between them.
type template struct {
	parts []string
	names []string
}

func (t Template) compile() template {
	m := template{}
	rest := string(t)
	for {
		begin, end := strings.IndexByte(rest, '{'), strings.IndexByte(rest, '}')
		if begin < 0 || end < begin {
			m.parts = append(m.parts, rest)
			return m
		}
		m.parts, m.names = append(m.parts, rest[:begin]), append(m.names, rest[begin+1:end])
		rest = rest[end+1:]
	}
}

// match matches a path without its query, and puts into found what the names stand for.
func (t *template) match(path string, found []string) bool {
	if !strings.HasPrefix(path, t.parts[0]) {
		return false
	}
	if bare, ok := strings.CutSuffix(path, "/"); ok && t.split(bare, found) {
		return true
	}
	return t.split(path, found)
}

func (t *template) split(path string, found []string) bool {
	n := len(t.names)
	if n == 0 {
		return path == t.parts[0]
	}
	path, ok := strings.CutPrefix(path, t.parts[0])
	if !ok {
		return false
	}
	for i := range n - 1 {
		if path == "" {
			return false
		}
		at := strings.Index(path[1:], t.parts[i+1])
		if at < 0 {
			return false
		}
		found[i] = path[:at+1]
		path = path[at+1+len(t.parts[i+1]):]
	}
	found[n-1], ok = strings.CutSuffix(path, t.parts[n])
	return ok && found[n-1] != ""
}

// requests are the entries of the option, made ready; nil if there are none.
type requests []request

type request struct {
	path    template
	method  string
	types   []string
	headers []named
	params  []model.Coder // of the names of the path, nil for those that nothing is said of
	query   []named
	content model.Coder // nil: anything
	answers []answer
}

type answer struct {
	status  []Status
	types   []string
	headers []named
	content model.Coder
}

// named is what a header or a parameter must look like.
type named struct {
	name string
	model.Coder
}

// newRequests makes the option ready, for a binding of that kind: a server looks at requests, a client at responses.
func newRequests(b *binding.Builder, kind binding.Kind, all []Request) (requests, error) {
	m := modeller{b: b.Builder}
	var made requests
	for i := range all {
		q := &all[i]
		one := request{path: q.Path.compile(), method: string(q.Method), types: q.ContentType}
		if kind == binding.Server {
			one.headers, one.query, one.content = m.headers(q.Headers), m.named(q.Params.Query), m.coder(q.Content)
			for _, name := range one.path.names {
				c := q.Params.Path[name]
				one.params = append(one.params, m.coder(&c))
			}
			if len(q.Responses) > 0 {
				b.Report.Warnf(b.Report.At(&q.Responses), "an http server does not look at responses: put this into the client")
			}
		} else {
			for j := range q.Responses {
				a := &q.Responses[j]
				one.answers = append(one.answers, answer{a.Status, a.ContentType, m.headers(a.Headers), m.coder(a.Content)})
			}
			if len(q.Headers)+len(q.Params.Path)+len(q.Params.Query) > 0 || q.Content != nil {
				b.Report.Warnf(b.Report.At(q), "an http client looks at responses only: put what requests must look like into the server")
			}
		}
		made = append(made, one)
	}
	return made, m.err
}

// A modeller builds models, until it cannot.
type modeller struct {
	b   *component.Builder
	err error
}

func (m *modeller) coder(c *model.Config) model.Coder {
	made, err := c.Build(m.b)
	if err != nil && m.err == nil {
		m.err = err
	}
	if err != nil || made == nil {
		return nil
	}
	return made.Decoder()
}

func (m *modeller) named(all map[string]model.Config) []named {
	var made []named
	for name, c := range all {
		if coder := m.coder(&c); coder != nil {
			made = append(made, named{name, coder})
		}
	}
	slices.SortFunc(made, func(a, b named) int { return strings.Compare(a.name, b.name) })
	return made
}

func (m *modeller) headers(all map[HeaderName]model.Config) []named {
	plain := map[string]model.Config{}
	for name, c := range all {
		plain[name.lower()] = c
	}
	return m.named(plain)
}

// find is the first entry that a request matches, nil if there is none; found takes what its path captures, if it has
// room.
func (all requests) find(r *web.Request, found *captures) *request {
	path, _, _ := strings.Cut(r.Path, "?")
	for i := range all {
		q := &all[i]
		if (q.method == "" || q.method == r.Method) && typed(q.types, r.Header) && q.path.match(path, found.of(len(q.path.names))) {
			return q
		}
	}
	return nil
}

// captures has room for what a path captures.
type captures struct {
	few [4]string
	all []string
}

func (c *captures) of(n int) []string {
	if n > len(c.few) && n > cap(c.all) {
		c.all = make([]string, n)
	}
	if n > len(c.few) {
		return c.all[:n]
	}
	return c.few[:n]
}

// typed reports whether a header says one of the content types, or none at all.
func typed(types []string, h web.Header) bool {
	if len(types) == 0 {
		return true
	}
	i := slices.IndexFunc(h, func(f web.Field) bool { return f.Name == "content-type" })
	return i < 0 || slices.Contains(types, h[i].Value)
}

// check looks at the head of a request that a server was sent, and gives the exchange by which its body is looked at on
// its way. r, which the handler owns, is changed where models turn values into others. An error is answered by 400.
func (all requests) check(ctx context.Context, r *web.Request, x web.Served) (web.Served, error) {
	var found captures
	q := all.find(r, &found)
	if q == nil {
		return x, nil
	}
	for i, c := range q.params {
		if c == nil {
			continue
		}
		value := found.of(len(q.params))[i]
		if _, err := through(ctx, c, unescaped(value, url.PathUnescape)); err != nil {
			return nil, wrongRequest("the parameter "+q.path.names[i]+" of the path", err)
		}
	}
	if len(q.query) > 0 {
		if err := q.checkQuery(ctx, r.Path); err != nil {
			return nil, err
		}
	}
	for i := range q.headers {
		if err := q.headers[i].ofRequest(ctx, r); err != nil {
			return nil, wrongRequest("the header "+q.headers[i].name, err)
		}
	}
	switch {
	case q.content == nil, r.Protocol != "", r.Tunnel():
		return x, nil
	case r.Length == 0:
		if r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH" {
			if _, err := q.content.Value(ctx, nil, nil); err != nil {
				return nil, wrongRequest("the content", err)
			}
		}
		return x, nil
	}
	return newLookedAt(ctx, q.content, r, x), nil
}

func (q *request) checkQuery(ctx context.Context, path string) error {
	_, query, _ := strings.Cut(path, "?")
	for query != "" {
		var one string
		one, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(one, "=")
		name = unescaped(name, url.QueryUnescape)
		for i := range q.query {
			if q.query[i].name != name {
				continue
			}
			if _, err := through(ctx, q.query[i].Coder, unescaped(value, url.QueryUnescape)); err != nil {
				return wrongRequest("the parameter "+name+" of the query", err)
			}
		}
	}
	return nil
}

// unescaped decodes what is escaped, and leaves what cannot be decoded as it is.
func unescaped(s string, decode func(string) (string, error)) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	if decoded, err := decode(s); err == nil {
		return decoded
	}
	return s
}

// ofRequest looks at a header of a request.
func (c *named) ofRequest(ctx context.Context, r *web.Request) error {
	if c.name[0] == ':' || c.name == "upgrade" || c.name == "content-length" {
		value := r.Get(c.name)
		if value == "" {
			return nil
		}
		to, err := through(ctx, c.Coder, value)
		if err == nil && to != value {
			r.Set(c.name, to)
		}
		return err
	}
	_, err := c.of(ctx, r.Header, false)
	return err
}

// of looks at a header, and gives it as it goes on: h itself, or a changed copy if others may look at h.
func (c *named) of(ctx context.Context, h web.Header, lent bool) (web.Header, error) {
	for i := range h {
		if h[i].Name != c.name {
			continue
		}
		to, err := through(ctx, c.Coder, h[i].Value)
		if err != nil {
			return h, err
		}
		if to != h[i].Value {
			if lent {
				h, lent = slices.Clone(h), false
			}
			h[i].Value = to
		}
	}
	return h, nil
}

// through puts a text through a model.
func through(ctx context.Context, c model.Coder, value string) (string, error) {
	to, err := c.Value(ctx, nil, unsafe.Slice(unsafe.StringData(value), len(value))) // which does not keep it
	if err != nil || c.Identity() {
		return value, err
	}
	return string(to), nil
}

// wrongRequest is the error of a request that is not right: it is answered by 400. That of a model which cannot know is
// an error of ours.
func wrongRequest(what string, err error) error {
	if !model.IsFault(err) {
		return err
	}
	return &web.Error{Status: 400, Err: stream.Refuse(stream.Invalid, "%s is %w", what, err)}
}

func wrongContent(err error) error { return wrongRequest("the content", err) }

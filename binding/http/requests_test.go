package http

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"gozilla/binding"
	"gozilla/component"
	"gozilla/config"
	"gozilla/model"
	_ "gozilla/model/core"
	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/stream/web/webtest"
	"gozilla/telemetry"
)

func init() { model.Register("twice", newTwice) }

// Twice is a test model in a file: every byte comes twice, none may be an x, and there must be a dot at the end.
type Twice struct{ model.Head }

type twice struct{}

func newTwice(*model.Builder, *Twice) (model.Model, error) { return twice{}, nil }

func (twice) Decoder() model.Coder                { return twice{} }
func (twice) Encoder() model.Coder                { return twice{} }
func (twice) Identity() bool                      { return false }
func (twice) Pipe(ctx context.Context) model.Pipe { return new(twicePipe) }
func (twice) Value(ctx context.Context, dst, value []byte) ([]byte, error) {
	p := new(twicePipe)
	dst, err := p.Write(dst, value)
	if err != nil {
		return dst, err
	}
	return p.End(dst)
}

type twicePipe struct{ last byte }

func (p *twicePipe) Write(dst, piece []byte) ([]byte, error) {
	for _, c := range piece {
		if c == 'x' {
			return dst, &model.Fault{Model: "twice", Text: "there is an x", Malformed: true}
		}
		if p.last != 0 { // the last one is known at the end only
			dst = append(dst, p.last, p.last)
		}
		p.last = c
	}
	return dst, nil
}

func (p *twicePipe) End(dst []byte) ([]byte, error) {
	if p.last != '.' {
		return dst, &model.Fault{Model: "twice", Text: "there is no dot"}
	}
	return append(dst, '!'), nil
}

// requestsOf makes the option of a binding, which is in a scope.
func requestsOf(t testing.TB, kind binding.Kind, text string) (requests, *stream.Scope) {
	t.Helper()
	r := &config.Report{}
	docs := config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte("requests:\n" + text), Env: func(string) (string, bool) { return "", false }})
	c := config.Decode[struct{ Requests []Request }](r, docs[0], "it")
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 8, false))
	node := &stream.Node{Namespace: "test", Name: "north"}
	made, err := newRequests(&binding.Builder{Builder: &component.Builder{Node: node, Host: host, Report: r}}, kind, c.Requests)
	if err != nil {
		t.Fatal(err)
	}
	s := stream.Begin(stream.WithHost(t.Context(), host), node)
	t.Cleanup(func() { s.End(nil) })
	return made, s
}

func TestTemplate(t *testing.T) {
	f := func(text, path, want string) {
		t.Helper()
		m := Template(text).compile()
		found := make([]string, len(m.names))
		got := "no"
		if m.match(path, found) {
			got = strings.Join(found, "|")
		}
		if got != want {
			t.Errorf("%s, %s: %s, not %s", text, path, got, want)
		}
	}
	f("/", "/", "")
	f("/", "/a", "no")
	f("/a", "/a", "")
	f("/a", "/a/", "")
	f("/a", "/a//", "no")
	f("/a", "/ab", "no")
	f("/a/", "/a", "no")
	f("/a/", "/a/", "")
	f("/a.b", "/axb", "no")
	f("/a/{x}", "/a/1", "1")
	f("/a/{x}", "/a/1/", "1")
	f("/a/{x}", "/a/1/2", "1/2")
	f("/a/{x}", "/a/", "no")
	f("/a/{x}", "/a//", "/")
	f("/a/{x}/b", "/a/1/b", "1")
	f("/a/{x}/b", "/a/1/b/", "1")
	f("/a/{x}/b", "/a/1/b/b", "1/b")
	f("/a/{x}/b", "/a//b", "no")
	f("/a/{x}/b", "/a/1/c", "no")
	f("/{x}/{y}", "/1/2/3", "1|2/3")
	f("/{x}/{y}", "/1", "no")
	f("/{x}-{y}.{z}", "/a-b-c.d.e", "a|b-c|d.e")
	f("/{x}{y}", "/ab", "a|b")
	f("/{x}{y}", "/a", "no")
	f("/{a}{b}{c}{d}{e}", "/12345", "1|2|3|4|5")
}

// FuzzTemplate compares templates with regular expressions that say the same.
func FuzzTemplate(f *testing.F) {
	for _, seed := range [][2]string{{"/a/{x}/b", "/a/1/b"}, {"/{x}{y}", "/ab/"}, {"/{x}-{y}.{z}", "/a-b-c.d.e"}, {"/", "/"}, {"/a/", "/a"}} {
		f.Add(seed[0], seed[1])
	}
	form := regexp.MustCompile(Template("").Pattern())
	name := regexp.MustCompile(`\\\{[^{}]*\\\}`)
	f.Fuzz(func(t *testing.T, text, path string) {
		if !form.MatchString(text) || !utf8.ValidString(text) || !utf8.ValidString(path) || len(text) > 200 {
			return
		}
		m := Template(text).compile()
		found := make([]string, len(m.names))
		same := regexp.MustCompile(`(?s)\A` + name.ReplaceAllString(regexp.QuoteMeta(text), `(.+?)`) + `/?\z`).FindStringSubmatch(path)
		if ok := m.match(path, found); ok != (same != nil) || ok && !slices.Equal(found, same[1:]) {
			t.Errorf("%q, %q: %v %q, not %q", text, path, ok, found, same)
		}
	})
}

func TestCheckHead(t *testing.T) {
	all, s := requestsOf(t, binding.Server, `
- path: /items/{id}
  method: GET
  content-type: [ text/plain, text/csv ]
  headers: { X-Count: int32, ":authority": { model: string, pattern: "example.*" } }
  params:
    path: { id: { model: int32, range: "[0,100)" } }
    query: { "a b": { model: string, maxLength: 3 }, n: int32 }
- path: /{a}/{b}/{c}/{d}/{e}
  params: { path: { e: int32, a: string } }
- path: /items/{id}
  params: { path: { id: { model: string, pattern: "[a-z ]*" } } }
- path: /twice
  headers: { x-twice: twice }
`)
	f := func(method, path, want string, header ...string) {
		t.Helper()
		r := &web.Request{Method: method, Scheme: "http", Authority: "example.com", Path: path, Header: web.Fields(header...)}
		x, err := all.check(s, r, served{})
		got := ""
		if err != nil {
			var e *web.Error
			if !errors.As(err, &e) || e.Status != 400 {
				t.Errorf("%s: %v", path, err)
			}
			got = strings.TrimPrefix(err.Error(), "refused: invalid: ")
		} else if x != (served{}) {
			t.Errorf("%s: the body is looked at", path)
		}
		if got != want {
			t.Errorf("%s %s %v: %q, not %q", method, path, header, got, want)
		}
	}
	const id = "the parameter id of the path is not a valid int32: "
	f("GET", "/items/5", "")
	f("GET", "/items/5/?n=1", "")
	f("GET", "/items/%35", "")
	f("GET", "/items/x", id+"it is no whole number")
	f("GET", "/items/100", id+"it is not in the range [0,100)")
	f("GET", "/items/5%", id+"it is no whole number")
	f("GET", "/other/x", "")
	f("GET", "/items/5?n=", "the parameter n of the query is not a valid int32: it is empty")
	f("GET", "/items/5?n", "the parameter n of the query is not a valid int32: it is empty")
	f("GET", "/items/5?n=1&m=x&&n=x", "the parameter n of the query is not a valid int32: it is no whole number")
	f("GET", "/items/5?%6E=x", "the parameter n of the query is not a valid int32: it is no whole number")
	f("GET", "/items/5?a%20b=%61+c&a+b=%e2%82%acuu", "")
	f("GET", "/items/5?a+b=abcd", "the parameter a b of the query is not a valid string: it has more than 3 characters")
	f("GET", "/items/5?a+b=%ff", "the parameter a b of the query is not a valid string: it is not UTF-8")
	f("GET", "/items/5", "", "x-count", "1", "x-count", "2")
	f("GET", "/items/5", "the header x-count is not a valid int32: it is no whole number", "x-count", "1", "x-count", "two")
	// Another method or content type, and the next entry counts.
	f("POST", "/items/x", "")
	f("GET", "/items/x", "", "content-type", "text/html")
	f("GET", "/items/5", "the parameter id of the path is not a valid string: it does not match the pattern", "content-type", "text/plain; charset=utf-8")
	f("GET", "/items/x", id+"it is no whole number", "content-type", "text/csv")
	f("POST", "/items/a%20b", "")
	f("POST", "/items/a+b", "the parameter id of the path is not a valid string: it does not match the pattern")
	f("GET", "/1/2/3/4/x", "the parameter e of the path is not a valid int32: it is no whole number")
	f("GET", "/1/2/3/4/5", "")

	r := &web.Request{Method: "GET", Authority: "other.com", Path: "/items/5"}
	if _, err := all.check(s, r, served{}); err == nil || !strings.Contains(err.Error(), "the header :authority is not") {
		t.Errorf("the authority is not looked at: %v", err)
	}
	r = &web.Request{Method: "GET", Path: "/twice", Header: web.Fields("x-twice", "ab.")}
	if _, err := all.check(s, r, served{}); err != nil || r.Header.Get("x-twice") != "aabb!" {
		t.Errorf("the header became %v, %v", r.Header, err)
	}
}

// TestCheckContent is about which requests' bodies are looked at.
func TestCheckContent(t *testing.T) {
	all, s := requestsOf(t, binding.Server, `
- { path: /same, content: int32 }
- { path: /twice, content: twice }
- { path: /any, content: bytes }
`)
	f := func(r *web.Request, looked bool, length int64, wrong bool) {
		t.Helper()
		x, err := all.check(s, r, served{})
		if _, is := x.(*lookedAt); is != looked || r.Length != length || (err != nil) != wrong {
			t.Errorf("%+v: %T, %v", r, x, err)
		}
	}
	f(&web.Request{Method: "POST", Path: "/same", Length: 7}, true, 7, false)
	f(&web.Request{Method: "POST", Path: "/same", Length: -1}, true, -1, false)
	f(&web.Request{Method: "POST", Path: "/twice", Length: 7}, true, -1, false) // or what goes on is not of the length that was said
	f(&web.Request{Method: "GET", Path: "/same", Length: 7}, true, 7, false)
	f(&web.Request{Method: "GET", Path: "/same"}, false, 0, false)
	f(&web.Request{Method: "POST", Path: "/same"}, false, 0, true)
	f(&web.Request{Method: "PATCH", Path: "/twice"}, false, 0, true)
	f(&web.Request{Method: "PUT", Path: "/any"}, false, 0, false)
	f(&web.Request{Method: "GET", Path: "/same", Protocol: "websocket"}, false, 0, false)
	f(&web.Request{Method: "POST", Path: "/other", Length: 7}, false, 7, false)
}

// served is an exchange whose request is pieces, and what has become of the response.
type served struct{ web.Served }

// pieces are a body that comes in pieces.
type pieces struct {
	web.Stream
	left    []string
	end     error
	stopped bool
}

func (p *pieces) Read(b []byte) (int, error) {
	switch {
	case p.stopped:
		return 0, web.ErrStopped
	case len(b) == 0 && len(p.left) > 0:
		return 0, nil
	case len(p.left) == 0:
		return 0, p.end
	}
	n := copy(b, p.left[0])
	if p.left[0] = p.left[0][n:]; p.left[0] == "" {
		p.left = p.left[1:]
	}
	return n, nil
}

func (p *pieces) StopRead() { p.stopped = true }

// quickPieces are an io.WriterTo besides.
type quickPieces struct{ *pieces }

func (p quickPieces) WriteTo(w io.Writer) (n int64, err error) {
	for {
		if f, ok := w.(interface{ Flush() error }); ok {
			if err := f.Flush(); err != nil {
				return n, err
			}
		}
		b := make([]byte, 100)
		m, err := p.Read(b)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		m, err = w.Write(b[:m])
		for i := range b {
			b[i] = 0xff // it is used again
		}
		if n += int64(m); err != nil {
			return n, err
		}
	}
}

// sink is a body that goes on.
type sink struct {
	bytes.Buffer
	flushed int
}

func (s *sink) Flush() error { s.flushed++; return nil }

// TestBody puts bodies through models, in all ways of reading and cut anyhow: what goes on, and whether it is whole.
func TestBody(t *testing.T) {
	errCut := errors.New("the client has gone")
	models := map[string]model.Coder{"twice": twice{}}
	requestsText := "\n- { path: /, content: int32 }\n- { path: /, content: { model: string, maxLength: 8 } }\n"
	all, s := requestsOf(t, binding.Server, requestsText)
	models["int32"], models["string"] = all[0].content, all[1].content

	f := func(name, value string, end error, want string, wrong string) {
		t.Helper()
		said := int64(len(value))
		if end != io.EOF {
			said++ // or it would be whole
		}
		for _, length := range []int64{-1, said} {
			for cut := range len(value) + 1 {
				for _, how := range []string{"read", "read little", "write", "write slowly", "both"} {
					src := &pieces{left: slices.DeleteFunc([]string{value[:cut], value[cut:]}, func(s string) bool { return s == "" }), end: end}
					var stream web.Stream = quickPieces{src}
					if how == "write slowly" {
						stream = src
					}
					b := &body{wrong: wrongContent}
					b.begin(s, models[name], stream, length)
					var got sink
					err := consume(b, how, &got)
					at := fmt.Sprintf("%s: %q cut at %d, of length %d, %s", name, value, cut, length, how)
					text := ""
					if err != nil {
						text = err.Error()
					}
					if !strings.HasSuffix(text, wrong) || (wrong == "") != (err == nil) {
						t.Errorf("%s: %v", at, err)
					}
					whole := got.String() == want
					if err == nil && !whole || err != nil && length > 0 && end == io.EOF && models[name].Identity() && got.Len() >= len(value) {
						t.Errorf("%s: %q went on", at, got.String())
					}
					if !strings.HasPrefix(want, got.String()) {
						t.Errorf("%s: %q went on", at, got.String())
					}
					_, again := b.read(nil)
					if err != nil && !errors.Is(again, err) && again != err || err == nil && again != io.EOF {
						t.Errorf("%s: then %v", at, again)
					}
				}
			}
		}
	}
	f("int32", "12345", io.EOF, "12345", "")
	f("int32", "1234x", io.EOF, "1234x", "the content is not a valid int32: it is no whole number")
	f("int32", "-", io.EOF, "-", "it is no number")
	f("int32", "12", errCut, "12", errCut.Error())
	f("string", "a€b", io.EOF, "a€b", "")
	f("string", "ab\xe2\x82", io.EOF, "ab\xe2\x82", "it is not UTF-8")
	f("string", "abcdefghi", io.EOF, "abcdefghi", "it has more than 8 characters")
	f("twice", "ab.", io.EOF, "aabb!", "")
	f("twice", "ab", io.EOF, "aabb", "there is no dot")
	f("twice", "abx.", io.EOF, "aabb", "there is an x")
	f("twice", "abc", errCut, "aabb", errCut.Error())
}

func consume(b *body, how string, to *sink) (err error) {
	little := make([]byte, 1)
	switch how {
	case "read":
		_, err = io.Copy(&to.Buffer, struct{ io.Reader }{reader(b.read)})
	case "read little":
		for err == nil {
			var n int
			n, err = b.read(little)
			to.Write(little[:n])
		}
	case "both":
		var n int
		n, err = b.read(little)
		to.Write(little[:n])
		if err == nil {
			_, err = b.writeTo(to)
		}
	default:
		_, err = b.writeTo(to)
	}
	if err == io.EOF {
		return nil
	}
	return err
}

type reader func([]byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

func TestBodyStops(t *testing.T) {
	for _, c := range []model.Coder{twice{}, mustCoder(t)} {
		src := &pieces{left: []string{"12", "34"}, end: io.EOF}
		b := &body{wrong: wrongContent}
		b.begin(t.Context(), c, src, -1)
		p := make([]byte, 1)
		if n, err := b.read(p); n != 1 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
		b.stop()
		for range 2 {
			if _, err := b.read(p); err != web.ErrStopped {
				t.Errorf("after it was stopped: %v", err)
			}
		}
	}
}

func mustCoder(t *testing.T) model.Coder {
	all, _ := requestsOf(t, binding.Server, "\n- { path: /, content: int32 }\n")
	return all[0].content
}

// TestExchange has exchanges of a client, a gateway with a server and a client, and a server, all inside the process.
func TestExchange(t *testing.T) {
	front, s := requestsOf(t, binding.Server, `
- { path: /up, content: { model: string, pattern: "[a-z]*" } }
- { path: /twice, content: twice }
`)
	back, _ := requestsOf(t, binding.Client, `
- path: /down
  responses:
  - { headers: { x-n: int32 }, content: bytes }
  - { status: 201, content: { model: string, maxLength: 5 } }
  - { status: [ 202, 203 ], content-type: [ text/plain ], content: twice }
  - { status: 206, headers: { x-n: int32 }, content: int32 }
`)
	f := func(r *web.Request, body []string, answer *web.Response, with []string, want, backend string) {
		t.Helper()
		var seen string
		server := web.Serving(handler(func(_ context.Context, r *web.Request, x web.Served) error {
			b, err := io.ReadAll(x)
			seen = fmt.Sprintf("%d %s", r.Length, b)
			if err != nil {
				seen += " cut"
				return err
			}
			if err := x.Respond(answer); err != nil {
				return err
			}
			for _, piece := range with {
				if _, err := io.WriteString(x, piece); err != nil {
					return err
				}
				if err := x.Flush(); err != nil {
					return err
				}
			}
			return nil
		}))
		client := web.Dialing(opener(func(ctx context.Context, r *web.Request) (web.Opened, error) {
			y, err := server.OpenExchange(ctx, r)
			if err != nil {
				return nil, err
			}
			return back.opened(ctx, r, y), nil
		}))
		gateway := web.Serving(handler(func(ctx context.Context, r *web.Request, x web.Served) error {
			x, err := front.check(ctx, r, x)
			if err != nil {
				return err
			}
			return client.ServeExchange(ctx, r, x)
		}))
		if got := exchange(s, gateway, r, body); got != want || backend != "" && seen != backend {
			t.Errorf("%s %v, answered by %d %v: %s, not %s; the server has seen %q, not %q", r.Path, body, answer.Status, with, got, want, seen, backend)
		}
	}
	ok := &web.Response{Status: 200}
	up := func(path string, length int64) *web.Request {
		return &web.Request{Method: "POST", Scheme: "http", Authority: "a", Path: path, Length: length}
	}
	f(up("/up", 3), []string{"a", "bc"}, ok, nil, "200 0 []", "3 abc")
	f(up("/up", -1), []string{"a", "bc"}, ok, nil, "200 0 []", "-1 abc")
	const invalid = "400: the content is not a valid string: it does not match the pattern"
	f(up("/up", 3), []string{"abC"}, ok, nil, invalid, "")
	f(up("/up", 3), []string{"a", "b", "C"}, ok, nil, invalid, "")
	f(up("/up", -1), []string{"a", "bC"}, ok, nil, invalid, "")
	f(up("/twice", 4), []string{"a", "bc."}, ok, nil, "200 0 []", "-1 aabbcc!")
	f(up("/twice", 4), []string{"a", "bcd"}, ok, nil, "400: the content is not a valid twice: there is no dot", "")

	down := func(method string) *web.Request {
		return &web.Request{Method: method, Scheme: "http", Authority: "a", Path: "/down"}
	}
	resp := func(status int, length int64, header ...string) *web.Response {
		return &web.Response{Status: status, Length: length, Header: web.Fields(header...)}
	}
	f(down("GET"), nil, resp(200, 3), []string{"abc"}, "200 3 [] abc", "")
	f(down("GET"), nil, resp(200, 3, "x-n", "7"), []string{"abc"}, "200 3 [{x-n 7}] abc", "")
	const header = "503: the header x-n of the response is not a valid int32: it is no whole number"
	f(down("GET"), nil, resp(200, 3, "x-n", "seven"), []string{"abc"}, header, "")
	f(down("GET"), nil, resp(206, 3, "x-n", "seven"), []string{"abc"}, header, "")
	const long = " cut: cut by the server: invalid: the content is not a valid string: it has more than 5 characters"
	f(down("GET"), nil, resp(201, 5), []string{"abc", "de"}, "201 5 [] abcde", "")
	f(down("GET"), nil, resp(201, 6), []string{"abc", "def"}, "201 6 []"+long, "")
	f(down("GET"), nil, resp(201, 6), []string{"abcdef"}, "201 6 []"+long, "")
	f(down("GET"), nil, resp(201, -1), []string{"abc", "def"}, "201 -1 []"+long, "")
	f(down("GET"), nil, resp(202, 4), []string{"ab", "c."}, "202 -1 [] aabbcc!", "")
	f(down("GET"), nil, resp(203, 4, "content-type", "text/plain"), []string{"ab", "c."}, "203 -1 [{content-type text/plain}] aabbcc!", "")
	f(down("GET"), nil, resp(203, 4, "content-type", "text/html"), []string{"ab", "c."}, "203 4 [{content-type text/html}] abc.", "")
	f(down("HEAD"), nil, resp(202, 4), nil, "202 -1 []", "")
	f(down("HEAD"), nil, resp(201, 4), nil, "201 4 []", "")
	f(down("GET"), nil, resp(206, 0), nil, "503: the content of the response is not a valid int32: it is empty", "")
	f(down("GET"), nil, resp(304, 70, "x-n", "7"), nil, "304 70 [{x-n 7}]", "")
}

// TestLookedAtConforms has bodies looked at, both ways, by who makes every demand that an exchange has to meet.
func TestLookedAtConforms(t *testing.T) {
	webtest.Run(t, func(t *testing.T, h web.Handler) *webtest.Gateway {
		front, _ := requestsOf(t, binding.Server, "\n- { path: /, content: bytes }\n- { path: '/{x}', content: bytes }\n")
		back, _ := requestsOf(t, binding.Client, "\n- { path: /, responses: [ { content: bytes } ] }\n- { path: '/{x}', responses: [ { content: bytes } ] }\n")
		server := web.Serving(h)
		client := web.Dialing(opener(func(ctx context.Context, r *web.Request) (web.Opened, error) {
			y, err := server.OpenExchange(ctx, r)
			if err != nil {
				return nil, err
			}
			return back.opened(ctx, r, y), nil
		}))
		return &webtest.Gateway{Host: webtest.NewHost(), Holds: 128 << 10, Opener: web.Serving(handler(func(ctx context.Context, r *web.Request, x web.Served) error {
			x, err := front.check(ctx, r, x)
			if err != nil {
				return err
			}
			return client.ServeExchange(ctx, r, x)
		}))}
	})
}

type handler func(context.Context, *web.Request, web.Served) error

func (h handler) ServeExchange(ctx context.Context, r *web.Request, x web.Served) error {
	return h(ctx, r, x)
}

type opener func(context.Context, *web.Request) (web.Opened, error)

func (o opener) OpenExchange(ctx context.Context, r *web.Request) (web.Opened, error) {
	return o(ctx, r)
}

// exchange is how an exchange looks to who opened it.
func exchange(ctx context.Context, o web.Opener, r *web.Request, body []string) string {
	y, err := o.OpenExchange(ctx, r)
	if err != nil {
		return err.Error()
	}
	defer y.Close()
	for _, piece := range body {
		io.WriteString(y, piece)
		y.Flush()
	}
	y.End(nil)
	resp, err := y.Response()
	if err != nil {
		return fmt.Sprintf("%d: %s", web.Answer(err).Status, err.Error()[strings.LastIndex(err.Error(), "the "+wordOf(err)):])
	}
	got := fmt.Sprintf("%d %d %v", resp.Status, resp.Length, resp.Header)
	b, err := io.ReadAll(y)
	switch {
	case err != nil && int64(len(b)) == resp.Length:
		return got + " is whole: " + err.Error()
	case err != nil: // how much of it has come is a matter of chance
		return got + " cut: " + err.Error()
	case len(b) > 0:
		got += " " + string(b)
	}
	return got
}

func wordOf(err error) string {
	if strings.Contains(err.Error(), "the header") {
		return "header"
	}
	return "content"
}

// TestRequestsNoAllocation has a request whose head is looked at, and nothing else.
func TestRequestsNoAllocation(t *testing.T) {
	all, s, r := headOf(t)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := all.check(s, r, served{}); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func headOf(t testing.TB) (requests, *stream.Scope, *web.Request) {
	all, s := requestsOf(t, binding.Server, `
- { path: "/users/{id}", params: { path: { id: int32 } } }
- { path: "/items/{id}", method: GET, params: { path: { id: int32 }, query: { page: int32 } }, headers: { accept-language: { model: string, maxLength: 64 } } }
`)
	return all, s, &web.Request{Method: "GET", Path: "/items/17?page=2", Header: web.Fields("accept", "*/*", "accept-language", "en-US,en;q=0.5")}
}

func BenchmarkRequests(b *testing.B) {
	all, s, r := headOf(b)
	b.Run("head", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := all.check(s, r, served{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("none", func(b *testing.B) {
		r := &web.Request{Method: "GET", Path: "/other"}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := all.check(s, r, served{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	content, s := requestsOf(b, binding.Server, "\n- { path: /, content: string }\n")
	b.Run("content", func(b *testing.B) {
		b.ReportAllocs()
		text := "hello"
		for b.Loop() {
			src := &pieces{left: []string{text}, end: io.EOF}
			x, err := content.check(s, &web.Request{Method: "POST", Path: "/", Length: 5}, stub{src})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, x); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type stub struct{ *pieces }

func (stub) Respond(*web.Response) error { return nil }

package http

import (
	"slices"
	"strings"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/guard"
)

// Server takes requests from the byte streams of its clients, and sends each on by what its head says.
type Server struct {
	binding.Head
	// Who is let in, and what is changed about requests.
	Options ServerOptions
	binding.Routed[When, With]
}

// ServerOptions says whom an http server lets in, and what it changes about requests.
type ServerOptions struct {
	Options
	// What pages of other origins may do. Without it, requests of such pages are refused.
	AccessControl *AccessControl `config:"access-control"`
	// How who stands behind is told of the client, and of what it has asked for: by none of the headers, by
	// x-forwarded-for, -proto, -host and -port, by forwarded (RFC 7239), or by both. What a client says of itself in any
	// of these headers is removed then, unless it is trusted.
	Forwarded Forwarded `config:"forwarded,extension"`
	// The networks of proxies in front, which say who their clients are: what their headers say is kept, and added to.
	// What they say by x-forwarded-proto also counts where the origin of a page is compared with the request.
	Trusted config.List[config.CIDR] `config:"trusted,extension"`
	// The name by which the gateway adds itself to the header via, of requests and of responses.
	Via Token `config:"via,extension"`
	// What the header server says in responses that have none.
	Server Value `config:"server,extension"`
	// Methods that are taken besides GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE and PATCH. Others are not
	// implemented (501).
	Methods []Method `config:"methods,extension"`
}

// Options are what servers and clients have in common.
type Options struct {
	// The versions of HTTP that are spoken; both, if left out. Over TLS it is the one that was agreed on (alpn of the tls
	// binding). In the clear a server takes what the client begins with, and a client speaks HTTP/1.1 unless h2 is all
	// that is named. Upgrades, as to WebSockets, that a server does not take over HTTP/2 go to it by HTTP/1.1.
	Versions []Version
	// A guard, and where credentials stand. A server asks the guard who a client is: the session that it gives decides
	// about guarded routes, here and in all bindings behind. A client shows its servers what the guard has for the
	// session of a request, or for everybody.
	Authorization map[guard.Ref]Authorization
	// New values of headers of requests, by their names; :method, :scheme, :authority and :path are among them. A server
	// sets them once the route is chosen, which may say otherwise, a client before it connects.
	Overrides map[HeaderName]Value
	// What requests must look like, by a server, and what responses to them must, by a client. The first entry counts that
	// a request matches, once overrides are made; of one that matches none, nothing is asked.
	Requests []Request

	overrides []override
}

// Version is a version of HTTP.
type Version string

// The versions.
const (
	HTTP11 Version = "http/1.1"
	HTTP2  Version = "h2"
)

// Values are the versions.
func (Version) Values() []string { return []string{string(HTTP11), string(HTTP2)} }

// Method is the method of a request. Upper and lower case differ.
type Method string

// Pattern is what a method looks like.
func (Method) Pattern() string { return "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" }

// Words says what it is.
func (Method) Words() string { return "a word such as GET" }

// Token is a word.
type Token string

// Pattern is what a token looks like.
func (Token) Pattern() string { return "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" }

// Words says what it is.
func (Token) Words() string { return "a word such as gateway or example.com" }

// Forwarded says by which headers a client's address is handed on.
type Forwarded string

// The families of headers.
const (
	ForwardedNone Forwarded = "none"
	ForwardedX    Forwarded = "x-forwarded"
	ForwardedRFC  Forwarded = "forwarded"
	ForwardedBoth Forwarded = "both"
)

// Values are the choices.
func (Forwarded) Values() []string {
	return []string{string(ForwardedNone), string(ForwardedX), string(ForwardedRFC), string(ForwardedBoth)}
}

// With is what a route changes about a request.
type With struct {
	// What it changes about its head.
	Headers WithHeaders
}

// WithHeaders is what a route changes about the head of a request.
type WithHeaders struct {
	// New values of headers, by their names, which count before those of the options. In a value, ${params.name} is what
	// {name} has captured in the condition about :path by which the route was taken.
	Overrides map[HeaderName]Value

	overrides []override
}

// Check tells what is wrong with the values, and makes them ready.
func (w *WithHeaders) Check(r *config.Report) {
	w.overrides = compileOverrides(r, &w.Overrides)
}

// Check tells what is wrong with the options as a whole, and makes them ready.
func (o *Options) Check(r *config.Report) {
	if o.Versions != nil && len(o.Versions) == 0 {
		r.Errorf(r.At(&o.Versions), "there is no version to speak").Hintf("leave versions out, for both")
	}
	if len(o.Authorization) > 1 {
		r.Errorf(r.At(&o.Authorization), "an http binding has at most one guard")
	}
	o.overrides = compileOverrides(r, &o.Overrides)
	for i := range o.overrides {
		if v := &o.overrides[i]; len(v.params) > 0 {
			at := r.At(&o.Overrides)
			for name := range o.Overrides {
				if name.lower() == v.name {
					at = r.AtKey(&o.Overrides, string(name))
				}
			}
			r.Errorf(at, "only a route knows ${params.%s}: it is captured by its condition about :path", v.params[0]).
				Hintf("put it into the route, under with.headers.overrides")
		}
	}
}

// Defaults is what holds for keys that are left out.
func (o *ServerOptions) Defaults() { o.Forwarded = ForwardedNone }

// Check tells what is wrong with the options as a whole.
func (o *ServerOptions) Check(r *config.Report) {
	if len(o.Trusted) > 0 && o.Forwarded == ForwardedNone {
		r.Warnf(r.At(&o.Trusted), "trusted has no effect without forwarded: headers of clients are passed on as they are")
	}
	for i := range o.Methods {
		if m := &o.Methods[i]; isMethod(string(*m)) {
			r.Warnf(r.At(m), "%s is taken in any case", *m)
		} else if up := Method(strings.ToUpper(string(*m))); isMethod(string(up)) {
			r.Warnf(r.At(m), "the method %s is another one than %s", *m, up)
		}
	}
}

// Check tells what is wrong with the server as a whole.
func (s *Server) Check(r *config.Report) {
	for i := range s.Routes {
		s.Routes[i].With.Headers.checkParams(r, s.Routes[i].When)
	}
}

// checkParams tells of params that no condition of the route captures.
func (w *WithHeaders) checkParams(r *config.Report, when []When) {
	var known []string
	for i := range when {
		for _, name := range when[i].captures() {
			if name != "" && !slices.Contains(known, name) {
				known = append(known, name)
			}
		}
	}
	for name, value := range w.Overrides {
		o := value.compile(name.lower())
		for _, param := range o.params {
			if slices.Contains(known, param) {
				continue
			}
			f := r.Errorf(r.AtKey(&w.Overrides, string(name)), "no condition of the route captures ${params.%s}", param)
			if like, ok := config.Like(param, known); ok {
				f.Hintf("did you mean ${params.%s}?", like)
			} else {
				f.Hintf("let a :path in when have {%s} in it", param)
			}
		}
	}
}

// Client makes requests on the byte streams that it opens.
type Client struct {
	binding.Head
	// What is changed about requests, and who they are sent for.
	Options ClientOptions
	binding.Routed[When, With]
}

// ClientOptions says what an http client changes about requests.
type ClientOptions struct {
	Options
}

// Check tells what is wrong with the client as a whole.
func (c *Client) Check(r *config.Report) {
	for i := range c.Routes {
		if w := &c.Routes[i].With.Headers; len(w.Overrides) > 0 {
			r.Warnf(r.At(&w.Overrides), "overrides of a route have no effect on an http client").Hintf("put them into the options")
		}
	}
}

// isMethod reports whether a method is one that is always taken.
func isMethod(m string) bool {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH":
		return true
	}
	return false
}

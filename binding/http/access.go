package http

import (
	"slices"
	"strconv"
	"strings"

	"gozilla/config"
	"gozilla/stream"
	"gozilla/stream/web"
)

// AccessControl says what pages of other origins may do (CORS).
type AccessControl struct {
	// Whether browsers may send requests on behalf of pages that come from elsewhere.
	Policy Policy
	// What pages of other origins may send. What is left out is not restricted.
	Allow *Allow
	// How long a browser may keep what it was told of a request in advance, in seconds.
	MaxAge *Seconds `config:"max-age"`
	// What pages of other origins may see of a response.
	Expose *Expose
}

// Policy says whom a server serves.
type Policy string

// The policies.
const (
	SameOrigin  Policy = "same-origin"
	CrossOrigin Policy = "cross-origin"
)

// Values are the policies.
func (Policy) Values() []string { return []string{string(SameOrigin), string(CrossOrigin)} }

// Allow is what pages of other origins may send.
type Allow struct {
	// The origins of pages, such as https://example.com. The port of the scheme may be left out.
	Origins []string
	// The methods of requests.
	Methods []Method
	// The headers of requests, besides those that every page may set.
	Headers []HeaderName
	// Whether requests may carry what the browser knows of the user, such as cookies.
	Credentials bool
}

// Expose is what pages of other origins may see.
type Expose struct {
	// The headers of responses, besides those that every page may see. Without a list, all of them.
	Headers []HeaderName
}

// Seconds is a time in seconds.
type Seconds int

// Bounds is part of the shape.
func (Seconds) Bounds() (least, most int64) { return 0, 1<<31 - 1 }

// Defaults is what holds for keys that are left out.
func (a *AccessControl) Defaults() { a.Policy = SameOrigin }

// Check tells what is wrong with the policy as a whole.
func (a *AccessControl) Check(r *config.Report) {
	if a.Policy == SameOrigin {
		const without = "has no effect under the policy same-origin"
		const hint = "say policy: cross-origin to let pages of other origins in"
		if a.Allow != nil {
			r.Errorf(r.At(&a.Allow), "allow %s", without).Hintf(hint)
		}
		if a.Expose != nil {
			r.Errorf(r.At(&a.Expose), "expose %s", without).Hintf(hint)
		}
	}
	if a.Allow == nil {
		return
	}
	for i := range a.Allow.Origins {
		o := &a.Allow.Origins[i]
		switch scheme, host, ok := strings.Cut(*o, "://"); {
		case *o == "null":
		case *o == "*":
			r.Warnf(r.At(o), "no page has the origin *").Hintf("leave origins out to let all of them in")
		case !ok || scheme == "" || host == "" || strings.ContainsAny(host, "/?# "):
			r.Errorf(r.At(o), "an origin is a scheme and a host, such as https://example.com, not %q", *o)
		}
	}
	for i := range a.Allow.Methods {
		if m := &a.Allow.Methods[i]; *m == "*" {
			r.Warnf(r.At(m), "no method is called *").Hintf("leave methods out to allow all of them")
		}
	}
	for i := range a.Allow.Headers {
		if h := &a.Allow.Headers[i]; *h == "*" {
			r.Warnf(r.At(h), "no header is called *").Hintf("leave headers out to allow all of them")
		}
	}
}

// access decides about requests of pages. The zero value is the policy same-origin.
type access struct {
	cross          bool
	origins        map[string]bool // nil: any
	methods        []Method        // nil: any
	headers        []string        // in lower case; nil: any
	credentials    bool
	maxAge         string
	expose         []string // in lower case; nil: all
	explicitOrigin bool     // an answer names the origin that it is for
}

func newAccess(c *AccessControl) access {
	if c == nil || c.Policy == SameOrigin {
		a := access{}
		if c != nil && c.MaxAge != nil {
			a.maxAge = strconv.Itoa(int(*c.MaxAge))
		}
		return a
	}
	a := access{cross: true}
	if c.MaxAge != nil {
		a.maxAge = strconv.Itoa(int(*c.MaxAge))
	}
	if c.Expose != nil && c.Expose.Headers != nil {
		a.expose = lowerAll(c.Expose.Headers)
	}
	if c.Allow != nil {
		a.credentials, a.methods = c.Allow.Credentials, c.Allow.Methods
		if c.Allow.Headers != nil {
			a.headers = lowerAll(c.Allow.Headers)
		}
		if c.Allow.Origins != nil {
			a.origins = map[string]bool{}
			for _, o := range c.Allow.Origins {
				a.origins[canonicalOrigin(o)] = true
			}
		}
	}
	a.explicitOrigin = a.credentials || a.origins != nil
	return a
}

func lowerAll(names []HeaderName) []string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = n.lower()
	}
	return all
}

// canonicalOrigin is an origin without the port of its scheme.
func canonicalOrigin(o string) string {
	switch {
	case strings.HasPrefix(o, "http://"):
		return strings.TrimSuffix(o, ":80")
	case strings.HasPrefix(o, "https://"):
		return strings.TrimSuffix(o, ":443")
	}
	return o
}

// sameOrigin reports whether a page of an origin was served by that authority.
func sameOrigin(origin, scheme, authority string) bool {
	s, host, ok := strings.Cut(origin, "://")
	if !ok || s != scheme {
		return false
	}
	hostPort, authorityPort := missingPort(scheme, host), missingPort(scheme, authority)
	if hostPort == "" && authorityPort == "" {
		return strings.EqualFold(host, authority)
	}
	return strings.EqualFold(host+hostPort, authority+authorityPort)
}

// allows reports whether a page of an origin, which is not the server's own, may send requests.
func (a *access) allows(origin string) bool {
	return a.cross && (a.origins == nil || a.origins[canonicalOrigin(origin)])
}

// The headers by which a browser asks in advance.
const (
	askMethod  = "access-control-request-method"
	askHeaders = "access-control-request-headers"
)

// isPreflight reports whether a request with an origin is a browser's question in advance.
func isPreflight(r *web.Request) bool {
	return r.Method == "OPTIONS" && (r.Header.Has(askMethod) || r.Header.Has(askHeaders))
}

// preflight is the answer to a question in advance. The error is that of a refusal.
func (a *access) preflight(r *web.Request, origin string, same bool) (web.Header, error) {
	if a.cross && !same && !a.allows(origin) {
		return nil, refuseOrigin(origin)
	}
	method, headers := r.Header.Get(askMethod), r.Header.Get(askHeaders)
	if a.methods != nil && method != "" && !slices.Contains(a.methods, Method(method)) {
		return nil, stream.Refuse(stream.Forbidden, "pages of other origins may not use the method %s", method)
	}
	if a.headers != nil {
		for name := range strings.SplitSeq(headers, ",") {
			if name = strings.ToLower(strings.Trim(name, " \t")); name != "" && !slices.Contains(a.headers, name) {
				return nil, stream.Refuse(stream.Forbidden, "pages of other origins may not use the header %s", name)
			}
		}
	}
	h := make(web.Header, 0, 6)
	h = a.appendOrigin(h, origin)
	if method != "" {
		h = append(h, web.Field{Name: "access-control-allow-methods", Value: a.echo(a.methods != nil, method)})
	}
	if headers != "" {
		h = append(h, web.Field{Name: "access-control-allow-headers", Value: a.echo(a.headers != nil, headers)})
	}
	if a.maxAge != "" && (method != "" || headers != "") {
		h = append(h, web.Field{Name: "access-control-max-age", Value: a.maxAge})
	}
	if a.credentials {
		h = append(h, web.Field{Name: "access-control-allow-credentials", Value: "true"})
	}
	if a.explicitOrigin {
		h = append(h, web.Field{Name: "vary", Value: "origin"})
	}
	return h, nil
}

func refuseOrigin(origin string) error {
	return stream.Refuse(stream.Forbidden, "pages of the origin %s are not let in", origin)
}

// appendOrigin appends who may see an answer.
func (a *access) appendOrigin(h web.Header, origin string) web.Header {
	if origin == "" {
		origin = "*"
	}
	return append(h, web.Field{Name: "access-control-allow-origin", Value: a.echo(a.explicitOrigin, origin)})
}

// echo is what was asked for, or * where nothing in particular is allowed. With credentials, * is but a letter.
func (a *access) echo(listed bool, asked string) string {
	if listed || a.credentials {
		return asked
	}
	return "*"
}

// append appends to the header of a response what a browser needs to let a page see it.
func (a *access) append(h web.Header, origin string, same bool) web.Header {
	if h.Has("access-control-allow-origin") {
		return h
	}
	n := len(h)
	if !same {
		h = a.appendOrigin(h, origin)
	}
	if a.credentials {
		h = append(h, web.Field{Name: "access-control-allow-credentials", Value: "true"})
	}
	h = a.appendExposed(h, n)
	if a.explicitOrigin {
		h = append(h, web.Field{Name: "vary", Value: "origin"}) // for caches: also where this answer says *, or nothing
	}
	return h
}

// appendExposed appends which of the first n headers a page may see. With credentials, * is but a letter.
func (a *access) appendExposed(h web.Header, n int) web.Header {
	for i, f := range h[:n] {
		if always[f.Name] || a.expose != nil && !slices.Contains(a.expose, f.Name) ||
			slices.ContainsFunc(h[:i], func(before web.Field) bool { return before.Name == f.Name }) {
			continue
		}
		if a.expose == nil && !a.credentials {
			return append(h, web.Field{Name: exposeHeaders, Value: "*"})
		}
		h = append(h, web.Field{Name: exposeHeaders, Value: f.Name})
	}
	return h
}

const exposeHeaders = "access-control-expose-headers"

// always are the headers that need no leave, or that nobody is given it for.
var always = map[string]bool{
	"cache-control": true, "content-language": true, "content-length": true, "content-type": true, "expires": true,
	"last-modified": true, "pragma": true, "server": true, "date": true,
}

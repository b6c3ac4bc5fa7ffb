package http

import (
	"cmp"
	"slices"
	"strings"

	"gozilla/config"
	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/wire/http1"
)

// HeaderName is the name of a header, in a file. Upper and lower case are the same.
type HeaderName string

// Pattern is what the name of a header looks like.
func (HeaderName) Pattern() string {
	return "^(:method|:scheme|:authority|:path|[!#$%&'*+.^_`|~0-9A-Za-z-]+)$"
}

// Words says what it is.
func (HeaderName) Words() string {
	return "the name of a header, or :method, :scheme, :authority or :path"
}

func (n HeaderName) lower() string { return strings.ToLower(string(n)) }

// Value is the value of a header, in a file.
type Value string

// Pattern is what the value of a header looks like.
func (Value) Pattern() string {
	return `^([^\x00-\x20\x7f]([^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?$`
}

// Words says what it is.
func (Value) Words() string {
	return "text with neither control characters nor white space around it"
}

// barred are the headers that are about a connection: nobody passes them on.
var barred = map[string]bool{
	"host": true, "connection": true, "keep-alive": true, "proxy-connection": true, "te": true, "trailer": true,
	"transfer-encoding": true, "expect": true,
}

// An override is the new value of a header: parts, with params between them.
type override struct {
	name   string
	parts  []string
	params []string
}

const paramBegin = "${params."

// compile makes the override of a header ready.
func (v Value) compile(name string) override {
	o := override{name: name}
	rest := string(v)
	for from := 0; ; {
		at := strings.Index(rest[from:], paramBegin)
		if at < 0 {
			break
		}
		at += from
		param, _, ok := strings.Cut(rest[at+len(paramBegin):], "}")
		if !ok || param == "" || strings.Trim(param, nameLetters) != "" {
			from = at + len(paramBegin)
			continue
		}
		o.parts, o.params = append(o.parts, rest[:at]), append(o.params, param)
		rest, from = rest[at+len(paramBegin)+len(param)+1:], 0
	}
	o.parts = append(o.parts, rest)
	return o
}

// compileOverrides tells what is wrong with overrides, and makes them ready, in the order of their names.
func compileOverrides(r *config.Report, all *map[HeaderName]Value) []override {
	var made []override
	for name, value := range *all {
		at, lower := r.AtKey(all, string(name)), name.lower()
		o := value.compile(lower)
		switch {
		case lower == "host":
			r.Errorf(at, "the header host is called :authority here")
		case barred[lower] || lower == "content-length" || lower == "upgrade":
			r.Errorf(at, "%s says how a message is sent, and cannot be overridden", lower)
		case len(o.params) == 0:
			if why := o.check(o.parts[0]); why != "" {
				r.Errorf(at, "%s", why)
			}
		}
		made = append(made, o)
	}
	slices.SortFunc(made, func(a, b override) int { return cmp.Compare(a.name, b.name) })
	return made
}

// check is what is wrong with a value; "" if nothing is.
func (o *override) check(value string) string {
	switch o.name {
	case ":method":
		switch {
		case !http1.IsToken(value):
			return "a :method is a word such as GET"
		case value == "HEAD" || value == "CONNECT":
			return "a request cannot become a " + value + ", whose answer has another form"
		}
	case ":scheme":
		if value != "http" && value != "https" {
			return "a :scheme is http or https"
		}
	case ":authority":
		if !http1.IsAuthority(value) {
			return "an :authority is a host, or a host and a port, such as example.com:8080"
		}
	case ":path":
		if value == "" || value[0] != '/' || !http1.IsTarget(value) {
			return "a :path begins with / and has no white space in it"
		}
	}
	return ""
}

// value is the override's, where held is the condition by which the route was taken and params what it has captured.
func (o *override) value(held *When, params []string) string {
	if len(o.params) == 0 {
		return o.parts[0]
	}
	var b strings.Builder
	names := held.captures()
	for i, param := range o.params {
		b.WriteString(o.parts[i])
		if at := slices.Index(names, param); at >= 0 && at < len(params) {
			b.WriteString(params[at])
		}
	}
	b.WriteString(o.parts[len(o.params)])
	return b.String()
}

// apply overrides headers of a request, first those of the options, then those of the route. The request may be given
// back as a copy. An error is a *stream.Refused.
func apply(r *web.Request, options, route []override, held *When) (*web.Request, error) {
	if len(options) == 0 && len(route) == 0 {
		return r, nil
	}
	var params []string
	if held != nil && slices.ContainsFunc(route, func(o override) bool { return len(o.params) > 0 }) {
		params = held.params(r.Path) // of the path as it came
	}
	r = own(r, options, route)
	for _, all := range [...][]override{options, route} {
		for i := range all {
			o := &all[i]
			if o.name == ":method" && r.Method == "CONNECT" {
				continue // nothing else has its form
			}
			value := o.value(held, params)
			if len(o.params) > 0 {
				if why := o.check(value); why != "" {
					return nil, stream.Refuse(stream.Invalid, "the override of %s: %s", o.name, why)
				}
			}
			r.Set(o.name, value)
		}
	}
	return r, nil
}

// own is r, or a copy if an override changes the method, by which the engine of a server frames the answer.
func own(r *web.Request, options, route []override) *web.Request {
	for _, all := range [...][]override{options, route} {
		for i := range all {
			if all[i].name == ":method" {
				c := *r
				return &c
			}
		}
	}
	return r
}

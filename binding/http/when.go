package http

import (
	"cmp"
	"slices"
	"strings"
	"unsafe"

	"gozilla/config"
	"gozilla/stream/web"
)

// When is what a route asks of a request.
type When struct {
	// What headers must look like, by their names; :method, :scheme, :authority and :path are among them. In a value, *
	// stands for any run of characters and {name} for one that is not empty; the whole value must match, and where a
	// header has several lines, one of them. An :authority always has a port here, example.com:443 for one that came over
	// TLS without. A :path that does not end in * or {name} may be followed by a query.
	Headers map[HeaderName]Pattern

	tests []test // of Headers
}

// Check tells of conditions that cannot hold, and makes the others ready.
func (w *When) Check(r *config.Report) {
	w.tests = w.tests[:0]
	for name, p := range w.Headers {
		at := r.AtKey(&w.Headers, string(name))
		lower := name.lower()
		t := test{field: fieldOf(lower), name: lower, pattern: p.compile(lower == ":path")}
		if t.field == ofAuthority {
			t.pattern = Pattern(strings.ToLower(string(p))).compile(false)
		}
		switch {
		case lower == "host":
			r.Warnf(at, "this never holds: the header host is called :authority here")
		case barred[lower]:
			r.Warnf(at, "this never holds: %s is about the connection, and is not passed on", lower)
		case t.field == ofPath && !t.pattern.slashed():
			r.Warnf(at, "this never holds: a :path begins with a slash")
		case t.field == ofAuthority && portless(&t.pattern):
			r.Warnf(at, "this never holds: an :authority always has a port here").Hintf("write %[1]s:80, %[1]s:443 or %[1]s:*", strings.TrimSuffix(string(p), ":"))
		}
		for i, gap := range t.pattern.gaps {
			if gap != "" && slices.Index(t.pattern.gaps, gap) != i {
				r.Errorf(at, "the pattern has {%s} more than once", gap)
			}
		}
		w.tests = append(w.tests, t)
	}
	slices.SortFunc(w.tests, func(a, b test) int { return cmp.Or(cmp.Compare(a.field, b.field), cmp.Compare(a.name, b.name)) })
}

// slashed reports whether a pattern can match what begins with a slash.
func (p *pattern) slashed() bool {
	if p.text == "" {
		return len(p.gaps) > 0
	}
	return p.text[0] == '/'
}

// portless reports whether a pattern matches no authority with a port.
func portless(p *pattern) bool {
	end := p.text
	if n := len(p.parts); n > 0 {
		end = p.parts[n-1]
	}
	i := strings.LastIndexByte(end, ':')
	if i < 0 {
		return end != "" && (len(p.gaps) == 0 || strings.Trim(end, "0123456789") != "")
	}
	return i+1 == len(end) || strings.Trim(end[i+1:], "0123456789") != ""
}

// A test is a condition about one header.
type test struct {
	field   field
	name    string
	pattern pattern
}

// field is where a header stands. Those come first that tell most.
type field uint8

const (
	ofPath field = iota
	ofMethod
	ofAuthority
	ofScheme
	ofAsked // what web.Request knows by a name
	ofHeader
)

func fieldOf(name string) field {
	switch name {
	case ":path":
		return ofPath
	case ":method":
		return ofMethod
	case ":authority":
		return ofAuthority
	case ":scheme":
		return ofScheme
	case "upgrade", "content-length":
		return ofAsked
	}
	return ofHeader
}

// holds reports whether all of the condition holds for a request.
func (w *When) holds(r *web.Request) bool {
	for i := range w.tests {
		if !w.tests[i].holds(r) {
			return false
		}
	}
	return true
}

func (t *test) holds(r *web.Request) bool {
	var value string
	switch t.field {
	case ofPath:
		value = r.Path
	case ofMethod:
		value = r.Method
	case ofScheme:
		value = r.Scheme
	case ofAuthority:
		return r.Authority != "" && t.holdsFor(r.Scheme, r.Authority)
	case ofAsked:
		value = r.Get(t.name)
	default:
		for i := range r.Header {
			if f := &r.Header[i]; f.Name == t.name && t.pattern.match(f.Value) {
				return true
			}
		}
		return false
	}
	return value != "" && t.pattern.match(value)
}

// holdsFor is the condition about an authority: in lower case, with its port.
func (t *test) holdsFor(scheme, authority string) bool {
	var buf [160]byte
	b := appendAuthority(buf[:0], scheme, authority)
	if len(b) == 0 {
		return t.pattern.match(authority)
	}
	return t.pattern.match(unsafe.String(unsafe.SliceData(b), len(b))) // which does not keep it
}

// appendAuthority appends an authority in lower case and with its port, if it is not so already.
func appendAuthority(dst []byte, scheme, authority string) []byte {
	port := missingPort(scheme, authority)
	if port == "" && !hasUpper(authority) {
		return dst
	}
	for i := range len(authority) {
		c := authority[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return append(dst, port...)
}

// missingPort is what an authority lacks that has no port: that of the scheme, with the colon if that is missing too.
func missingPort(scheme, authority string) string {
	port := ""
	switch scheme {
	case "http":
		port = ":80"
	case "https":
		port = ":443"
	default:
		return ""
	}
	for i := len(authority) - 1; i >= 0; i-- {
		switch c := authority[i]; {
		case c == ':' && i == len(authority)-1:
			return port[1:]
		case c == ':':
			return ""
		case c < '0' || c > '9':
			return port
		}
	}
	return port
}

func hasUpper(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			return true
		}
	}
	return false
}

// captures are the names that the condition about the path captures.
func (w *When) captures() []string {
	for i := range w.tests {
		if t := &w.tests[i]; t.field == ofPath {
			return t.pattern.gaps
		}
	}
	return nil
}

// params are what the names of captures stand for in a path, in their order.
func (w *When) params(path string) []string {
	for i := range w.tests {
		if t := &w.tests[i]; t.field == ofPath {
			return t.pattern.captured(path)
		}
	}
	return nil
}

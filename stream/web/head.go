package web

import (
	"slices"
	"strconv"
	"strings"

	"gozilla/stream"
	"gozilla/wire/http1"
)

// Field is one line of a header or a trailer. The name is in lower case, as HTTP/2 has it.
type Field = http1.Field

// Header is the lines of a header or a trailer, in the order in which they came, repeats included. It never holds host,
// content-length, transfer-encoding, connection, te, expect and upgrade: Request and Response say what they
// said.
type Header []Field

// Fields makes a Header of names and values in turn.
func Fields(pairs ...string) Header {
	h := make(Header, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// Get is the first value of name, which is in lower case, or "".
func (h Header) Get(name string) string {
	for i := range h {
		if h[i].Name == name {
			return h[i].Value
		}
	}
	return ""
}

// Has reports whether there is a line of that name, which is in lower case.
func (h Header) Has(name string) bool {
	return slices.ContainsFunc(h, func(f Field) bool { return f.Name == name })
}

// Add puts a line at the end. Like Set and Fields it lowers the name, which costs nothing if it is in lower case.
func (h *Header) Add(name, value string) {
	*h = append(*h, Field{Name: strings.ToLower(name), Value: value})
}

// Set replaces all lines of that name by one, where the first was.
func (h *Header) Set(name, value string) {
	name = strings.ToLower(name)
	i := slices.IndexFunc(*h, func(f Field) bool { return f.Name == name })
	if i < 0 {
		h.Add(name, value)
		return
	}
	(*h)[i].Value = value
	rest := (*h)[i+1:]
	rest.Del(name)
	*h = (*h)[:i+1+len(rest)]
}

// Del removes all lines of that name, which is in lower case.
func (h *Header) Del(name string) {
	*h = slices.DeleteFunc(*h, func(f Field) bool { return f.Name == name })
}

// Request is the head of a request.
type Request struct {
	Method, Scheme, Authority string
	Path                      string // with its query, as it came: never decoded, never cleaned
	Protocol                  string // to speak instead of HTTP, or "": upgrade in HTTP/1.1, :protocol in HTTP/2
	Header                    Header
	Length                    int64 // of the body; 0: there is none, -1: not known
	Interim                   bool  // answers below 200 are wanted too
	Trailers                  bool  // trailers are welcome: te
	// Continue is that the client waits for a 100 before it sends the body: expect. The engine of a server sends that at
	// the handler's first Read, unless a head was sent.
	Continue bool
	// Vouched is that what the header says of whom the request comes from is the word of the gateway, or of who it trusts:
	// forwarded and x-forwarded-*. Else it is the client's.
	Vouched bool
	About   *stream.Info // facts of the connection it came over; nil if it came over none
}

// Get is Header.Get, and knows :method, :scheme, :authority, :path, upgrade and content-length besides: what conditions
// and overrides may name.
func (r *Request) Get(name string) string {
	switch name {
	case ":method":
		return r.Method
	case ":scheme":
		return r.Scheme
	case ":authority":
		return r.Authority
	case ":path":
		return r.Path
	case "upgrade":
		return r.Protocol
	case "content-length":
		if r.Length > 0 {
			return strconv.FormatInt(r.Length, 10)
		}
	}
	return r.Header.Get(name)
}

// Set is Header.Set, and knows the names that Get knows. The length of the body is what it is.
func (r *Request) Set(name, value string) {
	switch name {
	case ":method":
		r.Method = value
	case ":scheme":
		r.Scheme = value
	case ":authority":
		r.Authority = value
	case ":path":
		r.Path = value
	case "upgrade":
		r.Protocol = value
	case "content-length":
	default:
		r.Header.Set(name, value)
	}
}

// Clone is a copy to keep.
func (r *Request) Clone() *Request {
	c := *r
	c.Header = slices.Clone(r.Header)
	return &c
}

// Tunnel reports whether a 2xx makes raw bytes of both directions: CONNECT, as it was meant.
func (r *Request) Tunnel() bool { return r.Method == "CONNECT" && r.Protocol == "" }

// Response is the head of a response.
type Response struct {
	Status int
	Header Header
	Length int64 // of the body; -1: not known. For HEAD and 304 what GET would bring, or -1
	// Protocol is what a 101 switches to; "" for what was asked.
	Protocol string
}

// Final reports whether no other head follows.
func (r *Response) Final() bool { return r.Status >= 200 || r.Status == 101 }

// Switches reports whether r, in answer to q, makes raw bytes of both directions.
func (r *Response) Switches(q *Request) bool {
	return r.Status == 101 || q.Tunnel() && r.Status/100 == 2
}

// Clone is a copy to keep.
func (r *Response) Clone() *Response {
	c := *r
	c.Header = slices.Clone(r.Header)
	return &c
}

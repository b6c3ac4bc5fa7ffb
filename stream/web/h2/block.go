package h2

import (
	"strings"

	"gozilla/stream/web"
	wire "gozilla/wire/h2"
	"gozilla/wire/http1"
)

// block is a header block as its fields come: the head of a message, or its trailer.
type block struct {
	stream    uint32
	flags     wire.Flags  // of the frame that began it
	open      bool        // more of it is to come
	fragments int         // frames it came in
	size      int         // bytes they had
	held      int         // bytes of the fields, as SETTINGS_MAX_HEADER_LIST_SIZE counts them
	refused   *wire.Fault // the frame was faulty, so that the block is only decoded

	fields  []web.Field // without what follows; the array is used again
	crumbs  int         // lines of cookie
	regular bool        // the pseudo-header fields are over
	wrong   string      // what makes the message malformed (section 8.1.1)

	method, scheme, authority, path, protocol, status string
	has                                               pseudo // which of them were said

	host     string
	length   int64 // content-length; -1: was not said
	trailers bool  // te
	expects  bool  // 100-continue
	refuses  bool  // an expectation that nobody knows
}

type pseudo uint8

const (
	hasMethod pseudo = 1 << iota
	hasScheme
	hasAuthority
	hasPath
	hasProtocol
	hasStatus
)

// startBlock begins the header block of f.
func (c *connection) startBlock(f *wire.Frame) {
	c.block.begin(f)
	c.decoder.Begin(int(c.limits.Head), mostFields)
	c.since = c.scope.Host().Sweeper.Now()
}

// mostFields bounds the fields of a block.
const mostFields = 256

// mostFragments bounds the frames of a block.
const mostFragments = 64

// fragment decodes a part of a block, and hands it on when it is complete.
func (c *connection) fragment(f *wire.Frame) error {
	b := &c.block
	b.fragments++
	if b.size += len(f.Payload); b.size > 2*int(c.limits.Head) || b.fragments > mostFragments {
		return &wire.Fault{Code: wire.EnhanceYourCalm, Text: "a header block is too long"}
	}
	if err := c.decoder.Write(f.Payload); err != nil {
		return err
	}
	if f.Flags&wire.EndHeaders == 0 {
		return nil
	}
	b.open = false
	if err := c.decoder.End(); err != nil {
		return err
	}
	return c.complete(b)
}

// begin makes the block ready for the one that f begins.
func (b *block) begin(f *wire.Frame) {
	fields := b.fields[:0]
	if cap(fields) == 0 {
		fields = make([]web.Field, 0, 16)
	}
	*b = block{stream: f.Stream, flags: f.Flags, open: true, fields: fields, length: -1}
}

// take is given each field.
func (b *block) take(name, value string) {
	b.held += len(name) + len(value) + 32
	switch {
	case b.wrong != "":
	case name == "":
		b.wrong = "a field has no name"
	case name[0] == ':':
		b.takePseudo(name, value)
	default:
		b.regular = true
		b.takeField(name, value)
	}
}

func (b *block) takePseudo(name, value string) {
	var one pseudo
	var to *string
	switch name {
	case ":method":
		one, to = hasMethod, &b.method
	case ":scheme":
		one, to = hasScheme, &b.scheme
	case ":authority":
		one, to = hasAuthority, &b.authority
	case ":path":
		one, to = hasPath, &b.path
	case ":protocol":
		one, to = hasProtocol, &b.protocol
	case ":status":
		one, to = hasStatus, &b.status
	default:
		b.wrong = "there is a pseudo-header field that nobody knows"
		return
	}
	switch {
	case b.regular:
		b.wrong = name + " comes after other fields"
	case b.has&one != 0:
		b.wrong = name + " comes twice"
	}
	b.has |= one
	*to = value
}

// takeField takes a field of the header (sections 8.2.1 and 8.2.2).
func (b *block) takeField(name, value string) {
	if !isName(name) {
		b.wrong = "the name of a field is not a token in lower case"
		return
	}
	if !http1.IsValue(value) || value != "" && (isSpace(value[0]) || isSpace(value[len(value)-1])) {
		b.wrong = "the value of " + name + " has what must not be in one"
		return
	}
	switch len(name) {
	case len("te"):
		if name == "te" {
			b.takeTE(value)
			return
		}
	case len("host"):
		if name == "host" {
			if b.host != "" && b.host != value {
				b.wrong = "there are two hosts"
			}
			b.host = value
			return
		}
	case len("expect"):
		switch name {
		case "expect":
			b.expects = strings.EqualFold(value, "100-continue")
			b.refuses = !b.expects
			return
		case "cookie":
			b.crumbs++
		}
	case len("upgrade"):
		if name == "upgrade" {
			b.wrong = "there is a field that is about the connection: upgrade"
			return
		}
	case len("connection"), len("content-length"), len("transfer-encoding"), len("proxy-connection"):
		if b.takeFraming(name, value) {
			return
		}
	}
	b.fields = append(b.fields, web.Field{Name: name, Value: value})
}

func (b *block) takeTE(value string) {
	if !strings.EqualFold(value, "trailers") {
		b.wrong = "te is other than trailers"
	}
	b.trailers = true
}

// takeFraming reports whether the field is one that is about the connection, or the length, and was taken.
func (b *block) takeFraming(name, value string) bool {
	switch name {
	case "content-length":
		n, ok := parseLength(value)
		if !ok || b.length >= 0 && b.length != n {
			b.wrong = "content-length is not one number"
		}
		b.length = n
		return true
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding":
		b.wrong = "there is a field that is about the connection: " + name
		return true
	}
	return false
}

// parseLength reads a content-length.
func parseLength(s string) (n int64, ok bool) {
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 || n > (1<<63-1-int64(c))/10 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return n, s != ""
}

// isName reports whether s may be the name of a field: a token in lower case.
func isName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return http1.IsToken(s)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// joinCrumbs makes one cookie of several (section 8.2.3): what stands behind may know no other way.
func (b *block) joinCrumbs() {
	if b.crumbs < 2 {
		return
	}
	var all strings.Builder
	kept := b.fields[:0]
	at := -1
	for _, f := range b.fields {
		if f.Name != "cookie" {
			kept = append(kept, f)
			continue
		}
		if at < 0 {
			at = len(kept)
			kept = append(kept, f)
		} else {
			all.WriteString("; ")
		}
		all.WriteString(f.Value)
	}
	kept[at].Value = all.String()
	b.fields = kept
}

// malformed is the fault of a message that breaks the rules of section 8.
func (b *block) malformed(text string) *wire.Fault {
	return &wire.Fault{Stream: b.stream, Code: wire.ProtocolError, Text: text}
}

// request makes a request of the block; ended says that it has no body. A malformed one is a *wire.Fault, one that can be
// answered an *http1.Fault.
func (b *block) request(r *web.Request, ended bool) error {
	tunnel := b.method == "CONNECT" && b.has&hasProtocol == 0
	switch {
	case b.wrong != "":
		return b.malformed(b.wrong)
	case b.has&hasStatus != 0:
		return b.malformed("a request has :status")
	case b.has&hasMethod == 0:
		return b.malformed("there is no :method")
	case tunnel && b.has&(hasScheme|hasPath) != 0:
		return b.malformed("a CONNECT has :scheme or :path")
	case tunnel && b.has&hasAuthority == 0:
		return b.malformed("a CONNECT has no :authority")
	case !tunnel && b.has&hasScheme == 0:
		return b.malformed("there is no :scheme")
	case !tunnel && b.path == "":
		return b.malformed("there is no :path")
	case b.has&hasProtocol != 0 && b.method != "CONNECT":
		return b.malformed("there is :protocol, but the method is not CONNECT")
	case b.has&hasProtocol != 0 && !http1.IsToken(b.protocol):
		return b.malformed("the :protocol is not a token")
	case !http1.IsToken(b.method):
		return b.malformed("the :method is not a token")
	case ended && b.length > 0:
		return b.malformed("there is a content-length, but no body")
	}
	b.joinCrumbs()
	*r = web.Request{
		Method: b.method, Scheme: strings.ToLower(b.scheme), Authority: b.authority, Path: b.path, Protocol: b.protocol,
		Header: b.fields, Length: b.length, Trailers: b.trailers, Continue: b.expects && !ended, Interim: true,
	}
	switch {
	case ended, tunnel, b.protocol != "":
		r.Length = 0
	}
	if b.protocol != "" { // as HTTP/1.1 has it, so that nobody need know both ways
		r.Method = "GET"
		if strings.EqualFold(b.protocol, "websocket") { // RFC 9110, section 7.8
			r.Header.Del("sec-websocket-key") // which is of no use in HTTP/2 (RFC 8441, section 5)
			r.Header = append(r.Header, web.Field{Name: "sec-websocket-key", Value: web.NewKey()})
			b.fields = r.Header
		}
	}
	return b.sound(r, tunnel)
}

// sameAuthority compares two authorities (RFC 9113, section 8.3.1; RFC 3986, section 6.2.3).
func sameAuthority(one, other, scheme string) bool {
	port := ":80"
	if strings.EqualFold(scheme, "https") {
		port = ":443"
	}
	return strings.EqualFold(strings.TrimSuffix(one, port), strings.TrimSuffix(other, port))
}

// sound tells what is wrong with a request that is well-formed.
func (b *block) sound(r *web.Request, tunnel bool) error {
	switch {
	case b.refuses:
		return http1.ErrExpect
	case b.has&hasAuthority == 0:
		r.Authority = b.host
	case b.host != "" && !sameAuthority(b.host, b.authority, b.scheme):
		return &http1.Fault{Status: 400, Text: "host is another one than :authority"}
	}
	switch {
	case !http1.IsAuthority(r.Authority):
		return &http1.Fault{Status: 400, Text: "there is no good :authority"}
	case tunnel:
		return nil
	case !http1.IsTarget(r.Path), r.Path[0] != '/' && !(r.Path == "*" && r.Method == "OPTIONS"):
		return &http1.Fault{Status: 400, Text: "the :path is none"}
	case !isScheme(r.Scheme):
		return &http1.Fault{Status: 400, Text: "the :scheme is none"}
	}
	return nil
}

func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// response makes a response of the block; ended says that it has no body. q is the request that it answers.
func (b *block) response(r *web.Response, q *web.Request, ended bool) error {
	status := 0
	if len(b.status) == 3 {
		if n, ok := parseLength(b.status); ok {
			status = int(n)
		}
	}
	switch {
	case b.wrong != "":
		return b.malformed(b.wrong)
	case b.has != hasStatus:
		return b.malformed("a response has other pseudo-header fields than :status")
	case status < 100:
		return b.malformed("the :status is none")
	case status == 101:
		return b.malformed("there is no status 101 in HTTP/2")
	case status < 200 && ended:
		return b.malformed("the response ends before its final head")
	}
	*r = web.Response{Status: status, Header: b.fields, Length: b.length}
	bodyless := q.Method == "HEAD" || status == 304
	switch {
	case status == 204:
		r.Length = 0
	case bodyless:
	case ended && b.length > 0:
		return b.malformed("there is a content-length, but no body")
	case ended:
		r.Length = 0
	}
	return nil
}

// trailer tells what is wrong with a trailer.
func (b *block) trailer() error {
	switch {
	case b.wrong != "":
		return b.malformed(b.wrong)
	case b.has != 0:
		return b.malformed("a trailer has pseudo-header fields")
	}
	return nil
}

package http1

import "bytes"

// A Request is the head of one.
type Request struct {
	Message
	Method string

	// Scheme is that of a target in absolute form, in lower case: "http", "https" and others; else "". Authority is that
	// of the target, if it has one, as it has in absolute form and with CONNECT; else that of host, or "" in HTTP/1.0
	// without one. Where the target has one, host does not count (section 3.2.2).
	Scheme, Authority string

	// Path is as it came, with its query, without a fragment. It is "*" for OPTIONS *, "" for CONNECT, and "/" for an
	// absolute form without one.
	Path string

	Trailers bool // te: trailers
	Continue bool // expect: 100-continue, of which HTTP/1.0 has none

	// Extra is set by the caller, and kept: so many bytes more are allocated together with the copy of the head, for the
	// caller to use. Tail are those bytes.
	Extra int
	Tail  []byte
}

// ParseRequest reads a head that End has measured: b[:n]. All strings are parts of one copy of the head, which is what
// is allocated in the usual case. After an error nothing in r counts.
func ParseRequest(b []byte, r *Request, l *Limits) error {
	limits := l.filled()
	r.Message.begin()
	*r = Request{Message: r.Message, Extra: r.Extra}
	if len(b) > limits.Head {
		return ErrHead
	}
	h := head{extra: r.Extra}
	if err := h.start(b, ofRequest); err != nil {
		return err
	}
	if r.Extra > 0 {
		r.Tail = h.m[len(b):cap(h.m):cap(h.m)]
	}
	target, err := h.requestLine(r, limits.Target)
	if err != nil {
		return err
	}
	if err := r.parseTarget(target); err != nil {
		return err
	}
	if r.Fields, err = h.fields(r.Fields, limits.Fields); err != nil {
		return err
	}
	r.Trailers, r.Continue = h.trailers, h.expects && r.Minor > 0 // RFC 9110, 10.1.1
	h.finish(&r.Message)
	if err := h.route(r); err != nil {
		return err
	}
	return h.frame(r)
}

// requestLine reads method SP target SP version (section 3).
func (h *head) requestLine(r *Request, most int) (target []byte, err error) {
	end := bytes.IndexByte(h.m, '\r')
	line := h.m[:end]
	if len(line) > most {
		return nil, ErrTarget
	}
	if h.m[end+1] != '\n' {
		return nil, &ruleCR.request
	}
	h.at = end + 2
	space := token(line, 0)
	version := end - len("HTTP/1.1")
	switch {
	case space == 0:
		return nil, errBegin
	case space == end, version <= space+2:
		return nil, errLine
	case line[space] != ' ':
		return nil, errMethod
	case line[version-1] != ' ':
		return nil, errLine
	}
	r.Method = text(line[:space])
	if r.Minor, err = minor(line[version:]); err != nil {
		return nil, err
	}
	return line[space+1 : version-1], nil
}

// minor reads a version (section 2.3), of which there is HTTP/1.
func minor(b []byte) (uint8, error) {
	switch {
	case string(b[:5]) != "HTTP/" || b[5]-'0' > 9 || b[6] != '.' || b[7]-'0' > 9:
		return 0, errLine
	case b[5] != '1':
		return 0, ErrVersion
	}
	return b[7] - '0', nil
}

// route finds the authority (section 3.2).
func (h *head) route(r *Request) error {
	switch {
	case h.hosts > 1:
		return errHosts
	case h.hosts == 0 && r.Minor > 0:
		return errNoHost
	case h.hosts == 0:
		return nil
	case h.host == "" && r.Authority != "":
		return nil
	case !IsAuthority(h.host):
		return errHost
	case r.Authority == "":
		r.Authority = h.host
	}
	return nil
}

// frame finds the length of the body (section 6.3).
func (h *head) frame(r *Request) error {
	switch {
	case h.coded && h.length >= 0:
		return errBoth
	case h.coded && r.Minor == 0:
		return h.refuse(ruleCodingMinor)
	case r.Method == "CONNECT" && (h.coded || h.length > 0):
		return errConnect // what would follow its head belongs to the tunnel (RFC 9110, 9.3.6)
	case h.coded:
		r.Chunked = true
	default:
		r.Length = max(h.length, 0)
	}
	return nil
}

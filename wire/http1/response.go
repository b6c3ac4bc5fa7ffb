package http1

// A Response is the head of one.
type Response struct {
	Message
	Status int

	// NoBody says that no body follows, whatever Length is: for the answer to HEAD, and 304, it is that of the body that
	// GET would have got, or -1.
	NoBody bool
}

// ParseResponse reads a head that End has measured: b[:n], the answer to a request with that method. What RFC 9112 has a
// proxy repair is repaired: equal values of content-length, content-length beside transfer-encoding, line folding, and
// white space before a colon. All strings are parts of one copy of the head. After an error nothing in r counts.
func ParseResponse(b []byte, r *Response, method string, l *Limits) error {
	limits := l.filled()
	r.Message.begin()
	*r = Response{Message: r.Message}
	if len(b) > limits.Head {
		return errAnswerHead
	}
	var h head
	if err := h.start(b, ofResponse); err != nil {
		return err
	}
	if err := h.statusLine(r, limits.Target); err != nil {
		return err
	}
	var err error
	if r.Fields, err = h.fields(r.Fields, limits.Fields); err != nil {
		return err
	}
	h.finish(&r.Message)
	return h.frameAnswer(r, method)
}

// statusLine reads version SP status SP reason (section 4). The reason may be missing, and the space before it with it.
func (h *head) statusLine(r *Response, most int) error {
	const begin = len("HTTP/1.1 200")
	end := control(h.m, 0)
	line := h.m[:end]
	switch {
	case h.m[end] != '\r' || h.m[end+1] != '\n':
		return h.stray(end)
	case len(line) > most:
		return errStatusLong
	case len(line) < begin || line[8] != ' ' || len(line) > begin && line[begin] != ' ':
		return errStatusLine
	}
	var err error
	if r.Minor, err = minor(line[:8]); err == ErrVersion {
		return errAnswerMajor
	} else if err != nil {
		return errStatusLine
	}
	for _, c := range line[9:begin] {
		if c-'0' > 9 {
			return errStatusLine
		}
		r.Status = r.Status*10 + int(c-'0')
	}
	if r.Status < 100 || r.Status > 599 {
		return errStatus
	}
	h.at = end + 2
	return nil
}

// frameAnswer finds the length of the body (section 6.3).
func (h *head) frameAnswer(r *Response, method string) error {
	if h.coded && r.Minor == 0 {
		return h.refuse(ruleCodingMinor)
	}
	if h.coded && h.length >= 0 { // the coding counts, and the connection is not to be trusted after it
		h.length, r.Close = -1, true
	}
	switch {
	case r.Status < 200, r.Status == 204:
		r.NoBody, r.Length = true, 0
	case method == "CONNECT" && r.Status < 300: // a tunnel: both fields are ignored
		r.Close = true
	case method == "HEAD", r.Status == 304:
		r.NoBody, r.Length = true, h.length
	case h.coded:
		r.Chunked = true
	case h.length >= 0:
		r.Length = h.length
	default:
		r.Close = true
	}
	return nil
}

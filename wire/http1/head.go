package http1

import "bytes"

// kind is what a head, or trailer, belongs to.
type kind uint8

const (
	ofRequest kind = iota
	ofResponse
	ofTrailer
)

// A head is one that is being read: its bytes, and what its fields have said that cannot be judged before the last of them
// is read.
type head struct {
	// m is the strings' own memory, in which names are lowered and folds undone. It ends with an empty line, so that what
	// looks for the end of a line finds one.
	m     []byte
	at    int
	kind  kind
	lines int

	length  int64 // of content-length; -1: none
	coded   bool  // transfer-encoding: chunked
	close   bool  // what connection has said
	alive   bool
	upgrade bool
	named   []string // the fields that connection names; seldom any

	hosts    int
	host     string
	protocol string // of upgrade
	offers   int    // of http2-settings
	settings string // the last one
	trailers bool   // te: trailers
	expects  bool   // expect: 100-continue
	extra    int    // bytes that are allocated behind m
}

// start takes a copy of b, which is a whole head.
func (h *head) start(b []byte, k kind) error {
	h.kind, h.length = k, -1
	if !bytes.HasSuffix(b, emptyLine) {
		return h.refuse(ruleEnd)
	}
	if h.extra > 0 {
		h.m = append(make([]byte, 0, len(b)+h.extra), b...)
	} else {
		h.m = append([]byte(nil), b...) // which, unlike make, need not clear the memory first
	}
	return nil
}

// refuse is the fault of a rule that h does not obey.
func (h *head) refuse(r *rule) error {
	if h.kind == ofResponse {
		return &r.response
	}
	return &r.request
}

// pick is one of two faults.
func (h *head) pick(request, response *Fault) error {
	if h.kind == ofResponse {
		return response
	}
	return request
}

// fields reads what follows the first line, and gives the fields that are not about the connection behind dst.
func (h *head) fields(dst []Field, most int) ([]Field, error) {
	for h.m[h.at] != '\r' {
		if h.lines++; h.lines > most {
			return dst, h.pick(ErrFields, errAnswerFields)
		}
		name, err := h.name()
		if err != nil {
			return dst, err
		}
		value, err := h.value()
		if err != nil {
			return dst, err
		}
		kept, err := h.take(name, value)
		if err != nil {
			return dst, err
		}
		if kept {
			dst = append(dst, Field{name, value})
		}
	}
	if h.at != len(h.m)-2 { // bytes behind the empty line, or a CR that begins none
		return dst, h.refuse(ruleEnd)
	}
	return h.unnamed(dst), nil
}

// name reads a name and its colon (section 5.1).
func (h *head) name() (string, error) {
	from := h.at
	to := lowerToken(h.m, from)
	h.at = to + 1
	if to > from && h.m[to] == ':' {
		return text(h.m[from:to]), nil
	}
	c := h.m[to]
	blank := c == ' ' || c == '\t'
	switch {
	case to == from && blank: // section 5.2, and 2.2 for what follows the first line
		return "", h.refuse(ruleFold)
	case c == '\r' && to > from:
		return "", h.refuse(ruleColon)
	case !blank:
		return "", h.refuse(ruleName)
	case h.kind != ofResponse:
		return "", errSpace
	}
	// A proxy removes the white space from a response (section 5.1).
	end := to
	for h.m[end] == ' ' || h.m[end] == '\t' {
		end++
	}
	if h.m[end] != ':' {
		return "", h.refuse(ruleName)
	}
	h.at = end + 1
	return text(h.m[from:to]), nil
}

// value reads the rest of a line, without the white space around it.
func (h *head) value() (string, error) {
	m, from := h.m, h.at
	end := control(m, from)
	if m[end] != '\r' || m[end+1] != '\n' {
		return "", h.stray(end)
	}
	for h.kind == ofResponse && (h.m[end+2] == ' ' || h.m[end+2] == '\t') {
		// A proxy puts spaces in place of the obs-fold of a response (section 5.2).
		m[end], m[end+1] = ' ', ' '
		if end = control(m, end); m[end] != '\r' || m[end+1] != '\n' {
			return "", h.stray(end)
		}
	}
	h.at = end + 2
	for from < end && (m[from] == ' ' || m[from] == '\t') {
		from++
	}
	for end > from && (m[end-1] == ' ' || m[end-1] == '\t') {
		end--
	}
	return text(m[from:end]), nil
}

// stray is the fault of a control character that does not end a line.
func (h *head) stray(p int) error {
	switch h.m[p] {
	case '\r':
		return h.refuse(ruleCR)
	case '\n':
		return h.refuse(ruleLF)
	}
	return h.refuse(ruleControl)
}

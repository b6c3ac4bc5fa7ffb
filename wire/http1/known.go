package http1

import "strings"

// take looks at a field that may be about the connection or the framing. kept says that it is passed on. The length of a
// name tells most of them apart from others at once.
func (h *head) take(name, value string) (kept bool, err error) {
	if h.kind == ofTrailer {
		return !barred(name), nil
	}
	switch len(name) {
	case 2:
		if name == "te" {
			h.trailers = h.trailers || has(value, "trailers")
			return false, nil
		}
	case 4:
		if name == "host" {
			h.hosts++
			h.host = value
			return false, nil
		}
	case 6:
		if name == "expect" && h.kind == ofRequest {
			return false, h.expect(value)
		}
	case 7:
		return h.takeSeven(name, value)
	case 10:
		if name == "connection" {
			return false, h.connection(value)
		}
		return name != "keep-alive", nil
	case 14, 16, 17:
		return h.takeFraming(name, value)
	}
	return true, nil
}

func (h *head) takeSeven(name, value string) (kept bool, err error) {
	if name != "upgrade" {
		return true, nil
	}
	if h.protocol == "" { // a server may ignore what is offered (RFC 9110, 7.8), as it does on further lines
		h.protocol = value
	}
	return false, nil
}

// takeFraming refuses the names of framing fields with an underscore: CGI and its heirs take content_length for
// content-length, and who stands between would not.
func (h *head) takeFraming(name, value string) (kept bool, err error) {
	switch name {
	case "content-length":
		return false, h.contentLength(value)
	case "http2-settings":
		h.offers++
		h.settings = value
		return false, nil
	case "transfer-encoding":
		return false, h.coding(value)
	case "proxy-connection":
		return false, nil
	case "content_length", "transfer_encoding":
		if h.kind == ofRequest {
			return false, errUnderline
		}
	}
	return true, nil
}

// expect reads an expectation, of which there is but one (RFC 9110, 10.1.1).
func (h *head) expect(value string) error {
	if !same(value, "100-continue") {
		return ErrExpect
	}
	h.expects = true
	return nil
}

// contentLength reads what should be one number (section 6.3). Even equal ones are refused in a request; from a
// response they are taken as one, be it on several lines or as a list.
func (h *head) contentLength(value string) error {
	if h.kind == ofRequest {
		if h.length >= 0 {
			return h.refuse(ruleLengths)
		}
		return h.oneLength(value)
	}
	for list := value; ; {
		one, rest, more := strings.Cut(list, ",")
		if err := h.oneLength(trim(one)); err != nil {
			return err
		}
		if !more {
			return nil
		}
		list = rest
	}
}

func (h *head) oneLength(s string) error {
	n := int64(0)
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 || n > (1<<63-1-int64(c))/10 {
			return h.refuse(ruleLength)
		}
		n = n*10 + int64(c)
	}
	switch {
	case s == "":
		return h.refuse(ruleLength)
	case h.length >= 0 && h.length != n:
		return h.refuse(ruleLengths)
	}
	h.length = n
	return nil
}

// coding reads transfer-encoding, which is chunked and nothing else. What else it is decides which fault it is: a coding
// that is not known (section 6.1), or one in a place where it makes the end of the body doubtful (6.3).
func (h *head) coding(value string) error {
	switch {
	case h.coded:
		return h.refuse(ruleChunked)
	case same(value, "chunked"):
		h.coded = true
		return nil
	}
	known, last := 0, false
	for list, more := value, true; more; {
		var one string
		one, list, more = strings.Cut(list, ",")
		one = trim(one)
		if !IsToken(one) {
			return h.refuse(ruleCoding)
		}
		if last = same(one, "chunked"); last {
			known++
		}
	}
	if known > 1 || known == 1 && !last {
		return h.refuse(ruleChunked)
	}
	return h.pick(ErrCoding, errAnswerCoding)
}

// trim is s without the white space around it.
func trim(s string) string { return strings.Trim(s, " \t") }

// has reports whether a list has an element, which is written in lower case.
func has(list, element string) bool {
	for more := true; more; {
		var one string
		one, list, more = strings.Cut(list, ",")
		if same(trim(one), element) {
			return true
		}
	}
	return false
}

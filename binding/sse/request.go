package sse

import (
	"io"
	"net/url"
	"strings"

	"gozilla/stream"
	"gozilla/stream/sse"
	"gozilla/stream/web"
	"gozilla/wire/eventstream"
)

// mostID is the most bytes that the id of an event may have that a client comes back with.
const mostID = 254

// idOf is an id as it comes back in a header, which has no spaces and tabs around its value. An event is told with the same,
// so that who looks for the id finds it.
func idOf(id string) string { return strings.Trim(id, " \t") }

// requestOf is what a request by http asks for. An error is answered by 400, or 405.
func requestOf(r *web.Request, x web.Served) (*sse.Request, error) {
	if r.Method != "GET" && r.Method != "HEAD" {
		return nil, &web.Error{Status: 405, Header: web.Fields("allow", "GET, HEAD"), Err: stream.Refuse(stream.Invalid, "events are asked for by GET, not by %s", r.Method)}
	}
	path, query, _ := strings.Cut(r.Path, "?")
	q := &sse.Request{Scheme: r.Scheme, Authority: r.Authority, Path: path, Trail: r.Trail(), About: r.About}
	if q.Resumes = r.Header.Has("last-event-id"); q.Resumes {
		q.LastID = r.Header.Get("last-event-id")
	} else if value, ok := parameter(query, "lastEventId"); ok {
		id, err := url.PathUnescape(value) // in which + is itself: ids are not written by forms
		if err != nil {
			return nil, stream.Refuse(stream.Invalid, "the last event id has an escape that is none")
		}
		q.LastID, q.Resumes = id, true
	}
	switch q.LastID = idOf(q.LastID); {
	case len(q.LastID) > mostID:
		return nil, stream.Refuse(stream.Invalid, "the last event id has more than %d bytes", mostID)
	case !eventstream.IsID(q.LastID):
		return nil, stream.Refuse(stream.Invalid, "the last event id has a control character in it")
	}
	return q, bodyless(r, x)
}

// parameter is the first parameter of that name.
func parameter(query, name string) (value string, ok bool) {
	for one := range strings.SplitSeq(query, "&") {
		if key, value, _ := strings.Cut(one, "="); key == name {
			return value, true
		}
	}
	return "", false
}

// bodyless refuses a request that has a body: nobody knows what it would mean.
func bodyless(r *web.Request, x web.Served) error {
	n := 0
	if r.Length < 0 && x != nil { // it may be none
		var b [1]byte
		var err error
		if n, err = x.Read(b[:]); n == 0 && err != io.EOF {
			return err
		}
	}
	if r.Length > 0 || n > 0 {
		return stream.Refuse(stream.Invalid, "a request for events has a body")
	}
	return nil
}

// takesGzip reports whether a client takes what is compressed by gzip (RFC 9110, section 12.5.3).
func takesGzip(h web.Header) bool {
	takes, any := false, false
	for i := range h {
		if h[i].Name != "accept-encoding" {
			continue
		}
		for one := range strings.SplitSeq(strings.ToLower(h[i].Value), ",") {
			coding, weight, _ := strings.Cut(one, ";")
			wanted := !isZero(weight)
			switch strings.TrimSpace(coding) {
			case "gzip", "x-gzip":
				if !wanted {
					return false
				}
				takes = true
			case "*":
				any = any || wanted
			}
		}
	}
	return takes || any
}

// isZero reports whether a weight is 0: q=0, or q=0.000.
func isZero(weight string) bool {
	name, value, _ := strings.Cut(strings.ReplaceAll(weight, " ", ""), "=")
	return name == "q" && strings.HasPrefix(value, "0") && strings.Trim(value, "0.") == ""
}

// wantsTime reports whether a client wants to be told when events came about, which it says where it says what it accepts.
func wantsTime(h web.Header) bool {
	for i := range h {
		if h[i].Name == "accept" && strings.Contains(h[i].Value, "ext=timestamp") {
			return true
		}
	}
	return false
}

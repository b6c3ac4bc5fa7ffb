package h2

import (
	"gozilla/stream"
	"gozilla/stream/web"
	wire "gozilla/wire/h2"
	"gozilla/wire/http1"
)

// appendFields appends a header, or a trailer, without what only HTTP/1.1 has to say to change the protocol. The error is
// http1.ErrField.
func appendFields(dst []byte, h web.Header, switches bool) ([]byte, error) {
	for i := range h {
		f := &h[i]
		if switches && (f.Name == "sec-websocket-key" || f.Name == "sec-websocket-accept") {
			continue
		}
		if !isName(f.Name) || !http1.IsValue(f.Value) {
			return dst, http1.ErrField
		}
		dst = wire.AppendField(dst, f.Name, trimmed(f.Value))
	}
	return dst, nil
}

// trimmed is a value without space around it, which HTTP/2 does not allow (section 8.2.1).
func trimmed(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// appendRequest appends the head of a request. What cannot be written is a *stream.Refused.
func appendRequest(dst []byte, r *web.Request) ([]byte, error) {
	b := wire.BeginBlock(dst)
	method, path := r.Method, r.Path
	if r.Protocol != "" { // RFC 8441, section 4
		method = "CONNECT"
	}
	if path == "" {
		path = "/"
	}
	if !http1.IsToken(method) || !r.Tunnel() && !http1.IsTarget(path) || !http1.IsAuthority(r.Authority) ||
		r.Protocol != "" && !http1.IsToken(r.Protocol) {
		return dst, &stream.Refused{Reason: stream.Invalid, Err: http1.ErrField}
	}
	b = wire.AppendMethod(b, method)
	if !r.Tunnel() {
		b = wire.AppendScheme(b, r.Scheme)
	}
	b = wire.AppendAuthority(b, r.Authority)
	if !r.Tunnel() {
		b = wire.AppendPath(b, path)
	}
	if r.Protocol != "" {
		b = wire.AppendField(b, ":protocol", r.Protocol)
	}
	b, err := appendFields(b, r.Header, r.Protocol != "")
	if err != nil {
		return dst, &stream.Refused{Reason: stream.Invalid, Err: err}
	}
	switch {
	case r.Length > 0, r.Length == 0 && (r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH"):
		b = appendLength(b, r.Length)
	}
	if r.Trailers {
		b = wire.AppendField(b, "te", "trailers")
	}
	if r.Continue {
		b = wire.AppendField(b, "expect", "100-continue")
	}
	return b, nil
}

// appendLength appends content-length.
func appendLength(dst []byte, n int64) []byte {
	var digits [20]byte
	i := len(digits)
	for ; n > 9; n /= 10 {
		i--
		digits[i] = byte('0' + n%10)
	}
	i--
	digits[i] = byte('0' + n)
	return wire.AppendField(dst, "content-length", string(digits[i:]))
}

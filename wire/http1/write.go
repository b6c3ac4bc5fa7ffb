package http1

import (
	"errors"
	"slices"
	"strconv"
)

// AppendRequestLine writes a request line. Method and target are trusted: see IsToken and IsTarget.
func AppendRequestLine(dst []byte, method, target string) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, target...)
	return append(dst, " HTTP/1.1\r\n"...)
}

// AppendStatusLine writes a status line with the phrase of the status, which is one of three digits.
func AppendStatusLine(dst []byte, status int) []byte {
	if status == 200 {
		return append(dst, "HTTP/1.1 200 OK\r\n"...)
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, Reason(status)...)
	return append(dst, '\r', '\n')
}

// AppendField writes a field that is trusted: see IsToken and IsValue.
func AppendField(dst []byte, name, value string) []byte {
	at, colon := len(dst), len(dst)+len(name)
	end := colon + len(": ") + len(value)
	dst = slices.Grow(dst, end+len("\r\n")-at)[:end+len("\r\n")]
	copy(dst[at:], name)
	dst[colon], dst[colon+1] = ':', ' '
	copy(dst[colon+2:], value)
	dst[end], dst[end+1] = '\r', '\n'
	return dst
}

// AppendInt writes a field with a number, as content-length is.
func AppendInt(dst []byte, name string, n int64) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, '\r', '\n')
}

// ErrField is that the name of a field is no token, or its value holds CR, LF or NUL.
var ErrField = errors.New("a header field cannot be written in HTTP/1.1: its name is no token, or its value holds CR, LF or NUL")

// AppendFields writes a header. It looks at what it writes, so that nothing is smuggled in by what another protocol allows
// in a name or a value. After an error dst is as it was.
func AppendFields(dst []byte, fields []Field) ([]byte, error) {
	at := len(dst)
	for i := range fields {
		f := &fields[i]
		if !IsToken(f.Name) || !IsValue(f.Value) {
			return dst[:at], ErrField
		}
		dst = AppendField(dst, f.Name, f.Value)
	}
	return dst, nil
}

// AppendChunk writes the head of a chunk of n bytes, n > 0. Its data follows, and CR LF.
func AppendChunk(dst []byte, n int) []byte {
	dst = strconv.AppendInt(dst, int64(n), 16)
	return append(dst, '\r', '\n')
}

// AppendEnd writes the end of a chunked body: the last chunk, and the trailer. After an error dst is as it was.
func AppendEnd(dst []byte, trailer []Field) ([]byte, error) {
	at := len(dst)
	dst, err := AppendFields(append(dst, "0\r\n"...), trailer)
	if err != nil {
		return dst[:at], err
	}
	return append(dst, '\r', '\n'), nil
}

// IsToken reports whether s is a token (RFC 9110, 5.6.2): a method, or the name of a field.
func IsToken(s string) bool {
	for i := range len(s) {
		if lower[s[i]] == 0 {
			return false
		}
	}
	return s != ""
}

// IsTarget reports whether s may be written as a target: it is not empty, and all of it is visible ASCII.
func IsTarget(s string) bool { return s != "" && visible(view(s)) }

// IsValue reports whether s may be written as the value of a field: it holds no CR, LF or NUL. Other control characters,
// which HTTP/2 lets pass too, are left to who reads them (RFC 9110, 5.5).
func IsValue(s string) bool {
	b := view(s)
	for p := control(b, 0); p < len(b); p = control(b, p+1) {
		if b[p] == '\r' || b[p] == '\n' || b[p] == 0 {
			return false
		}
	}
	return true
}

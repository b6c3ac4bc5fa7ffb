package h1

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"gozilla/stream/web"
	"gozilla/telemetry"
)

// dated is the header date of one second.
type dated struct {
	second int64
	line   string
}

var lastDate atomic.Pointer[dated]

// appendDate appends the header date (RFC 9110, section 6.6.1).
func appendDate(dst []byte, now time.Time) []byte {
	d := lastDate.Load()
	if second := now.Unix(); d == nil || d.second != second {
		d = &dated{second, now.UTC().Format("date: Mon, 02 Jan 2006 15:04:05 GMT\r\n")}
		lastDate.Store(d)
	}
	return append(dst, d.line...)
}

// ours says of which fields that we would add a header has its own.
type ours struct{ date, server bool }

// anyHTTP begins the value of alt-svc that stands for the version which is spoken, whatever that is, as zilla has it; in
// HTTP/1.1 that is written as its ALPN name, percent-encoded (RFC 7838, section 3).
const (
	anyHTTP  = "http="
	thisHTTP = "http%2F1.1="
)

// look looks for them, and puts this version into alt-svc.
func look(h web.Header) (has ours) {
	for i := range h {
		switch f := &h[i]; f.Name {
		case "date":
			has.date = true
		case "server":
			has.server = true
		case "alt-svc":
			if rest, ok := strings.CutPrefix(f.Value, anyHTTP); ok {
				f.Value = thisHTTP + rest
			}
		}
	}
	return has
}

// traceSize is the length of a traceparent of version 00 (W3C Trace Context, section 3.2).
const traceSize = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")

// isTrace reports whether s is a traceparent that others can make use of.
func isTrace(s string) bool {
	if len(s) < traceSize || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" {
		return false
	}
	if len(s) > traceSize && (s[:2] == "00" || s[traceSize] != '-') {
		return false
	}
	return isHex(s[:2]) && isHex(s[3:35]) && isHex(s[36:52]) && isHex(s[53:55]) &&
		strings.Trim(s[3:35], "0") != "" && strings.Trim(s[36:52], "0") != ""
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// newTrace makes a traceparent in b, which has traceSize bytes at least and is given away. It says sampled: who stands behind
// decides by that whether to record, and would not otherwise.
func newTrace(b []byte) string {
	dst := append(b[:0], "00-"...)
	dst = appendHex(dst, rand.Uint64())
	dst = appendHex(dst, rand.Uint64()|1) // neither id is zero
	dst = appendHex(append(dst, '-'), rand.Uint64()|1)
	dst = append(dst, "-01"...)
	return unsafe.String(unsafe.SliceData(dst), len(dst))
}

func appendHex(dst []byte, n uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[n>>shift&15])
	}
	return dst
}

// attribute is what an expression of a metric's attributes stands for.
func (x *exchange) attribute(e telemetry.Expression, resp *web.Response) (string, bool) {
	switch {
	case e.Name == ":status":
		return strconv.Itoa(x.status), x.status != 0
	case !e.Response:
		v := x.req.Get(e.Name)
		return v, v != ""
	case resp == nil:
		return "", false
	case e.Name == "content-length":
		return strconv.FormatInt(resp.Length, 10), resp.Length >= 0
	}
	return resp.Header.Get(e.Name), resp.Header.Has(e.Name)
}

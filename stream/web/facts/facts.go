// Package facts is what the engines of all versions of HTTP say of an exchange: the date of its response, its trace, what
// its record tells and what its metrics are labelled with.
package facts

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/telemetry"
)

// dated is the header date of one second.
type dated struct {
	second int64
	value  string
}

var lastDate atomic.Pointer[dated]

// Date is the value of the header date (RFC 9110, section 6.6.1).
func Date(now time.Time) string {
	d := lastDate.Load()
	if second := now.Unix(); d == nil || d.second != second {
		d = &dated{second, now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")}
		lastDate.Store(d)
	}
	return d.value
}

// Own says which of the fields a header has that an engine would add.
type Own struct{ Date, Server bool }

// anyHTTP begins the value of alt-svc that stands for the version which is spoken, whatever that is, as zilla has it.
const anyHTTP = "http="

// Look looks for them, and puts the version that is spoken into alt-svc: its ALPN name as it is written there, which is
// percent-encoded (RFC 7838, section 3).
func Look(h web.Header, version string) (has Own) {
	for i := range h {
		switch f := &h[i]; f.Name {
		case "date":
			has.Date = true
		case "server":
			has.Server = true
		case "alt-svc":
			if rest, ok := strings.CutPrefix(f.Value, anyHTTP); ok {
				f.Value = version + "=" + rest
			}
		}
	}
	return has
}

// Facts are those of a request that are told when it is over, whatever has become of it meanwhile.
type Facts struct {
	Method, Scheme, Authority, Path string
	Version                         string // HTTP/1.1 and the like
	Status                          int    // of the final head, 0 before that

	trace, referer, agent string
	labelled              bool
}

// Begin takes the facts of a request that has come, and gives it a traceparent unless it has a good one. That is written
// to room, which has TraceSize bytes and is given away, or else is nil.
func (f *Facts) Begin(r *web.Request, version string, room []byte) {
	var referer, agent string
	var trace *web.Field
	traces := 0
	for i := range r.Header {
		h := &r.Header[i]
		switch len(h.Name) {
		case len("referer"):
			if h.Name == "referer" {
				referer = h.Value
			}
		case len("user-agent"):
			if h.Name == "user-agent" {
				agent = h.Value
			}
		case len("traceparent"):
			if h.Name == "traceparent" {
				traces++
				trace = h
			}
		}
	}
	if traces > 1 { // then none of them counts (Trace Context, section 3.2)
		r.Header.Del("traceparent")
		trace = nil
	}
	switch {
	case trace == nil:
		r.Header = append(slices.Grow(r.Header, 4), web.Field{Name: "traceparent", Value: newTrace(room)})
		trace = &r.Header[len(r.Header)-1]
	case !isTrace(trace.Value):
		trace.Value = newTrace(room)
	}
	f.Method, f.Scheme, f.Authority, f.Path, f.Version, f.Status = r.Method, r.Scheme, r.Authority, r.Path, version, 0
	f.trace, f.referer, f.agent, f.labelled = trace.Value, referer, agent, false
}

// End forgets them.
func (f *Facts) End() { *f = Facts{} }

// Secrets are the parameters of queries that carry credentials. No record shows their values.
type Secrets []string

// hide is the path without the values of secrets; it can be a whole address, too.
func (s Secrets) hide(path string) string {
	if len(s) == 0 {
		return path
	}
	query := strings.IndexByte(path, '?')
	if query < 0 {
		return path
	}
	var b strings.Builder
	shown := 0 // of path, in b
	for at := query + 1; at <= len(path); {
		end := len(path)
		if n := strings.IndexAny(path[at:], "&#"); n >= 0 {
			end = at + n
		}
		if name, value, ok := strings.Cut(path[at:end], "="); ok && value != "" && slices.Contains(s, name) {
			b.WriteString(path[shown : end-len(value)])
			b.WriteString("***")
			shown = end
		}
		at = end + 1
	}
	if shown == 0 {
		return path
	}
	b.WriteString(path[shown:])
	return b.String()
}

// Note makes the record tell of the request as it came, but for secrets, and of what became of it.
func (f *Facts) Note(s *stream.Scope, about *stream.Info, secrets Secrets) {
	path, referer := secrets.hide(f.Path), secrets.hide(f.referer)
	s.SetRecord(func(r *telemetry.Record) {
		r.Source, r.Dest = about.Source.AddrPort(), about.Dest.AddrPort()
		r.Authority = kept(f.Authority)
		r.HTTP = telemetry.HTTP{
			Method: kept(f.Method), Scheme: f.Scheme, Path: kept(path), Version: f.Version, Status: f.Status,
			Referer: kept(referer), Agent: kept(f.agent), Trace: kept(f.trace),
		}
		if secure := about.Secure; secure != nil {
			if r.TLS = secure.Version; r.Identity == "" {
				r.Identity = secure.Name
			}
		}
	})
}

// kept is what a record keeps of a text: records outlive their requests, whose heads may be long.
func kept(s string) string {
	const most = 1 << 10
	return s[:min(len(s), most)]
}

// Label evaluates what metrics want to know, as soon as the head of the response is known, or at the end, where resp is nil.
// Only the first call counts.
func (f *Facts) Label(s *stream.Scope, r *web.Request, resp *web.Response) {
	if f.labelled {
		return
	}
	f.labelled = true
	s.Label(func(e telemetry.Expression) (string, bool) { return f.attribute(e, r, resp) })
}

// attribute is what an expression of a metric's attributes stands for.
func (f *Facts) attribute(e telemetry.Expression, r *web.Request, resp *web.Response) (string, bool) {
	switch {
	case e.Name == ":status":
		return strconv.Itoa(f.Status), f.Status != 0
	case !e.Response:
		v := r.Get(e.Name)
		return v, v != ""
	case resp == nil:
		return "", false
	case e.Name == "content-length":
		return strconv.FormatInt(resp.Length, 10), resp.Length >= 0
	}
	return resp.Header.Get(e.Name), resp.Header.Has(e.Name)
}

// Whole reports whether the head of a request is all of it.
func Whole(r *web.Request) bool { return r.Length == 0 && r.Protocol == "" && !r.Tunnel() }

// Repeats reports whether a request may be sent again if nothing is known of what became of it (RFC 9110, section 9.2.2), and
// can be.
func Repeats(r *web.Request) bool {
	switch r.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return Whole(r)
	}
	return false
}

// TraceSize is the length of a traceparent of version 00 (W3C Trace Context, section 3.2).
const TraceSize = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")

// isTrace reports whether s is a traceparent that others can make use of.
func isTrace(s string) bool {
	if len(s) < TraceSize || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" {
		return false
	}
	if len(s) > TraceSize && (s[:2] == "00" || s[TraceSize] != '-') {
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

// newTrace makes a traceparent in b. It says sampled: who stands behind decides by that whether to record, and would not
// otherwise.
func newTrace(b []byte) string {
	if b == nil {
		b = make([]byte, TraceSize)
	}
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

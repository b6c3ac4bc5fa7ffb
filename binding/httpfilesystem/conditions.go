package httpfilesystem

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"gozilla/stream/file"
	"gozilla/stream/web"
)

// verdict is what the conditions of a request come to (RFC 9110, section 13.2.2).
type verdict int

const (
	holds     verdict = iota
	unchanged         // a client that reads has the version at hand: 304
	fails             // 412
)

// judge evaluates the conditions of a request for the version that there is.
func judge(h web.Header, now *file.Info, reads bool) verdict {
	if said, match := lists(h, "if-match", now.Tag, false); said {
		if !match {
			return fails
		}
	} else if t, ok := date(h, "if-unmodified-since"); ok && seconds(now.Modified).After(t) {
		return fails
	}
	said, match := lists(h, "if-none-match", now.Tag, true)
	if !said && reads {
		if t, ok := date(h, "if-modified-since"); ok && !seconds(now.Modified).After(t) {
			return unchanged
		}
	}
	switch {
	case !match:
		return holds
	case reads:
		return unchanged
	}
	return fails
}

// conditional reports whether a request says on which condition it changes what is there.
func conditional(h web.Header) bool {
	return names(h) || h.Has("if-none-match")
}

// names reports whether a request says which version it replaces.
func names(h web.Header) bool {
	_, dated := date(h, "if-unmodified-since")
	return dated || h.Has("if-match")
}

// creates reports whether a request wants there to be nothing yet.
func creates(h web.Header) bool {
	_, none := lists(h, "if-none-match", "", true)
	return none
}

// lists reports whether there is a header of tags, and whether tag is among them; * is any. A weak one matches only if
// weak are wanted too (RFC 9110, section 8.8.3.2). Tags without quotes, which zilla has, are taken.
func lists(h web.Header, name, tag string, weak bool) (said, match bool) {
	for i := range h {
		if h[i].Name != name {
			continue
		}
		said = true
		for rest := h[i].Value; rest != "" && !match; {
			var one string
			var isWeak bool
			one, isWeak, rest = nextTag(rest)
			match = one == "*" || one != "" && one == tag && (weak || !isWeak)
		}
	}
	return said, match
}

// nextTag takes the first tag of a list, without quotes.
func nextTag(s string) (tag string, weak bool, rest string) {
	s = strings.TrimLeft(s, " \t,")
	if strings.HasPrefix(s, "W/") {
		weak, s = true, s[2:]
	}
	if strings.HasPrefix(s, `"`) {
		tag, rest, _ = strings.Cut(s[1:], `"`)
		if tag == "*" { // is a tag, not any
			tag = `"*"`
		}
		return tag, weak, rest
	}
	tag, rest, _ = strings.Cut(s, ",")
	return strings.TrimRight(tag, " \t"), weak, rest
}

// quoted is a tag as a header has it.
func quoted(tag string) string { return `"` + tag + `"` }

// date is what a header says that is a date. One that is none does not count.
func date(h web.Header, name string) (time.Time, bool) {
	s := h.Get(name)
	if s == "" {
		return time.Time{}, false
	}
	t, err := http.ParseTime(s)
	return t, err == nil
}

// seconds is a time as headers have it.
func seconds(t time.Time) time.Time { return t.Truncate(time.Second) }

// waitMost is how long a client is let wait for a change.
const waitMost = time.Hour

// waits is how long a client would wait for a change: prefer: wait=N, in seconds (RFC 7240, section 4.3).
func waits(h web.Header) time.Duration {
	for i := range h {
		if h[i].Name != "prefer" {
			continue
		}
		for preference := range strings.SplitSeq(h[i].Value, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			name, value, _ := strings.Cut(preference, "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			n, err := strconv.ParseUint(strings.Trim(value, " \t\""), 10, 31)
			if err != nil {
				return 0
			}
			return min(time.Duration(n)*time.Second, waitMost)
		}
	}
	return 0
}

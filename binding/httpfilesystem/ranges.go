package httpfilesystem

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"gozilla/stream/file"
	"gozilla/stream/web"
)

// part is the bytes of a file that are asked for.
type part struct {
	at, n int64
	whole bool // all of them, which is no part
	never bool // there are no such bytes: 416
}

// partOf is what a request to read asks for. More than one range is answered by the whole, as is what is no range (RFC
// 9110, section 14.2).
func partOf(h web.Header, now *file.Info) part {
	whole := part{n: now.Size, whole: true}
	said := h.Get("range")
	if said == "" || !inRange(h, now) {
		return whole
	}
	return parseRange(said, now.Size)
}

// inRange reports whether a range counts for the version that there is: if-range (RFC 9110, section 13.1.5).
func inRange(h web.Header, now *file.Info) bool {
	said := h.Get("if-range")
	if said == "" {
		return true
	}
	if t, err := http.ParseTime(said); err == nil {
		return seconds(now.Modified).Equal(t)
	}
	tag, weak, _ := nextTag(said)
	return tag == now.Tag && !weak
}

// parseRange is the value of range, for a file of that size.
func parseRange(s string, size int64) part {
	whole := part{n: size, whole: true}
	unit, set, ok := strings.Cut(s, "=")
	if !ok || !strings.EqualFold(unit, "bytes") || strings.Contains(set, ",") {
		return whole
	}
	first, last, ok := strings.Cut(strings.Trim(set, " \t"), "-")
	if !ok || first == "" && last == "" {
		return whole
	}
	from, ok := number(first)
	to, also := number(last)
	switch {
	case !ok && first != "", !also && last != "":
		return whole
	case first == "": // the last bytes
		n := min(to, size)
		return part{at: size - n, n: n, never: n == 0}
	case last == "":
		to = math.MaxInt64
	case from > to:
		return whole
	}
	if from >= size {
		return part{never: true}
	}
	return part{at: from, n: min(to, size-1) - from + 1}
}

// number is what digits stand for. One that is too large is as large as can be.
func number(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return math.MaxInt64, true
	}
	return n, true
}

// contentRange is the header that says which bytes there are.
func (p *part) contentRange(size int64) string {
	total := strconv.FormatInt(size, 10)
	if p.never {
		return "bytes */" + total
	}
	return "bytes " + strconv.FormatInt(p.at, 10) + "-" + strconv.FormatInt(p.at+p.n-1, 10) + "/" + total
}

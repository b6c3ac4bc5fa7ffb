package web

import (
	"strconv"
	"strings"
)

// Disguised reports whether a path has a letter, a digit or one of -._~ in it that is escaped: for others it is the same as
// without (RFC 3986, section 6.2.2.2), while conditions compare what came.
func Disguised(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	for {
		_, rest, found := strings.Cut(path, "%")
		if !found {
			return false
		}
		if len(rest) >= 2 {
			if n, err := strconv.ParseUint(rest[:2], 16, 8); err == nil && isUnreserved(byte(n)) {
				return true
			}
		}
		path = rest
	}
}

func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// HasDots reports whether a segment of a path is . or .., however it is written.
func HasDots(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	if !strings.Contains(path, ".") && !strings.Contains(path, "%2") {
		return false
	}
	path = encodedDots.Replace(path)
	for segment := range strings.SplitSeq(path, "/") {
		segment, _, _ = strings.Cut(segment, ";") // parameters, which some servers drop first
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

var encodedDots = strings.NewReplacer("%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/", "\\", "/")

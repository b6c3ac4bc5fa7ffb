package http1

import (
	"bytes"
	"net/netip"
	"strings"
)

// parseTarget reads the four forms of a target (section 3.2), of which the method allows one or two.
func (r *Request) parseTarget(b []byte) error {
	if len(b) == 0 || !visible(b) {
		return errChars
	}
	switch {
	case r.Method == "CONNECT":
		return r.parseConnect(text(b))
	case b[0] == '/':
		r.Path = defragment(text(b))
		return nil
	case string(b) == "*":
		if r.Method != "OPTIONS" {
			return errForm
		}
		r.Path = "*"
		return nil
	}
	return r.parseAbsolute(b)
}

// parseConnect reads the authority form, in which there is always a port (section 3.2.3).
func (r *Request) parseConnect(target string) error {
	switch {
	case target[0] == '/', strings.Contains(target, "://"):
		return errForm
	case strings.IndexByte(target, '@') >= 0:
		return errUserinfo
	case !IsAuthority(target):
		return errAuthority
	}
	if _, port, _ := cutPort(target); port == "" {
		return errAuthority
	}
	r.Authority = target
	return nil
}

// parseAbsolute reads scheme "://" authority path (section 3.2.2).
func (r *Request) parseAbsolute(b []byte) error {
	colon := bytes.Index(b, []byte("://"))
	if colon <= 0 || !lowerScheme(b[:colon]) {
		return errForm
	}
	r.Scheme = text(b[:colon])
	rest := text(b[colon+3:])
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	r.Authority = rest[:end]
	switch {
	case strings.IndexByte(r.Authority, '@') >= 0:
		return errUserinfo // RFC 9110, 4.2.4
	case !IsAuthority(r.Authority):
		return errAuthority
	}
	if r.Path = defragment(rest[end:]); r.Path == "" || r.Path[0] != '/' {
		r.Path = "/" + r.Path // of "http://example.com?query"
	}
	return nil
}

// lowerScheme writes a scheme in lower case, if it is one (RFC 3986, 3.1).
func lowerScheme(b []byte) bool {
	for i, c := range b {
		l := c | 0x20
		switch {
		case l >= 'a' && l <= 'z':
			b[i] = l
		case i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.':
			return false
		}
	}
	return true
}

// defragment drops a fragment, which is none of a server's business.
func defragment(path string) string {
	if i := strings.IndexByte(path, '#'); i >= 0 {
		return path[:i]
	}
	return path
}

// hostChars are those of a reg-name (RFC 3986, 3.2.2), but for percent signs.
var hostChars = table("-._~!$&'()*+,;=")

// IsAuthority reports whether s is a host with or without a port (RFC 9110, 4.2.1): a name or an address of IPv4, or one
// of IPv6 in brackets. The host is not empty; a port is at most 65535. User information is not part of it.
func IsAuthority(s string) bool {
	host, port, ok := cutPort(s)
	if !ok || host == "" || !isPort(port) {
		return false
	}
	if host[0] == '[' {
		a, err := netip.ParseAddr(host[1 : len(host)-1])
		return err == nil && a.Is6() && a.Zone() == ""
	}
	for i := 0; i < len(host); i++ {
		if hostChars[host[i]] != 0 {
			continue
		}
		if host[i] != '%' || i+2 >= len(host) || hex[host[i+1]] < 0 || hex[host[i+2]] < 0 {
			return false
		}
		i += 2
	}
	return true
}

// cutPort cuts an authority into its host, with brackets, and its port, without the colon.
func cutPort(s string) (host, port string, ok bool) {
	at := strings.IndexByte(s, ':')
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || end+1 < len(s) && s[end+1] != ':' {
			return "", "", false
		}
		at = end + 1
	}
	if at < 0 || at == len(s) {
		return s, "", true
	}
	return s[:at], s[at+1:], true
}

func isPort(s string) bool {
	n := 0
	for i := range len(s) {
		c := s[i] - '0'
		if n = n*10 + int(c); c > 9 || n > 65535 {
			return false
		}
	}
	return len(s) <= 5
}

package http1

import "strings"

// mostNamed bounds how many fields connection may name, because each is compared with each that there is.
const mostNamed = 64

// connection reads the options of a connection (RFC 9110, 7.6.1).
func (h *head) connection(list string) error {
	for more := true; more; {
		var one string
		one, list, more = strings.Cut(list, ",")
		switch one = trim(one); {
		case one == "", same(one, "te"):
		case same(one, "close"):
			h.close = true
		case same(one, "keep-alive"):
			h.alive = true
		case same(one, "upgrade"):
			h.upgrade = true
		case len(h.named) == mostNamed:
			return h.refuse(ruleOptions)
		default:
			h.named = append(h.named, one)
		}
	}
	return nil
}

// unnamed is fields without those that connection names. What the framing is made of is not among them any more, so
// that connection: content-length and the like take nothing away.
func (h *head) unnamed(fields []Field) []Field {
	if len(h.named) == 0 {
		return fields
	}
	kept := fields[:0]
	for _, f := range fields {
		if !h.names(f.Name) {
			kept = append(kept, f)
		}
	}
	return kept
}

func (h *head) names(name string) bool {
	for _, n := range h.named {
		if same(n, name) {
			return true
		}
	}
	return false
}

// finish puts into m what is said of the connection.
func (h *head) finish(m *Message) {
	m.Close = h.close || m.Minor == 0 && !h.alive
	if h.upgrade && m.Minor > 0 { // one of HTTP/1.0 is ignored (RFC 9110, 7.8)
		m.Upgrade = h.protocol
		if h.offers == 1 && h.names("http2-settings") { // RFC 7540, 3.2.1
			m.Settings = h.settings
		}
	}
}

package h1

import (
	"encoding/base64"
	"strings"

	"gozilla/wire/h2"
	"gozilla/wire/http1"
)

// How a connection goes over to HTTP/2.

// prior reports whether b is the preface by which a client says that it knows we speak HTTP/2 (RFC 9113, section 3.3), or
// begins it.
func (v *serving) prior(b []byte) (all, some bool) {
	n := min(len(b), len(h2.Preface))
	if v.about.Secure != nil || string(b[:n]) != h2.Preface[:n] {
		return false, false
	}
	return n == len(h2.Preface), true
}

// upgrades reports whether a request wants to be answered by HTTP/2, and will be: one that came in the clear, and is whole
// (RFC 7540, section 3.2).
func (v *serving) upgrades(h *http1.Request) bool {
	if v.about.Secure != nil || h.Settings == "" || h.Length != 0 || h.Chunked || h.Method == "CONNECT" || !asksH2C(h.Upgrade) {
		return false
	}
	settings, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(h.Settings, "="))
	if err != nil || len(settings)%6 != 0 {
		return false
	}
	for p := settings; len(p) > 0; {
		if _, p, err = h2.NextSetting(p); err != nil {
			return false
		}
	}
	b := http1.AppendStatusLine(nil, 101)
	b = append(b, "connection: upgrade\r\nupgrade: h2c\r\n\r\n"...)
	if v.err = v.t.Put(b, nil, nil); v.err != nil {
		v.over = true
		return true
	}
	r := v.request(h)
	v.upgraded, v.settings = r.Clone(), settings
	v.upgraded.Protocol = ""
	v.succeed()
	return true
}

func asksH2C(list string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(one) == "h2c" {
			return true
		}
	}
	return false
}

// succeed leaves the connection to the engine of HTTP/2.
func (v *serving) succeed() {
	v.unleave()
	v.succeeds, v.over = true, true
}

package websocket

import (
	"encoding/base64"
	"strings"
)

// keySize is how many bytes a sec-websocket-key stands for (section 4.1).
const keySize = 16

// ValidKey reports whether it is a sec-websocket-key: 16 bytes in base64 (section 4.2.1).
func ValidKey(key string) bool {
	var b [keySize + 2]byte
	if len(key) != base64.StdEncoding.EncodedLen(keySize) {
		return false
	}
	n, err := base64.StdEncoding.Decode(b[:], []byte(key))
	return n == keySize && err == nil
}

// Protocols is the list of a sec-websocket-protocol, which may be several fields joined by commas (section 4.2.1). Empty
// elements are left out (RFC 9110, 5.6.1). An error is a *Fault: what stands in it is no token.
func Protocols(value string) (protocols []string, err error) {
	for element := range strings.SplitSeq(value, ",") {
		element = strings.Trim(element, " \t")
		if element == "" {
			continue
		}
		if tokenEnd(element) < len(element) {
			return nil, errProtocols
		}
		protocols = append(protocols, element)
	}
	return protocols, nil
}

// tokenEnd is the length of the token that s begins with (RFC 9110, 5.6.2).
func tokenEnd(s string) int {
	for i := range len(s) {
		if !ofToken(s[i]) {
			return i
		}
	}
	return len(s)
}

func ofToken(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`()<>@,;:\"/[]?={}`, c) < 0
}

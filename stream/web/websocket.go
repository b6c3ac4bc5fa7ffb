package web

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
)

// AcceptKey is the sec-websocket-accept that answers a sec-websocket-key (RFC 6455, section 4.2.2).
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// NewKey is a sec-websocket-key.
func NewKey() string {
	var b [16]byte
	rand.Read(b[:]) // which does not fail
	return base64.StdEncoding.EncodeToString(b[:])
}

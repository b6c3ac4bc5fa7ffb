package tls_test

import (
	"context"
	"encoding/pem"
	"sync/atomic"
	"time"

	"gozilla/component"
	"gozilla/guard"
	"gozilla/stream"
)

// Keeper is a test guard in a file: it gives everybody a session who shows a certificate.
type Keeper struct {
	guard.Head
}

type keeper struct{}

// opened is how many of its sessions are held, and expires when the next ones end: nanoseconds since 1970, 0 for never.
var opened, expires atomic.Int64

// counted is a session of the guard.
type counted struct{ until time.Time }

func (counted) Identity() string                { return "somebody" }
func (counted) Attribute(string) (string, bool) { return "", false }
func (counted) Verify([]string) bool            { return true }
func (c counted) Expires() time.Time            { return c.until }
func (counted) Release()                        { opened.Add(-1) }

// Authorize gives a session to who has credentials.
func (keeper) Authorize(_ context.Context, credentials string) (stream.Session, error) {
	if block, _ := pem.Decode([]byte(credentials)); block == nil || block.Type != "CERTIFICATE" {
		return nil, stream.Refuse(stream.Unauthenticated, "no certificate")
	}
	opened.Add(1)
	var until time.Time
	if at := expires.Load(); at != 0 {
		until = time.Unix(0, at)
	}
	return counted{until}, nil
}

func init() {
	guard.Register("test", func(*component.Builder, *Keeper) (guard.Guard, error) { return keeper{}, nil })
}

package http_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gozilla/component"
	"gozilla/guard"
	"gozilla/stream"
)

func init() {
	guard.Register("strict", func(*component.Builder, *strictConfig) (guard.Guard, error) { return strict{}, nil })
}

// strictConfig is a test guard in a file.
type strictConfig struct{ guard.Head }

// strict is a guard that knows alice, an admin, and bob; of brief, who has a moment; and that nobody answers of lost.
type strict struct{}

// held are the sessions that were given and not released.
var held atomic.Int64

func (strict) Authorize(_ context.Context, credentials string) (stream.Session, error) {
	s := strictSession{name: credentials}
	switch credentials {
	case "alice", "bob":
	case "brief":
		s.expires = time.Now().Add(50 * time.Millisecond)
	case "lost":
		return nil, stream.Refuse(stream.Unavailable, "nobody answers")
	default:
		return nil, stream.Refuse(stream.Unauthenticated, "%s is not known", credentials)
	}
	held.Add(1)
	return s, nil
}

type strictSession struct {
	name    string
	expires time.Time
}

func (s strictSession) Identity() string                { return strings.ToUpper(s.name) }
func (s strictSession) Attribute(string) (string, bool) { return "", false }
func (s strictSession) Expires() time.Time              { return s.expires }
func (s strictSession) Release()                        { held.Add(-1) }
func (s strictSession) Verify(roles []string) bool {
	return s.name == "alice" || !slices.Contains(roles, "admin")
}

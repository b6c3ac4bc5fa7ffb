package tls_test

import (
	"context"
	"encoding/pem"
	"strings"

	"gozilla/component"
	"gozilla/guard"
	"gozilla/stream"
)

// Keeper is a test guard in a file: whoever shows a certificate that vouches for itself by the name has a session.
type Keeper struct {
	guard.Head
}

type keeper struct{}

// Authorize gives a session to who has credentials.
func (keeper) Authorize(_ context.Context, credentials string) (stream.Session, error) {
	block, _ := pem.Decode([]byte(credentials))
	if block == nil || !strings.HasPrefix(credentials, "-----BEGIN CERTIFICATE") {
		return nil, stream.Refuse(stream.Unauthenticated, "no certificate")
	}
	return known{"somebody", ""}, nil
}

func init() {
	guard.Register("test", func(*component.Builder, *Keeper) (guard.Guard, error) { return keeper{}, nil })
}

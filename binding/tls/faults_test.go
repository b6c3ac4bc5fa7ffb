package tls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"gozilla/stream"
	"gozilla/telemetry"
)

// TestFaultOf has errors as crypto/tls gives them.
func TestFaultOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want fault
	}{
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, faultTimeout},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, faultPeer},
		{fmt.Errorf("%w: it was revoked", errUnverified), faultPeer},
		{errors.New("tls: client didn't provide a certificate"), faultPeer},
		{errors.New("tls: invalid signature by the client certificate: x"), faultPeer},
		{errors.New("tls: received unexpected handshake message of type *tls.certificateMsg when waiting for *tls.finishedMsg"), faultProtocol},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, faultFailed},
		{tls.RecordHeaderError{Msg: "oversized record received with length 20000"}, faultProtocol},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(48)}, faultHandshake},
		{&net.OpError{Op: "local error", Err: tls.AlertError(20)}, faultProtocol},
		{fmt.Errorf("remote error: %w", tls.AlertError(40)), faultHandshake},
		{errors.New("tls: client offered only unsupported versions: [301]"), faultHandshake},
		{errors.New("tls: no cipher suite supported by both client and server; client offered: [2f]"), faultHandshake},
		{errors.New("tls: no key exchanges supported by both client and server"), faultHandshake},
		{errors.New("tls: server selected unsupported protocol version 302"), faultHandshake},
		{errors.New("tls: failed to sign handshake: x"), faultKey},
		{errors.New("tls: invalid client key share"), faultProtocol},
		{io.EOF, faultEnded},
		{io.ErrUnexpectedEOF, faultEnded},
		{&stream.Cut{By: telemetry.Client, Why: "rst"}, faultGone},
		{net.ErrClosed, faultGone},
	} {
		if got := faultOf(test.err); got != test.want {
			t.Errorf("%v: %q, not %q", test.err, got.event, test.want.event)
		}
	}
}

package tls

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"gozilla/binding"
	"gozilla/stream"
)

// A fault is why there is no secured connection: its event, if it is worth one, and its words in records.
type fault struct {
	event, text string
	reason      string
}

// The faults. Ids and texts are zilla's.
var (
	faultFailed    = fault{"binding.tls.tls.failed", "There was a generic error detected by an SSL subsystem.", "tls"}
	faultProtocol  = fault{"binding.tls.protocol.rejected", "There was an error in the operation of the SSL protocol.", "tls"}
	faultKey       = fault{"binding.tls.key.rejected", "Bad SSL key due to misconfiguration of the server or client SSL certificate and private key.", "tls"}
	faultPeer      = fault{"binding.tls.peer.not.verified", "The peer's identity could not be verified.", "not verified"}
	faultHandshake = fault{"binding.tls.handshake.failed", "The client and server could not negotiate the desired level of security.", "handshake failed"}
	faultTimeout   = fault{"binding.tls.handshake.timeout", "The handshake did not complete before the timeout expired.", "handshake timeout"}
	faultGone      = fault{reason: "rst"} // the peer has gone, which is nothing to tell the operator of
	faultEnded     = fault{reason: "fin"}
)

// faultOf finds the fault of an error of crypto/tls, which tells most of them by their texts only.
func faultOf(err error) fault {
	var cut *stream.Cut
	var notTLS tls.RecordHeaderError
	var unverified *tls.CertificateVerificationError
	var op *net.OpError
	var alert tls.AlertError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return faultTimeout
	case errors.As(err, &unverified), errors.Is(err, errUnverified):
		return faultPeer
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return faultEnded
	case errors.As(err, &notTLS) && strings.HasPrefix(notTLS.Msg, "first record"):
		return faultFailed // tls.Conn sends no alert here
	case isOurAlert(err):
		return faultProtocol
	case errors.As(err, &alert), errors.As(err, &op) && op.Op == "remote error": // the peer's
		return faultHandshake
	case errors.As(err, &cut), errors.Is(err, net.ErrClosed):
		return faultGone
	}
	return faultByText(err.Error())
}

// isOurAlert reports whether an error is that tls.Conn has sent a fatal alert.
func isOurAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "local error"
}

// errUnverified is that a client has no certificate, or one that a vault does not take.
var errUnverified = errors.New("no certificate that is trusted")

func faultByText(text string) fault {
	for _, known := range []struct {
		part string
		is   fault
	}{
		{"unexpected", faultProtocol}, // before what names a message, such as certificateMsg
		{"certificate", faultPeer},
		{"failed to sign", faultKey},
		{"unsupported", faultHandshake},
		{"no cipher suite", faultHandshake},
		{"no key exchanges", faultHandshake},
		{"no mutually", faultHandshake},
		{"peer doesn't support", faultHandshake},
		{"protocol version", faultHandshake},
		{"inappropriate protocol fallback", faultHandshake},
		{"server selected", faultHandshake},
	} {
		if strings.Contains(text, known.part) {
			return known.is
		}
	}
	return faultProtocol
}

// tell finds the fault of an error and emits its event.
func tell(err error, b *binding.Builder, s *stream.Scope) fault {
	f := faultOf(err)
	f.tell(b, s)
	return f
}

// tell emits the event of the fault.
func (f *fault) tell(b *binding.Builder, s *stream.Scope) {
	if f.event != "" {
		b.Warn(s, f.event, "%s", f.text)
	}
}

// named is an error that says whose certificate is not trusted, where it is about one.
func named(err error) error {
	var unverified *tls.CertificateVerificationError
	if !errors.As(err, &unverified) || len(unverified.UnverifiedCertificates) == 0 {
		return err
	}
	return fmt.Errorf("%w (the certificate is that of %s)", err, unverified.UnverifiedCertificates[0].Subject)
}

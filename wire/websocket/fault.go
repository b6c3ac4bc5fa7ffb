package websocket

import "strconv"

// Code says why a connection is closed (sections 7.4 and 11.7, and the registry there).
type Code uint16

// The codes.
const (
	Normal             Code = 1000
	GoingAway          Code = 1001
	ProtocolError      Code = 1002
	Unsupported        Code = 1003
	NoStatus           Code = 1005 // a close frame without a code; never sent
	Abnormal           Code = 1006 // the connection ended without a close frame; never sent
	InvalidPayload     Code = 1007
	Policy             Code = 1008
	TooBig             Code = 1009
	MandatoryExtension Code = 1010
	InternalError      Code = 1011
	ServiceRestart     Code = 1012
	TryAgainLater      Code = 1013
	BadGateway         Code = 1014
	TLSHandshake       Code = 1015 // the handshake of TLS did not succeed; never sent
)

// firstCode is the lowest code that is defined.
const firstCode = 1000

var codes = [...]string{
	Normal - firstCode:             "normal closure",
	GoingAway - firstCode:          "going away",
	ProtocolError - firstCode:      "protocol error",
	Unsupported - firstCode:        "unsupported data",
	NoStatus - firstCode:           "no status received",
	Abnormal - firstCode:           "abnormal closure",
	InvalidPayload - firstCode:     "invalid frame payload data",
	Policy - firstCode:             "policy violation",
	TooBig - firstCode:             "message too big",
	MandatoryExtension - firstCode: "mandatory extension",
	InternalError - firstCode:      "internal error",
	ServiceRestart - firstCode:     "service restart",
	TryAgainLater - firstCode:      "try again later",
	BadGateway - firstCode:         "bad gateway",
	TLSHandshake - firstCode:       "TLS handshake",
}

// String is the name that the registry gives the code, in lower case, or the number of one that has none.
func (c Code) String() string {
	if i := int(c) - firstCode; i >= 0 && i < len(codes) && codes[i] != "" {
		return codes[i]
	}
	return strconv.Itoa(int(c))
}

// Sendable reports whether the code may stand in a close frame: it is one of the registry that is meant for it, or one of
// libraries and applications (section 7.4.2).
func (c Code) Sendable() bool {
	return c >= Normal && c <= Unsupported || c >= InvalidPayload && c <= BadGateway || c >= 3000 && c <= 4999
}

// A Fault is what the peer has done wrong, and the code that closes the connection then. Those of this package are variables,
// so that none is allocated, and == tells them apart. Every error of this package is one.
type Fault struct {
	Code Code
	What string // in lower case, without a period
}

func (f *Fault) Error() string { return f.Code.String() + ": " + f.What }

// What a header can have wrong by itself.
var (
	errReserved   = &Fault{ProtocolError, "a reserved bit of a frame is set"}
	errOpcode     = &Fault{ProtocolError, "the opcode of a frame is not known"}
	errFragmented = &Fault{ProtocolError, "a control frame is fragmented"}
	errControl    = &Fault{ProtocolError, "a control frame has more than 125 bytes"}
	errShortest   = &Fault{ProtocolError, "the length of a frame is not written in its shortest form"}
	errLength     = &Fault{ProtocolError, "the length of a frame has its highest bit set"}
)

// What is wrong with a header at its place.
var (
	errUnmasked     = &Fault{ProtocolError, "a frame of a client is not masked"}
	errMasked       = &Fault{ProtocolError, "a frame of a server is masked"}
	errContinuation = &Fault{ProtocolError, "a frame continues no message"}
	errBegun        = &Fault{ProtocolError, "a message begins before the one before it has ended"}
	errCompressed   = &Fault{ProtocolError, "a frame is said to be compressed, which was not agreed"}
	errPlace        = &Fault{ProtocolError, "a frame that does not begin a message is said to be compressed"}
)

// What a close frame can have wrong.
var (
	errClose  = &Fault{ProtocolError, "a close frame has one byte only"}
	errCode   = &Fault{ProtocolError, "a close frame has a code that must not be sent"}
	errReason = &Fault{InvalidPayload, "the reason of a close frame is not UTF-8"}
)

// What the fields of a handshake can have wrong.
var (
	errProtocols  = &Fault{ProtocolError, "sec-websocket-protocol has an element that is no token"}
	errExtensions = &Fault{ProtocolError, "sec-websocket-extensions is malformed"}
	errUnasked    = &Fault{ProtocolError, "the server chose an extension that was not offered"}
	errMany       = &Fault{ProtocolError, "the server chose more than one extension"}
	errParameter  = &Fault{ProtocolError, "the server chose a parameter of permessage-deflate that was not offered, or a malformed one"}
	errTakeover   = &Fault{ProtocolError, "the server did not agree to server_no_context_takeover"}
)

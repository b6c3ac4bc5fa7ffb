package clienthello

import (
	"encoding/binary"
	"errors"
)

// Types of extensions.
const (
	serverName        = 0      // RFC 6066, section 3
	alpn              = 16     // RFC 7301, section 3.1
	supportedVersions = 43     // RFC 8446, section 4.2.1
	encryptedHello    = 0xfe0d // encrypted_client_hello
)

const (
	hostName    = 0 // NameType of RFC 6066
	randomSize  = 32
	sessionMost = 32 // bytes in a session id
)

// Errors of a hello that is whole.
var (
	errBody       = errors.New("the ClientHello is malformed")
	errExtensions = errors.New("the extensions of the ClientHello are malformed")
	errTwice      = errors.New("an extension of the ClientHello is there twice")
	errServerName = errors.New("the server name of the ClientHello is malformed")
	errALPN       = errors.New("the application protocols of the ClientHello are malformed")
	errVersions   = errors.New("the versions of the ClientHello are malformed")
)

// vector takes the length of a vector, which is in so many bytes, and the vector itself from the beginning of b.
func vector(b []byte, lengthSize int) (v, rest []byte, ok bool) {
	if len(b) < lengthSize {
		return nil, nil, false
	}
	length := 0
	for _, c := range b[:lengthSize] {
		length = length<<8 | int(c)
	}
	if b = b[lengthSize:]; len(b) < length {
		return nil, nil, false
	}
	return b[:length], b[length:], true
}

// parse reads a body: RFC 8446, section 4.1.2.
func (h *Hello) parse(b []byte) error {
	if len(b) < 2+randomSize {
		return errBody
	}
	legacy, b := binary.BigEndian.Uint16(b), b[2+randomSize:]
	session, b, ok := vector(b, 1)
	if !ok || len(session) > sessionMost {
		return errBody
	}
	suites, b, ok := vector(b, 2)
	if !ok || len(suites) == 0 || len(suites)%2 != 0 {
		return errBody
	}
	compression, b, ok := vector(b, 1)
	if !ok || len(compression) == 0 {
		return errBody
	}
	if len(b) > 0 { // before TLS 1.3 there may be none
		extensions, b, ok := vector(b, 2)
		if !ok || len(b) > 0 {
			return errExtensions
		}
		if err := h.parseExtensions(extensions); err != nil {
			return err
		}
	}
	if h.Versions == nil {
		h.Versions = []uint16{legacy}
	}
	return nil
}

func (h *Hello) parseExtensions(b []byte) error {
	var seen [1 << 16 / 64]uint64 // a bit for each type
	for len(b) > 0 {
		if len(b) < 2 {
			return errExtensions
		}
		id := binary.BigEndian.Uint16(b)
		data, rest, ok := vector(b[2:], 2)
		if !ok {
			return errExtensions
		}
		if seen[id/64]&(1<<(id%64)) != 0 { // section 4.2
			return errTwice
		}
		seen[id/64] |= 1 << (id % 64)
		b = rest
		if err := h.parseExtension(id, data); err != nil {
			return err
		}
	}
	return nil
}

func (h *Hello) parseExtension(id uint16, data []byte) error {
	switch id {
	case serverName:
		return h.parseServerName(data)
	case alpn:
		return h.parseALPN(data)
	case supportedVersions:
		return h.parseVersions(data)
	case encryptedHello:
		h.ECH = true
	}
	return nil
}

// parseServerName reads a ServerNameList. Names of unknown types are passed over; of each type there may be one.
func (h *Hello) parseServerName(data []byte) error {
	list, rest, ok := vector(data, 2)
	if !ok || len(rest) > 0 || len(list) == 0 {
		return errServerName
	}
	for len(list) > 0 {
		kind := list[0]
		name, rest, ok := vector(list[1:], 2)
		if !ok || len(name) == 0 || kind == hostName && h.ServerName != "" {
			return errServerName
		}
		if kind == hostName {
			h.ServerName = string(name)
		}
		list = rest
	}
	return nil
}

// parseALPN reads a ProtocolNameList.
func (h *Hello) parseALPN(data []byte) error {
	list, rest, ok := vector(data, 2)
	if !ok || len(rest) > 0 || len(list) == 0 {
		return errALPN
	}
	for len(list) > 0 {
		name, rest, ok := vector(list, 1)
		if !ok || len(name) == 0 {
			return errALPN
		}
		h.ALPN = append(h.ALPN, string(name))
		list = rest
	}
	return nil
}

// parseVersions reads the SupportedVersions of a client.
func (h *Hello) parseVersions(data []byte) error {
	list, rest, ok := vector(data, 1)
	if !ok || len(rest) > 0 || len(list) == 0 || len(list)%2 != 0 {
		return errVersions
	}
	for ; len(list) > 0; list = list[2:] {
		h.Versions = append(h.Versions, binary.BigEndian.Uint16(list))
	}
	return nil
}

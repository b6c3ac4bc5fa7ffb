package proxyproto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"strings"
)

// The layout of version 2 (section 2.2).
const (
	headSize = 16  // signature, version and command, family and transport, length
	pathSize = 108 // of a path

	version2 = 0x2 // the upper half of the 13th byte
	local    = 0x0 // the lower half: LOCAL
	proxy    = 0x1 // PROXY
)

// addressSize is what the two addresses of a family take.
var addressSize = [...]int{Inet4: 2 * (4 + 2), Inet6: 2 * (16 + 2), Unix: 2 * pathSize}

// parseBinary reads a header that begins with the signature.
func parseBinary(b []byte) (h Header, n int, err error) {
	h.Version = 2
	if len(b) <= 12 {
		return Header{}, 0, nil
	}
	switch version, command := b[12]>>4, b[12]&0xf; {
	case version != version2:
		return Header{}, 0, fmt.Errorf("the version is %d, not 2", version)
	case command > proxy:
		return Header{}, 0, fmt.Errorf("the command is %d, which is neither LOCAL nor PROXY", command)
	default:
		h.Local = command == local
	}
	if len(b) <= 13 {
		return Header{}, 0, nil
	}
	if !h.Local { // else it is ignored
		h.Family, h.Transport = Family(b[13]>>4), Transport(b[13]&0xf)
	}
	switch {
	case h.Family > Unix:
		return Header{}, 0, fmt.Errorf("there is no address family %d", h.Family)
	case h.Transport > Datagram:
		return Header{}, 0, fmt.Errorf("there is no transport %d", h.Transport)
	}
	if len(b) < headSize {
		return Header{}, 0, nil
	}
	n = headSize + int(binary.BigEndian.Uint16(b[14:]))
	if !h.Known() {
		// What follows is to be ignored. Of UNSPEC it cannot be said either where addresses end and TLVs begin.
		h.Family, h.Transport = UnspecFamily, UnspecTransport
	}
	switch need := headSize + addressSize[h.Family]; {
	case n < need:
		return Header{}, 0, fmt.Errorf("%d bytes are too few for two addresses of the family, which take %d", n-headSize, need-headSize)
	case len(b) < n:
		return Header{}, 0, nil
	}
	if !h.Known() {
		return h, n, nil
	}
	h.parseAddresses(b[headSize:])
	if err := h.parseTLVs(b[:n], headSize+addressSize[h.Family]); err != nil {
		return Header{}, 0, err
	}
	return h, n, nil
}

func (h *Header) parseAddresses(b []byte) {
	switch h.Family {
	case Inet4:
		h.Source = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b)), binary.BigEndian.Uint16(b[8:]))
		h.Dest = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:])), binary.BigEndian.Uint16(b[10:]))
	case Inet6:
		h.Source = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b)), binary.BigEndian.Uint16(b[32:]))
		h.Dest = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[16:])), binary.BigEndian.Uint16(b[34:]))
	case Unix:
		h.SourcePath, h.DestPath = path(b[:pathSize]), path(b[pathSize:2*pathSize])
	}
}

// path is a path that is filled up with zeros. That of an abstract socket of Linux begins with one.
func path(b []byte) string {
	s := string(b)
	if s[0] == 0 {
		return strings.TrimRight(s, "\x00")
	}
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

// appendBinary writes version 2.
func (h *Header) appendBinary(dst []byte) ([]byte, error) {
	dst = append(dst, signature...)
	switch {
	case h.Local:
		return append(dst, version2<<4|local, 0, 0, 0), nil
	case !h.Known():
		return append(dst, version2<<4|proxy, 0, 0, 0), nil
	}
	begin := len(dst) - len(signature)
	dst = append(dst, version2<<4|proxy, byte(h.Family)<<4|byte(h.Transport), 0, 0)
	dst = h.appendAddresses(dst)
	dst, err := h.appendTLVs(dst)
	if err != nil {
		return dst[:begin], err
	}
	size := len(dst) - begin - headSize
	if h.Checksum {
		size += tlvHead + checksumSize
	}
	if size > 0xffff {
		return dst[:begin], errors.New("the header is longer than 65535 bytes")
	}
	binary.BigEndian.PutUint16(dst[begin+14:], uint16(size))
	if h.Checksum {
		dst = append(dst, tlvChecksum, 0, checksumSize, 0, 0, 0, 0)
		binary.BigEndian.PutUint32(dst[len(dst)-checksumSize:], crc32.Checksum(dst[begin:], castagnoli))
	}
	return dst, nil
}

func (h *Header) appendAddresses(dst []byte) []byte {
	if h.Family == Unix {
		dst = append(append(dst, h.SourcePath...), make([]byte, pathSize-len(h.SourcePath))...)
		return append(append(dst, h.DestPath...), make([]byte, pathSize-len(h.DestPath))...)
	}
	dst = append(append(dst, h.Source.Addr().AsSlice()...), h.Dest.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(dst, h.Source.Port()), h.Dest.Port())
}

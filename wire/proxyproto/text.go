package proxyproto

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
)

// maxText is the length of the longest header of version 1, its CRLF included (section 2.1).
const maxText = 107

// errLong is for a line that goes on where its end should be.
var errLong = fmt.Errorf("the line of version 1 does not end within %d bytes", maxText)

// parseUnknown reads a header that begins with textUnknown, of which the rest of the line counts for nothing.
func parseUnknown(b []byte) (Header, int, error) {
	line := b[:min(len(b), maxText)]
	if end := bytes.Index(line, []byte("\r\n")); end >= 0 && (end == len(textUnknown) || b[len(textUnknown)] == ' ') {
		return Header{Version: 1}, end + len("\r\n"), nil
	}
	switch rest := line[len(textUnknown):]; {
	case len(rest) > 0 && rest[0] != ' ' && rest[0] != '\r', len(rest) > 1 && rest[0] == '\r':
		return Header{}, 0, errors.New("UNKNOWN is followed neither by a space nor by the end of the line")
	case len(line) == maxText:
		return Header{}, 0, errLong
	}
	return Header{}, 0, nil
}

// parseText reads a header that begins with textTCP4 or textTCP6: two addresses, two ports, and a space between each.
func parseText(b []byte, family Family) (h Header, n int, err error) {
	h = Header{Version: 1, Family: family, Transport: Stream}
	var ips [2]netip.Addr
	var ports [2]uint16
	at := len(textTCP4)
	for i := range 4 {
		word, whole := field(b[at:min(len(b), maxText)])
		switch {
		case i < 2:
			ips[i], err = address(word, whole, family)
		default:
			ports[i-2], err = port(word, whole)
		}
		if err != nil {
			return Header{}, 0, err
		}
		if at += len(word); !whole {
			if at == maxText {
				return Header{}, 0, errLong
			}
			return Header{}, 0, nil
		}
		if last := i == 3; (b[at] == '\r') != last {
			return Header{}, 0, errors.New("the line of version 1 has not two addresses and two ports")
		}
		at++
	}
	switch {
	case at == maxText:
		return Header{}, 0, errLong
	case at == len(b):
		return Header{}, 0, nil
	case b[at] != '\n':
		return Header{}, 0, errors.New("a line of version 1 ends with CR LF")
	}
	h.Source, h.Dest = netip.AddrPortFrom(ips[0], ports[0]), netip.AddrPortFrom(ips[1], ports[1])
	return h, at + 1, nil
}

// field is what comes before the next space or CR. It is whole if there is one.
func field(b []byte) (word []byte, whole bool) {
	for i, c := range b {
		if c == ' ' || c == '\r' {
			return b[:i], true
		}
	}
	return b, false
}

// address reads an address in its canonical form: no leading zeros, no zone (section 2.1). Of one that is not whole it
// sees whether it could become one.
func address(word []byte, whole bool, family Family) (netip.Addr, error) {
	for _, c := range word {
		digit, hex := c >= '0' && c <= '9', c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' || c == ':'
		if !digit && c != '.' && (family == Inet4 || !hex) {
			return netip.Addr{}, fmt.Errorf("%q is not part of an address", c)
		}
	}
	if !whole {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(string(word))
	if err != nil || a.Is4() != (family == Inet4) {
		return netip.Addr{}, fmt.Errorf("%q is no address of the family that is told", word)
	}
	return a, nil
}

// port reads a port without leading zeros. Of one that is not whole it sees whether it could become one.
func port(word []byte, whole bool) (uint16, error) {
	if len(word) == 0 && !whole {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(word), 10, 16)
	if err != nil || word[0] == '0' && len(word) > 1 {
		return 0, fmt.Errorf("%q is no port", word)
	}
	return uint16(n), nil
}

// appendText writes version 1, which knows TCP only.
func (h *Header) appendText(dst []byte) []byte {
	switch {
	case !h.Known() || h.Family == Unix || h.Transport != Stream:
		return append(dst, textUnknown+"\r\n"...)
	case h.Family == Inet4:
		dst = append(dst, textTCP4...)
	default:
		dst = append(dst, textTCP6...)
	}
	dst = append(appendAddr(dst, h.Source.Addr()), ' ')
	dst = append(appendAddr(dst, h.Dest.Addr()), ' ')
	dst = append(strconv.AppendUint(dst, uint64(h.Source.Port()), 10), ' ')
	return append(strconv.AppendUint(dst, uint64(h.Dest.Port()), 10), "\r\n"...)
}

// appendAddr writes an address. One of IPv4 in IPv6 is written in hexadecimal digits as any other of IPv6, because the
// format has no dots there.
func appendAddr(dst []byte, a netip.Addr) []byte {
	if a.Is4In6() {
		b := a.As16()
		return fmt.Appendf(dst, "::ffff:%x:%x", uint(b[12])<<8|uint(b[13]), uint(b[14])<<8|uint(b[15]))
	}
	return a.WithZone("").AppendTo(dst)
}

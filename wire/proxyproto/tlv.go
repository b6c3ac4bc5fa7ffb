package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// The types of TLVs (section 2.2). All others are skipped: NOOP (0x04), which fills up, and those that are free for
// anybody.
const (
	tlvALPN      = 0x01
	tlvAuthority = 0x02
	tlvChecksum  = 0x03 // CRC32C of the header with zeros in place of the value
	tlvUniqueID  = 0x05
	tlvTLS       = 0x20 // client flags, verify, TLVs of its own: the five below
	tlvVersion   = 0x21
	tlvName      = 0x22
	tlvCipher    = 0x23
	tlvSignature = 0x24
	tlvKey       = 0x25
	tlvNamespace = 0x30
)

const (
	tlvHead      = 3 // type, length
	tlsHead      = 5 // client flags, verify
	checksumSize = 4
	maxUniqueID  = 128 // section 2.2.5
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	noChecksum = make([]byte, checksumSize)
)

// cutTLV takes the first TLV of b, which is not empty.
func cutTLV(b []byte) (typ byte, value, rest []byte, err error) {
	if len(b) < tlvHead {
		return 0, nil, nil, fmt.Errorf("%d bytes are left, too few for a TLV", len(b))
	}
	typ, b, size := b[0], b[tlvHead:], int(binary.BigEndian.Uint16(b[1:]))
	if len(b) < size {
		return 0, nil, nil, fmt.Errorf("the TLV %#02x has %d bytes, of which %d are there", typ, size, len(b))
	}
	return typ, b[:size], b[size:], nil
}

// parseTLVs reads what follows the addresses in the whole header, from offset at on. Of a type that comes again, the
// first counts.
func (h *Header) parseTLVs(header []byte, at int) error {
	for rest := header[at:]; len(rest) > 0; {
		typ, value, after, err := cutTLV(rest)
		if err != nil {
			return err
		}
		switch typ {
		case tlvALPN:
			keep(&h.ALPN, value)
		case tlvAuthority:
			keep(&h.Authority, value)
		case tlvNamespace:
			keep(&h.Namespace, value)
		case tlvUniqueID:
			err = h.parseUniqueID(value)
		case tlvTLS:
			err = h.parseTLS(value)
		case tlvChecksum:
			err = h.verify(header, value, len(header)-len(after))
		}
		if err != nil {
			return err
		}
		rest = after
	}
	return nil
}

func keep(s *string, value []byte) {
	if *s == "" {
		*s = string(value)
	}
}

func (h *Header) parseUniqueID(value []byte) error {
	if len(value) > maxUniqueID {
		return fmt.Errorf("the unique id has %d bytes, more than %d", len(value), maxUniqueID)
	}
	if h.UniqueID == nil && len(value) > 0 {
		h.UniqueID = bytes.Clone(value)
	}
	return nil
}

// verify compares the checksum, whose value ends at offset end of the header.
func (h *Header) verify(header, value []byte, end int) error {
	switch {
	case len(value) != checksumSize:
		return fmt.Errorf("the checksum has %d bytes, not %d", len(value), checksumSize)
	case h.Checksum: // the first one was made with zeros in one place, not in two
		return errors.New("there are two checksums")
	}
	sum := crc32.Checksum(header[:end-checksumSize], castagnoli)
	sum = crc32.Update(sum, castagnoli, noChecksum)
	sum = crc32.Update(sum, castagnoli, header[end:])
	if told := binary.BigEndian.Uint32(value); told != sum {
		return fmt.Errorf("the checksum is %08x, not %08x", told, sum)
	}
	h.Checksum = true
	return nil
}

func (h *Header) parseTLS(value []byte) error {
	if len(value) < tlsHead {
		return fmt.Errorf("the TLV %#02x of TLS has %d bytes, fewer than %d", tlvTLS, len(value), tlsHead)
	}
	t := &TLS{Client: value[0], Verify: binary.BigEndian.Uint32(value[1:])}
	for rest := value[tlsHead:]; len(rest) > 0; {
		typ, value, after, err := cutTLV(rest)
		if err != nil {
			return fmt.Errorf("within that of TLS, %w", err)
		}
		switch typ {
		case tlvVersion:
			keep(&t.Version, value)
		case tlvName:
			keep(&t.Name, value)
		case tlvCipher:
			keep(&t.Cipher, value)
		case tlvSignature:
			keep(&t.Signature, value)
		case tlvKey:
			keep(&t.Key, value)
		}
		rest = after
	}
	if h.TLS == nil {
		h.TLS = t
	}
	return nil
}

// appendTLVs writes all but the checksum.
func (h *Header) appendTLVs(dst []byte) (_ []byte, err error) {
	if len(h.UniqueID) > maxUniqueID {
		return dst, fmt.Errorf("the unique id is longer than %d bytes", maxUniqueID)
	}
	dst = appendTLV(dst, tlvALPN, h.ALPN, &err)
	dst = appendTLV(dst, tlvAuthority, h.Authority, &err)
	dst = appendTLV(dst, tlvUniqueID, string(h.UniqueID), &err)
	dst = appendTLV(dst, tlvNamespace, h.Namespace, &err)
	if t := h.TLS; t != nil {
		value := binary.BigEndian.AppendUint32([]byte{t.Client}, t.Verify)
		value = appendTLV(value, tlvVersion, t.Version, &err)
		value = appendTLV(value, tlvCipher, t.Cipher, &err)
		value = appendTLV(value, tlvSignature, t.Signature, &err)
		value = appendTLV(value, tlvName, t.Name, &err)
		value = appendTLV(value, tlvKey, t.Key, &err)
		dst = appendTLV(dst, tlvTLS, string(value), &err)
	}
	return dst, err
}

// appendTLV writes a TLV unless it is empty. It notes in err what does not fit into one.
func appendTLV(dst []byte, typ byte, value string, err *error) []byte {
	switch {
	case value == "":
		return dst
	case len(value) > 0xffff:
		*err = fmt.Errorf("the value of the TLV %#02x is longer than 65535 bytes", typ)
		return dst
	}
	dst = binary.BigEndian.AppendUint16(append(dst, typ), uint16(len(value)))
	return append(dst, value...)
}

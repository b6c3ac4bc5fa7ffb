package clienthello

import "errors"

// A Hello is what a client says of itself.
type Hello struct {
	ServerName string   // the host_name, as sent; "" if there is none
	ALPN       []string // the protocols that it offers, the preferred one first
	Versions   []uint16 // those that it offers, GREASE included; without the extension, legacy_version alone
	ECH        bool     // there is an encrypted hello inside (encrypted_client_hello), and this one may be a pretence
}

// Numbers of RFC 8446, sections 5.1 and 4.
const (
	recordHead  = 5
	recordMost  = 1 << 14 // bytes in a record
	handshake   = 22      // ContentType
	major       = 3       // of legacy_record_version, of SSL 3.0 and all that came after
	messageHead = 4
	clientHello = 1 // HandshakeType

	// Bounds of ours. A hello with all there is today has some 2,000 bytes, mostly in one record. The second one bounds
	// what it costs to be asked again after each byte.
	messageMost = 1 << 16 // bytes in a body
	recordsMost = 2048    // that a hello may be split into
)

// Errors of a beginning that no hello has.
var (
	errRecord  = errors.New("this is not TLS: the record is not one of a handshake")
	errVersion = errors.New("this is not TLS: the record is not of version 3")
	errLength  = errors.New("a TLS record is empty, or longer than 16384 bytes")
	errMessage = errors.New("the first TLS message is no ClientHello")
	errSplit   = errors.New("the ClientHello is split into more than 2048 records")
)

// ErrLong is that a hello is longer than is taken.
var ErrLong = errors.New("the ClientHello is longer than 65536 bytes")

// Parse reads the hello at the beginning of a stream. n is the length of the records that hold it; 0, without an error,
// says that more bytes are needed. Where the last record holds more than the hello's end, all of it counts.
//
// An error comes as soon as it is certain that no bytes to come make this a hello; what is wrong inside of it is told
// once it is whole. Called again with more bytes, Parse gives the same error, or the same hello. Until then it
// allocates nothing, and looks at the head of each record alone.
func Parse(b []byte) (h Hello, n int, err error) {
	message, n, err := whole(b)
	if n == 0 || err != nil {
		return Hello{}, 0, err
	}
	if err := h.parse(message[messageHead:]); err != nil {
		return Hello{}, 0, err
	}
	return h, n, nil
}

// whole finds the message, in the n bytes of the records that hold it. What it gives is part of b, or a copy.
func whole(b []byte) (message []byte, n int, err error) {
	var head [messageHead]byte
	have, need := 0, messageHead
	for range recordsMost {
		rest := b[n:]
		size, err := record(rest)
		if err != nil || size == 0 {
			return nil, 0, err
		}
		rest = rest[recordHead:]
		if have < messageHead {
			copy(head[have:], rest[:min(size, len(rest))])
			if need, err = messageSize(head[:min(messageHead, have+len(rest), have+size)]); err != nil {
				return nil, 0, err
			}
		}
		if len(rest) < size {
			return nil, 0, nil
		}
		have += size
		n += recordHead + size
		if have >= need {
			return join(b[:n], need), n, nil
		}
	}
	return nil, 0, errSplit
}

// record is the length of the fragment in the record that b begins with; 0: more bytes are needed.
func record(b []byte) (int, error) {
	if len(b) < recordHead || b[0] != handshake || b[1] != major {
		return 0, strange(b)
	}
	size := int(b[3])<<8 | int(b[4])
	if size == 0 || size > recordMost {
		return 0, errLength
	}
	return size, nil
}

// strange tells what is wrong with a record that is not that of a handshake, or whose head is cut, which is no error.
func strange(b []byte) error {
	switch {
	case len(b) > 0 && b[0] != handshake: // Nothing may come between the parts of a message: section 5.1.
		return errRecord
	case len(b) > 1 && b[1] != major:
		return errVersion
	}
	return nil
}

// messageSize is the length of the message that begins with head, which may be cut; without its length, the least.
func messageSize(head []byte) (int, error) {
	switch {
	case len(head) > 0 && head[0] != clientHello:
		return 0, errMessage
	case len(head) < messageHead:
		return messageHead, nil
	}
	size := int(head[1])<<16 | int(head[2])<<8 | int(head[3])
	if size > messageMost {
		return 0, ErrLong
	}
	return messageHead + size, nil
}

// join is the message of that size in records that hold all of it.
func join(records []byte, size int) []byte {
	if first, _ := record(records); first >= size {
		return records[recordHead : recordHead+size]
	}
	message := make([]byte, 0, size)
	for len(message) < size {
		n, _ := record(records)
		message = append(message, records[recordHead:recordHead+min(n, size-len(message))]...)
		records = records[recordHead+n:]
	}
	return message
}

package http1

// Field is one line of a header or trailer. The name is in lower case; the value has no space around it.
type Field struct{ Name, Value string }

// Limits bounds a message. A member that is 0 has the value of DefaultLimits, and so have all of a nil Limits.
type Limits struct {
	Head    int // bytes of a head, its lines and the empty one
	Fields  int // lines of a header, or of a trailer
	Target  int // bytes of a request line, or status line, without its CR LF
	Trailer int // bytes of a trailer, its lines and the empty one
}

// DefaultLimits are those of a member that is 0.
var DefaultLimits = Limits{Head: 64 << 10, Fields: 256, Target: 16 << 10, Trailer: 16 << 10}

// filled is l with the defaults.
func (l *Limits) filled() Limits {
	if l == nil {
		return DefaultLimits
	}
	return Limits{
		Head:    or(l.Head, DefaultLimits.Head),
		Fields:  or(l.Fields, DefaultLimits.Fields),
		Target:  or(l.Target, DefaultLimits.Target),
		Trailer: or(l.Trailer, DefaultLimits.Trailer),
	}
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// Message is what the heads of requests and responses have in common.
type Message struct {
	// Fields is what is passed on, in its order. It has no host, content-length, transfer-encoding, connection, keep-alive,
	// proxy-connection, te, upgrade or http2-settings, nor what connection names. Its memory is reused by the next parse.
	Fields []Field

	Length  int64  // of the body; -1: not known (chunked, or for a response until the end of the connection)
	Chunked bool   // the body is chunked
	Close   bool   // the connection ends after this message: connection: close, or HTTP/1.0 without keep-alive
	Minor   uint8  // HTTP/1.Minor
	Upgrade string // value of upgrade, if connection has upgrade too, else ""
	// Settings is the value of http2-settings beside Upgrade, if there is one that connection names, else "".
	Settings string
}

// begin empties m, but keeps the memory of its fields.
func (m *Message) begin() {
	fields := m.Fields[:0]
	if cap(fields) == 0 {
		fields = make([]Field, 0, 16)
	}
	*m = Message{Fields: fields, Length: -1}
}

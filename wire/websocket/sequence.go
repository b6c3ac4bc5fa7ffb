package websocket

// A Sequence checks that the frames of one direction come in an order, and in a way that who sends them may use. All headers
// of it go through Next.
type Sequence struct {
	FromClient bool // frames must be masked; else they must not be
	Deflate    bool // permessage-deflate was agreed: a message may be compressed

	within     bool
	opcode     Opcode
	compressed bool
}

// Next takes the header that follows. An error is a *Fault, after which the connection is lost. What follows a close frame is
// not looked at here: nobody reads on after it (section 1.4).
func (s *Sequence) Next(h Header) error {
	if h.Masked != s.FromClient {
		if s.FromClient {
			return errUnmasked
		}
		return errMasked
	}
	if h.Compressed { // RFC 7692, 6 and 6.1
		if !s.Deflate {
			return errCompressed
		}
		if h.Opcode.Control() || h.Opcode == Continuation {
			return errPlace
		}
	}
	switch {
	case h.Opcode.Control():
		return nil
	case h.Opcode != Continuation && s.within:
		return errBegun
	case h.Opcode == Continuation && !s.within:
		return errContinuation
	case h.Opcode != Continuation:
		s.opcode, s.compressed = h.Opcode, h.Compressed
	}
	s.within = !h.Fin
	return nil
}

// Within reports whether a message has begun and not ended (section 5.4).
func (s *Sequence) Within() bool { return s.within }

// Message says what the last message is, that has begun or ended: Text or Binary, and whether it is compressed. Its first
// frame alone has both.
func (s *Sequence) Message() (o Opcode, compressed bool) { return s.opcode, s.compressed }

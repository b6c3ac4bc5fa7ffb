package h2

import "encoding/binary"

// mask takes away the bit that is reserved in each number of streams and windows.
const mask = 1<<31 - 1

// Next parses the frame at the beginning of b, n bytes of it. n is 0 if the frame is not complete. most is the largest
// payload that is taken. An error is a *Fault: one of a stream comes with the frame and n, so that one can go on behind it.
// One of the connection comes as soon as the head tells it, with n 0. What is reserved is ignored, and a frame of a type
// that is not known is a frame.
func Next(b []byte, most int) (f Frame, n int, err error) {
	if len(b) < HeadSize {
		return f, 0, nil
	}
	f.Size = int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	f.Type, f.Flags = Type(b[3]), Flags(b[4])
	f.Stream = binary.BigEndian.Uint32(b[5:]) & mask
	if f.Size > most {
		return f, 0, faulty(0, FrameSizeError, "a %v has %d bytes, of at most %d", f.Type, f.Size, most)
	}
	if fault := f.head(); fault != nil {
		return f, 0, fault
	}
	if len(b)-HeadSize < f.Size {
		return f, 0, nil
	}
	n = HeadSize + f.Size
	f.Payload = b[HeadSize:n:n]
	if fault := f.payload(); fault != nil {
		if fault.Stream == 0 {
			n = 0
		}
		return f, n, fault
	}
	return f, n, nil
}

// head looks at what the head of the frame tells: whether it belongs to a stream, and its size.
func (f *Frame) head() *Fault {
	switch f.Type {
	case Data, Headers, Priority, Reset, Promise, Continuation:
		if f.Stream == 0 {
			return faulty(0, ProtocolError, "a %v has no stream", f.Type)
		}
	case Settings, Ping, GoAway:
		if f.Stream != 0 {
			return faulty(0, ProtocolError, "a %v has a stream, %d", f.Type, f.Stream)
		}
	}
	if !f.fits() {
		return faulty(0, FrameSizeError, "a %v has %d bytes", f.Type, f.Size)
	}
	return nil
}

// fits reports whether the frame has the size that its type asks for, or has at least room for what must be in it. That of
// Priority is a matter of its stream, see payload.
func (f *Frame) fits() bool {
	least := 0
	switch f.Type {
	case Data:
		least = f.pad()
	case Headers:
		if least = f.pad(); f.Flags&Prioritied != 0 {
			least += 5
		}
	case Promise:
		least = f.pad() + 4
	case Reset, Window:
		return f.Size == 4
	case Ping:
		return f.Size == 8
	case Settings:
		return f.Size%6 == 0 && (f.Size == 0 || f.Flags&Ack == 0)
	case GoAway:
		least = 8
	}
	return f.Size >= least
}

// pad is the size of the field that tells how long the padding is.
func (f *Frame) pad() int {
	if f.Flags&Padded != 0 {
		return 1
	}
	return 0
}

// payload takes apart what the frame has come with, which is as long as fits asks for.
func (f *Frame) payload() *Fault {
	switch f.Type {
	case Data:
		return f.unpad(0)
	case Headers:
		if f.Flags&Prioritied == 0 {
			return f.unpad(0)
		}
		if fault := f.unpad(5); fault != nil {
			return fault
		}
		return f.depends()
	case Priority:
		return f.priority()
	case Promise:
		if fault := f.unpad(4); fault != nil {
			return fault
		}
		if f.Number == 0 || f.Number%2 != 0 { // a server's streams are even (section 5.1.1)
			return faulty(0, ProtocolError, "a PUSH_PROMISE promises stream %d", f.Number)
		}
	case Reset:
		f.Code, f.Payload = Code(binary.BigEndian.Uint32(f.Payload)), nil
	case GoAway:
		f.Code = Code(binary.BigEndian.Uint32(f.Payload[4:]))
		f.number(8)
	case Window:
		if f.number(4); f.Number == 0 {
			return faulty(f.Stream, ProtocolError, "a WINDOW_UPDATE opens the window by nothing")
		}
	}
	return nil
}

// unpad takes away the padding, and the number that is at the beginning of most bytes.
func (f *Frame) unpad(most int) *Fault {
	if f.Flags&Padded != 0 {
		padding, rest := int(f.Payload[0]), f.Payload[1:]
		if padding > len(rest)-most {
			return faulty(0, ProtocolError, "a %v of %d bytes has %d bytes of padding", f.Type, f.Size, padding)
		}
		f.Payload = rest[:len(rest)-padding]
	}
	if most > 0 {
		f.number(most)
	}
	return nil
}

// number takes the number at the beginning of the payload, and size bytes that it is a part of.
func (f *Frame) number(size int) {
	f.Number = binary.BigEndian.Uint32(f.Payload) & mask
	f.Payload = f.Payload[size:]
}

func (f *Frame) priority() *Fault {
	if f.Size != 5 {
		f.Payload = nil
		return faulty(f.Stream, FrameSizeError, "a PRIORITY has %d bytes", f.Size)
	}
	f.number(5)
	return f.depends()
}

// depends looks for a stream that depends on itself. Priorities of that kind mean nothing any more (section 5.3), but
// this is still told.
func (f *Frame) depends() *Fault {
	if f.Number == f.Stream {
		return faulty(f.Stream, ProtocolError, "a %v makes stream %d depend on itself", f.Type, f.Stream)
	}
	return nil
}

// NextSetting takes the first of the settings in the payload of a frame, which is not empty. An error is the *Fault of a
// value that must not be. A setting that is not known is one (section 6.5.2).
func NextSetting(payload []byte) (s Setting, rest []byte, err error) {
	s = Setting{binary.BigEndian.Uint16(payload), binary.BigEndian.Uint32(payload[2:])}
	rest = payload[6:]
	switch s.ID {
	case EnablePush:
		if s.Value > 1 {
			return s, rest, faulty(0, ProtocolError, "ENABLE_PUSH is %d", s.Value)
		}
	case InitialWindow:
		if s.Value > MostWindow {
			return s, rest, faulty(0, FlowControlError, "INITIAL_WINDOW_SIZE is %d", s.Value)
		}
	case MaxFrameSize:
		if s.Value < FrameSize || s.Value > 1<<24-1 {
			return s, rest, faulty(0, ProtocolError, "MAX_FRAME_SIZE is %d", s.Value)
		}
	case EnableConnect:
		if s.Value > 1 {
			return s, rest, faulty(0, ProtocolError, "ENABLE_CONNECT_PROTOCOL is %d", s.Value)
		}
	}
	return s, rest, nil
}

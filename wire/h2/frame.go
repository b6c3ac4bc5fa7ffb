package h2

// Preface is what a client sends first (RFC 9113, section 3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Sizes of RFC 9113, in bytes.
const (
	HeadSize   = 9         // the head of a frame (section 4.1)
	FrameSize  = 16384     // the payload that everybody takes (section 4.2)
	WindowSize = 65535     // the window that everybody has at the beginning (section 6.9.2)
	MostWindow = 1<<31 - 1 // (section 6.9.1)
	TableSize  = 4096      // of HPACK, at the beginning (section 6.5.2)
)

// Type is the type of a frame.
type Type uint8

// The frames (RFC 9113, section 6).
const (
	Data         Type = 0
	Headers      Type = 1
	Priority     Type = 2
	Reset        Type = 3
	Settings     Type = 4
	Promise      Type = 5
	Ping         Type = 6
	GoAway       Type = 7
	Window       Type = 8
	Continuation Type = 9
)

// Flags of frames.
type Flags uint8

// The flags.
const (
	EndStream  Flags = 0x1 // of Data and Headers
	Ack        Flags = 0x1 // of Settings and Ping
	EndHeaders Flags = 0x4
	Padded     Flags = 0x8
	Prioritied Flags = 0x20
)

// Frame is one frame.
type Frame struct {
	Type   Type
	Flags  Flags
	Stream uint32
	Size   int // of the payload as it came, padding included: what counts for windows
	// Payload is a part of the bytes it was parsed from: without padding, promised id and priority.
	// Data: the data. Headers, Promise, Continuation: the fragment. Settings: see NextSetting. Ping: 8 bytes.
	// GoAway: the debug data.
	Payload []byte
	Code    Code   // of Reset and GoAway
	Number  uint32 // GoAway: the last stream. Promise: the promised one. Window: the increment. Headers with Prioritied, Priority: the dependency
}

// Code is an error code (RFC 9113, section 7).
type Code uint32

// The codes.
const (
	NoError            Code = 0x0
	ProtocolError      Code = 0x1
	InternalError      Code = 0x2
	FlowControlError   Code = 0x3
	SettingsTimeout    Code = 0x4
	StreamClosed       Code = 0x5
	FrameSizeError     Code = 0x6
	RefusedStream      Code = 0x7
	Cancel             Code = 0x8
	CompressionError   Code = 0x9
	ConnectError       Code = 0xa
	EnhanceYourCalm    Code = 0xb
	InadequateSecurity Code = 0xc
	HTTP11Required     Code = 0xd
)

func (c Code) String() string { panic("todo") } // the names of the RFC: PROTOCOL_ERROR

// A Fault is what is wrong with a frame, or with what it asks for.
type Fault struct {
	Stream uint32 // 0: the connection is lost
	Code   Code
	Text   string
}

func (f *Fault) Error() string { panic("todo") }

// Next parses the frame at the beginning of b, n bytes of it. n is 0 if the frame is not complete. most is the largest
// payload that is taken. An error is a *Fault: one of a stream comes with the frame and n, so that one can go on behind it.
func Next(b []byte, most int) (f Frame, n int, err error) { panic("todo") }

// Setting is one of the settings of a connection (RFC 9113, section 6.5.2).
type Setting struct {
	ID    uint16
	Value uint32
}

// The settings. EnableConnect is that of RFC 8441.
const (
	HeaderTableSize   uint16 = 1
	EnablePush        uint16 = 2
	MaxStreams        uint16 = 3
	InitialWindow     uint16 = 4
	MaxFrameSize      uint16 = 5
	MaxHeaderListSize uint16 = 6
	EnableConnect     uint16 = 8
)

// NextSetting takes the first of the settings in the payload of a frame. An error is the *Fault of a value that must not be.
func NextSetting(payload []byte) (s Setting, rest []byte, err error) { panic("todo") }

// AppendData appends a frame with all of p, which is no longer than the peer takes.
func AppendData(dst []byte, stream uint32, flags Flags, p []byte) []byte { panic("todo") }

// BeginBlock appends room for the head of a Headers frame. Fields follow (AppendField), then EndBlock with what it was given.
func BeginBlock(dst []byte) []byte { panic("todo") }

// EndBlock completes the Headers frame whose head stands at dst[at:]. What is longer than most goes on in Continuation frames.
func EndBlock(dst []byte, at int, stream uint32, flags Flags, most int) []byte { panic("todo") }

func AppendPriority(dst []byte, stream, on uint32, weight uint8, exclusive bool) []byte {
	panic("todo")
}
func AppendReset(dst []byte, stream uint32, code Code) []byte                { panic("todo") }
func AppendSettings(dst []byte, settings ...Setting) []byte                  { panic("todo") }
func AppendSettingsAck(dst []byte) []byte                                    { panic("todo") }
func AppendPromise(dst []byte, stream, promised uint32, block []byte) []byte { panic("todo") }
func AppendPing(dst []byte, flags Flags, data [8]byte) []byte                { panic("todo") }
func AppendGoAway(dst []byte, last uint32, code Code, debug string) []byte   { panic("todo") }
func AppendWindow(dst []byte, stream, increment uint32) []byte               { panic("todo") }

package h2

// Preface is what a client sends first (section 3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Sizes, in bytes.
const (
	HeadSize   = 9         // the head of a frame (section 4.1)
	FrameSize  = 16384     // the payload that everybody takes (section 4.2)
	WindowSize = 65535     // the window that everybody has at the beginning (section 6.9.2)
	MostWindow = 1<<31 - 1 // (section 6.9.1)
	TableSize  = 4096      // of HPACK, at the beginning (section 6.5.2)
)

// Type is the type of a frame.
type Type uint8

// The frames (section 6).
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

// The flags. Which a frame does not have are ignored in it.
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
	// GoAway: the debug data. A type that is not known: all of it. Others have none.
	Payload []byte
	Code    Code   // of Reset and GoAway
	Number  uint32 // GoAway: the last stream. Promise: the promised one. Window: the increment. Headers with Prioritied, Priority: the dependency
}

// Setting is one of the settings of a connection (section 6.5.2).
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

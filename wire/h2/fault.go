package h2

import (
	"fmt"
	"strconv"
)

// Code is an error code (section 7).
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

var codes = [...]string{
	NoError:            "NO_ERROR",
	ProtocolError:      "PROTOCOL_ERROR",
	InternalError:      "INTERNAL_ERROR",
	FlowControlError:   "FLOW_CONTROL_ERROR",
	SettingsTimeout:    "SETTINGS_TIMEOUT",
	StreamClosed:       "STREAM_CLOSED",
	FrameSizeError:     "FRAME_SIZE_ERROR",
	RefusedStream:      "REFUSED_STREAM",
	Cancel:             "CANCEL",
	CompressionError:   "COMPRESSION_ERROR",
	ConnectError:       "CONNECT_ERROR",
	EnhanceYourCalm:    "ENHANCE_YOUR_CALM",
	InadequateSecurity: "INADEQUATE_SECURITY",
	HTTP11Required:     "HTTP_1_1_REQUIRED",
}

// String is the name that the RFC gives the code, or the number of one that it does not have.
func (c Code) String() string {
	if int64(c) < int64(len(codes)) {
		return codes[c]
	}
	return "0x" + strconv.FormatUint(uint64(c), 16)
}

// A Fault is what is wrong with a frame, or with what it asks for.
type Fault struct {
	Stream uint32 // 0: the connection is lost
	Code   Code
	Text   string // without a period
}

func (f *Fault) Error() string { return f.Code.String() + ": " + f.Text }

// faulty is a fault whose text is made of values.
func faulty(stream uint32, code Code, format string, values ...any) *Fault {
	return &Fault{stream, code, fmt.Sprintf(format, values...)}
}

// names are those of frames, for texts.
var names = [...]string{
	Data:         "DATA",
	Headers:      "HEADERS",
	Priority:     "PRIORITY",
	Reset:        "RST_STREAM",
	Settings:     "SETTINGS",
	Promise:      "PUSH_PROMISE",
	Ping:         "PING",
	GoAway:       "GOAWAY",
	Window:       "WINDOW_UPDATE",
	Continuation: "CONTINUATION",
}

func (t Type) String() string {
	if int(t) < len(names) {
		return names[t]
	}
	return "frame of type 0x" + strconv.FormatUint(uint64(t), 16)
}

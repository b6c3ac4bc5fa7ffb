package h2

import (
	"strconv"
	"strings"
	"testing"
)

// raw is a frame as bytes, however wrong.
func raw(t Type, flags Flags, stream uint32, payload string) string {
	return string(appendHead(nil, len(payload), t, flags, stream)) + payload
}

const eight = "01234567"

var badFrames = []struct {
	in     string
	stream uint32 // 0: the connection is lost
	want   string
}{
	{raw(Data, 0, 0, "abc"), 0, "PROTOCOL_ERROR: a DATA has no stream"},
	{raw(Headers, EndHeaders, 0, "abc"), 0, "PROTOCOL_ERROR: a HEADERS has no stream"},
	{raw(Priority, 0, 0, "\x00\x00\x00\x01\x00"), 0, "PROTOCOL_ERROR: a PRIORITY has no stream"},
	{raw(Reset, 0, 0, "\x00\x00\x00\x01"), 0, "PROTOCOL_ERROR: a RST_STREAM has no stream"},
	{raw(Promise, 0, 0, "\x00\x00\x00\x02"), 0, "PROTOCOL_ERROR: a PUSH_PROMISE has no stream"},
	{raw(Continuation, 0, 0, "abc"), 0, "PROTOCOL_ERROR: a CONTINUATION has no stream"},
	{raw(Continuation, 0, 1<<31, "abc"), 0, "PROTOCOL_ERROR: a CONTINUATION has no stream"}, // the first bit is none of it
	{raw(Settings, 0, 1, ""), 0, "PROTOCOL_ERROR: a SETTINGS has a stream, 1"},
	{raw(Ping, 0, 7, eight), 0, "PROTOCOL_ERROR: a PING has a stream, 7"},
	{raw(GoAway, 0, 1, eight), 0, "PROTOCOL_ERROR: a GOAWAY has a stream, 1"},

	{raw(Data, 0, 1, strings.Repeat("a", 101)), 0, "FRAME_SIZE_ERROR: a DATA has 101 bytes, of at most 100"},
	{raw(77, 0, 1, strings.Repeat("a", 101)), 0, "FRAME_SIZE_ERROR: a frame of type 0x4d has 101 bytes, of at most 100"},
	{"\xff\xff\xff\x01\x00\x00\x00\x00\x01", 0, "FRAME_SIZE_ERROR: a HEADERS has 16777215 bytes, of at most 100"},
	{raw(Data, Padded, 1, ""), 0, "FRAME_SIZE_ERROR: a DATA has 0 bytes"},
	{raw(Headers, Padded, 1, ""), 0, "FRAME_SIZE_ERROR: a HEADERS has 0 bytes"},
	{raw(Headers, Prioritied, 1, "\x00\x00\x00\x03"), 0, "FRAME_SIZE_ERROR: a HEADERS has 4 bytes"},
	{raw(Headers, Padded|Prioritied, 1, "\x00\x00\x00\x00\x03"), 0, "FRAME_SIZE_ERROR: a HEADERS has 5 bytes"},
	{raw(Reset, 0, 1, "abc"), 0, "FRAME_SIZE_ERROR: a RST_STREAM has 3 bytes"},
	{raw(Reset, 0, 1, "abcde"), 0, "FRAME_SIZE_ERROR: a RST_STREAM has 5 bytes"},
	{raw(Settings, 0, 0, "abcdefg"), 0, "FRAME_SIZE_ERROR: a SETTINGS has 7 bytes"},
	{raw(Settings, Ack, 0, "abcdef"), 0, "FRAME_SIZE_ERROR: a SETTINGS has 6 bytes"},
	{raw(Promise, 0, 1, "abc"), 0, "FRAME_SIZE_ERROR: a PUSH_PROMISE has 3 bytes"},
	{raw(Promise, Padded, 1, "\x00abc"), 0, "FRAME_SIZE_ERROR: a PUSH_PROMISE has 4 bytes"},
	{raw(Ping, 0, 0, eight[:7]), 0, "FRAME_SIZE_ERROR: a PING has 7 bytes"},
	{raw(Ping, Ack, 0, eight+"8"), 0, "FRAME_SIZE_ERROR: a PING has 9 bytes"},
	{raw(GoAway, 0, 0, eight[:7]), 0, "FRAME_SIZE_ERROR: a GOAWAY has 7 bytes"},
	{raw(Window, 0, 0, "abc"), 0, "FRAME_SIZE_ERROR: a WINDOW_UPDATE has 3 bytes"},
	{raw(Window, 0, 1, "abcde"), 0, "FRAME_SIZE_ERROR: a WINDOW_UPDATE has 5 bytes"},
	{raw(Priority, 0, 5, "abcd"), 5, "FRAME_SIZE_ERROR: a PRIORITY has 4 bytes"},
	{raw(Priority, 0, 5, "abcdef"), 5, "FRAME_SIZE_ERROR: a PRIORITY has 6 bytes"},

	{raw(Data, Padded, 1, "\x03ab"), 0, "PROTOCOL_ERROR: a DATA of 3 bytes has 3 bytes of padding"},
	{raw(Data, Padded, 1, "\xffab"), 0, "PROTOCOL_ERROR: a DATA of 3 bytes has 255 bytes of padding"},
	{raw(Headers, Padded, 1, "\x01"), 0, "PROTOCOL_ERROR: a HEADERS of 1 bytes has 1 bytes of padding"},
	{raw(Headers, Padded|Prioritied, 1, "\x02\x00\x00\x00\x03\x00a"), 0, "PROTOCOL_ERROR: a HEADERS of 7 bytes has 2 bytes of padding"},
	{raw(Promise, Padded, 1, "\x02\x00\x00\x00\x02a"), 0, "PROTOCOL_ERROR: a PUSH_PROMISE of 6 bytes has 2 bytes of padding"},
	{raw(Promise, 0, 1, "\x00\x00\x00\x00a"), 0, "PROTOCOL_ERROR: a PUSH_PROMISE promises stream 0"},
	{raw(Promise, 0, 1, "\x00\x00\x00\x03a"), 0, "PROTOCOL_ERROR: a PUSH_PROMISE promises stream 3"},
	{raw(Window, 0, 0, "\x00\x00\x00\x00"), 0, "PROTOCOL_ERROR: a WINDOW_UPDATE opens the window by nothing"},
	{raw(Window, 0, 0, "\x80\x00\x00\x00"), 0, "PROTOCOL_ERROR: a WINDOW_UPDATE opens the window by nothing"},
	{raw(Window, 0, 9, "\x00\x00\x00\x00"), 9, "PROTOCOL_ERROR: a WINDOW_UPDATE opens the window by nothing"},
	{raw(Priority, 0, 5, "\x00\x00\x00\x05\x07"), 5, "PROTOCOL_ERROR: a PRIORITY makes stream 5 depend on itself"},
	{raw(Priority, 0, 5, "\x80\x00\x00\x05\x07"), 5, "PROTOCOL_ERROR: a PRIORITY makes stream 5 depend on itself"},
	{raw(Headers, Prioritied, 5, "\x80\x00\x00\x05\x07abc"), 5, "PROTOCOL_ERROR: a HEADERS makes stream 5 depend on itself"},
	{raw(Headers, Padded|Prioritied, 5, "\x02\x80\x00\x00\x05\x07abc--"), 5, "PROTOCOL_ERROR: a HEADERS makes stream 5 depend on itself"},
}

func TestFaults(t *testing.T) {
	for _, c := range badFrames {
		f, n, err := Next([]byte(c.in), 100)
		fault, ok := err.(*Fault)
		if !ok || fault.Stream != c.stream || fault.Error() != c.want {
			t.Errorf("%q: %v, not %s", c.in[:min(20, len(c.in))], err, c.want)
			continue
		}
		if want := len(c.in); c.stream != 0 && n != want || c.stream == 0 && n != 0 {
			t.Errorf("%s: %d bytes", c.want, n)
		}
		if f.Type == Headers && c.stream != 0 && string(f.Payload) != "abc" {
			t.Errorf("%s: the fragment is %q", c.want, f.Payload)
		}
		if f.Type != Type(c.in[3]) || f.Flags != Flags(c.in[4]) {
			t.Errorf("%s: %+v", c.want, f)
		}
		partial(t, c.in, fault)
	}
}

// partial looks at a frame that is not complete: it has the fault already if the head tells it, or none.
func partial(t *testing.T, in string, fault *Fault) {
	t.Helper()
	early := fault.Stream == 0 && (fault.Code == FrameSizeError || strings.Contains(fault.Text, "stream") && !strings.Contains(fault.Text, "promises"))
	for i := range in {
		_, n, err := Next([]byte(in[:i]), 100)
		switch {
		case n != 0, i < HeadSize && err != nil, i >= HeadSize && early != (err != nil):
			t.Errorf("%s: of %d bytes, %d and %v", fault, i, n, err)
		case err != nil && err.Error() != fault.Error():
			t.Errorf("%s: of %d bytes, %v", fault, i, err)
		}
	}
}

// TestNext looks at what only few peers send: reserved bits, padding, flags that mean nothing, types that are not known.
func TestNext(t *testing.T) {
	f := func(in string, want Frame, payload string) {
		t.Helper()
		got, n, err := Next([]byte(in+"more"), 100)
		if err != nil || n != len(in) || string(got.Payload) != payload {
			t.Errorf("%q: %d bytes, payload %q, %v", in, n, got.Payload, err)
		}
		if cap(got.Payload) > n {
			t.Errorf("%q: the payload can be appended to what is behind it", in)
		}
		for i := range in {
			if _, n, err := Next([]byte(in[:i]), 100); n != 0 || err != nil {
				t.Errorf("%q: of %d bytes, %d, %v", in, i, n, err)
			}
		}
		want.Size, want.Payload, got.Payload = len(in)-HeadSize, nil, nil
		if got.Type != want.Type || got.Flags != want.Flags || got.Stream != want.Stream || got.Size != want.Size ||
			got.Code != want.Code || got.Number != want.Number {
			t.Errorf("%q: %+v, not %+v", in, got, want)
		}
	}
	f(raw(Data, 0, 1, ""), Frame{Type: Data, Stream: 1}, "")
	f(raw(Data, EndStream, 1<<31|5, "abc"), Frame{Type: Data, Flags: EndStream, Stream: 5}, "abc")
	f(raw(Data, Padded, 1, "\x00"), Frame{Type: Data, Flags: Padded, Stream: 1}, "")
	f(raw(Data, Padded, 1, "\x03abc---"), Frame{Type: Data, Flags: Padded, Stream: 1}, "abc")
	f(raw(Data, Padded, 1, "\x03---"), Frame{Type: Data, Flags: Padded, Stream: 1}, "")
	f(raw(Data, Prioritied|EndHeaders, 1, "abc"), Frame{Type: Data, Flags: Prioritied | EndHeaders, Stream: 1}, "abc")
	f(raw(Data, 0, 1, strings.Repeat("a", 100)), Frame{Type: Data, Stream: 1}, strings.Repeat("a", 100))
	f(raw(Headers, EndHeaders|EndStream, 1, "abc"), Frame{Type: Headers, Flags: EndHeaders | EndStream, Stream: 1}, "abc")
	f(raw(Headers, Prioritied, 1, "\x80\x00\x00\x03\x07abc"), Frame{Type: Headers, Flags: Prioritied, Stream: 1, Number: 3}, "abc")
	f(raw(Headers, Prioritied|Padded, 1, "\x01\x00\x00\x00\x00\x07-"), Frame{Type: Headers, Flags: Prioritied | Padded, Stream: 1}, "")
	f(raw(Headers, Prioritied|Padded, 1, "\x01\x00\x00\x00\x03\x07abc-"), Frame{Type: Headers, Flags: Prioritied | Padded, Stream: 1, Number: 3}, "abc")
	f(raw(Priority, 0, 1, "\x80\x00\x00\x03\x07"), Frame{Type: Priority, Stream: 1, Number: 3}, "")
	f(raw(Reset, 0, 1, "\xff\xff\xff\xff"), Frame{Type: Reset, Stream: 1, Code: 1<<32 - 1}, "")
	f(raw(Settings, 0, 0, "abcdef"), Frame{Type: Settings}, "abcdef")
	f(raw(Settings, 0, 1<<31, ""), Frame{Type: Settings}, "")
	f(raw(Settings, Ack, 0, ""), Frame{Type: Settings, Flags: Ack}, "")
	f(raw(Promise, Padded, 1, "\x02\x80\x00\x00\x02abc--"), Frame{Type: Promise, Flags: Padded, Stream: 1, Number: 2}, "abc")
	f(raw(Ping, Ack|Padded, 0, eight), Frame{Type: Ping, Flags: Ack | Padded}, eight)
	f(raw(GoAway, 0, 0, "\x80\x00\x00\x07\x00\x00\x00\x0bcalm"), Frame{Type: GoAway, Code: EnhanceYourCalm, Number: 7}, "calm")
	f(raw(Window, 0, 0, "\xff\xff\xff\xff"), Frame{Type: Window, Number: MostWindow}, "")
	f(raw(Window, 0, 3, "\x00\x00\x00\x01"), Frame{Type: Window, Stream: 3, Number: 1}, "")
	f(raw(Continuation, Padded|Prioritied|EndHeaders, 1, "\xff"), Frame{Type: Continuation, Flags: Padded | Prioritied | EndHeaders, Stream: 1}, "\xff")
	f(raw(10, 0xff, 0, "abc"), Frame{Type: 10, Flags: 0xff}, "abc")
	f(raw(255, 0, 7, ""), Frame{Type: 255, Stream: 7}, "")
}

func TestNextSetting(t *testing.T) {
	f := func(id uint16, value uint32, want string) {
		t.Helper()
		in := AppendSettings(nil, Setting{id, value}, Setting{99, 7})[HeadSize:]
		s, rest, err := NextSetting(in)
		if s != (Setting{id, value}) || string(rest) != string(in[6:]) {
			t.Errorf("%+v, %q", s, rest)
		}
		if got := text(err); got != want {
			t.Errorf("setting %d, %d: %s, not %s", id, value, got, want)
		}
	}
	const most = 1<<32 - 1
	f(HeaderTableSize, 0, "")
	f(HeaderTableSize, most, "")
	f(EnablePush, 0, "")
	f(EnablePush, 1, "")
	f(EnablePush, 2, "PROTOCOL_ERROR: ENABLE_PUSH is 2")
	f(MaxStreams, most, "")
	f(InitialWindow, 0, "")
	f(InitialWindow, MostWindow, "")
	f(InitialWindow, MostWindow+1, "FLOW_CONTROL_ERROR: INITIAL_WINDOW_SIZE is 2147483648")
	f(MaxFrameSize, 16383, "PROTOCOL_ERROR: MAX_FRAME_SIZE is 16383")
	f(MaxFrameSize, 16384, "")
	f(MaxFrameSize, 1<<24-1, "")
	f(MaxFrameSize, 1<<24, "PROTOCOL_ERROR: MAX_FRAME_SIZE is 16777216")
	f(MaxHeaderListSize, most, "")
	f(7, most, "")
	f(EnableConnect, 0, "")
	f(EnableConnect, 1, "")
	f(EnableConnect, 2, "PROTOCOL_ERROR: ENABLE_CONNECT_PROTOCOL is 2")
	f(9, most, "")
}

// text is what err says, and nothing of none.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCode(t *testing.T) {
	f := func(c Code, want string) {
		t.Helper()
		if c.String() != want {
			t.Errorf("%d is %s, not %s", uint32(c), c, want)
		}
	}
	for c, name := range codes {
		f(Code(c), name)
		if name == "" {
			t.Errorf("%d has no name", c)
		}
	}
	f(NoError, "NO_ERROR")
	f(HTTP11Required, "HTTP_1_1_REQUIRED")
	f(0xe, "0xe")
	f(1<<32-1, "0x"+strconv.FormatUint(1<<32-1, 16))
	if Type(8).String() != "WINDOW_UPDATE" || Type(10).String() != "frame of type 0xa" {
		t.Error(Type(8), Type(10))
	}
}

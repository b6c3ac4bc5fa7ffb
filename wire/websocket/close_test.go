package websocket

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCode(t *testing.T) {
	sendable := func(c int) bool {
		switch c {
		case 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014:
			return true
		}
		return c >= 3000 && c < 5000
	}
	for c := range 1 << 16 {
		if got := Code(c).Sendable(); got != sendable(c) {
			t.Errorf("%d: %v", c, got)
		}
		b := []byte{byte(c >> 8), byte(c)}
		got, reason, err := ParseClose(b)
		if sendable(c) && (got != Code(c) || reason != "" || err != nil) || !sendable(c) && (got != 0 || err != error(errCode)) {
			t.Errorf("%d is read as %d, %q, %v", c, got, reason, err)
		}
		want := ""
		if sendable(c) {
			want = string(b)
		}
		if got := AppendClose(nil, Code(c), ""); string(got) != want {
			t.Errorf("%d is written as % x", c, got)
		}
	}
}

func TestCodeString(t *testing.T) {
	for c, want := range map[Code]string{
		Normal: "normal closure", GoingAway: "going away", NoStatus: "no status received", TLSHandshake: "TLS handshake",
		0: "0", 999: "999", 1004: "1004", 1016: "1016", 4001: "4001", 65535: "65535",
	} {
		if got := c.String(); got != want {
			t.Errorf("%d is %q, not %q", uint16(c), got, want)
		}
	}
	if len(codes) != 16 {
		t.Errorf("there are names for %d codes", len(codes))
	}
}

func TestParseClose(t *testing.T) {
	f := func(in string, code Code, reason string, fault *Fault) {
		t.Helper()
		c, r, err := ParseClose([]byte(in))
		if fault != nil && (err != error(fault) || c != 0) || fault == nil && err != nil || c != code || r != reason {
			t.Errorf("% x is %d, %q, %v", in, c, r, err)
		}
	}
	f("", NoStatus, "", nil)
	f("\x03", 0, "", errClose)
	f("\x03\xe8", Normal, "", nil)
	f("\x03\xe9bye", GoingAway, "bye", nil)
	f("\x0f\xa1grüße", 4001, "grüße", nil)
	f("\x03\xed", 0, "", errCode)
	f("\x03\xed\xff", 0, "", errCode)
	f("\x03\xe8\xff", 0, "", errReason)
	f("\x03\xe8gr\xc3", 0, "", errReason)
	f("\x03\xe8\xed\xa0\x80", 0, "", errReason)
	f("\x03\xe8"+strings.Repeat("x", 123), Normal, strings.Repeat("x", 123), nil)
	if errReason.Code != InvalidPayload || errClose.Code != ProtocolError || errCode.Code != ProtocolError {
		t.Error("a fault of a close frame has another code")
	}
}

func TestAppendClose(t *testing.T) {
	f := func(reason, want string) {
		t.Helper()
		b := AppendClose([]byte("before"), Policy, reason)
		if got := string(b); got != "before\x03\xf0"+want || len(want) > 123 || !utf8.ValidString(want) {
			t.Errorf("%q becomes %q", reason, got)
		}
		if c, r, err := ParseClose(b[6:]); c != Policy || r != want || err != nil {
			t.Errorf("%q is read as %d, %q, %v", want, c, r, err)
		}
	}
	x := strings.Repeat("x", 130)
	f("", "")
	f("why", "why")
	f(x[:123], x[:123])
	f(x, x[:123])
	f(x[:122]+"ä", x[:122])
	f(x[:121]+"ä", x[:121]+"ä")
	f(x[:120]+"😀", x[:120])
	f(x[:119]+"😀yz", x[:119]+"😀")
	f(x[:122]+"äz", x[:122]) // and nothing behind what does not fit
	f("a\xffb\xc3", "ab")
	f("\xed\xa0\x80", "")
	f("a\ufffdb", "a\ufffdb")
	f(strings.Repeat("\xff", 1000)+"a", "a")
}

package websocket

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
)

// TestExamples are the frames of section 5.7, and the compressed ones of RFC 7692, 7.2.3.
func TestExamples(t *testing.T) {
	const key = Key(0x3d21fa37) // 37 fa 21 3d
	f := func(frame string, want Header, payload string) {
		t.Helper()
		h, n, err := ParseHeader([]byte(frame))
		if err != nil || h != want || int64(len(frame)-n) != h.Length {
			t.Fatalf("% x is %+v, %d, %v", frame, h, n, err)
		}
		got := []byte(frame[n:])
		if h.Masked {
			Mask(got, h.Key)
		}
		if string(got) != payload {
			t.Errorf("% x has %q", frame, got)
		}
		if again := AppendMasked(AppendHeader(nil, h), got, h.Key); string(again) != frame {
			t.Errorf("% x becomes % x", frame, again)
		}
	}
	f("\x81\x05Hello", Header{Fin: true, Opcode: Text, Length: 5}, "Hello")
	f("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", Header{Fin: true, Opcode: Text, Masked: true, Key: key, Length: 5}, "Hello")
	f("\x01\x03Hel", Header{Opcode: Text, Length: 3}, "Hel")
	f("\x80\x02lo", Header{Fin: true, Opcode: Continuation, Length: 2}, "lo")
	f("\x89\x05Hello", Header{Fin: true, Opcode: Ping, Length: 5}, "Hello")
	f("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", Header{Fin: true, Opcode: Pong, Masked: true, Key: key, Length: 5}, "Hello")
	long := strings.Repeat("x", 256)
	f("\x82\x7e\x01\x00"+long, Header{Fin: true, Opcode: Binary, Length: 256}, long)
	long = strings.Repeat("x", 65536)
	f("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"+long, Header{Fin: true, Opcode: Binary, Length: 65536}, long)
	deflated := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	f("\xc1\x07"+deflated, Header{Fin: true, Compressed: true, Opcode: Text, Length: 7}, deflated)
}

var lengths = []struct {
	length int64
	size   int
}{
	{0, 2}, {1, 2}, {125, 2}, {126, 4}, {127, 4}, {128, 4}, {65535, 4}, {65536, 10}, {1<<31 - 1, 10}, {1 << 31, 10}, {1<<31 + 5, 10},
	{1 << 32, 10}, {1 << 48, 10}, {math.MaxInt64, 10},
}

// TestHeader writes each header that there is and reads it again, whole, with more behind it, and cut at each byte.
func TestHeader(t *testing.T) {
	for _, l := range lengths {
		for _, o := range []Opcode{Continuation, Text, Binary, Close, Ping, Pong} {
			for bits := range 8 {
				h := Header{Fin: bits&1 != 0, Compressed: bits&2 != 0, Opcode: o, Length: l.length}
				if o.Control() && (!h.Fin || h.Length > 125) {
					continue
				}
				size := l.size
				if bits&4 != 0 {
					h.Masked, h.Key = true, 0xfedc0100
					size += 4
				}
				b := AppendHeader([]byte("before"), h)[6:]
				if len(b) != size || size > MaxHeader {
					t.Fatalf("%+v has %d bytes", h, len(b))
				}
				if got, n, err := ParseHeader(append(b, "more"...)); got != h || n != size || err != nil {
					t.Fatalf("%+v becomes % x, and that %+v, %d, %v", h, b, got, n, err)
				}
				for cut := range b {
					if got, n, err := ParseHeader(b[:cut]); got != (Header{}) || n != 0 || err != nil {
						t.Fatalf("% x is %+v, %d, %v", b[:cut], got, n, err)
					}
				}
			}
		}
	}
}

// badHeaders have a fault at their last byte, not before.
var badHeaders = []struct {
	in   string
	want *Fault
}{
	{"\xa1", errReserved}, {"\x91", errReserved}, {"\xb1", errReserved}, {"\xf1", errReserved}, {"\x99", errReserved},
	{"\x08", errFragmented}, {"\x09", errFragmented}, {"\x0a", errFragmented}, {"\x49", errFragmented},
	{"\x88\x7e", errControl}, {"\x89\x7e", errControl}, {"\x8a\x7f", errControl}, {"\x89\xfe", errControl}, {"\x89\xff", errControl},
	{"\x81\x7e\x00\x00", errShortest}, {"\x81\x7e\x00\x7d", errShortest}, {"\x81\xfe\x00\x05", errShortest},
	{"\x81\x7f\x80", errLength}, {"\x82\xff\xff", errLength},
	{"\x81\x7f\x00\x00\x00\x00\x00\x00", errShortest}, {"\x81\xff\x00\x00\x00\x00\x00\x00", errShortest},
}

func TestBadHeader(t *testing.T) {
	f := func(in string, want *Fault) {
		t.Helper()
		for cut := range in {
			if h, n, err := ParseHeader([]byte(in[:cut])); h != (Header{}) || n != 0 || err != nil {
				t.Errorf("% x is %+v, %d, %v", in[:cut], h, n, err)
			}
		}
		for _, more := range []string{"", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"} {
			if h, n, err := ParseHeader([]byte(in + more)); h != (Header{}) || n != 0 || err != error(want) {
				t.Errorf("% x is %+v, %d, %v", in+more, h, n, err)
			}
		}
	}
	for _, c := range badHeaders {
		f(c.in, c.want)
	}
	for _, o := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		f(string([]byte{o}), errOpcode)
		f(string([]byte{0x80 | o}), errOpcode)
	}
}

// FuzzHeader: a header that is read is written as it was, and what is cut needs more or has the same fault.
func FuzzHeader(f *testing.F) {
	for _, c := range badHeaders {
		f.Add([]byte(c.in))
	}
	for _, l := range lengths {
		f.Add(AppendHeader(nil, Header{Fin: true, Opcode: Binary, Masked: true, Key: 0x01020304, Length: l.length}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseHeader(b)
		if n < 0 || n > min(len(b), MaxHeader) || h.Length < 0 || n == 0 && h != (Header{}) || err != nil && n > 0 {
			t.Fatalf("%+v, %d, %v", h, n, err)
		}
		if _, ok := err.(*Fault); err != nil && !ok {
			t.Fatal(err)
		}
		if n == 0 && err == nil && len(b) >= MaxHeader {
			t.Fatalf("% x is no header, and has no fault", b)
		}
		if again := AppendHeader(nil, h); n > 0 && !bytes.Equal(again, b[:n]) {
			t.Fatalf("% x becomes % x", b[:n], again)
		}
		shown := err == nil
		for cut := range b[:min(len(b), MaxHeader+1)] {
			part, m, fault := ParseHeader(b[:cut])
			switch {
			case n > 0 && cut >= n:
				shown = part == h && m == n
			case fault != nil:
				shown = fault == err
			case m > 0:
				shown = false
			}
			if fault != nil && fault != err {
				t.Fatalf("% x is %v, and %d bytes of it %v", b, err, cut, fault)
			}
		}
		if err == nil && !shown {
			t.Fatalf("% x", b)
		}
	})
}

func TestSequence(t *testing.T) {
	const (
		part = 1 << iota // not the last frame
		rsv1
		masked
	)
	type frame struct {
		o    Opcode
		bits int
	}
	f := func(s Sequence, want error, within bool, frames ...frame) {
		t.Helper()
		for i, fr := range frames {
			h := Header{Fin: fr.bits&part == 0, Compressed: fr.bits&rsv1 != 0, Masked: fr.bits&masked != 0, Opcode: fr.o}
			err := s.Next(h)
			if last := i == len(frames)-1; !last && err != nil || last && err != want {
				t.Errorf("frame %d of %v: %v", i, frames, err)
			}
		}
		if s.Within() != within {
			t.Errorf("after %v, within is %v", frames, s.Within())
		}
	}
	server, client, deflated := Sequence{}, Sequence{FromClient: true}, Sequence{Deflate: true}
	f(server, nil, false, frame{Text, 0}, frame{Binary, 0}, frame{Ping, 0}, frame{Close, 0})
	f(server, nil, false, frame{Text, part}, frame{Ping, 0}, frame{Continuation, part}, frame{Pong, 0}, frame{Continuation, 0}, frame{Binary, 0})
	f(server, nil, true, frame{Text, part}, frame{Close, 0})
	f(server, error(errMasked), false, frame{Text, masked})
	f(server, error(errMasked), false, frame{Ping, masked})
	f(client, nil, true, frame{Text, masked}, frame{Ping, masked}, frame{Binary, part | masked})
	f(client, error(errUnmasked), false, frame{Text, 0})
	f(client, error(errUnmasked), false, frame{Close, 0})
	f(server, error(errContinuation), false, frame{Continuation, 0})
	f(server, error(errContinuation), false, frame{Continuation, part})
	f(server, error(errContinuation), false, frame{Text, part}, frame{Continuation, 0}, frame{Continuation, 0})
	f(server, error(errBegun), true, frame{Text, part}, frame{Ping, 0}, frame{Text, 0})
	f(server, error(errBegun), true, frame{Text, part}, frame{Continuation, part}, frame{Binary, part})
	f(server, error(errCompressed), false, frame{Text, rsv1})
	f(server, error(errCompressed), false, frame{Ping, rsv1})
	f(deflated, nil, false, frame{Text, rsv1}, frame{Text, 0}, frame{Binary, rsv1 | part}, frame{Ping, 0}, frame{Continuation, 0})
	f(deflated, error(errPlace), false, frame{Ping, rsv1})
	f(deflated, error(errPlace), true, frame{Text, rsv1 | part}, frame{Continuation, rsv1})
	f(deflated, error(errPlace), false, frame{Continuation, rsv1})
}

func TestMessage(t *testing.T) {
	s := Sequence{Deflate: true}
	for _, c := range []struct {
		h          Header
		opcode     Opcode
		compressed bool
	}{
		{Header{Opcode: Text, Compressed: true}, Text, true},
		{Header{Opcode: Ping, Fin: true}, Text, true},
		{Header{Opcode: Continuation}, Text, true},
		{Header{Opcode: Continuation, Fin: true}, Text, true},
		{Header{Opcode: Binary, Fin: true}, Binary, false},
	} {
		err := s.Next(c.h)
		if o, compressed := s.Message(); err != nil || o != c.opcode || compressed != c.compressed {
			t.Errorf("after %+v: %v, %v, %v", c.h, o, compressed, err)
		}
	}
}

func TestFaults(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range []*Fault{errReserved, errOpcode, errFragmented, errControl, errShortest, errLength, errUnmasked, errMasked, errContinuation,
		errBegun, errCompressed, errPlace, errClose, errCode, errReason, errProtocols, errExtensions, errUnasked, errMany, errParameter, errTakeover} {
		if seen[f.What] || !f.Code.Sendable() || fmt.Sprint(f) != f.Code.String()+": "+f.What || strings.HasSuffix(f.What, ".") {
			t.Errorf("%v", f)
		}
		seen[f.What] = true
	}
}

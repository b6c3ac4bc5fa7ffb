package websocket

import (
	"errors"
	"strings"
	"testing"
)

var sizes = []struct {
	name string
	n    int
}{{"64B", 64}, {"1KiB", 1 << 10}, {"64KiB", 64 << 10}}

func BenchmarkMask(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.name, func(b *testing.B) {
			payload, key := make([]byte, s.n), Key(0x01020304)
			b.ReportAllocs()
			b.SetBytes(int64(s.n))
			for b.Loop() {
				key = Mask(payload, key)
			}
		})
	}
}

func BenchmarkAppendMasked(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.name, func(b *testing.B) {
			payload, out := make([]byte, s.n), make([]byte, 0, s.n)
			b.ReportAllocs()
			b.SetBytes(int64(s.n))
			for b.Loop() {
				out = AppendMasked(out[:0], payload, 0x01020304)
			}
		})
	}
}

// headers have each form of a length.
var headers = []struct {
	name string
	h    Header
}{
	{"short", Header{Fin: true, Opcode: Text, Length: 100}},
	{"masked", Header{Fin: true, Opcode: Text, Masked: true, Key: 0x01020304, Length: 1000}},
	{"long", Header{Fin: true, Opcode: Binary, Masked: true, Key: 0x01020304, Length: 1 << 20}},
}

func BenchmarkParseHeader(b *testing.B) {
	for _, c := range headers {
		b.Run(c.name, func(b *testing.B) {
			in, s := AppendHeader(nil, c.h), Sequence{FromClient: c.h.Masked}
			b.ReportAllocs()
			for b.Loop() {
				h, n, err := ParseHeader(in)
				if n != len(in) || err != nil || s.Next(h) != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func BenchmarkAppendHeader(b *testing.B) {
	for _, c := range headers {
		b.Run(c.name, func(b *testing.B) {
			out := make([]byte, 0, MaxHeader)
			b.ReportAllocs()
			for b.Loop() {
				out = AppendHeader(out[:0], c.h)
			}
		})
	}
}

func BenchmarkUTF8(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"ascii 100B", strings.Repeat("a text in ", 10)},
		{"ascii 4KiB", strings.Repeat(`{"price":123.45}`, 256)},
		{"mixed 4KiB", strings.Repeat("Grüße, schönes Wetter heute. Na? ", 114)},
		{"wide 4KiB", strings.Repeat("日本語テキスト", 195)},
	} {
		b.Run(c.name, func(b *testing.B) {
			in := []byte(c.text)
			var u UTF8
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if !u.Check(in) || !u.Whole() {
					b.Fatal("not UTF-8")
				}
			}
		})
	}
}

// TestAllocs counts what the package allocates for frames: the reason of a close frame, and nothing else.
func TestAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	f := func(name string, most float64, run func() error) {
		t.Helper()
		if n := testing.AllocsPerRun(100, func() {
			if err := run(); err != nil {
				t.Fatal(name, err)
			}
		}); n > most {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	wrong := errors.New("wrong")
	is := func(ok bool) error {
		if !ok {
			return wrong
		}
		return nil
	}
	out, payload := make([]byte, 0, 4096), make([]byte, 1000)
	frame, bad := AppendHeader(nil, headers[2].h), []byte(badHeaders[len(badHeaders)-1].in)
	s := Sequence{FromClient: true}
	var u UTF8
	f("AppendHeader", 0, func() error { return is(len(AppendHeader(out, headers[2].h)) == MaxHeader) })
	f("a header", 0, func() error {
		h, _, err := ParseHeader(frame)
		return errors.Join(err, s.Next(h))
	})
	f("a fault", 0, func() error { _, _, err := ParseHeader(bad); return is(err != nil) })
	f("a fault of the order", 0, func() error { return is(s.Next(Header{}) != nil) })
	f("Mask", 0, func() error { return is(Mask(payload, 1) != 0) })
	f("AppendMasked", 0, func() error { return is(len(AppendMasked(out, payload, 1)) == len(payload)) })
	f("UTF8", 0, func() error { return is(u.Check([]byte("gr\xc3")) && u.Check([]byte("\xbc\xc3\x9fe")) && u.Whole()) })
	f("AppendClose", 0, func() error { return is(len(AppendClose(out, GoingAway, "a reason")) == 10) })
	f("ParseClose", 0, func() error { c, _, err := ParseClose(nil); return errors.Join(err, is(c == NoStatus)) })
	why := AppendClose(nil, Normal, strings.Repeat("why", 40))
	f("ParseClose with a reason", 1, func() error { _, _, err := ParseClose(why); return err })
	f("ValidKey", 0, func() error { return is(ValidKey("dGhlIHNhbXBsZSBub25jZQ==")) })
	f("AcceptDeflate", 2, func() error { _, err := AcceptDeflate("permessage-deflate; client_max_window_bits"); return err })
}

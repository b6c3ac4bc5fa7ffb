package websocket

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// texts are those of the sections 6.2 to 6.23 of the Autobahn test suite in kind. bad is the index of the first byte that
// cannot be part of UTF-8, or -1.
var texts = []struct {
	in  string
	bad int
}{
	{"", -1}, {"Hello-µ@ßöäüàá-UTF-8!!", -1}, {"κόσμε", -1}, {"\xf0\x9f\x98\x80", -1},
	{"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", 12}, {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited", 12},
	{"\x00", -1}, {"\x7f", -1}, {"\u0080", -1}, {"\u07ff", -1}, {"\u0800", -1}, {"\uffff", -1}, {"\U00010000", -1}, {"\U0010ffff", -1},
	{"\ud7ff", -1}, {"\ue000", -1}, {"\ufffd", -1}, // around the surrogates
	{"\xef\xbf\xbe", -1}, {"\xf0\x9f\xbf\xbe", -1}, {"\xf4\x8f\xbf\xbf", -1}, {"\ufdd0", -1}, {"\ufeff", -1}, // noncharacters
	{"\xf4\x90\x80\x80", 1}, {"\xf5\x80\x80\x80", 0}, {"\xf7\xbf\xbf\xbf", 0}, {"\xf8\x88\x80\x80\x80", 0}, // too high
	{"\xfb\xbf\xbf\xbf\xbf", 0}, {"\xfc\x84\x80\x80\x80\x80", 0}, {"\xfd\xbf\xbf\xbf\xbf\xbf", 0}, {"\xfe", 0}, {"\xff", 0}, {"\xfe\xfe\xff\xff", 0},
	{"\x80", 0}, {"\xbf", 0}, {"\x80\xbf", 0}, {"a\x80", 1}, {"é\x80", 2}, // what begins nothing
	{"\xc0\xaf", 0}, {"\xc1\xbf", 0}, {"\xe0\x80\xaf", 1}, {"\xe0\x9f\xbf", 1}, {"\xf0\x80\x80\xaf", 1}, {"\xf0\x8f\xbf\xbf", 1}, // too long
	{"\xed\xa0\x80", 1}, {"\xed\xad\xbf", 1}, {"\xed\xae\x80", 1}, {"\xed\xbf\xbf", 1}, {"\xed\xa0\x80\xed\xb0\x80", 1}, // surrogates
	{"\xc3 ", 1}, {"\xe2\x82 ", 2}, {"\xe2 ", 1}, {"\xf0\x9f\x98 ", 3}, {"\xf0\x9f ", 2}, {"\xf0 ", 1}, {"\xc3\xc3\xa9", 1}, // cut short
	{"\xc3", -1}, {"\xe2", -1}, {"\xe2\x82", -1}, {"\xf0", -1}, {"\xf0\x9f", -1}, {"\xf0\x9f\x98", -1}, {"\xf4\x8f\xbf", -1}, // may go on
}

// TestUTF8 cuts each text at every two places. It must be refused with the piece that has the byte which shows it.
func TestUTF8(t *testing.T) {
	for _, c := range texts {
		for _, before := range []string{"", "abc", "0123456789abcdef0123456789abcdef", "äöü"} {
			in, bad := before+c.in, c.bad
			if bad >= 0 {
				bad += len(before)
			}
			for i := 0; i <= len(in); i++ {
				for j := i; j <= len(in); j++ {
					splitText(t, in, bad, i, j)
				}
			}
		}
	}
}

func splitText(t *testing.T, in string, bad int, cuts ...int) {
	t.Helper()
	var u UTF8
	from := 0
	for _, to := range append(cuts, len(in)) {
		want := bad < 0 || to <= bad
		if got := u.Check([]byte(in[from:to])); got != want {
			t.Fatalf("%q up to %d, cut at %v: %v", in, to, cuts, got)
		}
		from = to
	}
	if u.Whole() != utf8.ValidString(in) || u.Check(nil) != (bad < 0) {
		t.Fatalf("%q, cut at %v: whole is %v", in, cuts, u.Whole())
	}
	if u.Reset(); !u.Check([]byte("ä")) || !u.Whole() {
		t.Fatalf("a text after %q is not whole", in)
	}
}

// TestUTF8Bytes has every two bytes, and four of those at the borders of ranges, each as a piece.
func TestUTF8Bytes(t *testing.T) {
	edges := []byte{0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff}
	f := func(b ...byte) {
		var u UTF8
		alive := true
		for i := range b {
			alive = u.Check(b[i : i+1])
			if alive != possible(b[:i+1]) {
				t.Fatalf("% x: %v", b[:i+1], alive)
			}
		}
		if u.Whole() != utf8.Valid(b) {
			t.Fatalf("% x: whole is %v", b, u.Whole())
		}
	}
	for one := range 256 {
		for two := range 256 {
			f(byte(one), byte(two))
		}
	}
	for _, one := range edges {
		for _, two := range edges {
			for _, three := range edges {
				for _, four := range edges {
					f(one, two, three, four)
				}
			}
		}
	}
}

// possible reports whether b can become UTF-8: what is behind its last whole code point begins one.
func possible(b []byte) bool {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			return !utf8.FullRune(b)
		}
		b = b[size:]
	}
	return true
}

// TestUTF8Random cuts what is nearly UTF-8 anywhere.
func TestUTF8Random(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var in []byte
		for range random.IntN(12) {
			in = utf8.AppendRune(in, rune(random.Uint32()>>(random.IntN(20)+11)))
		}
		if len(in) > 0 && random.IntN(2) == 0 {
			in[random.IntN(len(in))] = byte(random.Uint32())
		}
		if err := randomCuts(in, random); err != nil {
			t.Fatal(err)
		}
	}
}

func randomCuts(in []byte, random *rand.Rand) error {
	var u UTF8
	for at := 0; at < len(in); {
		end := at + 1 + random.IntN(len(in)-at)
		if got := u.Check(in[at:end]); got != possible(in[:end]) {
			return fmt.Errorf("%q: %v", in[:end], got)
		}
		at = end
	}
	if u.Whole() != utf8.Valid(in) {
		return fmt.Errorf("%q: whole is %v", in, u.Whole())
	}
	return nil
}

// FuzzText: however a text is cut, it is UTF-8 if it is at once, and is refused as soon as it cannot be.
func FuzzText(f *testing.F) {
	for _, c := range texts {
		f.Add([]byte(c.in), uint64(len(c.in)))
	}
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		if err := randomCuts(in, rand.New(rand.NewPCG(seed, 0))); err != nil {
			t.Fatal(err)
		}
	})
}

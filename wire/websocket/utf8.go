package websocket

import "unicode/utf8"

// UTF8 checks that a text is UTF-8, while it arrives in pieces (section 8.1). The zero value is ready.
type UTF8 struct {
	held [utf8.UTFMax]byte // a code point that has begun
	n    int
	bad  bool
}

// Check reports whether the text can still be UTF-8 with b. It is false at the first byte that cannot be part of it, even
// within a code point, and is so until Reset.
func (u *UTF8) Check(b []byte) bool {
	for u.n > 0 && len(b) > 0 {
		u.held[u.n] = b[0]
		u.n++
		b = b[1:]
		if held := u.held[:u.n]; utf8.FullRune(held) {
			u.bad = u.bad || !utf8.Valid(held)
			u.n = 0
		}
	}
	if len(b) > 0 && !u.bad {
		rest := begun(b)
		u.bad = !utf8.Valid(b[:len(b)-rest])
		u.n = copy(u.held[:], b[len(b)-rest:])
	}
	return !u.bad
}

// begun is how many bytes at the end of b begin a code point that is not whole, and may become one.
func begun(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if last := b[len(b)-n:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) { // which what cannot become a code point is, too
				return 0
			}
			return n
		}
	}
	return 0
}

// Whole reports whether the text is UTF-8 and ends with a whole code point.
func (u *UTF8) Whole() bool { return u.n == 0 && !u.bad }

// Reset makes u ready for another text.
func (u *UTF8) Reset() { *u = UTF8{} }

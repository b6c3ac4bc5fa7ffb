package websocket

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// masked is what b is to become, byte by byte (section 5.3).
func masked(b []byte, key [4]byte, from int) []byte {
	out := bytes.Clone(b)
	for i := range out {
		out[i] ^= key[(from+i)%4]
	}
	return out
}

// TestMask has every length up to a few steps, at every alignment, with the key at every rotation; what is around it stays.
func TestMask(t *testing.T) {
	wire := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	const key, most = Key(0x3d21fa37), 150
	all := make([]byte, most+32)
	for i := range all {
		all[i] = byte(rand.Uint32())
	}
	for n := range most {
		for at := range 16 {
			for turn := range 4 {
				in := bytes.Clone(all)
				want := append(append(bytes.Clone(all[:at]), masked(all[at:at+n], wire, turn)...), all[at+n:]...)
				if next := Mask(in[at:at+n], key.After(turn)); next != key.After(turn+n) || !bytes.Equal(in, want) {
					t.Fatalf("%d bytes at %d, turned %d times: % x, then %x", n, at, turn, in, next)
				}
				got := AppendMasked(bytes.Clone(all[:at]), all[at:at+n], key.After(turn))
				if !bytes.Equal(got, want[:at+n]) {
					t.Fatalf("%d bytes behind %d, turned %d times: % x", n, at, turn, got)
				}
			}
		}
	}
}

// TestMaskPieces cuts a payload into pieces of every size.
func TestMaskPieces(t *testing.T) {
	all := make([]byte, 200)
	for i := range all {
		all[i] = byte(i)
	}
	whole := bytes.Clone(all)
	Mask(whole, 0x01020304)
	for size := 1; size < len(all); size++ {
		got, key := bytes.Clone(all), Key(0x01020304)
		var appended []byte
		for at := 0; at < len(all); at += size {
			end := min(at+size, len(all))
			appended = AppendMasked(appended, all[at:end], key)
			key = Mask(got[at:end], key)
		}
		if !bytes.Equal(got, whole) || !bytes.Equal(appended, whole) {
			t.Errorf("pieces of %d bytes become others", size)
		}
	}
}

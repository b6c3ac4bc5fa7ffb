package filesystem

import (
	"encoding/hex"
	"testing"
)

// TestRC2 has the vectors of RFC 2268 section 5 whose keys are as strong as they are long.
func TestRC2(t *testing.T) {
	f := func(key, plain, cipher string) {
		t.Helper()
		k, err := hex.DecodeString(key)
		if err != nil {
			t.Fatal(err)
		}
		b, err := hex.DecodeString(cipher)
		if err != nil {
			t.Fatal(err)
		}
		newRC2(k).Decrypt(b, b)
		if got := hex.EncodeToString(b); got != plain {
			t.Errorf("%s becomes %s, not %s", cipher, got, plain)
		}
	}
	f("ffffffffffffffff", "ffffffffffffffff", "278b27e42e2f0d49")
	f("3000000000000000", "1000000000000001", "30649edf9be7d2c2")
	f("88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "2269552ab0f85ca6")
}

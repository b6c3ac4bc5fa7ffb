package tls_test

import (
	"io"
	"testing"

	"gozilla/internal/gwtest"
)

// BenchmarkEcho sends a message through a whole gateway that ends TLS, and back. What is allocated should be nothing.
func BenchmarkEcho(b *testing.B) {
	for name, size := range map[string]int{"64": 64, "32K": 32 << 10} {
		b.Run(name, func(b *testing.B) {
			put(b, "keys", vaultOf(theWorld().server))
			c := mustShake(b, gwtest.Start(b, secured(plain)), theWorld().clientConfig())
			message := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(message); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

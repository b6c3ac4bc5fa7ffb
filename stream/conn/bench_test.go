package conn_test

import (
	"fmt"
	"io"
	"testing"

	"gozilla/stream"
)

// BenchmarkRelay sends a message there and one back through a relay.
func BenchmarkRelay(b *testing.B) {
	for _, size := range []int{64, 16 << 10} {
		for name, pair := range map[string]pairOf{"raw": sockets, "portable": bareSockets, "pipes": pipes} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				r := newRig(b, pair, pair)
				client := r.arrive(b, &stream.Info{})
				server := <-r.servers
				go io.Copy(server, onlyReader{server})
				buf := make([]byte, size)
				b.SetBytes(int64(2 * size))
				b.ReportAllocs()
				for b.Loop() {
					client.Write(buf)
					if _, err := io.ReadFull(client, buf); err != nil {
						b.Fatal(err)
					}
				}
				client.Close()
				server.Close()
				r.host.AwaitIdle(b.Context())
			})
		}
	}
}

type onlyReader struct{ io.Reader }

// BenchmarkConnection arrives, is dialled for, and ends.
func BenchmarkConnection(b *testing.B) {
	r := newRig(b, pipes, pipes)
	b.ReportAllocs()
	for b.Loop() {
		client := r.arrive(b, &stream.Info{})
		server := <-r.servers
		client.Close()
		server.Close()
	}
	r.host.AwaitIdle(b.Context())
}

package h2

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// response is what a server says of a page.
var response = [][2]string{
	{"content-type", "text/html; charset=utf-8"},
	{"content-length", "1234"},
	{"date", "Mon, 01 Jan 2024 00:00:00 GMT"},
	{"cache-control", "public, max-age=3600"},
	{"etag", "\"5f2b-61a7c0e4d8f40\""},
	{"vary", "accept-encoding"},
	{"x-request-id", "7f9c2ba4-e88f-4a7d-9c1b-2f3a4b5c6d7e"},
	{"set-cookie", "sid=8f14e45fceea167a5a36dedd4bea2543; Path=/; HttpOnly"},
}

// request is what a browser asks for.
var request = [][2]string{
	{":method", "GET"}, {":scheme", "https"}, {":authority", "www.example.com"}, {":path", "/hello?x=1"},
	{"user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"},
	{"accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"},
	{"accept-encoding", "gzip, deflate, br, zstd"}, {"accept-language", "en-US,en;q=0.9,de;q=0.8"},
	{"cookie", "sid=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=1"}, {"cache-control", "max-age=0"},
}

func BenchmarkNext(b *testing.B) {
	block := make([]byte, 300)
	for _, c := range []struct {
		name string
		in   []byte
	}{
		{"headers", EndBlock(append(BeginBlock(nil), block...), 0, 1, EndStream, FrameSize)},
		{"data", AppendData(nil, 1, EndStream, make([]byte, FrameSize))},
		{"window", AppendWindow(nil, 1, 100)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, n, err := Next(c.in, FrameSize); n != len(c.in) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func BenchmarkAppendField(b *testing.B) {
	out := make([]byte, 0, 4096)
	for _, f := range response {
		b.Run(f[0], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out = AppendField(out[:0], f[0], f[1])
			}
		})
	}
}

// BenchmarkBlock is a whole response.
func BenchmarkBlock(b *testing.B) {
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		out = AppendStatus(BeginBlock(out[:0]), 200)
		for i := range response {
			out = AppendField(out, response[i][0], response[i][1])
		}
		out = EndBlock(out, 0, 1, 0, FrameSize)
	}
}

// BenchmarkDecoder is a request that comes for the first time, and again and again.
func BenchmarkDecoder(b *testing.B) {
	var out bytes.Buffer
	encoder := hpack.NewEncoder(&out)
	write := func() []byte {
		out.Reset()
		for _, f := range request {
			encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1], Sensitive: f[0] == "cookie"})
		}
		return bytes.Clone(out.Bytes())
	}
	first, again := write(), write()
	count := 0
	run := func(d *Decoder, in []byte) {
		count = 0
		d.Begin(1<<16, 100)
		if err := d.Write(in); err != nil || d.End() != nil || count != len(request) {
			b.Fatal(count, err)
		}
	}
	for _, c := range []struct {
		name string
		in   []byte
	}{{"first", first}, {"again", again}} {
		b.Run(c.name, func(b *testing.B) {
			d := NewDecoder(func(name, value string) { count++ })
			run(d, first)
			b.ReportAllocs()
			for b.Loop() {
				run(d, c.in)
			}
		})
	}
}

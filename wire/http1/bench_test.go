package http1

import (
	"testing"
)

const (
	browserHead = "GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8501\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9,de;q=0.8\r\n" +
		"Cookie: sid=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=1\r\nReferer: https://www.example.com/some/where/else?x=1\r\n" +
		"Sec-Ch-Ua: \"Chromium\";v=\"126\", \"Not.A/Brand\";v=\"24\"\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n" +
		"Upgrade-Insecure-Requests: 1\r\nCache-Control: max-age=0\r\n"
	browserRequest = browserHead + "\r\n"
	// richRequest has 22 fields: a browser behind a CDN.
	richRequest = browserHead +
		"Sec-Fetch-Dest: document\r\nSec-Fetch-User: ?1\r\nSec-Ch-Ua-Mobile: ?0\r\nSec-Ch-Ua-Platform: \"Linux\"\r\n" +
		"Connection: keep-alive\r\nDNT: 1\r\nPriority: u=0, i\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n" +
		"X-Request-Id: 7f9c2ba4-e88f-4a7d-9c1b-2f3a4b5c6d7e\r\n\r\n"
	plainRequest  = "GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8501\r\n\r\n"
	plainResponse = "HTTP/1.1 200 OK\r\nServer: be\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n"
	richResponse  = "HTTP/1.1 200 OK\r\nServer: be\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/plain\r\n" +
		"Vary: Accept-Encoding\r\nCache-Control: public, max-age=3600\r\nETag: \"5f2b-61a7c0e4d8f40\"\r\nLast-Modified: Sun, 31 Dec 2023 10:00:00 GMT\r\n" +
		"X-Request-Id: 7f9c2ba4-e88f-4a7d-9c1b-2f3a4b5c6d7e\r\nStrict-Transport-Security: max-age=31536000; includeSubDomains\r\nContent-Length: 13\r\n\r\n"
	// chunked is a body of four chunks of 1 KiB.
	chunk   = "400\r\n" + kib + "\r\n"
	chunked = chunk + chunk + chunk + chunk + "0\r\n\r\n"
	kib     = line64 + line64 + line64 + line64 + line64 + line64 + line64 + line64 + line64 + line64 + line64 + line64 + line64 + line64 + line64 + line64
	line64  = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n"
)

func BenchmarkRequest(b *testing.B) {
	for _, c := range []struct{ name, head string }{{"plain", plainRequest}, {"browser", browserRequest}, {"rich", richRequest}} {
		b.Run(c.name, func(b *testing.B) {
			in, r := []byte(c.head), Request{}
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				n, err := End(in, 0, nil)
				if err != nil || n != len(in) {
					b.Fatal(n, err)
				}
				if err := ParseRequest(in, &r, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkResponse(b *testing.B) {
	for _, c := range []struct{ name, head string }{{"plain", plainResponse}, {"rich", richResponse}} {
		b.Run(c.name, func(b *testing.B) {
			in, r := []byte(c.head), Response{}
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				n, err := End(in, 0, nil)
				if err != nil || n != len(in) {
					b.Fatal(n, err)
				}
				if err := ParseResponse(in, &r, "GET", nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEndByBytes is a head that comes byte by byte.
func BenchmarkEndByBytes(b *testing.B) {
	in := []byte(richRequest)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		for i := range in {
			if _, err := End(in[:i+1], i, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkChunks(b *testing.B) {
	in := []byte(chunked)
	var c Chunks
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		c.Reset()
		for at := 0; !c.Done(); {
			_, n, err := c.Next(in[at:], 1<<20, nil)
			if err != nil || n == 0 {
				b.Fatal(n, err)
			}
			at += n
		}
	}
}

func BenchmarkAppendFields(b *testing.B) {
	for _, c := range []struct{ name, head string }{{"plain", plainRequest}, {"browser", browserRequest}, {"rich", richRequest}} {
		b.Run(c.name, func(b *testing.B) {
			var r Request
			if err := ParseRequest([]byte(c.head), &r, nil); err != nil {
				b.Fatal(err)
			}
			out := make([]byte, 0, 4096)
			b.ReportAllocs()
			b.SetBytes(int64(len(c.head)))
			for b.Loop() {
				if _, err := AppendFields(out, r.Fields); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendHead(b *testing.B) {
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		out = AppendStatusLine(out[:0], 404)
		out = AppendField(out, "content-type", "text/plain")
		out = AppendInt(out, "content-length", 1234)
		out = append(out, "\r\n"...)
	}
}

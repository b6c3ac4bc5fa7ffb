package clienthello

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// sent is what a client of crypto/tls sends first.
func sent(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	done := make(chan struct{})
	go func() { // ends when the pipe is closed
		defer close(done)
		tls.Client(theirs, config).Handshake()
	}()
	b := make([]byte, 64<<10)
	n, err := ours.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	for n < 5 || n < 5+int(binary.BigEndian.Uint16(b[3:])) {
		more, err := ours.Read(b[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += more
	}
	ours.Close()
	<-done
	return b[:n]
}

// v8, v16 are vectors whose length is in one byte, or two.
func v8(parts ...string) string {
	s := strings.Join(parts, "")
	return string([]byte{byte(len(s))}) + s
}

func v16(parts ...string) string {
	s := strings.Join(parts, "")
	return string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s
}

func u16(v ...uint16) string {
	var b []byte
	for _, v := range v {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return string(b)
}

func extension(id uint16, data string) string { return u16(id) + v16(data) }

func sni(name string) string { return extension(serverName, v16("\x00"+v16(name))) }

// body is that of a hello with these extensions.
func body(extensions ...string) string {
	return u16(tls.VersionTLS12) + strings.Repeat("r", 32) + v8("session") + v16(u16(0x1301)) + v8("\x00") + v16(extensions...)
}

func message(body string) string {
	return "\x01" + string([]byte{byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}) + body
}

// records puts a message into records with so many bytes of it each.
func records(message string, size int) []byte {
	var b []byte
	for part := range slices.Chunk([]byte(message), size) {
		b = append(b, handshake, major, 1)
		b = append(b, v16(string(part))...)
	}
	return b
}

func hello(extensions ...string) []byte { return records(message(body(extensions...)), recordMost) }

// check parses a stream that begins with a hello, and any shorter beginning of it.
func check(t *testing.T, stream []byte, size int, want Hello) {
	t.Helper()
	for n := range size {
		if _, got, err := Parse(stream[:n]); got != 0 || err != nil {
			t.Fatalf("%d of %d bytes: %d, %v", n, size, got, err)
		}
	}
	for n := size; n <= len(stream); n++ {
		h, got, err := Parse(stream[:n])
		if err != nil || got != size {
			t.Fatalf("%d bytes: %d, %v, not %d", n, got, err, size)
		}
		if !reflect.DeepEqual(h, want) {
			t.Fatalf("%d bytes: %+v, not %+v", n, h, want)
		}
	}
}

func TestClients(t *testing.T) {
	both := []uint16{tls.VersionTLS13, tls.VersionTLS12}
	for name, test := range map[string]struct {
		config *tls.Config
		want   Hello
	}{
		"plain":    {&tls.Config{ServerName: "example.com"}, Hello{ServerName: "example.com", Versions: both}},
		"address":  {&tls.Config{ServerName: "127.0.0.1"}, Hello{Versions: both}},
		"upper":    {&tls.Config{ServerName: "Example.COM"}, Hello{ServerName: "Example.COM", Versions: both}},
		"alpn":     {&tls.Config{ServerName: "a", NextProtos: []string{"h2", "http/1.1"}}, Hello{ServerName: "a", ALPN: []string{"h2", "http/1.1"}, Versions: both}},
		"tls 1.3":  {&tls.Config{ServerName: "a", MinVersion: tls.VersionTLS13}, Hello{ServerName: "a", Versions: both[:1]}},
		"tls 1.0":  {&tls.Config{ServerName: "a", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, Hello{ServerName: "a", Versions: []uint16{tls.VersionTLS10}}},
		"no names": {&tls.Config{InsecureSkipVerify: true}, Hello{Versions: both}},
	} {
		t.Run(name, func(t *testing.T) {
			b := sent(t, test.config)
			check(t, append(b, "and more"...), len(b), test.want)
			for _, size := range []int{1, 3, 50} {
				split := records(string(b[recordHead:]), size)
				check(t, append(split, 1, 2, 3), len(split), test.want)
			}
		})
	}
}

func TestECH(t *testing.T) {
	h, _, err := Parse(hello(sni("public.example"), extension(encryptedHello, "whatever")))
	if err != nil || !h.ECH || h.ServerName != "public.example" {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestParse(t *testing.T) {
	legacy := []uint16{tls.VersionTLS12}
	grease := uint16(0x4a4a) // RFC 8701
	for name, test := range map[string]struct {
		stream []byte
		want   Hello
	}{
		"nothing":       {hello(), Hello{Versions: legacy}},
		"no extensions": {records(message(strings.TrimSuffix(body(), "\x00\x00")), recordMost), Hello{Versions: legacy}},
		"no session":    {records(message(u16(0x0301)+strings.Repeat("r", 32)+v8()+v16(u16(1))+v8("\x01\x00")), recordMost), Hello{Versions: []uint16{0x0301}}},
		"another type of name": {hello(extension(serverName, v16("\x07"+v16("x"), "\x00"+v16("a.example"), "\x07"+v16("y")))),
			Hello{ServerName: "a.example", Versions: legacy}},
		"only another type": {hello(extension(serverName, v16("\x07"+v16("x")))), Hello{Versions: legacy}},
		"any bytes":         {hello(sni("\x00\xff")), Hello{ServerName: "\x00\xff", Versions: legacy}},
		"dot":               {hello(sni("a.example.")), Hello{ServerName: "a.example.", Versions: legacy}},
		"grease": {hello(extension(grease, ""), extension(supportedVersions, v8(u16(grease, 0x0304))),
			extension(alpn, v16(v8("\x0a\x0a"), v8("h2"))), extension(0x1a1a, "\x00")),
			Hello{ALPN: []string{"\x0a\x0a", "h2"}, Versions: []uint16{grease, 0x0304}}},
		"many extensions": {hello(manyExtensions(16000)), Hello{Versions: legacy}},
	} {
		t.Run(name, func(t *testing.T) {
			h, n, err := Parse(test.stream)
			if err != nil || n != len(test.stream) || !reflect.DeepEqual(h, test.want) {
				t.Errorf("%+v, %d of %d, %v; want %+v", h, n, len(test.stream), err, test.want)
			}
		})
	}
}

// manyExtensions are n, all of types that are not looked at.
func manyExtensions(n int) string {
	var b []byte
	for i := range n {
		b = binary.BigEndian.AppendUint16(b, uint16(1000+i))
		b = append(b, 0, 0)
	}
	return string(b)
}

// TestMoreInTheRecord has a second message behind the first.
func TestMoreInTheRecord(t *testing.T) {
	both := message(body(sni("a"))) + "\x10\x00\x00\x01x"
	want := Hello{ServerName: "a", Versions: []uint16{tls.VersionTLS12}}
	one := records(both, recordMost)
	check(t, append(one, 22, 3), len(one), want)
	for size := 1; size < len(both); size++ {
		stream := records(both, size)
		end := (len(message(body(sni("a")))) + size - 1) / size
		check(t, stream, min(len(stream), end*(recordHead+size)), want)
	}
}

func TestRefused(t *testing.T) {
	split := func(change func([]byte)) []byte {
		b := records(message(body()), 20)
		change(b)
		return b
	}
	for name, test := range map[string]struct {
		stream  []byte
		certain int // the bytes from which on it is
		want    error
	}{
		"http":                {[]byte("GET / HTTP/1.1\r\n"), 1, errRecord},
		"alert":               {[]byte{21, 3, 1, 0, 2, 1, 0}, 1, errRecord},
		"ssl 2":               {[]byte{0x80, 0x2e, 1, 0, 2}, 1, errRecord},
		"version":             {[]byte{22, 2, 0, 0}, 2, errVersion},
		"empty record":        {[]byte{22, 3, 1, 0, 0, 22, 3}, 5, errLength},
		"long record":         {[]byte{22, 3, 1, 0x40, 1, 1}, 5, errLength},
		"server hello":        {[]byte{22, 3, 1, 0, 4, 2, 0, 0, 0}, 6, errMessage},
		"long hello":          {[]byte{22, 3, 1, 0, 4, 1, 1, 0, 1, 22, 3}, 9, ErrLong},
		"long hello, split":   {records("\x01\x01\x00\x01", 1), 24, ErrLong},
		"second is an alert":  {split(func(b []byte) { b[25] = 21 }), 26, errRecord},
		"second of version 2": {split(func(b []byte) { b[26] = 2 }), 27, errVersion},
		"second is empty":     {split(func(b []byte) { b[29] = 0 }), 30, errLength},
		"split too much":      {records(message(body(manyExtensions(600))), 1), 2048 * 6, errSplit},
		"no body":             {records(message(""), recordMost), 9, errBody},
	} {
		t.Run(name, func(t *testing.T) {
			for n := max(0, test.certain-100); n <= len(test.stream); n++ {
				_, used, err := Parse(test.stream[:n])
				if want := n >= test.certain; used != 0 || want != (err != nil) || want && err != test.want {
					t.Errorf("%d bytes: %d, %v, not %v from %d on", n, used, err, test.want, test.certain)
				}
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	short := "\x03\x03" + strings.Repeat("r", 32)
	for name, test := range map[string]struct {
		body string
		want error
	}{
		"no random":           {short[:33], errBody},
		"no session":          {short, errBody},
		"long session":        {short + v8(strings.Repeat("s", 33)) + v16(u16(1)) + v8("\x00"), errBody},
		"cut session":         {short + "\x05abc", errBody},
		"no suites":           {short + v8() + v16() + v8("\x00"), errBody},
		"half a suite":        {short + v8() + v16("abc") + v8("\x00"), errBody},
		"no compression":      {short + v8() + v16(u16(1)) + v8(), errBody},
		"cut compression":     {short + v8() + v16(u16(1)), errBody},
		"after the end":       {body() + "x", errExtensions},
		"half a length":       {strings.TrimSuffix(body(), "\x00"), errExtensions},
		"half a type":         {body("\x00"), errExtensions},
		"cut extension":       {body("\x00\x07\x00\x05abc"), errExtensions},
		"twice":               {body(extension(7, ""), extension(8, ""), extension(7, "")), errTwice},
		"name twice":          {body(sni("a"), sni("a")), errTwice},
		"grease twice":        {body(extension(0x0a0a, ""), extension(0x0a0a, "")), errTwice},
		"no name list":        {body(extension(serverName, "")), errServerName},
		"empty name list":     {body(extension(serverName, v16())), errServerName},
		"after the name list": {body(extension(serverName, v16("\x00"+v16("a"))+"x")), errServerName},
		"empty name":          {body(sni("")), errServerName},
		"empty other name":    {body(extension(serverName, v16("\x07"+v16("")))), errServerName},
		"cut name":            {body(extension(serverName, v16("\x00\x00\x05abc"))), errServerName},
		"only a type of name": {body(extension(serverName, v16("\x00"))), errServerName},
		"two names":           {body(extension(serverName, v16("\x00"+v16("a"), "\x00"+v16("b")))), errServerName},
		"no protocol list":    {body(extension(alpn, "")), errALPN},
		"empty protocol list": {body(extension(alpn, v16())), errALPN},
		"empty protocol":      {body(extension(alpn, v16(v8("h2"), v8()))), errALPN},
		"cut protocol":        {body(extension(alpn, v16("\x05h2"))), errALPN},
		"after the protocols": {body(extension(alpn, v16(v8("h2"))+"x")), errALPN},
		"no versions":         {body(extension(supportedVersions, v8())), errVersions},
		"half a version":      {body(extension(supportedVersions, v8("abc"))), errVersions},
		"after the versions":  {body(extension(supportedVersions, v8(u16(0x0304))+"x")), errVersions},
	} {
		t.Run(name, func(t *testing.T) {
			stream := records(message(test.body), recordMost)
			for _, more := range []string{"", "more"} {
				if h, n, err := Parse(append(stream, more...)); err != test.want || n != 0 || !reflect.DeepEqual(h, Hello{}) {
					t.Errorf("%+v, %d, %v; want %v", h, n, err, test.want)
				}
			}
			if _, n, err := Parse(stream[:len(stream)-1]); n != 0 || err != nil {
				t.Errorf("not whole: %d, %v", n, err)
			}
		})
	}
}

// TestCost bounds what it takes to ask again and again.
func TestCost(t *testing.T) {
	stream := records(message(body(sni("a.example"))), 1)
	if n := testing.AllocsPerRun(100, func() { Parse(stream[:len(stream)-1]) }); n != 0 {
		t.Errorf("%v allocations before the hello is whole", n)
	}
	if n := testing.AllocsPerRun(100, func() { Parse([]byte("GET / HTTP/1.1\r\n")) }); n != 0 {
		t.Errorf("%v allocations to refuse", n)
	}
	whole := hello(sni("a.example"))
	if n := testing.AllocsPerRun(100, func() { Parse(whole) }); n > 2 { // the name and the version
		t.Errorf("%v allocations", n)
	}
}

// crypto gives what crypto/tls makes of the stream; ok is false if it takes it for no hello.
func crypto(t *testing.T, stream []byte) (h Hello, ok bool) {
	t.Helper()
	config := &tls.Config{GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		h = Hello{ServerName: info.ServerName, ALPN: info.SupportedProtos, Versions: info.SupportedVersions,
			ECH: slices.Contains(info.Extensions, encryptedHello)}
		ok = true
		return nil, errors.New("seen")
	}}
	tls.Server(readOnly{bytes.NewReader(stream)}, config).HandshakeContext(context.Background())
	return h, ok
}

// A readOnly is a connection from which a stream can be read, and which takes everything.
type readOnly struct{ io.Reader }

func (readOnly) Write(b []byte) (int, error)      { return len(b), nil }
func (readOnly) Close() error                     { return nil }
func (readOnly) LocalAddr() net.Addr              { return nil }
func (readOnly) RemoteAddr() net.Addr             { return nil }
func (readOnly) SetDeadline(time.Time) error      { return nil }
func (readOnly) SetReadDeadline(time.Time) error  { return nil }
func (readOnly) SetWriteDeadline(time.Time) error { return nil }

func seed(f *testing.F) {
	for _, config := range []*tls.Config{
		{ServerName: "example.com"},
		{ServerName: "example.com", NextProtos: []string{"h2", "http/1.1"}},
		{ServerName: "example.com", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12},
	} {
		b := sent(f, config)
		f.Add(b)
		f.Add(records(string(b[recordHead:]), 100))
	}
	f.Add(hello(sni("a"), extension(encryptedHello, "x"), extension(0x0a0a, "")))
	f.Add(records(message(body(sni("a")))+"more", 7))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Add([]byte{22, 3, 1, 0, 4, 1, 1, 0, 1})
}

// FuzzParse gives a stream in every length: bytes that come later change nothing that is known.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, stream []byte) {
		if len(stream) > 4096 {
			return // it takes the square of the length
		}
		whole, size, fault := Parse(stream)
		if size > len(stream) || fault != nil && size != 0 {
			t.Fatalf("%d of %d bytes, %v", size, len(stream), fault)
		}
		known := false
		for n := range stream {
			h, got, err := Parse(stream[:n])
			now := got > 0 || err != nil
			if known && !now || now && (got != size || err != fault || !reflect.DeepEqual(h, whole)) {
				t.Fatalf("%d bytes: %+v, %d, %v; all %d: %+v, %d, %v", n, h, got, err, len(stream), whole, size, fault)
			}
			if size > 0 && now != (n >= size) {
				t.Fatalf("decided at %d bytes, of %d", n, size)
			}
			known = now
		}
	})
}

// FuzzCrypto asks crypto/tls too: what it takes for a hello is one, with the same names. It differs on purpose where RFC
// 8446 is clear, but a server of crypto/tls would only find out later, or does not mind: a session id of more than 32
// bytes, no cipher suites, no compression methods, a record of another version, and records before the end of the hello
// that are of another kind, or empty. And it has no bound on the number of records.
func FuzzCrypto(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, stream []byte) {
		want, ok := crypto(t, stream)
		got, n, err := Parse(stream)
		switch {
		case !ok || slices.Contains([]error{errBody, errRecord, errLength, errVersion, errSplit}, err):
			return
		case err != nil || n == 0:
			t.Fatalf("%d, %v; crypto/tls: %+v", n, err, want)
		}
		if got.ServerName != want.ServerName || !slices.Equal(got.ALPN, want.ALPN) || got.ECH != want.ECH {
			t.Fatalf("%+v; crypto/tls: %+v", got, want)
		}
		if len(got.Versions) > 1 && !slices.Equal(got.Versions, want.Versions) {
			t.Fatalf("%x; crypto/tls: %x", got.Versions, want.Versions)
		}
	})
}

// BenchmarkBytewise asks after each byte of a stream that is about as long as the limit Head allows by default.
func BenchmarkBytewise(b *testing.B) {
	long := message(body(manyExtensions(16000)))
	for name, stream := range map[string][]byte{
		"large": records(long, recordMost),
		"worst": append(records(long[:2040], 1), records(long[2040:], recordMost)...),
	} {
		b.Run(name, func(b *testing.B) {
			stream = stream[:60<<10]
			for b.Loop() {
				for n := range stream {
					if _, _, err := Parse(stream[:n]); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	stream := sent(b, &tls.Config{ServerName: "example.com", NextProtos: []string{"h2", "http/1.1"}})
	b.ReportAllocs()
	for b.Loop() {
		if _, n, err := Parse(stream); n == 0 || err != nil {
			b.Fatal(err)
		}
	}
}

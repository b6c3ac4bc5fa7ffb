package h2

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// fieldsOf is what the table of others makes of a block.
func fieldsOf(t *testing.T, block []byte) (all []hpack.HeaderField) {
	t.Helper()
	all, err := hpack.NewDecoder(TableSize, nil).DecodeFull(block)
	if err != nil {
		t.Fatalf("%x: %v", block, err)
	}
	return all
}

// TestAppendField looks at the bytes.
func TestAppendField(t *testing.T) {
	f := func(name, value, want string) {
		t.Helper()
		got := AppendField([]byte("was"), name, value)
		if string(got) != "was"+want {
			t.Errorf("%s: %q is %q, not %q", name, value, got[3:], want)
		}
		field := fieldsOf(t, got[3:])
		if len(field) != 1 || field[0].Name != name || field[0].Value != value {
			t.Errorf("%s: %q is read as %v", name, value, field)
		}
	}
	a126, a127, a254, a255 := strings.Repeat("a", 126), strings.Repeat("a", 127), strings.Repeat("a", 254), strings.Repeat("a", 255)
	f(":method", "GET", "\x82")
	f(":method", "POST", "\x83")
	f(":method", "PUT", "\x02\x03PUT")
	f(":status", "500", "\x8e")
	f(":status", "501", "\x08\x03501")
	f(":path", "/index.html", "\x85")
	f("accept-encoding", "gzip, deflate", "\x90")
	f("accept-encoding", "gzip", "\x0f\x01\x04gzip")
	f("accept-charset", "utf-8", "\x0f\x00\x05utf-8")
	f("content-type", "text/plain", "\x0f\x10\x0atext/plain")
	f("content-type", "", "\x9f")
	f("www-authenticate", "Basic", "\x0f\x2e\x05Basic")
	f("x-a", "", "\x00\x03x-a\x00")
	f("x-a", "b", "\x00\x03x-a\x01b")
	f("", "", "\x00\x00\x00")
	f("authorization", "a", "\x1f\x08\x01a")
	f("proxy-authorization", "a", "\x1f\x22\x01a")
	f("cookie", "a=b", "\x1f\x11\x03a=b")
	f("set-cookie", "a=b", "\x1f\x28\x03a=b")
	f("cookies", "a=b", "\x00\x07cookies\x03a=b")
	f("via", a126, "\x0f\x2d\x7e"+a126)
	f("via", a127, "\x0f\x2d\x7f\x00"+a127)
	f("via", a254, "\x0f\x2d\x7f\x7f"+a254)
	f("via", a255, "\x0f\x2d\x7f\x80\x01"+a255)
	f(a127, a255, "\x00\x7f\x00"+a127+"\x7f\x80\x01"+a255)
	f("via", strings.Repeat("a", 100000), "\x0f\x2d\x7f\xa1\x8c\x06"+strings.Repeat("a", 100000))
	f("x", "\x00\xff\r\n", "\x00\x01x\x04\x00\xff\r\n") // it is trusted
}

// TestStatic compares the static table with that of x/net, and looks for each entry and for each name.
func TestStatic(t *testing.T) {
	for i := 1; i < len(static); i++ {
		e := static[i]
		if f := fieldsOf(t, []byte{0x80 | byte(i)}); f[0].Name != e.name || f[0].Value != e.value {
			t.Errorf("entry %d is %v, not %v", i, f[0], e)
		}
		if got := AppendField(nil, e.name, e.value); len(got) != 1 || got[0] != 0x80|byte(i) {
			t.Errorf("entry %d, %v, is %x", i, e, got)
		}
		if s := staticOf(e.name); s == nil || s.first > uint8(i) || s.last < uint8(i) {
			t.Errorf("the name %s is %v", e.name, s)
		}
		for _, other := range []string{e.name + "x", e.name[1:], strings.ToUpper(e.name), "x" + e.name} {
			if s := staticOf(other); s != nil && s.name != other {
				t.Errorf("the name %s is %v", other, s)
			}
		}
	}
}

func TestAppendPseudo(t *testing.T) {
	f := func(got []byte, name, value string) {
		t.Helper()
		if want := AppendField(nil, name, value); !bytes.Equal(got, want) {
			t.Errorf("%s: %q is %q, not %q", name, value, got, want)
		}
	}
	for status := 100; status < 1000; status++ {
		f(AppendStatus(nil, status), ":status", strconv.Itoa(status))
	}
	for _, v := range []string{"GET", "POST", "PUT", "OPTIONS", "CONNECT", "X"} {
		f(AppendMethod(nil, v), ":method", v)
	}
	for _, v := range []string{"http", "https", "ws"} {
		f(AppendScheme(nil, v), ":scheme", v)
	}
	for _, v := range []string{"a", "example.com:8080"} {
		f(AppendAuthority(nil, v), ":authority", v)
	}
	for _, v := range []string{"/", "*", "/things?x=1", strings.Repeat("/a", 1000)} {
		f(AppendPath(nil, v), ":path", v)
	}
}

// TestEndBlock: a block is cut where it must be, and is the same then.
func TestEndBlock(t *testing.T) {
	f := func(size, most int, flags Flags, sizes ...int) {
		t.Helper()
		block := dice{rand.New(rand.NewPCG(5, uint64(size)))}.exactly(size)
		for _, room := range []int{0, 10000} { // with and without it, for what is added
			dst := append(make([]byte, 0, 3+HeadSize+size+room), "was"...)
			out := EndBlock(append(BeginBlock(dst), block...), 3, 7, flags, most)
			if !bytes.HasPrefix(out, []byte("was")) {
				t.Errorf("%d by %d: what was there is not any more", size, most)
			}
			reader, _ := framer(out[3:], uint32(max(most, FrameSize)))
			reader.AllowIllegalReads = false // it looks at the order
			var got []byte
			var gotSizes []int
			for i, in := 0, out[3:]; len(in) > 0; i++ {
				f, n, err := Next(in, most)
				theirs, err2 := reader.ReadFrame()
				if n == 0 || err != nil || err2 != nil || !same(f, ours(theirs)) {
					t.Fatalf("%d by %d: frame %d: %+v, %v, %v", size, most, i, f, err, err2)
				}
				want := Frame{Type: Continuation, Stream: 7, Size: f.Size, Payload: f.Payload}
				if i == 0 {
					want.Type, want.Flags = Headers, flags&EndStream
				}
				if n == len(in) {
					want.Flags |= EndHeaders
				}
				if !same(f, want) {
					t.Errorf("%d by %d: %+v, not %+v", size, most, f, want)
				}
				got, gotSizes, in = append(got, f.Payload...), append(gotSizes, f.Size), in[n:]
			}
			if !bytes.Equal(got, block) || !slices.Equal(gotSizes, sizes) {
				t.Errorf("%d by %d: frames of %v", size, most, gotSizes)
			}
		}
	}
	f(0, 10, 0, 0)
	f(0, 10, EndStream, 0)
	f(9, 10, EndStream, 9)
	f(10, 10, EndStream|EndHeaders, 10)
	f(11, 10, EndStream|EndHeaders, 10, 1)
	f(20, 10, 0, 10, 10)
	f(29, 10, EndStream, 10, 10, 9)
	f(5, 1, EndStream, 1, 1, 1, 1, 1)
	f(FrameSize, FrameSize, 0, FrameSize)
	f(FrameSize+1, FrameSize, 0, FrameSize, 1)
	f(3*FrameSize+100, FrameSize, EndStream, FrameSize, FrameSize, FrameSize, 100)
}

// TestNothingAllocates is what the path of bytes relies on.
func TestNothingAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	out, body := make([]byte, 0, 1<<16), make([]byte, 1000)
	long := strings.Repeat("a", 1000)
	f := func(name string, run func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, run); n > 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	f("AppendField", func() {
		AppendField(AppendField(AppendField(out, "content-type", "text/html"), "x-a", long), "cookie", long)
	})
	f("AppendStatus", func() { AppendStatus(AppendStatus(out, 200), 201) })
	f("pseudo-header fields", func() {
		AppendPath(AppendAuthority(AppendScheme(AppendMethod(out, "PUT"), "https"), "example.com"), "/things")
	})
	f("EndBlock", func() { EndBlock(append(BeginBlock(out), body...), 0, 1, EndStream, 100) })
	f("AppendData", func() { AppendData(out, 1, EndStream, body) })
	f("AppendPriority", func() { AppendPriority(out, 1, 3, 1, true) })
	f("AppendReset", func() { AppendReset(out, 1, Cancel) })
	f("AppendSettings", func() {
		AppendSettingsAck(AppendSettings(out, Setting{MaxStreams, 100}, Setting{InitialWindow, 1 << 20}))
	})
	f("AppendPromise", func() { AppendPromise(out, 1, 2, body) })
	f("AppendPing", func() { AppendPing(out, Ack, [8]byte{1}) })
	f("AppendGoAway", func() { AppendGoAway(out, 1, EnhanceYourCalm, "too much") })
	f("AppendWindow", func() { AppendWindow(out, 1, 100) })
	d := dice{rand.New(rand.NewPCG(6, 7))}
	for kind := range types {
		in, _ := d.append(nil, Type(kind))
		f("Next", func() {
			if _, n, err := Next(in, FrameSize); n == 0 || err != nil {
				t.Fatal(n, err)
			}
		})
	}
	in := AppendSettings(nil, Setting{MaxStreams, 100}, Setting{InitialWindow, 1 << 20})[HeadSize:]
	f("NextSetting", func() {
		if _, rest, err := NextSetting(in); len(rest) != 6 || err != nil {
			t.Fatal(rest, err)
		}
	})
}

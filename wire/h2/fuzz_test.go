package h2

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// FuzzNext: a frame is what it is for the Framer, or both refuse it.
func FuzzNext(f *testing.F) {
	for _, c := range badFrames {
		f.Add([]byte(c.in))
	}
	f.Add([]byte(raw(Settings, 0, 0, "\x00\x02\x00\x00\x00\x01\x00\x04\xff\xff\xff\xff")))
	f.Add([]byte(raw(Headers, Prioritied|Padded, 1, "\x01\x00\x00\x00\x03\x07abc-")))
	f.Fuzz(func(t *testing.T, b []byte) {
		const most = 300
		g, n, err := Next(b, most)
		fault, _ := err.(*Fault)
		switch {
		case n < 0, n > len(b), err != nil && fault == nil, fault != nil && (n > 0) != (fault.Stream > 0):
			t.Fatal(n, err)
		case n > 0 && (n != HeadSize+g.Size || g.Size > most || len(g.Payload) > g.Size || cap(g.Payload) > cap(b[:n:n])):
			t.Fatalf("%d bytes, %+v", n, g)
		}
		if err == nil && g.Type == Settings && n > 0 {
			err = settingsFault(t, g.Payload)
		}
		framer, _ := framer(b, most)
		theirs, theirErr := framer.ReadFrame()
		if short := errors.Is(theirErr, io.EOF) || errors.Is(theirErr, io.ErrUnexpectedEOF); n == 0 && err == nil || short {
			// What is too short in itself is, for the Framer, as what has not come.
			if !short || n > 0 {
				t.Fatalf("%d bytes, %v; the Framer says %v", n, err, theirErr)
			}
			return
		}
		if known(g, err, n) {
			return
		}
		if (err != nil) != (theirErr != nil) {
			t.Fatalf("%+v, %v; the Framer says %v", g, err, theirErr)
		}
		if err == nil && !same(g, ours(theirs)) {
			t.Fatalf("%+v; the Framer reads %+v", g, ours(theirs))
		}
	})
}

// known reports whether it is a frame that the Framer sees in another way: it knows PRIORITY_UPDATE, lets streams depend on
// themselves and servers promise any stream, and does not look at all values of settings.
func known(f Frame, err error, n int) bool {
	return f.Type == Type(http2.FramePriorityUpdate) || err != nil && (f.Type == Settings && n > 0 ||
		(f.Type == Headers || f.Type == Priority) && f.Number == f.Stream || f.Type == Promise && (f.Number == 0 || f.Number%2 != 0))
}

// settingsFault is the fault of the first setting that has one.
func settingsFault(t *testing.T, payload []byte) (first error) {
	count := len(payload) / 6
	for ; len(payload) > 0; count-- {
		s, rest, err := NextSetting(payload)
		if !bytes.Equal(AppendSettings(nil, s)[HeadSize:], payload[:6]) {
			t.Fatalf("%+v", s)
		}
		if payload = rest; first == nil {
			first = err
		}
	}
	if count != 0 {
		t.Fatalf("there are %d settings more", count)
	}
	return first
}

// FuzzDecoder: two blocks are the same in any fragments, and the same for the table of others, and the bounds hold.
func FuzzDecoder(f *testing.F) {
	for _, c := range badBlocks {
		f.Add([]byte("\x40\x01a\x01b\x82"), []byte(c.in), uint16(1), uint16(1000), uint8(100))
	}
	f.Add([]byte("\x00\x7f\x80\x80\x04"+string(make([]byte, 1<<16+127))+"\x01a"), []byte("\xbe"), uint16(700), uint16(100), uint8(9))
	f.Add([]byte("\x40\x01a\x01b\x40\x8cAtlas gets it right"), []byte("\x20\x3f\xe1\x1f\xbe\xbf"), uint16(3), uint16(70), uint8(9))
	f.Fuzz(func(t *testing.T, b1, b2 []byte, size, most uint16, count uint8) {
		whole, parts, theirs := newReader(), newReader(), hpack.NewDecoder(TableSize, nil)
		for _, b := range [][]byte{b1, b2} {
			err := whole.block(b, max(1, len(b)), int(most), int(count))
			err2 := parts.block(b, max(1, int(size)), int(most), int(count))
			if text(err) != text(err2) || !slices.Equal(whole.got, parts.got) || whole.Large() != parts.Large() {
				t.Fatalf("at once %v, %v; in parts %v, %v", whole.got, err, parts.got, err2)
			}
			if c := cap(parts.held); c > 4*(int(most)+mostCode+100) {
				t.Fatalf("%d bytes are held", c)
			}
			bounds(t, whole, int(most), int(count))
			want, theirErr := theirs.DecodeFull(b)
			if err != nil || theirErr != nil {
				// Others take long numbers, and a resize of an empty table anywhere, but not a second one of another table. And
				// they look into strings that we skip.
				e, second := text(err), theirErr != nil && strings.Contains(theirErr.Error(), "size update MUST")
				if theirErr == nil && !strings.HasSuffix(e, errNumber.Error()) && !strings.HasSuffix(e, errResize.Error()) || err == nil && !second && !whole.Large() {
					t.Fatalf("%v, but %v for others", err, theirErr)
				}
				return
			}
			for i := range want {
				want[i].Sensitive = false
			}
			if got := whole.got; len(got) > len(want) || !slices.Equal(got, want[:len(got)]) || whole.Large() != (len(got) < len(want)) {
				t.Fatalf("%v, large: %v; not %v", got, whole.Large(), want)
			}
		}
	})
}

// bounds looks at what was given.
func bounds(t *testing.T, r *reader, most, count int) {
	size := 0
	for _, f := range r.got {
		size += int(f.Size())
	}
	if size > most || len(r.got) > count {
		t.Fatalf("%d fields of %d bytes, of at most %d and %d", len(r.got), size, count, most)
	}
}

// FuzzBlock: what is written is read, by us and by others.
func FuzzBlock(f *testing.F) {
	f.Add("content-type", "text/plain", "x-a", "b", uint16(200), uint16(10))
	f.Add("cookie", "a=b", ":method", "GET", uint16(999), uint16(1))
	f.Add("", "", "accept-encoding", "gzip, deflate", uint16(100), uint16(FrameSize))
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string, status, most uint16) {
		want, _ := fields(":status", fmt.Sprintf("%03d", status%1000), name1, value1, name2, value2,
			":path", value1, ":scheme", value1, ":method", value2, ":authority", value2)
		limit := max(1, int(most))
		b := AppendField(AppendField(AppendStatus(BeginBlock(nil), int(status)%1000), name1, value1), name2, value2)
		b = EndBlock(AppendAuthority(AppendMethod(AppendScheme(AppendPath(b, value1), value1), value2), value2), 0, 1, EndStream, limit)
		r := newReader()
		r.Begin(1<<30, len(want))
		for i := 0; len(b) > 0; i++ {
			f, n, err := Next(b, limit)
			if n == 0 || err != nil || (i == 0) != (f.Type == Headers) || (f.Flags&EndHeaders != 0) != (n == len(b)) || (f.Flags&EndStream != 0) != (i == 0) {
				t.Fatalf("frame %d: %+v, %v", i, f, err)
			}
			if err := r.Write(f.Payload); err != nil {
				t.Fatal(err)
			}
			b = b[n:]
		}
		if err := r.End(); err != nil || r.Large() || !slices.Equal(r.got, want) {
			t.Fatalf("%q, %v, not %q", r.got, err, want)
		}
	})
}

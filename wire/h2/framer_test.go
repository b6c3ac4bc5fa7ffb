package h2

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"golang.org/x/net/http2"
)

// framer is the party that is known to be right. It reads in, and what it writes is in out.
func framer(in []byte, most uint32) (f *http2.Framer, out *bytes.Buffer) {
	out = &bytes.Buffer{}
	f = http2.NewFramer(out, bytes.NewReader(in))
	f.AllowIllegalReads = true // only the order of frames is not looked at then
	f.SetMaxReadFrameSize(most)
	return f, out
}

// ours is what Next makes of a frame that the Framer has read.
func ours(theirs http2.Frame) Frame {
	h := theirs.Header()
	f := Frame{Type: Type(h.Type), Flags: Flags(h.Flags), Stream: h.StreamID, Size: int(h.Length)}
	switch g := theirs.(type) {
	case *http2.DataFrame:
		f.Payload = g.Data()
	case *http2.HeadersFrame:
		f.Payload, f.Number = g.HeaderBlockFragment(), g.Priority.StreamDep
	case *http2.PriorityFrame:
		f.Number = g.StreamDep
	case *http2.RSTStreamFrame:
		f.Code = Code(g.ErrCode)
	case *http2.SettingsFrame:
		var all []Setting
		g.ForeachSetting(func(s http2.Setting) error {
			all = append(all, Setting{uint16(s.ID), s.Val})
			return nil
		})
		f.Payload = AppendSettings(nil, all...)[HeadSize:]
	case *http2.PushPromiseFrame:
		f.Payload, f.Number = g.HeaderBlockFragment(), g.PromiseID
	case *http2.PingFrame:
		f.Payload = g.Data[:]
	case *http2.GoAwayFrame:
		f.Payload, f.Number, f.Code = g.DebugData(), g.LastStreamID, Code(g.ErrCode)
	case *http2.WindowUpdateFrame:
		f.Number = g.Increment
	case *http2.ContinuationFrame:
		f.Payload = g.HeaderBlockFragment()
	case *http2.UnknownFrame:
		f.Payload = g.Payload()
	}
	return f
}

// same compares frames; no payload is an empty one.
func same(a, b Frame) bool {
	if !bytes.Equal(a.Payload, b.Payload) {
		return false
	}
	a.Payload, b.Payload = nil, nil
	return reflect.DeepEqual(a, b)
}

// A dice makes frames out of a seed.
type dice struct{ *rand.Rand }

func (d dice) stream() uint32 { return d.Uint32N(1<<31-2) + 1 }

func (d dice) bytes(most int) []byte { return d.exactly(d.IntN(most + 1)) }

func (d dice) exactly(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(d.Uint32())
	}
	return b
}

func (d dice) flags(of ...Flags) (f Flags) {
	for _, one := range of {
		if d.IntN(2) == 0 {
			f |= one
		}
	}
	return f
}

// settings are some that may be.
func (d dice) settings() (all []Setting) {
	for range d.IntN(8) {
		s := Setting{uint16(d.UintN(12)), d.Uint32()}
		switch s.ID {
		case EnablePush, EnableConnect:
			s.Value &= 1
		case InitialWindow:
			s.Value &= MostWindow
		case MaxFrameSize:
			s.Value = FrameSize + s.Value%(1<<24-FrameSize)
		}
		all = append(all, s)
	}
	return all
}

// append appends a frame of a type, and is what it must be read as.
func (d dice) append(dst []byte, t Type) ([]byte, Frame) {
	f := Frame{Type: t, Stream: d.stream()}
	switch t {
	case Data:
		f.Flags, f.Payload = d.flags(EndStream), d.bytes(300)
		dst = AppendData(dst, f.Stream, f.Flags, f.Payload)
	case Headers:
		f.Flags, f.Payload = d.flags(EndStream), d.bytes(300)
		at := len(dst)
		dst = EndBlock(append(BeginBlock(dst), f.Payload...), at, f.Stream, f.Flags, 300)
		f.Flags |= EndHeaders
	case Priority:
		f.Number = f.Stream ^ 1
		dst = AppendPriority(dst, f.Stream, f.Number, uint8(d.Uint32()), d.IntN(2) == 0)
	case Reset:
		f.Code = Code(d.Uint32())
		dst = AppendReset(dst, f.Stream, f.Code)
	case Settings:
		f.Stream = 0
		if d.IntN(4) == 0 {
			f.Flags = Ack
			dst = AppendSettingsAck(dst)
			break
		}
		at := len(dst)
		dst = AppendSettings(dst, d.settings()...)
		f.Payload = bytes.Clone(dst[at+HeadSize:])
	case Promise:
		f.Number, f.Flags, f.Payload = d.stream()&^1|2, EndHeaders, d.bytes(300)
		dst = AppendPromise(dst, f.Stream, f.Number, f.Payload)
	case Ping:
		data := [8]byte(fmt.Appendf(nil, "%08x", d.Uint32()))
		f.Stream, f.Flags, f.Payload = 0, d.flags(Ack), data[:]
		dst = AppendPing(dst, f.Flags, data)
	case GoAway:
		f.Number, f.Stream, f.Code, f.Payload = f.Stream, 0, Code(d.Uint32()), d.bytes(100)
		dst = AppendGoAway(dst, f.Number, f.Code, string(f.Payload))
	case Window:
		if d.IntN(2) == 0 {
			f.Stream = 0
		}
		f.Number = d.stream()
		dst = AppendWindow(dst, f.Stream, f.Number)
	}
	return dst, f
}

const types = 9 // that are appended by themselves; Continuation is a matter of EndBlock

// TestAppend: what is appended, the Framer reads, and so do we.
func TestAppend(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(1, 2))}
	for i := range 2000 {
		was := d.bytes(20)
		out, want := d.append(bytes.Clone(was), Type(i%types))
		want.Size = len(out) - len(was) - HeadSize
		if !bytes.HasPrefix(out, was) {
			t.Fatalf("%v: what was there is not any more", want.Type)
		}
		theirs, _ := framer(out[len(was):], FrameSize)
		g, err := theirs.ReadFrame()
		if err != nil {
			t.Fatalf("%+v: the Framer says %v", want, err)
		}
		if got := ours(g); !same(got, want) {
			t.Fatalf("the Framer reads %+v, not %+v", got, want)
		}
		if got, n, err := Next(out[len(was):], FrameSize); err != nil || n != want.Size+HeadSize || !same(got, want) {
			t.Fatalf("%d bytes, %v: %+v, not %+v", n, err, got, want)
		}
	}
}

// TestAppendPriority looks at what Next does not tell.
func TestAppendPriority(t *testing.T) {
	for _, exclusive := range []bool{false, true} {
		theirs, _ := framer(AppendPriority(nil, 1, 3, 200, exclusive), FrameSize)
		g, err := theirs.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if p := g.(*http2.PriorityFrame).PriorityParam; p.StreamDep != 3 || p.Weight != 200 || p.Exclusive != exclusive {
			t.Errorf("%+v", p)
		}
	}
}

// write has the Framer write a frame of any of the ten types.
func (d dice) write(f *http2.Framer, t Type) error {
	stream, block, pad := d.stream(), d.bytes(300), uint8(d.UintN(256)*d.UintN(2))
	switch t {
	case Data:
		return f.WriteDataPadded(stream, d.IntN(2) == 0, block, make([]byte, pad))
	case Headers:
		p := http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndStream: d.IntN(2) == 0, EndHeaders: d.IntN(2) == 0, PadLength: pad}
		if d.IntN(2) == 0 {
			p.Priority = http2.PriorityParam{StreamDep: stream ^ 1, Exclusive: d.IntN(2) == 0, Weight: uint8(d.Uint32())}
		}
		return f.WriteHeaders(p)
	case Priority:
		return f.WritePriority(stream, http2.PriorityParam{StreamDep: stream ^ 1, Exclusive: d.IntN(2) == 0, Weight: uint8(d.Uint32())})
	case Reset:
		return f.WriteRSTStream(stream, http2.ErrCode(d.Uint32()))
	case Settings:
		if d.IntN(4) == 0 {
			return f.WriteSettingsAck()
		}
		var all []http2.Setting
		for _, s := range d.settings() {
			all = append(all, http2.Setting{ID: http2.SettingID(s.ID), Val: s.Value})
		}
		return f.WriteSettings(all...)
	case Promise:
		return f.WritePushPromise(http2.PushPromiseParam{StreamID: stream, PromiseID: stream&^1 | 2, BlockFragment: block, EndHeaders: d.IntN(2) == 0, PadLength: pad})
	case Ping:
		return f.WritePing(d.IntN(2) == 0, [8]byte(fmt.Appendf(nil, "%08x", d.Uint32())))
	case GoAway:
		return f.WriteGoAway(stream, http2.ErrCode(d.Uint32()), block)
	case Window:
		return f.WriteWindowUpdate(stream*d.Uint32N(2), stream)
	}
	return f.WriteContinuation(stream, d.IntN(2) == 0, block)
}

// TestWritten: what the Framer writes, we read as it reads it.
func TestWritten(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(3, 4))}
	writer, out := framer(nil, FrameSize)
	for i := range 2000 {
		if err := d.write(writer, Type(i%10)); err != nil {
			t.Fatal(err)
		}
	}
	reader, _ := framer(out.Bytes(), FrameSize)
	in := out.Bytes()
	for i := range 2000 {
		g, err := reader.ReadFrame()
		if err != nil {
			t.Fatal(i, err)
		}
		f, n, err := Next(in, FrameSize)
		if want := ours(g); err != nil || n != HeadSize+want.Size || !same(f, want) {
			t.Fatalf("%d bytes, %v: %+v, not %+v", n, err, f, want)
		}
		in = in[n:]
	}
	if len(in) != 0 {
		t.Errorf("%d bytes are left", len(in))
	}
}

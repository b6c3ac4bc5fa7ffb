package h2

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// A reader is a Decoder with what it has taken.
type reader struct {
	*Decoder
	got []hpack.HeaderField
}

func newReader() *reader {
	r := &reader{}
	r.Decoder = NewDecoder(func(name, value string) { r.got = append(r.got, hpack.HeaderField{Name: name, Value: value}) })
	return r
}

// block reads a block in fragments of a size.
func (r *reader) block(in []byte, size, most, count int) error {
	r.got = r.got[:0]
	r.Begin(most, count)
	for part := range slices.Chunk(in, size) {
		part = bytes.Clone(part)
		if err := r.Write(part); err != nil {
			return err
		}
		clear(part) // nothing may be kept of it
	}
	return r.End()
}

// fields makes fields of names and values, and count how large they are.
func fields(of ...string) (all []hpack.HeaderField, size int) {
	for i := 0; i < len(of); i += 2 {
		f := hpack.HeaderField{Name: of[i], Value: of[i+1]}
		all, size = append(all, f), size+int(f.Size())
	}
	return all, size
}

// random are fields of which many come again.
func (d dice) random() (all []hpack.HeaderField) {
	for range d.IntN(20) {
		f := hpack.HeaderField{Name: fmt.Sprint("x-", d.IntN(30)), Sensitive: d.IntN(8) == 0}
		if d.IntN(2) == 0 {
			f.Name = static[1+d.IntN(61)].name
		}
		switch d.IntN(8) {
		case 0:
			f.Value = string(d.bytes(1000))
		case 1:
			f.Value = strings.Repeat("e", d.IntN(6000))
		default:
			f.Value = fmt.Sprint("value ", d.IntN(10))
		}
		all = append(all, f)
	}
	return all
}

var sizes = []int{1, 2, 3, 7, 100, 1 << 20}

// TestDecoder: what the encoder of others writes, with Huffman code and a table that changes its size, we read.
func TestDecoder(t *testing.T) {
	for _, size := range sizes {
		d := dice{rand.New(rand.NewPCG(8, uint64(size)))}
		var out bytes.Buffer
		encoder, r := hpack.NewEncoder(&out), newReader()
		for i := range 200 {
			if d.IntN(5) == 0 {
				encoder.SetMaxDynamicTableSize(d.Uint32N(2 * TableSize))
				encoder.SetMaxDynamicTableSize(d.Uint32N(TableSize + 1))
			}
			out.Reset()
			want := d.random()
			for _, f := range want {
				if err := encoder.WriteField(f); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.block(out.Bytes(), size, 1<<20, 100); err != nil || r.Large() {
				t.Fatalf("block %d by %d: %v, large: %v", i, size, err, r.Large())
			}
			for i := range want {
				want[i].Sensitive = false
			}
			if !slices.Equal(r.got, want) {
				t.Fatalf("block %d by %d: %v, not %v", i, size, r.got, want)
			}
		}
	}
}

// TestLarge: beyond the bounds nothing is given, and the table stays in step.
func TestLarge(t *testing.T) {
	all, total := fields("a", "1", "bb", "22", "ccc", "333")
	f := func(most, count, given int) {
		t.Helper()
		for _, size := range sizes {
			var out bytes.Buffer
			encoder, r := hpack.NewEncoder(&out), newReader()
			for round := range 3 { // at first the fields are literals, then they are in the table
				out.Reset()
				for _, f := range all {
					encoder.WriteField(f)
				}
				if err := r.block(out.Bytes(), size, most, count); err != nil || r.Large() != (given < len(all)) || !slices.Equal(r.got, all[:given]) {
					t.Errorf("%d bytes and %d fields, round %d by %d: %v, %v, large: %v", most, count, round, size, r.got, err, r.Large())
				}
			}
			if err := r.block(out.Bytes(), size, 1<<20, 100); err != nil || r.Large() || !slices.Equal(r.got, all) {
				t.Errorf("%d bytes and %d fields, then enough: %v, %v, large: %v", most, count, r.got, err, r.Large())
			}
		}
	}
	f(total, len(all), 3)
	f(total-1, len(all), 2)
	f(total, len(all)-1, 2)
	f(total, 0, 0)
	f(0, 100, 0)
	f(-1, 100, 0)
	f(34, 100, 1)
	f(33, 100, 0)
}

// TestLong: a string that is too long makes the block large, whatever it is part of. What the table of others says of
// the next block, which knows no bounds, ours says too.
func TestLong(t *testing.T) {
	long := strings.Repeat("e", 100_000)
	start := "\x40\x01a\x01b" // a field for the table
	f := func(name, block string) {
		t.Helper()
		for _, most := range []int{100, mostCode + 1000} { // a string is skipped behind mostCode bytes, or behind more
			for _, size := range sizes {
				r, theirs := newReader(), hpack.NewDecoder(TableSize, nil)
				for _, in := range []string{start, block + "\x00\x01c\x01d"} {
					if _, err := theirs.DecodeFull([]byte(in)); err != nil {
						t.Fatal(name, err)
					}
					if err := r.block([]byte(in), size, most, 100); err != nil || r.Large() != (in != start && (len(block) > 50_000 || most == 100)) {
						t.Errorf("%s by %d: %v, large: %v", name, size, err, r.Large())
					}
				}
				if r.Large() && len(r.got) > 0 {
					t.Errorf("%s by %d: %.80v", name, size, r.got)
				}
				if c := cap(r.held); c > TableSize {
					t.Errorf("%s by %d: %d bytes are kept", name, size, c)
				}
				for _, next := range []string{"\xbf", "\xbe", "\xc0"} {
					want, wantErr := theirs.DecodeFull([]byte(next))
					err := r.block([]byte(next), size, 1<<20, 100)
					if (err != nil) != (wantErr != nil) || err == nil && !slices.Equal(r.got, want) {
						t.Errorf("%s by %d, then %q: %.80v, %v, not %.80v, %v", name, size, next, r.got, err, want, wantErr)
					}
				}
			}
		}
	}
	code := func(s string) string { // with Huffman code
		h := string(hpack.AppendHuffmanString(nil, s))
		return string(appendNumber(nil, indexed, 7, len(h))) + h
	}
	plain := func(s string) string { return string(appendString(nil, s)) }
	for _, form := range []string{"\x00", "\x10", "\x40"} {
		f("a long value", form+plain("n")+plain(long))
		f("a long name", form+plain(long)+plain("v"))
		f("a long name and a long value", form+plain(long)+plain(long))
		f("a long coded value", form+plain("n")+code(long))
		f("a long coded name", form+code(long)+plain("v"))
		f("a long name and nothing", form+plain(long)+plain(""))
		f("a long value of a name that is known", string([]byte{form[0] | 2})+plain(long))
		f("a long value, then what goes into the table", form+plain("n")+plain(long)+start)
		f("an empty table", form+plain("n")+plain(long)+"\x40\x01e\x01f\x40\x01g\x01h")
	}
	f("a long value of a name in the table", "\x7e"+plain(long))
	// What just has a place in the table, and just not; what is just decoded, and just skipped.
	for _, n := range []int{TableSize - 32 - 1, TableSize - 32, mostCode - 1, mostCode, mostCode + 1} {
		f(fmt.Sprint("a value of ", n), "\x40\x01n"+plain(strings.Repeat("e", n)))
	}
}

var badBlocks = []struct{ in, want string }{
	{"\x80", "invalid indexed representation index 0"},
	{"\xbe", "invalid indexed representation index 62"},
	{"\xff\xff\x7f", "invalid indexed representation index 16510"},
	{"\x7f\x00\x01a", "invalid indexed representation index 63"},
	{"\x7e\x7f\x80\x80\x04" + strings.Repeat("a", 1<<16+127), "invalid indexed representation index 62"}, // though it is skipped
	{"\x00\x82\xff\xff\x00", "hpack: invalid Huffman-encoded data"},
	{"\x82\x20", "the size of the dynamic table changes behind a field"},
	{"\x00\x01a\x00\x20", "the size of the dynamic table changes behind a field"},
	{"\x3f\xe2\x1f", "the dynamic table becomes larger than is allowed"}, // 4097
	{"\x3f\xff\xff\xff\x7f", "the dynamic table becomes larger than is allowed"},
	{"\xff\x80\x80\x80\x80\x00", "a number is too large"},
	{"\x3f\x80\x80\x80\x80\x00", "a number is too large"},
	{"\x0f\x80\x80\x80\x80\x00", "a number is too large"},
	{"\x00\x7f\x80\x80\x80\x80\x00", "a number is too large"},
	{"\x02\x7f\x80\x80\x80\x80\x00", "a number is too large"},
	{"\x02\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "a number is too large"},
	{"\x00", "it ends within a field"},
	{"\x00\x01", "it ends within a field"},
	{"\x00\x01a", "it ends within a field"},
	{"\x00\x01a\x01", "it ends within a field"},
	{"\x82\xff", "it ends within a field"},
	{"\x3f", "it ends within a field"},
	{"\x02\x7f\x80\x80\x04", "it ends within a field"},
	{"\x02\x7f\x80\x80\x04abc", "it ends within a field"},
	{"\x00\x7f\x80\x80\x04" + strings.Repeat("a", 1<<16+127), "it ends within a field"},
	{"\x00\x7f\x80\x80\x04" + strings.Repeat("a", 1<<16+127) + "\x7f", "it ends within a field"},
	{"\x00\x7f\x80\x80\x04" + strings.Repeat("a", 1<<16+127) + "\x01", "it ends within a field"},
}

func TestFaultsOfBlocks(t *testing.T) {
	for _, c := range badBlocks {
		for _, size := range sizes {
			err := newReader().block([]byte(c.in), size, 1000, 100)
			if fault, ok := err.(*Fault); !ok || fault.Stream != 0 || fault.Error() != "COMPRESSION_ERROR: a header block cannot be decoded: "+c.want {
				t.Errorf("%q by %d: %v", c.in[:min(20, len(c.in))], size, err)
			}
		}
	}
}

// TestResize: the table changes its size at the beginning of a block, and twice if need be.
func TestResize(t *testing.T) {
	for _, size := range sizes {
		r := newReader()
		f := func(in string, want ...string) {
			t.Helper()
			all, _ := fields(want...)
			if err := r.block([]byte(in), size, 1000, 100); err != nil || !slices.Equal(r.got, all) {
				t.Errorf("%q by %d: %v, %v", in, size, r.got, err)
			}
		}
		f("\x40\x01a\x01b\x40\x01c\x01d", "a", "b", "c", "d")
		f("\xbe\xbf", "c", "d", "a", "b")
		f("\x3f\x09\x3f\xe1\x1f\xbe", "c", "d") // to 40, which is room for one, and to 4096
		f("\x3f\xe1\x1f")
		f("\x40\x01e\x01f\xbe\xbf", "e", "f", "e", "f", "c", "d")
		f("\x20\x3f\xe1\x1f\x82", ":method", "GET")
		if err := r.block([]byte("\xbe"), size, 1000, 100); err == nil {
			t.Errorf("by %d: the table is not empty: %v", size, r.got)
		}
	}
}

// TestBomb: what is small on the wire and large in memory costs nothing once it is too large.
func TestBomb(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	value := strings.Repeat("v", 4000)
	references := bytes.Repeat([]byte("\xbe"), FrameSize)
	literals := bytes.Repeat([]byte("\x00\x01a\x01b"), FrameSize/5)
	endless := append([]byte("\x00\x01a\x7f\xff\xff\xff\x7f"), make([]byte, 1<<20)...)
	given := 0
	d := NewDecoder(func(name, value string) { given++ })
	d.Begin(1<<16, 100)
	if err := d.Write(append([]byte("\x40\x01a"), appendString(nil, value)...)); err != nil || d.End() != nil {
		t.Fatal(err)
	}
	for _, in := range [][]byte{references, literals, endless} {
		given = 0
		n := testing.AllocsPerRun(10, func() {
			d.Begin(1<<16, 100)
			for range 10 {
				if err := d.Write(in); err != nil {
					t.Fatal(err)
				}
			}
		})
		if n > 2*100+20 || !d.Large() || given > 11*100 {
			t.Errorf("%q…: %v allocations, %d fields, large: %v", in[:8], n, given, d.Large())
		}
	}
}

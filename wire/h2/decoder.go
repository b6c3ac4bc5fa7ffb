package h2

import (
	"errors"

	"golang.org/x/net/http2/hpack"
)

// A Decoder turns header blocks into fields. It keeps the dynamic table of its peer: every block of a connection must go
// through it, in order, also those of which nothing is wanted. After an error the table is out of step, and the connection
// lost.
//
// A block that is too large is no error, whatever is too large in it: many fields, or a string that never ends. It is
// decoded to its end, so that the table stays in step and the stream can be answered, but of what is beyond the bounds
// nothing is kept. What is held of a field in fragments is no more than the larger of 30 KiB and twice the most of Begin,
// and the time is that of the bytes that come, in however small fragments.
type Decoder struct {
	take  func(name, value string)
	table *hpack.Decoder // is given whole fields only
	size  uint32         // that the table may have
	left  int            // bytes that the fields of the block may still have
	count int            // and fields that there may still be
	most  int            // bytes of a string, as it is encoded, that is not skipped
	large bool
	began bool   // a field of the block has come
	held  []byte // of a field that is not complete
	need  int    // bytes that held must have before more of it can be told
	skip  int    // bytes to come of a string that is too long
	value bool   // a value comes behind those, to be skipped as well
}

// mostCode is how many bytes are a string that surely has no place in the dynamic table: Huffman code makes at most 30 bits
// of a byte (RFC 7541, appendix B).
const mostCode = TableSize * 30 / 8

// NewDecoder makes a decoder; take is given each field. Its strings own their bytes.
func NewDecoder(take func(name, value string)) *Decoder {
	d := &Decoder{take: take, size: TableSize}
	d.table = hpack.NewDecoder(TableSize, d.emit)
	return d
}

// Begin begins a block whose fields may have most bytes, counted as SETTINGS_MAX_HEADER_LIST_SIZE counts them (section
// 6.5.2), and be count in number. What is beyond is not given to take, see Large.
func (d *Decoder) Begin(most, count int) {
	d.left, d.count, d.most = most, count, max(most, mostCode)
	d.large, d.began = false, false
	d.held, d.skip, d.value = d.held[:0], 0, false
	d.table.SetEmitEnabled(true)
}

// Write decodes a fragment. The error is a *Fault COMPRESSION_ERROR.
func (d *Decoder) Write(fragment []byte) error {
	for p := fragment; len(p) > 0; {
		if d.skip > 0 {
			n := min(d.skip, len(p))
			p, d.skip = p[n:], d.skip-n
			continue
		}
		b := p
		if len(d.held) > 0 {
			n := min(d.need-len(d.held), len(p))
			d.held, p = append(d.held, p[:n]...), p[n:]
			if len(d.held) < d.need {
				return nil
			}
			b = d.held
		}
		n, err := d.step(b)
		switch {
		case err != nil:
			return compression(err)
		case len(d.held) > 0 && n > 0:
			d.held = d.held[:0] // need was no more than what step has used
		case len(d.held) == 0 && n == 0:
			d.held, p = append(d.held, p...), nil
		case len(d.held) == 0:
			p = p[n:]
		}
	}
	return nil
}

// End ends the block. The error is a *Fault COMPRESSION_ERROR.
func (d *Decoder) End() error {
	if len(d.held) > 0 || d.skip > 0 || d.value {
		return compression(errTruncated)
	}
	if cap(d.held) > TableSize { // it was needed for once
		d.held = nil
	}
	return nil
}

// Large reports whether the block had more than Begin allows, as far as it has come.
func (d *Decoder) Large() bool { return d.large }

// emit is given each field by the table.
func (d *Decoder) emit(f hpack.HeaderField) {
	d.count--
	d.left -= int(f.Size())
	if d.count < 0 || d.left < 0 {
		d.overflow()
		return
	}
	d.take(f.Name, f.Value)
}

// overflow is that the bounds are exceeded: of what follows, only what goes into the table is made strings of.
func (d *Decoder) overflow() {
	d.large = true
	d.table.SetEmitEnabled(false)
}

var (
	errTruncated = errors.New("it ends within a field")
	errNumber    = errors.New("a number is too large")
	errResize    = errors.New("the size of the dynamic table changes behind a field")
	errSize      = errors.New("the dynamic table becomes larger than is allowed")
)

// compression is the fault that comes of an error.
func compression(err error) *Fault {
	var decoding hpack.DecodingError
	if errors.As(err, &decoding) {
		err = decoding.Err
	}
	return &Fault{0, CompressionError, "a header block cannot be decoded: " + err.Error()}
}

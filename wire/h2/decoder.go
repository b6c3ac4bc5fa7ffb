package h2

import (
	"errors"

	"golang.org/x/net/http2/hpack"
)

// A Decoder turns header blocks into fields. It keeps the dynamic table of its peer: every block of a connection must go
// through it, in order, also those of which nothing is wanted.
type Decoder struct {
	take  func(name, value string)
	table *hpack.Decoder
	left  int // bytes that fields may still have
	count int // and fields that there may still be
	large bool
}

// NewDecoder makes a decoder; take is given each field. Its strings own their bytes.
func NewDecoder(take func(name, value string)) *Decoder {
	d := &Decoder{take: take}
	d.table = hpack.NewDecoder(TableSize, d.emit)
	return d
}

// Begin begins a block whose fields may have most bytes, counted as SETTINGS_MAX_HEADER_LIST_SIZE counts them (section
// 6.5.2), and be count in number. What is beyond is not given to take, see Large.
func (d *Decoder) Begin(most, count int) {
	d.left, d.count, d.large = most, count, false
	d.table.SetMaxStringLength(max(1, most))
	d.table.SetEmitEnabled(true)
}

// Write decodes a fragment. The error is a *Fault COMPRESSION_ERROR.
func (d *Decoder) Write(fragment []byte) error {
	if _, err := d.table.Write(fragment); err != nil {
		return compression(err)
	}
	return nil
}

// End ends the block. The error is a *Fault COMPRESSION_ERROR.
func (d *Decoder) End() error {
	if err := d.table.Close(); err != nil {
		return compression(err)
	}
	return nil
}

// Large reports whether the block had more than Begin allows.
func (d *Decoder) Large() bool { return d.large }

// emit is given each field by the table.
func (d *Decoder) emit(f hpack.HeaderField) {
	d.count--
	d.left -= int(f.Size())
	if d.count < 0 || d.left < 0 {
		d.large = true
		d.table.SetEmitEnabled(false) // what follows is not even decoded, but for the table
		return
	}
	d.take(f.Name, f.Value)
}

func compression(err error) *Fault {
	var decoding hpack.DecodingError
	if errors.As(err, &decoding) {
		err = decoding.Err
	}
	return &Fault{0, CompressionError, err.Error()}
}

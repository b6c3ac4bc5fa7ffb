package ws

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"sync"

	"gozilla/stream/ws"
	"gozilla/wire/websocket"
)

// A compressed message is one of its own (RFC 7692, section 7.1.1.1): nothing is kept from one to the next, so that an idle
// socket holds none of what follows.

// deflateEnd is what a compressed message lacks at its end (section 7.2.1), and a last block, which flate.Reader wants.
const deflateEnd = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// inflating is a compressed message that comes.
type inflating struct {
	in    *receiving
	z     io.ReadCloser // a flate.Reader
	plain *[muchSize]byte
	size  int64 // of what it was made to
	over  bool  // all was given

	data []byte // payload that z has not read
	last bool   // there is no more
	end  int    // of deflateEnd, given to z
}

var inflaters = sync.Pool{New: func() any { return &inflating{z: flate.NewReader(bytes.NewReader(nil)), plain: new([muchSize]byte)} }}

func beginInflating(in *receiving, data []byte, last bool) *inflating {
	f := inflaters.Get().(*inflating)
	f.in, f.size, f.over, f.data, f.last, f.end = in, 0, false, data, last, 0
	f.z.(flate.Resetter).Reset(f, nil) // which does not fail
	return f
}

// inflate is Receive within a compressed message.
func (in *receiving) inflate() (ws.Piece, error) {
	f := in.flate
	n, err := f.fill(f.plain[:])
	f.size += int64(n)
	last := err == io.EOF
	switch {
	case f.size > in.most:
		err = in.refuse(errLong)
	case in.err != nil:
		err = in.err
	case last:
		err = nil
	case err != nil:
		err = in.refuse(errDeflate)
	}
	f.over = last
	if err != nil {
		return ws.Piece{}, err
	}
	return in.piece(f.plain[:n], last)
}

// packedMost is how many bytes a message of most may have while it is compressed: what cannot be compressed becomes longer,
// by an eighth at worst, which are the 9 bits that a byte has by the fixed codes of deflate (RFC 1951, section 3.2.6), and by
// the beginnings and ends of blocks.
func packedMost(most int64) int64 { return most + most/8 + 1<<10 }

var errDeflate = &websocket.Fault{Code: websocket.InvalidPayload, What: "a compressed message cannot be read"}

// endInflating gives back what a message has held.
func (in *receiving) endInflating() {
	if f := in.flate; f != nil {
		in.flate = nil
		f.in, f.data = nil, nil
		inflaters.Put(f)
	}
}

// fill reads as much of the message as b has room for. The error is io.EOF at its end.
func (f *inflating) fill(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = f.z.Read(b[n:])
		if n += m; err == io.EOF {
			err = f.again()
		}
	}
	return n, err
}

// again goes on behind a block that says that it is the last: others may follow (section 7.2.1). The error is io.EOF if none
// do.
func (f *inflating) again() error {
	for len(f.data) == 0 && !f.last {
		if err := f.more(); err != nil {
			return err
		}
	}
	if len(f.data) == 0 {
		return io.EOF
	}
	return f.z.(flate.Resetter).Reset(f, nil)
}

func (f *inflating) more() (err error) {
	f.data, f.last, err = f.in.payload()
	return err
}

// Read is what z reads, so is ReadByte.
func (f *inflating) Read(p []byte) (int, error) {
	for len(f.data) == 0 && !f.last {
		if err := f.more(); err != nil {
			return 0, err
		}
	}
	if len(f.data) > 0 {
		n := copy(p, f.data)
		f.data = f.data[n:]
		return n, nil
	}
	n := copy(p, deflateEnd[f.end:])
	if f.end += n; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (f *inflating) ReadByte() (byte, error) {
	if len(f.data) > 0 {
		c := f.data[0]
		f.data = f.data[1:]
		return c, nil
	}
	var b [1]byte
	_, err := f.Read(b[:])
	return b[0], err
}

// deflateLeast is how long a message is at least that is worth being compressed, and deflatesMost how many are at a time: each
// takes more than half a megabyte meanwhile. Those beyond go out as they are.
const (
	deflateLeast = 64
	deflatesMost = 64
)

var (
	deflates  = make(chan struct{}, deflatesMost)
	deflaters = sync.Pool{New: func() any {
		d := &deflating{}
		d.z, _ = flate.NewWriter(&d.out, flate.BestSpeed) // the level is one that there is
		return d
	}}
)

// deflating is a message that is compressed on its way out.
type deflating struct {
	z   *flate.Writer
	out bytes.Buffer
}

// beginDeflating is nil if enough are compressed.
func beginDeflating() *deflating {
	select {
	case deflates <- struct{}{}:
	default:
		return nil
	}
	d := deflaters.Get().(*deflating)
	d.out.Reset()
	d.z.Reset(&d.out)
	return d
}

func (d *deflating) end() {
	deflaters.Put(d)
	<-deflates
}

// add compresses a piece, and gives what is ready to be sent: valid until the next call.
func (d *deflating) add(b []byte, last bool) ([]byte, error) {
	d.out.Reset()
	if _, err := d.z.Write(b); err != nil {
		return nil, err
	}
	if !last {
		return d.out.Bytes(), nil
	}
	if err := d.z.Flush(); err != nil {
		return nil, err
	}
	whole, found := bytes.CutSuffix(d.out.Bytes(), []byte(deflateEnd[:4]))
	if !found {
		return nil, errFlush
	}
	return whole, nil
}

var errFlush = errors.New("the compression has not ended as it should")

// deflated is a whole message compressed, to keep; nil if it cannot be.
func deflated(b []byte) []byte {
	deflates <- struct{}{}
	d := deflaters.Get().(*deflating)
	defer d.end()
	d.z.Reset(&d.out)
	if b, err := d.add(b, true); err == nil {
		return bytes.Clone(b)
	}
	return nil
}

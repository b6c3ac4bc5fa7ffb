package http1

import "bytes"

// Chunks reads a chunked body (section 7.1). Its zero value is ready.
type Chunks struct {
	state   chunkState
	left    int64  // bytes of data to come in this chunk
	extra   int    // bytes of extensions so far
	held    []byte // of a trailer that is not complete
	trailer []Field
	fault   error // that there was, after which there is nothing else
}

type chunkState uint8

const (
	atSize chunkState = iota
	inData
	afterData
	inTrailer
	ended
	faulty
)

// Bounds of ours.
const (
	sizeLine   = 256     // bytes of the line with a chunk's size, CR LF included
	sizeDigits = 16      // of a size, leading zeros included
	sizeMost   = 1 << 56 // of a chunk
	extraMost  = 16 << 10
)

// Reset makes c ready for another body.
func (c *Chunks) Reset() {
	*c = Chunks{trailer: c.trailer[:0]}
}

// Next looks at b, bytes that have come. data is a piece of the body, part of b, at most most bytes, which is 1 or more;
// n is how many bytes of b are used up with it, data included. No data and n 0: more bytes are needed, or the body has
// ended. b need not hold more than 256 bytes at once.
//
// An error is a *Fault with the status for a request. It is there to stay.
func (c *Chunks) Next(b []byte, most int, l *Limits) (data []byte, n int, err error) {
	for {
		step := 0
		switch c.state {
		case atSize:
			step, err = c.size(b[n:])
		case inData:
			data = b[n : n+int(min(c.left, int64(most), int64(len(b)-n)))]
			if c.left -= int64(len(data)); c.left == 0 {
				c.state = afterData
			}
			return data, n + len(data), nil
		case afterData:
			step, err = c.dataEnd(b[n:])
		case inTrailer:
			step, err = c.trail(b[n:], l)
		case faulty:
			err = c.fault
		}
		if err != nil {
			c.state, c.fault = faulty, err
			return nil, n, err
		}
		if n += step; step == 0 {
			return nil, n, nil
		}
	}
}

// Done reports whether the body has ended, and its trailer. The bytes after it are the next message's.
func (c *Chunks) Done() bool { return c.state == ended }

// Trailer is the trailer of a body that is done, but for the fields that may not stand there.
func (c *Chunks) Trailer() []Field { return c.trailer }

// size reads the line before a chunk.
func (c *Chunks) size(b []byte) (n int, err error) {
	size, i := int64(0), 0
	for ; i < len(b) && hex[b[i]] >= 0; i++ {
		if size = size<<4 | int64(hex[b[i]]); i == sizeDigits || size > sizeMost {
			return 0, errChunkBig
		}
	}
	if i == len(b) {
		return 0, nil
	}
	if i == 0 {
		return 0, errChunkSize
	}
	end, err := extension(b[:min(len(b), sizeLine)], i)
	if err != nil || end == 0 {
		return 0, err
	}
	if c.extra += end - 2 - i; c.extra > extraMost {
		return 0, errChunkExts
	}
	if c.left, c.state = size, inData; size == 0 {
		c.state = inTrailer
	}
	return end, nil
}

// extension reads what follows a size at b[i]: nothing, or extensions, which are ignored (section 7.1.1). It gives the
// index behind the CR LF, or 0 if that has not come.
func extension(b []byte, i int) (int, error) {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	if i < len(b) && b[i] != ';' && b[i] != '\r' {
		return 0, errChunkSize
	}
	i = control(b, i)
	switch {
	case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
		return i + 2, nil
	case i < len(b) && b[i] != '\r', i+1 < len(b):
		return 0, errChunkExt
	case len(b) == sizeLine:
		return 0, errChunkLine
	}
	return 0, nil
}

// dataEnd reads the CR LF behind the data of a chunk.
func (c *Chunks) dataEnd(b []byte) (int, error) {
	switch {
	case len(b) > 0 && b[0] != '\r', len(b) > 1 && b[1] != '\n':
		return 0, errChunkEnd
	case len(b) < 2:
		return 0, nil
	}
	c.state = atSize
	return 2, nil
}

// trail reads a trailer, or a part of one, which is held until it is complete: so the caller needs no room for it.
func (c *Chunks) trail(b []byte, l *Limits) (n int, err error) {
	if len(c.held) == 0 && len(b) >= 2 && b[0] == '\r' && b[1] == '\n' {
		c.state = ended
		return 2, nil
	}
	limits := l.filled()
	for n < len(b) {
		from := len(c.held)
		line := b[n:min(len(b), n+limits.Trailer+1-from)] // one byte too many tells that the trailer is too long
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		c.held = append(c.held, line...)
		if err := noStray(c.held, max(0, from-1)); err != nil {
			return n, err
		}
		if len(c.held) > limits.Trailer {
			return n, ErrTrailer
		}
		n += len(line)
		if bytes.HasSuffix(c.held, emptyLine) || string(c.held) == "\r\n" {
			return n, c.endTrailer(limits.Fields)
		}
	}
	return n, nil
}

// endTrailer reads the trailer that is held.
func (c *Chunks) endTrailer(most int) error {
	h := head{m: c.held, kind: ofTrailer}
	fields, err := h.fields(c.trailer[:0], most)
	c.held = nil
	if err == nil {
		c.trailer, c.state = fields, ended
	}
	return err
}

// barred reports whether a field may not stand in a trailer (RFC 9110, 6.5.1).
func barred(name string) bool {
	switch name {
	case "transfer-encoding", "content-length", "host", "connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade",
		"expect", "max-forwards", "authorization", "proxy-authorization", "cookie", "set-cookie",
		"content-encoding", "content-type", "content-range":
		return true
	}
	return false
}

// hex maps digits to what they are worth, and others to -1.
var hex = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i := range int8(16) {
		t["0123456789abcdef"[i]], t["0123456789ABCDEF"[i]] = i, i
	}
	return t
}()

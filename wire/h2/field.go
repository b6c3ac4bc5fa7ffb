package h2

// step looks at the representation at the beginning of b, and uses n bytes of it. If n is 0 it is not complete, and need is
// how many bytes b must have before more can be told. The table could do that itself, but it would look at a field anew with
// each fragment, would hold any number of bytes, and would lose its step with a string that is too long.
func (d *Decoder) step(b []byte) (n int, err error) {
	d.need = len(b) + 1
	switch {
	case d.value:
		size, n, err := number(b, 7)
		if n > 0 {
			d.skip, d.value = size, false
		}
		return n, err
	case b[0]&byte(indexed) != 0:
		_, n, err := number(b, 7)
		if n == 0 {
			return 0, err
		}
		return n, d.feed(b[:n])
	case b[0]&0xe0 == byte(resizing):
		return d.resize(b)
	}
	return d.literal(b)
}

// feed gives a field to the table.
func (d *Decoder) feed(field []byte) error {
	d.began = true
	_, err := d.table.Write(field)
	return err
}

// resize changes the size of the table, which a block may do at its beginning, and twice: to the smallest size that there was
// since the last block, and to the last one (RFC 7541, 4.2).
func (d *Decoder) resize(b []byte) (n int, err error) {
	size, n, err := number(b, 5)
	switch {
	case n == 0:
		return 0, err
	case d.began:
		return 0, errResize
	case size > TableSize:
		return 0, errSize
	}
	d.size = uint32(size)
	d.table.SetMaxDynamicTableSize(d.size)
	return n, nil
}

// literal looks at a field with a value of its own, and maybe a name.
func (d *Decoder) literal(b []byte) (n int, err error) {
	f, bits := literal, uint(4)
	if b[0]&byte(incremental) != 0 {
		f, bits = incremental, 6
	}
	index, n, err := number(b, bits)
	if n == 0 {
		return 0, err
	}
	if index == 0 {
		size, k, err := number(b[n:], 7)
		switch {
		case k == 0:
			return 0, err
		case size > d.most:
			d.skip, d.value = size, true
			return n + k, d.drop(f, 0)
		}
		n += k + size
	}
	if n >= len(b) {
		d.need = n + 1
		return 0, nil
	}
	size, k, err := number(b[n:], 7)
	switch {
	case k == 0:
		return 0, err
	case size > d.most:
		d.skip = size
		return n + k, d.drop(f, index)
	}
	if n += k + size; n > len(b) {
		d.need = n
		return 0, nil
	}
	return n, d.feed(b[:n])
}

// drop does what a field with a string that is skipped does to the table: it is larger than the table, and so empties it (RFC
// 7541, 4.4).
func (d *Decoder) drop(f form, index int) error {
	d.overflow()
	d.began = true
	if index > 0 { // is there such a name?
		field := appendNumber(make([]byte, 0, 8), literal, 4, index)
		if err := d.feed(append(field, 0)); err != nil {
			return err
		}
	}
	if f == incremental {
		d.table.SetMaxDynamicTableSize(0)
		d.table.SetMaxDynamicTableSize(d.size)
	}
	return nil
}

// number reads a number that begins with the last bits of a byte (RFC 7541, 5.1), n bytes. n is 0 if it is not complete. One
// of more than four further bytes is too large.
func number(b []byte, bits uint) (v, n int, err error) {
	if len(b) == 0 {
		return 0, 0, nil
	}
	full := 1<<bits - 1
	if v = int(b[0]) & full; v < full {
		return v, 1, nil
	}
	for n = 1; n < len(b); n++ {
		if n > 4 {
			return 0, 0, errNumber
		}
		c := b[n]
		v += int(c&127) << (7 * (n - 1))
		if c < 128 {
			return v, n + 1, nil
		}
	}
	return 0, 0, nil
}

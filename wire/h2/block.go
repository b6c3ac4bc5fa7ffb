package h2

import "slices"

// AppendField appends a field of a header block: a reference to the static table where that has it, else a literal without
// indexing, or never indexed for what is secret (authorization, proxy-authorization, cookie, set-cookie; RFC 7541, 7.1.3).
// The name is in lower case. It is trusted, and so is the value.
func AppendField(dst []byte, name, value string) []byte {
	s := staticOf(name)
	if s == nil {
		dst = slices.Grow(dst, 1+len(name)+len(value)+2*mostInt)
		return appendString(appendString(append(dst, byte(literal)), name), value)
	}
	for i := s.first; i <= s.last; i++ {
		if static[i].value == value {
			return append(dst, byte(indexed)|i)
		}
	}
	return appendNamed(dst, s.form, s.first, value)
}

// mostInt is how many bytes the length of a string has at most: that of one in memory is a matter of 63 bits.
const mostInt = 10

// appendNamed appends a literal whose name is in the static table.
func appendNamed(dst []byte, f form, index uint8, value string) []byte {
	dst = slices.Grow(dst, 2+mostInt+len(value))
	if index < 15 { // 4 bits
		dst = append(dst, byte(f)|index)
	} else {
		dst = append(dst, byte(f)|15, index-15)
	}
	return appendString(dst, value)
}

// appendString appends a string without Huffman code (RFC 7541, 5.2).
func appendString(dst []byte, s string) []byte {
	return append(appendNumber(dst, 0, 7, len(s)), s...)
}

// appendNumber appends a number that begins with the last bits of a byte (RFC 7541, 5.1), behind those of a form.
func appendNumber(dst []byte, f form, bits uint, n int) []byte {
	full := 1<<bits - 1
	if n < full {
		return append(dst, byte(f)|byte(n))
	}
	dst = append(dst, byte(f)|byte(full))
	for n -= full; n >= 128; n >>= 7 {
		dst = append(dst, byte(n)|128)
	}
	return append(dst, byte(n))
}

// AppendStatus appends :status, which is one of three digits.
func AppendStatus(dst []byte, status int) []byte {
	switch status {
	case 200:
		return append(dst, byte(indexed)|8)
	case 204:
		return append(dst, byte(indexed)|9)
	case 206:
		return append(dst, byte(indexed)|10)
	case 304:
		return append(dst, byte(indexed)|11)
	case 400:
		return append(dst, byte(indexed)|12)
	case 404:
		return append(dst, byte(indexed)|13)
	case 500:
		return append(dst, byte(indexed)|14)
	}
	return append(dst, byte(literal)|8, 3, '0'+byte(status/100), '0'+byte(status/10%10), '0'+byte(status%10))
}

// AppendMethod appends :method.
func AppendMethod(dst []byte, v string) []byte {
	switch v {
	case "GET":
		return append(dst, byte(indexed)|2)
	case "POST":
		return append(dst, byte(indexed)|3)
	}
	return appendNamed(dst, literal, 2, v)
}

// AppendScheme appends :scheme.
func AppendScheme(dst []byte, v string) []byte {
	switch v {
	case "http":
		return append(dst, byte(indexed)|6)
	case "https":
		return append(dst, byte(indexed)|7)
	}
	return appendNamed(dst, literal, 6, v)
}

// AppendAuthority appends :authority.
func AppendAuthority(dst []byte, v string) []byte { return appendNamed(dst, literal, 1, v) }

// AppendPath appends :path.
func AppendPath(dst []byte, v string) []byte {
	if v == "/" {
		return append(dst, byte(indexed)|4)
	}
	return appendNamed(dst, literal, 4, v)
}

// AppendTableSize appends a dynamic table size update, which begins a block (RFC 7541, 6.3).
func AppendTableSize(dst []byte, size int) []byte { return appendNumber(dst, 0x20, 5, size) }

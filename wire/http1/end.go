package http1

import "bytes"

// Lead is how many bytes of empty lines stand before a request line, and are to be skipped (section 2.2).
func Lead(b []byte) int {
	n := 0
	for n+1 < len(b) && b[n] == '\r' && b[n+1] == '\n' {
		n += 2
	}
	return n
}

// End looks for the end of a head in b: n is its length, 0 while it is not complete. seen is how many bytes of b an earlier
// call has looked at already, 0 the first time, so that a head that comes byte by byte costs no more.
//
// A *Fault comes as soon as the bytes seen cannot become a head: the first of them begins no token, one is a control
// character, a CR or an LF is alone, or the limits are exceeded. A complete head is only measured: what is in it is the
// business of ParseRequest and ParseResponse. The status of the Fault is that of a request; for a response it is 502.
func End(b []byte, seen int, l *Limits) (n int, err error) {
	limits := l.filled()
	if n = headEnd(b, max(0, seen-2)); n > 0 && n <= limits.Head {
		return n, nil
	}
	if len(b) > 0 && lower[b[0]] == 0 && (b[0] != '\r' || len(b) > 1) {
		return 0, errBegin // a CR alone may become an empty line, which Lead skips
	}
	if err := noStray(b, max(0, seen-1)); err != nil {
		return 0, err
	}
	// The first line has ended in time if it has by its limit, so only the call that passes the limit needs to look.
	if seen <= limits.Target+1 && len(b) > limits.Target {
		line := b[:min(len(b), limits.Target+2)]
		if bytes.IndexByte(line, '\n') < 0 && (len(line) > limits.Target+1 || line[limits.Target] != '\r') {
			return 0, ErrTarget
		}
	}
	if len(b) >= limits.Head {
		return 0, ErrHead // be it that the end has come: it would be too late
	}
	return 0, nil
}

var emptyLine = []byte("\r\n\r\n")

// headEnd is the index behind the first empty line that follows an LF at p or later, or 0. It goes from LF to LF, which
// IndexByte finds faster than Index finds four bytes of which the first two end each line.
func headEnd(b []byte, p int) int {
	for {
		i := bytes.IndexByte(b[p:], '\n')
		if i < 0 {
			return 0
		}
		if p += i + 1; p+1 < len(b) && b[p] == '\r' && b[p+1] == '\n' {
			return p + 2
		}
	}
}

// noStray looks from b[p] on for what no head has: control characters, and a CR or LF that is alone. A CR at the end of b
// may still get its LF.
func noStray(b []byte, p int) error {
	for {
		p = control(b, p)
		switch {
		case p == len(b):
			return nil
		case b[p] == '\n' && (p == 0 || b[p-1] != '\r'):
			return &ruleLF.request
		case b[p] == '\r' && p+1 < len(b) && b[p+1] != '\n':
			return &ruleCR.request
		case b[p] != '\r' && b[p] != '\n':
			return &ruleControl.request
		}
		p++
	}
}

package tls

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"gozilla/stream/conn"
)

// A transport is what a tls.Conn stands on. It reads ahead as much as has come, and gives the bytes out record by record,
// so that it knows where a record is complete; it gathers the records of one write into one system call. Bytes are
// counted here, as they are on the wire.
type transport struct {
	end   *conn.End
	count struct{ read, written func(int) }

	// Of who reads:
	in     []byte // what has come and was not given out; it stands in the End's buffer
	left   int    // bytes of the current record that were not given out
	head   [recordHead]byte
	headed int   // bytes of head, while a header comes in pieces
	alert  byte  // that was fatal and not encrypted; 0: there was none
	over   error // what ended the reading
	now    bool  // Read does not wait

	mu     sync.Mutex // guards what follows
	out    *[]byte    // what is held back
	holds  bool
	broken bool // something was not written
}

// recordHead is the length of the header of a TLS record (RFC 8446, section 5.1).
const recordHead = 5

// later is the error of a Read that does not wait. It is temporary, so that tls.Conn goes on where it was.
type later struct{}

func (later) Error() string   { return "nothing has come yet" }
func (later) Timeout() bool   { return true }
func (later) Temporary() bool { return true }

// Read gives out what has come, at most to the end of the current record.
func (t *transport) Read(p []byte) (int, error) {
	if len(t.in) == 0 {
		switch {
		case t.over != nil:
			return 0, t.over
		case t.now:
			return 0, later{}
		}
		b, err := t.end.Recv()
		if err != nil {
			return 0, t.ended(err)
		}
		t.count.read(len(b))
		t.in = b
	}
	n := t.give(p)
	t.look(p[:n])
	if t.in = t.in[n:]; len(t.in) == 0 {
		t.end.Release()
	}
	return n, nil
}

// ended keeps an error that is there to stay.
func (t *transport) ended(err error) error {
	if e, ok := err.(net.Error); !ok || !e.Timeout() {
		t.over = err
	}
	return err
}

// give copies into p what may be given out now, and follows where records end.
func (t *transport) give(p []byte) int {
	if t.left == 0 && t.headed == 0 && len(t.in) >= recordHead {
		t.left = recordHead + recordLength(t.in)
	}
	if t.left > 0 {
		n := copy(p, t.in[:min(t.left, len(t.in))])
		t.left -= n
		return n
	}
	n := copy(t.head[t.headed:], t.in[:min(len(p), len(t.in))])
	copy(p, t.in[:n])
	if t.headed += n; t.headed == recordHead {
		t.left, t.headed = recordLength(t.head[:]), 0
	}
	return n
}

// look notices a fatal alert that is not encrypted. A client of TLS 1.3 may send one where the server expects encrypted
// records already, and tls.Conn takes that for damage (RFC 8446, section 6; golang.org/issue/76767).
func (t *transport) look(p []byte) {
	const alert, fatal = 21, 2
	if len(p) == recordHead+2 && p[0] == alert && recordLength(p) == 2 && p[recordHead] == fatal {
		t.alert = p[recordHead+1]
	}
}

func recordLength(head []byte) int { return int(binary.BigEndian.Uint16(head[3:])) }

// Write writes a record, or holds it back.
func (t *transport) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holds {
		*t.out = append(*t.out, p...)
		return len(p), nil
	}
	n, err := t.end.Write(p)
	t.wrote(n, err)
	return n, err
}

func (t *transport) wrote(n int, err error) {
	if err != nil {
		t.broken = true
		return
	}
	t.count.written(n)
}

// batch is how much plaintext is encrypted for one system call.
const batch = 64 << 10

// outs are buffers for what is held back: a batch, and what TLS adds to its records.
var outs = sync.Pool{New: func() any { b := make([]byte, 0, batch+batch/32); return &b }}

// hold holds back what is written until Sealed. One goroutine at a time does both.
func (t *transport) hold() {
	t.mu.Lock()
	t.out, t.holds = outs.Get().(*[]byte), true
	t.mu.Unlock()
}

// held is what was held back so far. An alert that whoever reads has to send may come to it at any time.
func (t *transport) held() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return *t.out
}

// Sealed says whether what was held back has been sent. What has come to it meanwhile, such as an alert, is sent too.
func (t *transport) Sealed(sent []byte, err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.holds = false
	if sent != nil {
		t.wrote(len(sent), err)
	}
	if rest := (*t.out)[len(sent):]; len(rest) > 0 && !t.broken {
		n, late := t.end.Write(rest)
		if n == 0 && errors.Is(late, os.ErrDeadlineExceeded) {
			*t.out = rest // who reads has stopped the end after its alert: see sendLast
			return cmp.Or(err, late)
		}
		t.wrote(n, late)
		err = cmp.Or(err, late)
	}
	*t.out = (*t.out)[:0]
	outs.Put(t.out)
	t.out = nil
	return err
}

// sendLast sends the alert that was held back until the end was stopped, once it can be written to again.
func (t *transport) sendLast() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.out != nil {
		t.wrote(t.end.Write(*t.out))
		t.out = nil
	}
}

// whole reports whether all that was written has gone out.
func (t *transport) whole() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.broken
}

// cut reports whether the connection has ended, while TLS has not said that it would.
func (t *transport) cut() bool { return t.over == io.EOF }

// Close is there for tls.Conn, which has no reason to call it: who made the connection closes it.
func (t *transport) Close() error { return t.end.Conn.Close() }

func (t *transport) LocalAddr() net.Addr                 { return t.end.LocalAddr() }
func (t *transport) RemoteAddr() net.Addr                { return t.end.RemoteAddr() }
func (t *transport) SetDeadline(at time.Time) error      { return t.end.SetDeadline(at) }
func (t *transport) SetReadDeadline(at time.Time) error  { return t.end.SetReadDeadline(at) }
func (t *transport) SetWriteDeadline(at time.Time) error { return t.end.SetWriteDeadline(at) }

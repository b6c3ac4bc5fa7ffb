//go:build linux

package main

import (
	"bytes"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// broadcast is a load where all connections are to receive what one says. Not more is said than spec.Ahead messages that have
// not come to all: a server that serves some first, and lets others wait, gains nothing by it.
type broadcast struct {
	l     *loader
	say   func(seq uint64) error
	take  func(c *conn, b []byte, now int64) error // what has come on a connection
	texts [][]byte                                 // of the messages under way, as they are to come: a ring
	due   []int64                                  // when each was
	left  []int                                    // connections that it has not come to
	said  uint64
	whole uint64 // messages that have come to all
	next  int64  // when the next one is due, if there is a rate
}

func (l *loader) newBroadcast() *broadcast {
	n := l.spec.Ahead
	return &broadcast{l: l, texts: make([][]byte, n), due: make([]int64, n), left: make([]int, n)}
}

// fan has the first of many WebSockets speak, and all of them hear it.
func (l *loader) fan() error {
	if err := l.dial(unix.EPOLLIN | unix.EPOLLRDHUP | edge); err != nil {
		return err
	}
	f, speaker := l.newBroadcast(), &l.conns[0]
	for i := range f.texts {
		f.texts[i] = bytes.Clone(speaker.back)
	}
	f.take = f.arrive
	f.say = func(seq uint64) error {
		number(speaker.out, f.texts[seq%uint64(len(f.texts))], seq)
		return sendWhole(speaker.fd, speaker.out)
	}
	return f.run()
}

// sendWhole is for a socket that has room.
func sendWhole(fd int, b []byte) error {
	n, e := send(fd, b)
	if e != 0 {
		return fmt.Errorf("cannot send: %w", e)
	}
	if n < len(b) {
		return fmt.Errorf("only %d of %d bytes sent", n, len(b))
	}
	return nil
}

// joining is the time that servers have to make a member of who was just let in: until then it may miss what is said.
const joining = 100 * time.Millisecond

// run goes on for a window, and until all that was said has come to all.
func (f *broadcast) run() error {
	time.Sleep(joining)
	f.next = f.l.now()
	if err := f.l.loop(f.receive, f.between, f.l.turn); err != nil {
		return err
	}
	err := f.l.loop(f.receive, noPause, func(int64) (bool, error) { return f.said == f.whole, nil })
	if err != nil {
		return fmt.Errorf("with %d messages outstanding: %w", f.said-f.whole, err)
	}
	return nil
}

// between says what is due, as far as it may be said.
func (f *broadcast) between(now int64) (time.Duration, error) {
	for f.said-f.whole < uint64(len(f.texts)) {
		due := now
		if f.l.spec.Rate > 0 {
			if f.next > now {
				return time.Duration(f.next - now), nil
			}
			due = f.next
			f.next += int64(time.Second) / int64(f.l.spec.Rate)
		}
		at := f.said % uint64(len(f.texts))
		f.due[at], f.left[at] = due, len(f.l.conns)
		f.said++
		if err := f.say(f.said - 1); err != nil {
			return 0, err
		}
	}
	return tick, nil
}

// receive takes all that has come on a connection.
func (f *broadcast) receive(i int, _ int64) error {
	c := &f.l.conns[i]
	for {
		n, e := recv(c.fd, f.l.buf)
		switch {
		case e == syscall.EAGAIN:
			return nil
		case e != 0:
			return fmt.Errorf("cannot receive: %w", e)
		case n == 0:
			return errClosed
		}
		if err := f.take(c, f.l.buf[:n], f.l.now()); err != nil || n < len(f.l.buf) {
			return err
		}
	}
}

// arrive compares what has come to a connection with what was said, every byte.
func (f *broadcast) arrive(c *conn, b []byte, now int64) error {
	for len(b) > 0 {
		if c.seq == f.said {
			return errMore
		}
		at := c.seq % uint64(len(f.texts))
		want := f.texts[at][c.got:]
		k := min(len(b), len(want))
		if !bytes.Equal(b[:k], want[:k]) {
			return errOther
		}
		b = b[k:]
		if c.got += k; k < len(want) {
			return nil
		}
		c.got = 0
		c.seq++
		f.l.ops++
		f.l.bytes += int64(len(f.texts[at]))
		f.l.hist.add(now - f.due[at])
		if f.left[at]--; f.left[at] == 0 {
			f.whole++ // in order, since each connection is
		}
	}
	return nil
}

// event writes an event of so many bytes as it goes in the fewest, with its number as its id.
func event(seq uint64, size int) []byte {
	b := fmt.Appendf(nil, "id:%016x\ndata:", seq)
	for i := 0; len(b) < size-2; i++ {
		b = append(b, 'a'+byte(i%26))
	}
	return append(b, "\n\n"...)
}

// hear has a source emit events, and all connections hear them.
func (l *loader) hear() error {
	if err := l.dial(unix.EPOLLIN | unix.EPOLLRDHUP | edge); err != nil {
		return err
	}
	source, err := connect(l.spec.Source)
	if err != nil {
		return err
	}
	f := l.newBroadcast()
	f.take = f.unchunk
	f.say = func(seq uint64) error {
		text := event(seq, l.spec.Size)
		f.texts[seq%uint64(len(f.texts))] = text
		return sendWhole(source, text)
	}
	return f.run()
}

// listen asks for events, and waits for the head of the answer.
func (c *conn) listen(port int) error {
	s := blocking(c.fd)
	if _, err := fmt.Fprintf(s, "GET /events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: text/event-stream\r\n\r\n", port); err != nil {
		return fmt.Errorf("cannot send: %w", err)
	}
	head, rest, err := readHead(s, "HTTP/1.1 200 ")
	if err != nil {
		return err
	}
	if low := bytes.ToLower(head); !bytes.Contains(low, []byte("text/event-stream")) || !bytes.Contains(low, []byte("chunked")) {
		return fmt.Errorf("%w: %q", errAnswer, head)
	}
	c.in = bytes.Clone(rest)
	return nil
}

// unchunk takes the chunks that are whole (RFC 9112, section 7.1).
func (f *broadcast) unchunk(c *conn, b []byte, now int64) error {
	if len(c.in) > 0 {
		c.in = append(c.in, b...)
		b = c.in
	}
	for {
		size, rest, err := chunk(b)
		if err != nil {
			return err
		}
		if size == 0 {
			break
		}
		if err := f.arrive(c, rest[:size], now); err != nil {
			return err
		}
		b = rest[size+2:]
	}
	c.in = append(c.in[:0], b...)
	return nil
}

// chunk is how long a chunk is, and what begins with it; 0 if it is not there yet.
func chunk(b []byte) (size int, rest []byte, err error) {
	for i, d := range b {
		switch {
		case d >= '0' && d <= '9':
			size = size<<4 | int(d-'0')
		case d|0x20 >= 'a' && d|0x20 <= 'f':
			size = size<<4 | int(d|0x20-'a'+10)
		case d == '\r' && i > 0 && size == 0:
			return 0, nil, errClosed
		case d == '\r' && i > 0:
			if rest = b[i:]; len(rest) < 2+size+2 {
				return 0, nil, nil
			}
			return size, rest[2:], nil
		default:
			return 0, nil, errOther
		}
		if size > bulkSize {
			return 0, nil, errOther
		}
	}
	return 0, nil, nil
}

// event is what the source of events does: who asks by GET gets what anybody else says, in chunks.
func (b *backend) event(p *peer, _ uint32) bool {
	const room = 8 // for the size of a chunk
	n, e := recv(p.fd, b.buf[room:len(b.buf)-2])
	if e != 0 || n == 0 {
		return e == syscall.EAGAIN
	}
	said := b.buf[room : room+n]
	if bytes.HasPrefix(said, []byte("GET ")) {
		p.listens = true
		return sendWhole(p.fd, []byte(eventsHead)) == nil
	}
	size := fmt.Appendf(nil, "%06x\r\n", n)
	copy(b.buf, size)
	copy(b.buf[room+n:], "\r\n")
	for _, to := range b.conns {
		if to.listens && sendWhole(to.fd, b.buf[:room+n+2]) != nil {
			return false // the load finds that its events do not come
		}
	}
	return true
}

const eventsHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n"

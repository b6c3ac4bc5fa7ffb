package conntest

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

var cases = []struct {
	name  string
	abort bool // tests how an abort is passed on
	hang  bool // needs Gateway.Hang
	layer bool // needs Gateway.Truncate
	run   func(*test)
}{
	{name: "bytes there and back", run: thereAndBack},
	{name: "the server speaks first", run: serverFirst},
	{name: "full duplex", run: fullDuplex},
	{name: "the client ends and receives on", run: clientEnds},
	{name: "the server ends and receives on", run: serverEnds},
	{name: "all bytes before the end", run: allBeforeTheEnd},
	{name: "all bytes before the end to slow readers", run: slowReadersAfterHalfClose},
	{name: "the end of many short streams", run: manyShort},
	{name: "the client aborts", abort: true, run: clientAborts},
	{name: "the server aborts", abort: true, run: serverAborts},
	{name: "the client aborts and the server does not read", abort: true, run: clientAbortsUnread},
	{name: "the server aborts and the client does not read", abort: true, run: serverAbortsUnread},
	{name: "the client aborts while both send", abort: true, run: abortWhileBothSend},
	{name: "the client aborts after it has ended", abort: true, run: clientAbortsAfterEnd},
	{name: "the server aborts after it has ended", abort: true, run: serverAbortsAfterEnd},
	{name: "the client aborts after the server has ended", abort: true, run: clientAbortsAfterServerEnd},
	{name: "the client aborts while it is dialled", abort: true, hang: true, run: abortInDial},
	{name: "the client is cut off", layer: true, run: clientTruncated},
	{name: "the server is cut off", layer: true, run: serverTruncated},
	{name: "cancel while nothing moves", run: cancelInRead},
	{name: "cancel while nobody reads", run: cancelInWrite},
	{name: "cancel while both do not read", run: cancelInBothWrites},
	{name: "cancel after the client has ended", run: cancelAfterHalfClose},
	{name: "cancel while it is dialled", hang: true, run: cancelInDial},
	{name: "leave while nothing moves", run: leaveIdle},
	{name: "back-pressure on the client", run: func(t *test) { c, s := t.open(); backPressure(t, c, s) }},
	{name: "back-pressure on the server", run: func(t *test) { c, s := t.open(); backPressure(t, s, c) }},
	{name: "many streams do not mix", run: manyStreams},
}

func thereAndBack(t *test) {
	c, s := t.open()
	for i := range 10 {
		c.send(fmt.Appendf(nil, "question %d", i))
		s.receive(fmt.Sprintf("question %d", i))
		s.send(fmt.Appendf(nil, "answer %d", i))
		c.receive(fmt.Sprintf("answer %d", i))
	}
	c.finish()
	s.sees("fin", patience)
	s.finish()
	c.sees("fin", patience)
	t.ended(telemetry.Client, "fin")
	r := t.record()
	if t.g.Adds && (r.Received <= 100 || r.Sent < 80) || !t.g.Adds && (r.Received != 100 || r.Sent != 80) {
		t.Errorf("the record says that %d bytes were received and %d sent, not 100 and 80", r.Received, r.Sent)
	}
}

func serverFirst(t *test) {
	c, s := t.open()
	s.send([]byte("welcome"))
	c.receive("welcome")
	s.finish()
	c.sees("fin", patience)
	c.finish()
	s.sees("fin", patience)
	t.ended(telemetry.Server, "fin")
}

// pour sends n bytes that depend on seed in pieces of any size, then ends what is sent.
func pour(e *end, seed byte, n int) (sum uint32) {
	r := rand.NewChaCha8([32]byte{seed})
	b := make([]byte, 200<<10)
	for n > 0 {
		piece := b[:min(n, 1+int(r.Uint64()%uint64(len(b))))]
		r.Read(piece)
		sum = crc32.Update(sum, crc32.IEEETable, piece)
		e.SetWriteDeadline(time.Now().Add(patience))
		if _, err := e.Write(piece); err != nil {
			e.t.Errorf("the %s could not send: %v", e.name, err)
			return 0
		}
		n -= len(piece)
	}
	if err := e.CloseWrite(); err != nil {
		e.t.Errorf("the %s could not end what it sends: %v", e.name, err)
	}
	return sum
}

// drink reads to the orderly end in pieces of any size.
func drink(e *end, seed byte) (sum uint32, n int) {
	r := rand.NewChaCha8([32]byte{seed})
	b := make([]byte, 100<<10)
	for {
		e.SetReadDeadline(time.Now().Add(patience))
		m, err := e.Read(b[:1+int(r.Uint64()%uint64(len(b)))])
		sum = crc32.Update(sum, crc32.IEEETable, b[:m])
		n += m
		if err != nil {
			if How(err) != "fin" {
				e.t.Errorf("after %d bytes the %s saw %v", n, e.name, err)
			}
			return sum, n
		}
	}
}

// pass sends n bytes from one end to the other and compares them.
func pass(from, to *end, seed byte, n int) {
	var sent, received uint32
	var m int
	both(
		func() { sent = pour(from, seed, n) },
		func() { received, m = drink(to, seed+1) },
	)
	if m != n || sent != received {
		to.t.Errorf("the %s received %d bytes of %d, or others", to.name, m, n)
	}
}

func fullDuplex(t *test) {
	c, s := t.open()
	both(
		func() { pass(c, s, 1, 6<<20) },
		func() { pass(s, c, 2, 6<<20) },
	)
}

func clientEnds(t *test) {
	c, s := t.open()
	c.send([]byte("all I have"))
	c.finish()
	s.receive("all I have")
	s.sees("fin", patience)
	s.send([]byte("and I"))
	c.receive("and I")
	pass(s, c, 3, 1<<20)
	t.ended(telemetry.Client, "fin")
}

func serverEnds(t *test) {
	c, s := t.open()
	c.send([]byte("hello"))
	s.receive("hello")
	s.send([]byte("all I have"))
	s.finish()
	c.receive("all I have")
	c.sees("fin", patience)
	c.send([]byte("and I"))
	s.receive("and I")
	pass(c, s, 4, 1<<20)
	t.ended(telemetry.Server, "fin")
}

func allBeforeTheEnd(t *test) {
	c, s := t.open()
	pass(c, s, 5, 8<<20)
	pass(s, c, 6, 8<<20)
}

// endsWhileUnread sends as much as the stream holds from one end, and ends it. The other end reads a part of that after
// another, so that at some time the end has come as far as the gateway, which cannot pass it on yet, and pauses for long
// enough each time that the gateway looks whether who has sent it is still there. Everything has to arrive.
func endsWhileUnread(t *test, from, to *end) {
	to.finish()
	from.sees("fin", patience)
	n := from.fill(2 * t.g.Holds)
	from.finish()
	to.SetReadDeadline(time.Now().Add(patience))
	const parts = 4
	for range parts - 1 {
		if m, err := io.CopyN(io.Discard, to.Conn, int64(n/parts)); err != nil {
			t.Fatalf("the %s received %d of %d bytes: %v", to.name, m, n/parts, err)
		}
		time.Sleep(300 * time.Millisecond) // what is awaited is that nothing happens
	}
	if rest := to.sees("fin", patience); n/parts*(parts-1)+int(rest) != n {
		t.Errorf("the %s received %d bytes at the end of %d", to.name, rest, n)
	}
}

func slowReadersAfterHalfClose(t *test) {
	c1, s1 := t.open()
	c2, s2 := t.open()
	both(
		func() { endsWhileUnread(t, s1, c1) },
		func() { endsWhileUnread(t, c2, s2) },
	)
}

// manyShort ends streams from both sides at about the same time, of which none may look like an abort.
func manyShort(t *test) {
	for range 100 {
		c, s := t.open()
		both(
			func() { c.send([]byte("x")); c.finish(); c.sees("fin", patience) },
			func() { s.send([]byte("y")); s.finish(); s.sees("fin", patience) },
		)
		c.Close()
		s.Close()
	}
	t.g.rest(t)
	entries, _, _ := t.g.Host.Log.Since(0)
	for _, e := range entries {
		if e.Record != nil && e.Record.Reason != "fin" {
			t.Errorf("a stream that ended in order has the record %q, %q (%s)", e.Record.By, e.Record.Reason, e.Record.Err)
		}
	}
}

// cancelled cancels the streams and waits until that has ended them.
func cancelled(t *test) {
	t.Helper()
	began := time.Now()
	t.cancel(&stream.Cut{By: telemetry.Gateway, Why: "test", Err: errTest})
	if r := t.record(); r.By != telemetry.Gateway || r.Reason != "test" || r.Err != errTest.Error() {
		t.Errorf("the record says %q, %q, %q", r.By, r.Reason, r.Err)
	}
	if took := time.Since(began); took > within {
		t.Errorf("it took %v until the stream was over", took)
	}
}

func (e *end) seesAbort(t *test) {
	t.Helper()
	if !t.g.Blind {
		e.sees("rst", within)
	}
}

func cancelInRead(t *test) {
	c, s := t.open()
	c.send([]byte("hello"))
	s.receive("hello")
	cancelled(t)
	c.seesAbort(t)
	s.seesAbort(t)
}

func cancelInWrite(t *test) {
	c, s := t.open()
	c.fill(2 * t.g.Holds)
	cancelled(t)
	s.seesAbort(t)
}

func cancelInBothWrites(t *test) {
	c, s := t.open()
	both(
		func() { c.fill(2 * t.g.Holds) },
		func() { s.fill(2 * t.g.Holds) },
	)
	cancelled(t)
}

func cancelAfterHalfClose(t *test) {
	c, s := t.open()
	c.finish()
	s.sees("fin", patience)
	cancelled(t)
	c.seesAbort(t)
}

func cancelInDial(t *test) {
	c := t.end("client", t.g.Hang(t))
	cancelled(t)
	c.seesAbort(t)
}

func leaveIdle(t *test) {
	c, s := t.open()
	c.send([]byte("hello"))
	s.receive("hello")
	t.g.Host.Scopes((*stream.Scope).Leave)
	s.send([]byte("still here"))
	c.receive("still here")
	if t.g.Host.Open() == 0 {
		t.Error("the stream ended although both peers go on")
	}
	t.cancel(stream.ErrDrained)
	t.ended(telemetry.Gateway, "drain")
	if t.g.Parts {
		c.sees("fin", within)
	} else {
		c.seesAbort(t)
	}
	s.seesAbort(t)
}

// backPressure sends to an end that does not read: that must stop the sender, and lose nothing.
func backPressure(t *test, from, to *end) {
	n := from.fill(2 * t.g.Holds)
	if n > t.g.Holds {
		t.Errorf("the %s could send %d bytes that nobody reads, more than %d", from.name, n, t.g.Holds)
	}
	got := make(chan int64)
	go func() {
		to.SetReadDeadline(time.Now().Add(patience))
		n, _ := io.Copy(io.Discard, onlyReader{to.Conn})
		got <- n
	}()
	from.send(make([]byte, 1<<20))
	from.finish()
	if n, want := <-got, int64(n+1<<20); n != want {
		t.Errorf("the %s received %d bytes of %d", to.name, n, want)
	}
	to.finish()
	from.sees("fin", patience)
}

func manyStreams(t *test) {
	const streams = 40
	var all []func()
	for i := range streams {
		c, s := t.open()
		all = append(all,
			func() { exchange(t, c, byte(i), byte(^i)) },
			func() { exchange(t, s, byte(^i), byte(i)) },
		)
	}
	both(all...)
}

// exchange sends one byte many times and must receive nothing but another one.
func exchange(t *test, e *end, out, in byte) {
	const size = 64 << 10
	both(
		func() {
			e.SetWriteDeadline(time.Now().Add(patience))
			if _, err := e.Write(bytes.Repeat([]byte{out}, size)); err != nil {
				t.Errorf("the %s could not send: %v", e.name, err)
			}
			e.CloseWrite()
		},
		func() {
			e.SetReadDeadline(time.Now().Add(patience))
			b, err := io.ReadAll(e.Conn)
			if err != nil || !bytes.Equal(b, bytes.Repeat([]byte{in}, size)) {
				t.Errorf("the %s received %d bytes and then %v, or bytes of another stream", e.name, len(b), err)
			}
		},
	)
}

var echoCases = []struct {
	name string
	run  func(t *test, open func(testing.TB) conn.Conn)
}{
	{"bytes come back", func(t *test, open func(testing.TB) conn.Conn) {
		c := t.end("client", open(t))
		for range 10 {
			c.send([]byte("hello"))
			c.receive("hello")
		}
		c.finish()
		c.sees("fin", patience)
		t.ended(telemetry.Client, "fin")
	}},
	{"all of it before the end", func(t *test, open func(testing.TB) conn.Conn) {
		c := t.end("client", open(t))
		pass(c, c, 7, 8<<20)
	}},
	{"who does not read is not read from", func(t *test, open func(testing.TB) conn.Conn) {
		const holds = 32 << 20
		c := t.end("client", open(t))
		n := c.fill(holds)
		if n > holds {
			t.Errorf("%d bytes were taken from who reads none of them", n)
		}
		c.finish()
		if got := c.sees("fin", patience); got != int64(n) {
			t.Errorf("%d bytes of %d came back", got, n)
		}
	}},
	{"abort", func(t *test, open func(testing.TB) conn.Conn) {
		c := t.end("client", open(t))
		c.send([]byte("hello"))
		c.receive("hello")
		conn.Abort(c.Conn)
		t.ended(telemetry.Client, "rst")
	}},
	{"abort while nobody reads", func(t *test, open func(testing.TB) conn.Conn) {
		c := t.end("client", open(t))
		c.fill(64 << 20)
		conn.Abort(c.Conn)
		t.ended(telemetry.Client, "rst")
	}},
	{"cancel", func(t *test, open func(testing.TB) conn.Conn) {
		c := t.end("client", open(t))
		c.send([]byte("hello"))
		c.receive("hello")
		cancelled(t)
		c.sees("rst", within)
	}},
	{"cancel while nobody reads", func(t *test, open func(testing.TB) conn.Conn) {
		c := t.end("client", open(t))
		c.fill(64 << 20)
		cancelled(t)
	}},
}

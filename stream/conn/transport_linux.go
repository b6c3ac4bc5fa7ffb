//go:build linux && !portable && (amd64 || arm64 || riscv64 || loong64)

package conn

import (
	"io"
	"syscall"
	"unsafe"
)

// transfer is how a Transport receives and sends on a socket, by raw system calls as a socket does. A receive that
// comes back empty costs as much as one that does not, and Go's own way to wait is to try first. So a question is sent
// from inside the callback of RawConn.Read, after which the poller is asked to wait at once: what comes in answer
// cannot be missed, because the poller forgot what it knew before the callback ran. A loop stays inside the callback.
type transfer struct {
	t   *Transport
	rfn func(uintptr) bool // made once, so that a call allocates nothing
	wfn func(uintptr) bool

	question []byte // to be sent before anything is received
	step     func() bool
	n        int
	rno      syscall.Errno

	iov [3]syscall.Iovec
	msg syscall.Msghdr
	wno syscall.Errno
}

func (x *transfer) init(t *Transport) { x.t, x.rfn, x.wfn = t, x.receive, x.send }

func (x *transfer) fill(t *Transport) error {
	return x.received(t.sock.rc.Read(x.rfn))
}

// received is what came of reading.
func (x *transfer) received(err error) error {
	switch {
	case err != nil:
	case x.rno != 0:
		err = x.rno
	case x.n == 0:
		err = io.EOF
	default:
		return nil
	}
	return x.t.failed(err)
}

// ask sends b and waits.
func (x *transfer) ask(t *Transport, b []byte) error {
	x.question = b
	err := t.sock.rc.Read(x.rfn)
	rest := x.question
	x.question = nil
	t.sends(len(b) - len(rest))
	if rest == nil || err != nil {
		return x.received(err)
	}
	if err = t.Put(rest, nil, nil); err != nil { // the socket did not take all of it
		return err
	}
	return x.fill(t)
}

// loop waits and calls step.
func (x *transfer) loop(t *Transport, step func() bool) error {
	x.step = step
	err := t.sock.rc.Read(x.rfn)
	x.step = nil
	return x.received(err)
}

// receive is the callback. It returns false to be called again once there is something to read.
func (x *transfer) receive(fd uintptr) bool {
	if x.question != nil {
		return x.sendQuestion(fd)
	}
	if x.step != nil {
		return x.stepOn(fd)
	}
	return x.recv(fd)
}

func (x *transfer) recv(fd uintptr) bool {
	t := x.t
	b := t.take()
	x.n, x.rno = recvfrom(fd, b)
	if x.rno == syscall.EAGAIN {
		t.Free()
		return false
	}
	if x.rno == 0 && x.n > 0 {
		t.got(x.n)
	}
	return true
}

// sendQuestion sends the question. If the socket does not take it whole, the rest is left to who asks.
func (x *transfer) sendQuestion(fd uintptr) bool {
	n, errno := sendto(fd, x.question)
	if errno != 0 {
		n = 0 // an error will come again
	}
	if n < len(x.question) {
		x.question = x.question[n:]
		return true
	}
	x.question = nil
	return false
}

// stepOn receives and steps until there is nothing more to read.
func (x *transfer) stepOn(fd uintptr) bool {
	for {
		if x.t.room() != nil {
			x.rno = syscall.EMSGSIZE
			return true
		}
		free := bufferSize - x.t.w
		if !x.recv(fd) {
			return false
		}
		if x.n <= 0 || x.rno != 0 || !x.step() {
			return true
		}
		if x.n < free {
			return false // all was read: if more comes, the poller tells
		}
	}
}

// put sends.
func (x *transfer) put(t *Transport, a, b, c []byte) error {
	k := 0
	for _, p := range [...][]byte{a, b, c} {
		if len(p) > 0 {
			x.iov[k].Base = &p[0]
			x.iov[k].SetLen(len(p))
			k++
		}
	}
	if k == 0 {
		return nil
	}
	x.msg.Iov, x.msg.Iovlen = &x.iov[0], uint64(k)
	err := t.sock.rc.Write(x.wfn)
	x.iov = [3]syscall.Iovec{}
	if err == nil && x.wno != 0 {
		err = x.wno
	}
	t.writeDue.Store(0)
	if err != nil {
		return t.unsent(err)
	}
	return nil
}

// send is the callback of put.
func (x *transfer) send(fd uintptr) bool {
	for {
		n, errno := x.sendmsg(fd)
		switch {
		case errno == syscall.EAGAIN:
			t := x.t
			t.writeDue.Store(int64(t.host.Sweeper.Now() + t.Stall))
			return false
		case errno == syscall.EINTR:
			continue
		}
		if x.wno = errno; errno != 0 || x.advance(n) {
			return true
		}
	}
}

func (x *transfer) sendmsg(fd uintptr) (uint64, syscall.Errno) {
	if v := x.msg.Iov; x.msg.Iovlen == 1 {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(v.Base)), uintptr(v.Len), syscall.MSG_NOSIGNAL, 0, 0)
		return uint64(n), errno
	}
	n, _, errno := syscall.RawSyscall(syscall.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&x.msg)), syscall.MSG_NOSIGNAL)
	return uint64(n), errno
}

// advance goes past n bytes that were sent, and reports whether that were all.
func (x *transfer) advance(n uint64) bool {
	for x.msg.Iovlen > 0 {
		v := x.msg.Iov
		if n < v.Len {
			v.Base = (*byte)(unsafe.Add(unsafe.Pointer(v.Base), n))
			v.Len -= n
			return false
		}
		n -= v.Len
		if x.msg.Iovlen--; x.msg.Iovlen > 0 {
			x.msg.Iov = (*syscall.Iovec)(unsafe.Add(unsafe.Pointer(v), unsafe.Sizeof(*v)))
		}
	}
	return true
}

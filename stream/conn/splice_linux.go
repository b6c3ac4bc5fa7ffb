//go:build linux && !portable && (amd64 || arm64 || riscv64 || loong64)

package conn

import (
	"io"
	"os"
	"syscall"
	"time"

	"gozilla/stream"

	"golang.org/x/sys/unix"
)

const (
	// spliceAfter is how many full buffers in a row make a relay move pages instead of bytes: bulk then costs a third,
	// while messages, for which two more calls would cost more than the copy, never pay for it.
	spliceAfter = 4
	// pipeBytes is how much a pipe holds, and what is spliced at once.
	pipeBytes = 1 << 20
	// spliceLeast is how much a turn must move for another turn.
	spliceLeast = 16 << 10
)

// pipes are those that nobody uses now. A relay has one only while it splices: a pipe is two descriptors and up to a
// megabyte.
var pipes = make(chan pipe, 16)

type pipe struct{ r, w int }

func takePipe() (pipe, bool) {
	select {
	case p := <-pipes:
		return p, true
	default:
	}
	var p [2]int
	if unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		return pipe{}, false // no descriptor to be had: copying goes on
	}
	unix.FcntlInt(uintptr(p[1]), unix.F_SETPIPE_SZ, pipeBytes) // less will do
	return pipe{p[0], p[1]}, true
}

// giveBack keeps the pipe for the next who needs one, if it is empty.
func (p pipe) giveBack(empty bool) {
	if empty {
		select {
		case pipes <- p:
			return
		default:
		}
	}
	unix.Close(p.r)
	unix.Close(p.w)
}

// splice moves bytes inside the kernel until from runs dry (nil) or has ended.
func splice(from, to *End, count func(int)) error {
	if !from.raw() || !to.raw() {
		return nil
	}
	p, ok := takePipe()
	if !ok {
		return nil
	}
	s := splicing{from: from, to: to, pipe: p, count: count}
	err := s.run()
	p.giveBack(s.held == 0)
	return err
}

type splicing struct {
	from, to *End
	pipe     pipe
	count    func(int)
	held     int // bytes in the pipe
}

func (s *splicing) run() error {
	for {
		n, err := s.fill()
		if err != nil {
			return err
		}
		s.held = n
		if err := s.drain(); err != nil {
			return err
		}
		s.count(n)
		if n < spliceLeast {
			return nil
		}
	}
}

// fill moves what from has received into the pipe, once there is something.
func (s *splicing) fill() (n int, err error) {
	var serr error
	err = s.from.sock.rc.Read(func(fd uintptr) bool {
		n, serr = spliceOnce(int(fd), s.pipe.w, pipeBytes)
		return serr != unix.EAGAIN
	})
	if err == nil {
		err = serr
	}
	if err == nil && n == 0 {
		err = s.from.truly(io.EOF)
	}
	return n, s.from.cut(err)
}

// drain moves the pipe's bytes out to the peer. It looks after from as end.send does.
func (s *splicing) drain() error {
	for s.held > 0 {
		err := s.drainOnce(false)
		if err == errWouldBlock {
			if !s.to.deadline(time.Now().Add(lookEvery)) {
				return os.ErrDeadlineExceeded
			}
			err = s.drainOnce(true)
			if !s.to.deadline(time.Time{}) {
				return os.ErrDeadlineExceeded
			}
		}
		switch {
		case err == nil:
		case os.IsTimeout(err):
			if s.from.dead() {
				return &stream.Cut{By: s.from.Side, Why: "rst"}
			}
			if s.to.stopped() {
				return os.ErrDeadlineExceeded
			}
		default:
			return s.to.cut(err)
		}
	}
	return nil
}

func (s *splicing) drainOnce(wait bool) error {
	var serr error
	err := s.to.sock.rc.Write(func(fd uintptr) bool {
		var n int
		if n, serr = spliceOnce(s.pipe.r, int(fd), s.held); serr == nil {
			s.held -= n
		}
		return serr != unix.EAGAIN || !wait
	})
	if err == nil {
		err = serr
	}
	return err
}

func spliceOnce(from, to, n int) (int, error) {
	for {
		moved, err := unix.Splice(from, nil, to, nil, n, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		if err != syscall.EINTR {
			return int(moved), err
		}
	}
}

package tcp

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// measured is what the system knows of a connection at its end: the smoothed round trip, and how many segments it has
// sent more than once.
func measured(c *net.TCPConn) (rtt time.Duration, retransmits uint32) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, 0
	}
	raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			rtt, retransmits = time.Duration(info.Rtt)*time.Microsecond, info.Total_retrans
		}
	})
	return rtt, retransmits
}

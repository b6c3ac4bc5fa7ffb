package conn

import "golang.org/x/sys/unix"

// pollParted is what poll says of a socket whose peer has ended what it sends.
const pollParted = unix.POLLRDHUP

package systemd

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// sendTime is how long a notification may take, if systemd does not read.
const sendTime = 500 * time.Millisecond

// A Notifier tells systemd how far the process is. Each call returns within half a second, whatever is behind the socket.
type Notifier struct {
	socket   string        // "": nobody wants to know
	watchdog time.Duration // how long systemd waits for a sign of life; 0: it does not
}

// NewNotifier makes the notifier that the environment asks for.
func NewNotifier(lookup func(string) (string, bool)) *Notifier {
	n := &Notifier{}
	n.socket, _ = lookup("NOTIFY_SOCKET")
	if pid, ok := lookup("WATCHDOG_PID"); ok && pid != strconv.Itoa(os.Getpid()) {
		return n // the watchdog is for another process
	}
	if usec, ok := lookup("WATCHDOG_USEC"); ok {
		if us, err := strconv.ParseInt(usec, 10, 64); err == nil && us > 0 && us < int64(1<<63-1)/1000 {
			n.watchdog = time.Duration(us) * time.Microsecond
		}
	}
	return n
}

// Ready says that the service has started, or that it has reloaded, also when it goes on as it was. status is for people.
func (n *Notifier) Ready(status string) error { return n.send("READY=1", "STATUS="+status) }

// Reloading says that a reload begins. Ready says that it is over.
func (n *Notifier) Reloading() error {
	lines := []string{"RELOADING=1"}
	if now := monotonic(); now > 0 { // by which systemd tells an answer to its signal from an older one
		lines = append(lines, "MONOTONIC_USEC="+strconv.FormatInt(now.Microseconds(), 10))
	}
	return n.send(lines...)
}

// Stopping says that the service begins to end. status is for people.
func (n *Notifier) Stopping(status string) error { return n.send("STOPPING=1", "STATUS="+status) }

// Status tells people how the service does.
func (n *Notifier) Status(text string) error { return n.send("STATUS=" + text) }

// Watchdog is a task: until ctx ends, it gives systemd a sign of life twice in the time for which that waits, as long as
// alive reports true. One that does not return is the sign that there is none. failed is told of the first of a run of
// signs that cannot be given.
func (n *Notifier) Watchdog(ctx context.Context, alive func() bool, failed func(error)) {
	if n.watchdog == 0 || n.socket == "" {
		return
	}
	ticks := time.NewTicker(max(n.watchdog/2, time.Millisecond))
	defer ticks.Stop()
	failing := false
	for {
		if alive() {
			err := n.send("WATCHDOG=1")
			if err != nil && !failing {
				failed(err)
			}
			failing = err != nil
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}

// send sends one message, which is a line for each assignment.
func (n *Notifier) send(lines ...string) error {
	if n.socket == "" {
		return nil
	}
	for i, line := range lines {
		lines[i] = strings.Map(oneLine, line)
	}
	// A name that begins with @ is one of the abstract namespace, here as there.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("cannot notify systemd: %w", err)
	}
	defer c.Close()
	if err = c.SetWriteDeadline(time.Now().Add(sendTime)); err == nil {
		_, err = c.Write([]byte(strings.Join(lines, "\n")))
	}
	if err != nil {
		return fmt.Errorf("cannot notify systemd: %w", err)
	}
	return nil
}

// oneLine keeps a value from becoming another assignment.
func oneLine(r rune) rune {
	if r < ' ' {
		return ' '
	}
	return r
}

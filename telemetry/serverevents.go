package telemetry

import "sync/atomic"

// ServerEvents counts the server-sent events of one binding. All of them go one way, back to who opened the streams: what
// the binding was sent is received, what it has passed on is sent. The zero value is ready.
type ServerEvents struct {
	Received, Sent atomic.Int64
}

// Pass counts events that came and have gone on.
func (e *ServerEvents) Pass(n int) {
	e.Received.Add(int64(n))
	e.Sent.Add(int64(n))
}

func (e *ServerEvents) family() *family { return &serverEventFamily }

func (e *ServerEvents) read(sum *readings) {
	sum.plain[0].value += e.Received.Load()
	sum.plain[1].value += e.Sent.Load()
}

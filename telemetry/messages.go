package telemetry

import "sync/atomic"

// Messages counts the messages of the WebSockets of one binding, each when it is whole. The zero value is ready.
type Messages struct {
	Received, Sent atomic.Int64 // from who opened the sockets, and back there
}

func (m *Messages) family() *family { return &messageFamily }

func (m *Messages) read(sum *readings) {
	sum.plain[0].value += m.Received.Load()
	sum.plain[1].value += m.Sent.Load()
}

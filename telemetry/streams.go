package telemetry

import "sync/atomic"

// Streams counts the streams of one binding, as seen from it: what comes from who opened a stream is received, what
// goes back to it is sent. The zero value is ready.
type Streams struct {
	Received, Sent Direction
}

// Direction counts one direction of a binding's streams. Every stream opens both directions once, and ends both
// once, either closed or in error, so that Opens-Closes-Errors is the number of those that are open.
type Direction struct {
	Opens  atomic.Int64 // streams
	Closes atomic.Int64 // streams that ended in order
	Errors atomic.Int64 // streams that were refused or cut
	Bytes  atomic.Int64 // payload
	_      [4]int64     // the two directions are written by two goroutines: keep them on cache lines of their own
}

// Open counts a stream that begins.
func (s *Streams) Open() {
	s.Received.Opens.Add(1)
	s.Sent.Opens.Add(1)
}

// End counts a stream that ended; err tells how, as everywhere: nil is orderly.
func (s *Streams) End(err error) {
	if err == nil {
		s.Received.Closes.Add(1)
		s.Sent.Closes.Add(1)
		return
	}
	s.Received.Errors.Add(1)
	s.Sent.Errors.Add(1)
}

// Active is how many streams are open in that direction.
func (d *Direction) Active() int64 {
	ended := d.Closes.Load() + d.Errors.Load() // before Opens, so that the difference is never negative
	return d.Opens.Load() - ended
}

func (s *Streams) family() *family { return &streamFamily }

func (s *Streams) read(sum *readings) {
	for i, value := range [...]int64{ // in the order of streamFamily
		s.Received.Active(), s.Sent.Active(),
		s.Received.Closes.Load(), s.Sent.Closes.Load(),
		s.Received.Bytes.Load(), s.Sent.Bytes.Load(),
		s.Received.Errors.Load(), s.Sent.Errors.Load(),
		s.Received.Opens.Load(), s.Sent.Opens.Load(),
	} {
		sum.plain[i].value += value
	}
}

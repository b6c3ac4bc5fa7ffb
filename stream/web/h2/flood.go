package h2

import (
	"time"

	"gozilla/stream"
	wire "gozilla/wire/h2"
)

// floods counts what a peer makes us do to no purpose. Each peer has some of it to spare, which comes back with time.
type floods struct {
	glitches int // streams that the peer has begun in vain, in tenths: reset before they were answered, by itself or for its faults
	noise    int // frames that carry nothing, each by what it costs
}

const (
	mostGlitches = 1000
	calmGlitches = 100 // of them are forgotten in a second
	mostNoise    = 20_000
	ignored      = 4 // what it costs to decode a block of which nothing is wanted
)

// glitch takes note of a stream that came to nothing: opening streams to reset them, or to have them reset, costs a peer
// little and us a lot (CVE-2023-44487, CVE-2025-8671).
func (f *floods) glitch() error {
	if f.glitches += 10; f.glitches > 10*mostGlitches {
		return &wire.Fault{Code: wire.EnhanceYourCalm, Text: "too many streams come to nothing"}
	}
	return nil
}

// whole takes note of a stream that was of use: ten of them make up for one that was not.
func (f *floods) whole() { f.glitches = max(0, f.glitches-1) }

// chatter takes note of a frame that carries nothing, such as PING, SETTINGS, PRIORITY, an empty DATA (RFC 9113, section
// 10.5).
func (f *floods) chatter(cost int) error {
	if f.noise += cost; f.noise > mostNoise {
		return &wire.Fault{Code: wire.EnhanceYourCalm, Text: "too many frames carry nothing"}
	}
	return nil
}

// useful takes note of n bytes of a body that were sent. A peer that is sent a lot has to say a lot about its windows: some do
// so, twice, for each 4 KiB that they have read.
func (f *floods) useful(n int) { f.noise = max(0, f.noise-4-n>>9) }

// calm is called about once a second.
func (f *floods) calm() {
	f.glitches = max(0, f.glitches-10*calmGlitches)
	f.noise /= 2
}

// alive tells a peer that is silent from one that is gone. Its times are those of the sweeper.
type alive struct {
	at    time.Duration // when the peer was heard of, or was sent what it has to answer after that
	waits bool          // it has not been heard of since it was sent that
	asked time.Duration // when it was sent a PING, if nothing has come since; 0: it was not
	last  time.Duration // when it was sent one at all
	spoke bool          // something of a stream has come after that
}

// heard takes note of a sign of life.
func (a *alive) heard(now time.Duration) { a.at, a.waits, a.asked = now, false, 0 }

// sent takes note of something that the peer has to answer.
func (a *alive) sent(now time.Duration) {
	if !a.waits {
		a.at, a.waits = now, true
	}
}

// ask sends a PING.
func (c *connection) ask(now time.Duration) {
	a := &c.alive
	a.asked, a.last, a.spoke = now, now, false
	c.out = wire.AppendPing(c.room(), 0, [8]byte{})
}

// keepAlive is called about once a second. It asks a peer that is silent whether it is there, if that may be asked, and gives
// it up when it does not answer.
func (c *connection) keepAlive(now time.Duration, may bool) {
	a, patience := &c.alive, c.limits.Ping
	switch {
	case a.at == 0:
		a.at = now
	case a.asked != 0 && now-a.asked >= patience:
		c.lose(&stream.Cut{By: c.peer, Why: "keep-alive timeout"})
		c.t.Break()
	case a.asked == 0 && now-a.at >= patience && may:
		c.ask(now)
	}
}

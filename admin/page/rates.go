package page

import (
	"sync"
	"time"

	"gozilla/engine"
)

const (
	sampleTime = time.Second      // between two samples, at least
	freshTime  = 12 * time.Second // how far apart two may be of which a rate is made
)

// A sampler remembers what the bindings had counted when somebody looked last, so that rates can be told. While nobody
// looks, it does nothing.
type sampler struct {
	mu           sync.Mutex
	before, last sample
}

// A sample is what each binding had counted at a moment.
type sample struct {
	at     time.Time
	counts map[string]engine.GraphStreams // by qualified name
}

// A rate is how much goes on in a binding, a second.
type rate struct{ streams, received, sent float64 }

// look takes a sample, unless the last one is younger than a second, and gives the rates between the last two. Bindings
// of which there are none are left out: nobody has looked a little while before, or they were not there.
func (s *sampler) look(g *engine.Graph, now time.Time) map[string]rate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if passed := now.Sub(s.last.at); passed >= sampleTime {
		s.before = s.last
		if passed > freshTime {
			s.before = sample{}
		}
		s.last = sample{now, map[string]engine.GraphStreams{}}
		for i := range g.Bindings {
			s.last.counts[g.Bindings[i].Qualified()] = g.Bindings[i].Streams
		}
	}
	rates := map[string]rate{}
	seconds := s.last.at.Sub(s.before.at).Seconds()
	for name, is := range s.last.counts {
		was, ok := s.before.counts[name]
		if !ok {
			continue
		}
		if is.Opened < was.Opened { // it was made anew
			was = engine.GraphStreams{}
		}
		rates[name] = rate{
			streams:  float64(is.Opened-was.Opened) / seconds,
			received: float64(is.Received-was.Received) / seconds,
			sent:     float64(is.Sent-was.Sent) / seconds,
		}
	}
	return rates
}

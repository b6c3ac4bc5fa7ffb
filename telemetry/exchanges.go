package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// MaxCombinations is how many combinations of attributes a binding tells apart. What comes then goes into one series
// more, in which every attribute that is not the same for all says OtherLabel.
const MaxCombinations = 1000

// OtherLabel stands in for attributes of which there are too many combinations.
const OtherLabel = "_other_"

// Exchanges counts the HTTP exchanges of one binding: those that are under way, and of those that ended in order the
// sizes of both bodies and the time. The zero value is ready, and all methods may be called by many at once.
type Exchanges struct {
	active atomic.Int64
	_      [7]int64 // every request writes active, and its end what follows: keep them on cache lines of their own
	plain  series   // of exchanges without labels

	labelled atomic.Pointer[map[string]*series] // by the encoded labels; replaced by a copy when one is added
	mu       sync.Mutex                         // held by who adds one
}

// A series is what is counted under one combination of labels.
type series struct {
	duration, received, sent histogram
}

// An Exchange is what there is to say of one at its end.
type Exchange struct {
	Received, Sent int64 // bytes of the bodies of the request and the response
	Duration       time.Duration
	Whole          bool   // it ended in order
	Labels         Labels // from the binding's Attributes
}

// Begin counts a request that has begun.
func (e *Exchanges) Begin() { e.active.Add(1) }

// End counts an exchange that is over, whose beginning was counted. It keeps nothing of x.
func (e *Exchanges) End(x *Exchange) {
	e.active.Add(-1)
	if !x.Whole {
		return
	}
	s := e.seriesOf(x.Labels.encoded)
	s.duration.take(int64(x.Duration))
	s.received.take(x.Received)
	s.sent.take(x.Sent)
}

// seriesOf gives the series under encoded labels.
func (e *Exchanges) seriesOf(labels []byte) *series {
	if len(labels) == 0 {
		return &e.plain
	}
	if all := e.labelled.Load(); all != nil {
		if s := (*all)[string(labels)]; s != nil {
			return s
		}
	}
	return e.addSeries(labels)
}

// addSeries is seriesOf for labels that were not there a moment ago.
func (e *Exchanges) addSeries(labels []byte) *series {
	var room [512]byte
	if all := e.labelled.Load(); all != nil && len(*all) >= MaxCombinations {
		others := appendOthers(room[:0], labels)
		if s := (*all)[string(others)]; s != nil {
			return s
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	all := map[string]*series{}
	if have := e.labelled.Load(); have != nil {
		if len(*have) >= MaxCombinations && (*have)[string(labels)] == nil {
			labels = appendOthers(nil, labels)
		}
		if s := (*have)[string(labels)]; s != nil {
			return s
		}
		maps.Copy(all, *have)
	}
	s := &series{}
	all[string(labels)] = s
	e.labelled.Store(&all)
	return s
}

func (e *Exchanges) family() *family { return &exchangeFamily }

func (e *Exchanges) read(sum *readings) {
	sum.plain[0].value += e.active.Load()
	e.plain.read(sum.plain)
	if all := e.labelled.Load(); all != nil {
		for labels, s := range *all {
			s.read(sum.of(labels))
		}
	}
}

// read adds to the readings of exchangeFamily.
func (s *series) read(to []reading) {
	s.duration.addTo(&to[1])
	s.received.addTo(&to[2])
	s.sent.addTo(&to[3])
}

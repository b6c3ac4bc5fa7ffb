package telemetry

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"sync/atomic"
)

// buckets is how many a histogram has: bucket i takes values up to 2^(i+1), beginning above the one before. So has zilla,
// except that a power of two itself goes into the bucket above there.
const buckets = 63

// bucketOf is the bucket that takes v.
func bucketOf(v int64) int {
	if v <= 2 {
		return 0
	}
	return bits.Len64(uint64(v-1)) - 1
}

// limitOf is the highest value that a bucket takes; as a float, which the last one needs.
func limitOf(bucket int) float64 { return float64(uint64(1) << (bucket + 1)) }

// A histogram counts values by how large they are. The zero value is ready.
type histogram struct {
	counts [buckets]atomic.Int64
	sum    atomic.Int64
}

// take counts a value; one below 0 is none.
func (h *histogram) take(v int64) {
	if v < 0 {
		v = 0
	}
	h.counts[bucketOf(v)].Add(1)
	h.sum.Add(v)
}

// addTo adds what was counted to a reading.
func (h *histogram) addTo(r *reading) {
	var counts [buckets]int64
	seen := false
	for i := range h.counts {
		counts[i] = h.counts[i].Load()
		seen = seen || counts[i] != 0
	}
	if !seen {
		return
	}
	if r.histogram == nil {
		r.histogram = &Distribution{}
	}
	for i, n := range counts {
		r.histogram.counts[i] += n
	}
	r.histogram.sum += h.sum.Load()
}

// A Distribution is what a histogram has counted at one moment.
type Distribution struct {
	counts [buckets]int64
	sum    int64
}

// Count is how many values there were.
func (d *Distribution) Count() (n int64) {
	for _, c := range d.counts {
		n += c
	}
	return n
}

// Sum is that of all values.
func (d *Distribution) Sum() int64 { return d.sum }

// Average is that of all values, 0 if there were none.
func (d *Distribution) Average() float64 {
	if n := d.Count(); n > 0 {
		return float64(d.sum) / float64(n)
	}
	return 0
}

func (d *Distribution) add(from *Distribution) {
	for i, n := range from.counts {
		d.counts[i] += n
	}
	d.sum += from.sum
}

// A bucket is one of a Distribution in JSON.
type bucketJSON struct {
	UpTo  uint64 `json:"up_to"` // the highest value in it
	Count int64  `json:"count"` // of the values in it that are in none before
}

type distributionJSON struct {
	Sum     int64        `json:"sum"`
	Buckets []bucketJSON `json:"buckets"` // those that are not empty, in order
}

// MarshalJSON gives the sum, and the buckets that are not empty.
func (d *Distribution) MarshalJSON() ([]byte, error) {
	j := distributionJSON{Sum: d.sum, Buckets: []bucketJSON{}}
	for i, n := range d.counts {
		if n != 0 {
			j.Buckets = append(j.Buckets, bucketJSON{1 << (i + 1), n})
		}
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON gives.
func (d *Distribution) UnmarshalJSON(b []byte) error {
	var j distributionJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("cannot read a histogram: %w", err)
	}
	*d = Distribution{sum: j.Sum}
	for _, in := range j.Buckets {
		if in.UpTo < 2 || in.UpTo&(in.UpTo-1) != 0 {
			return fmt.Errorf("cannot read a histogram: no bucket ends at %d", in.UpTo)
		}
		d.counts[bits.Len64(in.UpTo)-2] += in.Count
	}
	return nil
}

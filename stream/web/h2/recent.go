package h2

// recent are the streams that were over last.
type recent struct {
	ids  [64]uint32
	next int
	lost uint32 // the highest one that is not among them any more
}

const resetByUs = 1 << 31 // which no number of a stream has

func (r *recent) add(id uint32) {
	at := &r.ids[r.next%len(r.ids)]
	r.lost = max(r.lost, *at&^resetByUs)
	*at = id
	r.next++
}

// forgot reports whether nothing is known of a stream that may have been among them.
func (r *recent) forgot(id uint32) bool { return id <= r.lost && !r.has(id) }

func (r *recent) resets(id uint32) {
	for i := range r.ids {
		if r.ids[i]&^resetByUs == id {
			r.ids[i] |= resetByUs
			return
		}
	}
	r.add(id | resetByUs)
}

func (r *recent) has(id uint32) bool {
	for _, have := range r.ids {
		if have&^resetByUs == id {
			return true
		}
	}
	return false
}

func (r *recent) wasReset(id uint32) bool {
	for _, have := range r.ids {
		if have == id|resetByUs {
			return true
		}
	}
	return false
}

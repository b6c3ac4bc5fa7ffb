package jwt

import (
	"crypto/sha256"
	"sync"
)

// Bounds on the tokens that are remembered: together a few tens of megabytes at worst.
const (
	mostTokens     = 4096
	mostCachedSize = 8 << 10 // bytes of one; a longer one is verified each time
)

// digest stands for a token, which is not kept.
type digest [sha256.Size]byte

// A cache has verified tokens, so that their signatures are not verified again with each request. When it is full, those go
// that were not asked for of late (the clock algorithm). The zero value is ready for use.
type cache struct {
	mu    sync.Mutex
	byKey map[digest]*cached
	ring  []*cached
	hand  int
}

type cached struct {
	sum   digest
	set   *keySet // that has verified it
	token *verified
	used  bool // since the hand was here
}

// get gives a token that was verified with the keys of set, else nil.
func (c *cache) get(sum *digest, set *keySet) *verified {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[*sum]
	if e == nil || e.set != set {
		return nil
	}
	e.used = true
	return e.token
}

// put remembers a token that was verified with the keys of set.
func (c *cache) put(sum *digest, set *keySet, token *verified) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[*sum]; e != nil {
		e.set, e.token = set, token
		return
	}
	if c.byKey == nil {
		c.byKey = map[digest]*cached{}
	}
	e := &cached{sum: *sum, set: set, token: token}
	c.byKey[*sum] = e
	if len(c.ring) < mostTokens {
		c.ring = append(c.ring, e)
		return
	}
	for c.ring[c.hand].used {
		c.ring[c.hand].used = false
		c.hand = (c.hand + 1) % len(c.ring)
	}
	delete(c.byKey, c.ring[c.hand].sum)
	c.ring[c.hand] = e
	c.hand = (c.hand + 1) % len(c.ring)
}

// len is how many tokens are remembered.
func (c *cache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ring)
}

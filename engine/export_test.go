package engine

// Tapped is how many edges are tapped.
func (e *Engine) Tapped() int {
	e.taps.mu.Lock()
	defer e.taps.mu.Unlock()
	return len(e.taps.tapped)
}

// Retap is what who links calls.
func (e *Engine) Retap() { e.retap() }

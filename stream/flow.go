package stream

// A Flow counts the bytes of a stream: for every binding that the stream has come through when the flow was made and
// that no flow before it counts for, and the first one also for the scope's record. So each binding has the bytes of the
// layer that it is at, once, also where two ends of a pipe inside the process are served on behalf of one scope. Each
// direction has one writer at a time.
type Flow struct {
	scope *Scope
	first bool
	nodes []*Node
}

// Flow is the flow of the bytes that the scope moves from now on.
func (s *Scope) Flow() Flow {
	var f Flow
	f.Begin(s)
	return f
}

// Begin makes f what s.Flow gives, and uses its memory again.
func (f *Flow) Begin(s *Scope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.scope, f.first, f.nodes = s, !s.flows, f.nodes[:0]; cap(f.nodes) == 0 {
		f.nodes = make([]*Node, 0, len(s.path))
	}
	s.flows = true
	for i := range s.path {
		if st := &s.path[i]; st.counted && !st.flows && !st.below {
			st.flows = true
			f.nodes = append(f.nodes, st.node)
		}
	}
}

// Received counts n bytes from who opened the stream.
func (f *Flow) Received(n int) {
	if f.first {
		f.scope.received.Add(int64(n))
	}
	for _, node := range f.nodes {
		node.Streams.Received.Bytes.Add(int64(n))
	}
}

// Sent counts n bytes to who opened the stream.
func (f *Flow) Sent(n int) {
	if f.first {
		f.scope.Mark(FirstByte)
		f.scope.sent.Add(int64(n))
	}
	for _, node := range f.nodes {
		node.Streams.Sent.Bytes.Add(int64(n))
	}
}

// Below says that the bindings that the stream has come through so far have the bytes that Moved is told of, and those that
// come next have a layer of their own above: a Flow counts for these only, and not for the record.
func (s *Scope) Below() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flows = true
	for i := range s.path {
		s.path[i].below = true
	}
}

// Moved counts bytes of an exchange, which nobody makes a Flow for, as a Flow would: for every binding on its way.
func (s *Scope) Moved(received, sent int64) {
	if received == 0 && sent == 0 {
		return
	}
	s.received.Add(received)
	s.sent.Add(sent)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.path {
		if st := &s.path[i]; st.counted && !st.flows {
			st.node.Streams.Received.Bytes.Add(received)
			st.node.Streams.Sent.Bytes.Add(sent)
		}
	}
}

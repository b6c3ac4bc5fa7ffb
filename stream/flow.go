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
	s.mu.Lock()
	defer s.mu.Unlock()
	f := Flow{scope: s, first: !s.flows, nodes: make([]*Node, 0, len(s.path))}
	s.flows = true
	for i := range s.path {
		if st := &s.path[i]; st.counted && !st.flows {
			st.flows = true
			f.nodes = append(f.nodes, st.node)
		}
	}
	return f
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

package stream

// A Flow counts the bytes of a stream: for the scope's record, and for every binding that the stream has come through
// when the flow was made. Each direction has one writer at a time.
type Flow struct {
	scope *Scope
	nodes []*Node
}

// Flow is the flow of the bytes that the scope moves from now on.
func (s *Scope) Flow() Flow {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := Flow{scope: s, nodes: make([]*Node, 0, len(s.path))}
	for _, st := range s.path {
		if st.counted {
			f.nodes = append(f.nodes, st.node)
		}
	}
	return f
}

// Received counts n bytes from who opened the stream.
func (f *Flow) Received(n int) {
	f.scope.received.Add(int64(n))
	for _, node := range f.nodes {
		node.Streams.Received.Bytes.Add(int64(n))
	}
}

// Sent counts n bytes to who opened the stream.
func (f *Flow) Sent(n int) {
	f.scope.Mark(FirstByte)
	f.scope.sent.Add(int64(n))
	for _, node := range f.nodes {
		node.Streams.Sent.Bytes.Add(int64(n))
	}
}

package web

import "strings"

// Trail is what the header of a request says of the way that it has come, for who asks for something else in its stead: who
// has forwarded it, if the gateway answers for that, via, and the trace that it is part of. The lines are yours.
func (r *Request) Trail() (trail Header) {
	for _, f := range r.Header {
		if f.Name == "via" || f.Name == "traceparent" || f.Name == "tracestate" || r.Vouched && IsForwarded(f.Name) {
			trail = append(trail, f)
		}
	}
	return trail
}

// IsForwarded reports whether a line of that name says whom a request comes from.
func IsForwarded(name string) bool {
	return name == "forwarded" || strings.HasPrefix(name, "x-forwarded-")
}

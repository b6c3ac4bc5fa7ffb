package h1

// Parted reports whether the client has ended what it sends: see [web.Parted].
func (x *exchange) Parted() bool { return x.v.t.Parted() }

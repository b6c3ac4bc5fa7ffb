package gwtest

import "gozilla/stream/conn/conntest"

// How is the end of a stream as who reads it sees it: "fin", "rst", or "nothing" for none before the deadline.
func How(err error) string { return conntest.How(err) }

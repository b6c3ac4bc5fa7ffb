//go:build portable || !linux

package h2_test

// spare is how many allocations a request more are allowed where sockets are read and written as Go does.
const spare = 2

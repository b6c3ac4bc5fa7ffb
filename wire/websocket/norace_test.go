//go:build !race

package websocket

// raceEnabled says that allocations are not to be counted: the race detector makes some of its own.
const raceEnabled = false

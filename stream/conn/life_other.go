//go:build !linux

package conn

// pollParted would be what poll says of a socket whose peer has ended what it sends, which it does not on this system.
const pollParted = 0

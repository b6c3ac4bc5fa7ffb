//go:build race

package webtest

// race reports whether the race detector runs, which makes everything slow.
const race = true

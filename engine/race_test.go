//go:build race

package engine_test

// raceEnabled says that all takes ten times as long.
const raceEnabled = true

// Package telemetry holds what a running gateway knows of itself: counters, events and connection records.
//
//	edges, relays --add--> Streams, Exchanges --Snapshot--> prometheus, gozilla metrics
//	components    --Emit-> Event  \
//	scopes        --End--> Record  > Log: a ring for gozilla logs, the log on stderr, exporters, the access log
//
// It has no contract and imports nothing of the project. Counters are plain atomics: whoever moves bytes adds them
// where it moves them, and nobody wraps a socket to count.
package telemetry

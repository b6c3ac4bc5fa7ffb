// Package test runs gozilla as its users do: by its command line, with real peers, against hostile ones.
//
//	cli_test.go         every command, by the scripts in ../cli/testdata/script
//	process_test.go     a gateway as a process: signals, diagnostics, records, events, the log
//	config_test.go      configurations by address, and huge ones
//	e2e_test.go         the examples, nc, socat, curl and HAProxy
//	prometheus_test.go  what the exporter serves, read by Prometheus' own parser
//	strace_test.go      the system calls of a relay
//	badinput_test.go    peers that do not behave
//	corpus_test.go      configurations made from building blocks, with the verdict known by construction
//
// It is a module of its own, so that the libraries that it needs are none of gozilla's.
package test

// Package test runs gozilla as its users do: by its command line, with real peers, against hostile ones.
//
//	cli_test.go           every command, by the scripts in ../cli/testdata/script
//	process_test.go       a gateway as a process: signals, diagnostics, records, events, the log
//	config_test.go        configurations by address, and huge ones
//	e2e_test.go           the examples, nc, socat, curl and HAProxy
//	prometheus_test.go    what the exporter serves, read by Prometheus' own parser
//	strace_test.go        the system calls of a relay
//	badinput_test.go      peers that do not behave
//	tls_server_test.go    what openssl and others agree on with a tls server, and how that ends
//	tls_client_test.go    openssl, nginx and rude ones as servers; curl; HAProxy before and behind
//	tls_proxy_test.go     hellos of all shapes, and the system calls after them
//	tls_badinput_test.go  clients that do not keep to TLS
//	tls_live_test.go      certificates, trust and revocations that change under load
//	tls_scan_test.go      what testssl and sslscan find
//	tls_upstream_test.go  zilla's checks of its examples
//	corpus_test.go        configurations made from building blocks, with the verdict known by construction
//
// It is a module of its own, so that the libraries that it needs are none of gozilla's.
package test

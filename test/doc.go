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
//	http_examples_test.go the examples of HTTP, by the commands of their READMEs
//	http_guide_test.go    what docs/http.md says
//	http_upstream_test.go what zilla's examples of HTTP show
//	http_curl_test.go     curl, before a server of Go, nginx and the echo
//	http_peers_test.go    clients and servers of Python and Node
//	http_backend_test.go  servers that keep connections, end them, or are away; a full pool; the end of the gateway
//	http_badinput_test.go clients and servers that break the rules of HTTP
//	http_poison_test.go   servers that say more than they were asked
//	http_slow_test.go     slowhttptest
//	http_browser_test.go  pages of other origins, in Chromium
//	http_jwt_test.go      tokens, good and bad, and sets of keys
//	http_observe_test.go  access logs, traces, metrics
//	http2_test.go         a client and a server of HTTP/2 that are driven by hand
//	http2_spec_test.go    h2spec
//	http2_tools_test.go   nghttp, h2load and curl
//	http2_cross_test.go   between HTTP/1.1 and HTTP/2, in both directions
//	http2_grpc_test.go    grpc-go
//	http2_websocket_test.go websockets, by CONNECT, and beside HTTP/2 where that is not taken
//	http2_browser_test.go a page that asks for much at once, in Chromium
//	http2_backend_test.go servers that go away, refuse, break the rules, or flood
//	http2_badinput_test.go clients that break the rules of HTTP/2, or are odd
//	http2_flood_test.go   clients that cost more than they bring, and deaf ones
//	http2_live_test.go    the end of the gateway, and changes, under running streams
//	corpus_test.go        configurations made from building blocks, with the verdict known by construction
//
// It is a module of its own, so that the libraries that it needs are none of gozilla's.
package test

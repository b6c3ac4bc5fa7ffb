// Package admin is how a running gateway is asked about itself, and told the few things that it can be told: HTTP and
// JSON over a unix socket in the directory of the process, which only its user may reach.
//
//	engine -Source-> Handler -Serve-> DIR/admin.sock <-Client- gozilla status, connections, logs, metrics, stop …
//
// What can be asked for stands in one table, endpoints, from which requests are routed, refused and documented. A
// further endpoint is a further line there. No GET changes anything.
package admin

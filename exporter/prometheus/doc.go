// Package prometheus is the exporter that Prometheus asks for metrics.
//
//	engine: accepts -> serve -handover-> net/http -> Metrics.Snapshot -> text format 0.0.4
//	                     scope <--Close-- client
//
// Ports are opened by the engine as all others are, so they are kept over reloads, count towards the limit on
// connections and have records. Names of metrics are those of zilla's exporter. Unlike zilla's, it serves exactly the
// path that was configured, with a Content-Type, names each metric once, and answers HEAD.
package prometheus

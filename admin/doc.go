// Package admin is how a running gateway is asked about itself: HTTP and JSON over a unix socket in the directory of
// the process, which only its user may reach.
//
//	engine -Source-> Handler -Serve-> DIR/admin.sock <-Client- gozilla logs, metrics, dump, stop
//
//	GET /v1/status                      who it is and how it does, see Status
//	GET /v1/metrics                     a list of telemetry.Sample
//	GET /v1/metrics?format=prometheus   the same for a scraper
//	GET /v1/logs?since=SEQ&follow=true  events and records, a JSON object a line, see Entry
//	POST /v1/dump?binding=NAME&source=CIDR&for=30s&bytes=N
//	                                    what crosses the edges from now on, a JSON object a line, see DumpLine
//
// Nothing can be changed over it.
package admin

// Package admin is how a running gateway is asked about itself: HTTP and JSON over a unix socket in the directory of
// the process, which only its user may reach.
//
//	engine -Source-> Handler -Serve-> DIR/admin.sock <-Client- gozilla logs, gozilla metrics, gozilla stop
//
//	GET /v1/status                      who it is and how it does, see Status
//	GET /v1/metrics                     a list of telemetry.Sample
//	GET /v1/metrics?format=prometheus   the same for a scraper
//	GET /v1/logs?since=SEQ&follow=true  events and records, a JSON object a line, see Entry
//
// Nothing can be changed over it.
package admin

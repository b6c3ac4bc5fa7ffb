package admin

import (
	"net/http"
	"slices"
	"strings"
)

// An endpoint is something that can be asked of a gateway, or told to it.
type endpoint struct {
	method string
	path   string // its last element may be {id}
	answer func(*API, http.ResponseWriter, *http.Request)
	doc    string
	query  []parameter
	body   string // an example of what it takes, "" for nothing
}

// A parameter is a part of the query.
type parameter struct{ name, doc string }

var since = []parameter{
	{"since", "only those from this sequence number on; by default all that are kept"},
	{"follow", "true to go on with those that come, until the client or the gateway ends it"},
}

// endpoints are all there are, in the order of the page.
var endpoints = []endpoint{
	{"GET", "/v1/status", (*API).status, "Who the gateway is and how it does.", nil, ""},
	{"GET", "/v1/bindings", (*API).bindings, "The bindings in service, where each sends its streams, and what it has counted.", nil, ""},
	{"GET", "/v1/connections", (*API).connections, "The connections that are open, the newest last, as their records are so far, and how many there are in all. Of one that carries exchanges of HTTP, such as open WebSockets and " +
		"streams of events, exchanges are the ways that these take and how many take each: eight at most, of which the last has no path if it stands for all others.", []parameter{
		{"binding", "only those that went through this binding, or an exchange of which does, NAME or NAMESPACE:NAME"},
		{"namespace", "only those that went through a binding of this namespace, or an exchange of which does"},
		{"source", "only those that come from this network, such as 10.0.0.0/8, or from this address"},
		{"limit", "so many at most, the newest; by default 1000, at most 10000"},
	}, ""},
	{"DELETE", "/v1/connections/{id}", (*API).closeConnection, "Closes a connection, by the number of its record. Its peers see that it was cut off.", nil, ""},
	{"GET", "/v1/metrics", (*API).metrics, "All metrics, whether the file selects them or not.", []parameter{
		{"format", "json, which is the default, or prometheus, which is for scrapers"},
	}, ""},
	{"GET", "/v1/logs", (*API).logs, "Events and records, a JSON object a line.", since, ""},
	{"GET", "/v1/records", (*API).records, "Records only, a JSON object a line.", since, ""},
	{"POST", "/v1/dump", (*API).dump, "Shows what crosses the edges between bindings from now on, a JSON object a line, see [gozilla dump](../dump.md).", []parameter{
		{"binding", "only streams that come from this binding or go to it, NAME or NAMESPACE:NAME"},
		{"source", "only streams that were opened from this network, such as 10.0.0.0/8, or from this address"},
		{"for", "after this time it ends, such as 30s; by default when the client ends it"},
		{"bytes", "after so many bytes of data it ends"},
	}, ""},
	{"POST", "/v1/plan", (*API).plan, "Tells what a configuration would change if it were the one in service, and changes nothing: components, listeners, and how many open connections would be kept, drained and closed. " +
		"Of one that would be refused, for a port that is in use too, the answer has the faults.", nil, `{"name":"new.yaml","folder":"/etc/gozilla","text":"name: example\n"}`},
	{"POST", "/v1/reload", (*API).reload, "Reads the configuration again, whether it has changed or not, and tells what that has changed. One that is refused changes nothing: the answer has its faults.", []parameter{
		{"color", "true for a report with colours"},
	}, ""},
	{"GET", "/v1/log-level", (*API).level, "The least level of what the process writes to its log.", nil, ""},
	{"PUT", "/v1/log-level", (*API).setLevel, "Changes that level, until the process ends: debug, info, warn or error.", nil, `{"level":"debug"}`},
}

// find gives the endpoints at a path, of which each has another method, and what stands in the path for {id}.
func find(path string) (found []endpoint, id string) {
	for _, e := range endpoints {
		head, ok := strings.CutSuffix(e.path, "{id}")
		switch rest, below := strings.CutPrefix(path, head); {
		case !ok && e.path == path:
			found = append(found, e)
		case ok && below && rest != "" && !strings.Contains(rest, "/"):
			found, id = append(found, e), rest
		}
	}
	return found, id
}

// paths are those of all endpoints, each once.
func paths() []string {
	var all []string
	for _, e := range endpoints {
		all = append(all, e.path)
	}
	return slices.Compact(all)
}

func methods(of []endpoint) []string {
	var all []string
	for _, e := range of {
		all = append(all, e.method)
	}
	return all
}

package admin

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"gozilla/engine"
	"gozilla/telemetry"
)

// Reference is the page about the API, made of its endpoints.
func Reference() string {
	var b strings.Builder
	b.WriteString("A gateway that runs is asked over a unix socket, admin.sock in its directory (by default .zilla/engine), which only its " +
		"user may open. It speaks HTTP and JSON; the commands `gozilla status`, `connections`, `logs`, `metrics` and others are its clients. " +
		"For example:\n\n" +
		"```\ncurl --unix-socket .zilla/engine/admin.sock http://gozilla/v1/status\n" +
		"curl --unix-socket .zilla/engine/admin.sock -X DELETE http://gozilla/v1/connections/7\n```\n\n" +
		"What begins with /v1/ keeps its meaning: values may be added, none is taken away. No GET changes anything. A request that is not " +
		"taken is answered with a status from 400 on and `{\"error\":\"why\"}`. A parameter or a value that is not known is a fault (400), and so is a path (404) " +
		"or a method (405). A body may have " + fmt.Sprintf("%d MiB", bodyBytes>>20) + ". At most " + fmt.Sprint(clients) + " clients are served at once, and of those that follow logs or records, or dump, at most " +
		fmt.Sprint(followers) + ", so that there is room for others: one more is answered with 503.\n")
	for _, e := range endpoints {
		e.describe(&b)
	}
	return b.String()
}

func (e *endpoint) describe(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s %s\n\n%s\n", e.method, e.path, e.doc)
	if len(e.query) > 0 {
		b.WriteString("\n")
	}
	for _, p := range e.query {
		fmt.Fprintf(b, "* `%s`: %s\n", p.name, p.doc)
	}
	if e.body != "" {
		fmt.Fprintf(b, "\nThe body:\n\n```\n%s\n```\n", e.body)
	}
	if sample := samples[e.path]; e.method == "GET" && sample != nil {
		text, err := json.MarshalIndent(sample, "", "  ")
		if err != nil {
			panic(err) // a sample is a constant
		}
		fmt.Fprintf(b, "\nThe answer, for example:\n\n```\n%s\n```\n", text)
	}
}

// samples are answers, by path.
var samples = map[string]any{
	"/v1/status": Status{
		PID: 4711, Version: "1.2.3", Started: sampleTime, Config: "zilla.yaml", Generation: 2, Loaded: sampleTime.Add(time.Hour), Ready: true,
		Refused:     &Refusal{Time: sampleTime.Add(2 * time.Hour), Faults: []string{"zilla.yaml:7:11: there is no binding sout"}, Times: 1},
		Connections: 3, Capacity: 10_000,
	},
	"/v1/bindings": engine.Graph{Bindings: []engine.GraphBinding{{
		Namespace: "example", Name: "north", Type: "tcp", Kind: "server", Entry: true, Listeners: []string{"127.0.0.1:7001"}, Digest: "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
		Exits: []engine.GraphExit{
			{Route: "routes[0]", When: "source 10.0.0.0/8", To: "example:blue"},
			{Route: "exit", To: "example:green"},
		},
		Streams: engine.GraphStreams{Open: 3, Opened: 120, Errors: 2, Received: 4096, Sent: 65536},
	}}},
	"/v1/connections": Connections{Total: 1, Connections: []*telemetry.Record{{
		ID: 7, Start: sampleTime, Source: netip.MustParseAddrPort("10.0.0.1:5555"), Dest: netip.MustParseAddrPort("10.0.0.2:7001"),
		Target: "10.0.0.3:80", Path: []telemetry.Step{{Binding: "example:north", Route: "routes[0]"}, {Binding: "example:blue"}},
		Ways:     []telemetry.Way{{Path: []telemetry.Step{{Binding: "example:blue", Route: "exit"}, {Binding: "example:sockets"}}, Count: 1}},
		Received: 4096, Sent: 65536, Identity: "client", Duration: time.Minute,
	}}},
	"/v1/log-level": level{"info"},
}

var sampleTime = time.Date(2026, 8, 1, 14, 5, 6, 0, time.UTC)

package telemetry

import "slices"

// The units of metrics.
const (
	UnitCount = "count"
	UnitBytes = "bytes"
	UnitNanos = "nanoseconds"
)

// streamFamily are the metrics that every binding has.
var streamFamily = family{
	{"stream.active.received", Gauge, UnitCount, "Streams that are open towards the binding"},
	{"stream.active.sent", Gauge, UnitCount, "Streams that are open back to who opened them"},
	{"stream.closes.received", Counter, UnitCount, "Streams towards the binding that ended in order"},
	{"stream.closes.sent", Counter, UnitCount, "Streams back to who opened them that ended in order"},
	{"stream.data.received", Counter, UnitBytes, "Payload that came from who opened the streams"},
	{"stream.data.sent", Counter, UnitBytes, "Payload that went back to who opened the streams"},
	{"stream.errors.received", Counter, UnitCount, "Streams towards the binding that were refused or cut"},
	{"stream.errors.sent", Counter, UnitCount, "Streams back to who opened them that were refused or cut"},
	{"stream.opens.received", Counter, UnitCount, "Streams that were opened towards the binding"},
	{"stream.opens.sent", Counter, UnitCount, "Streams that were opened back to who opened them"},
}

// exchangeFamily are the metrics that bindings have which HTTP requests go through.
var exchangeFamily = family{
	{"http.active.requests", Gauge, UnitCount, "HTTP requests that are under way"},
	{"http.duration", Histogram, UnitNanos, "How long HTTP exchanges took that ended in order, from the request to the end of its response"},
	{"http.request.size", Histogram, UnitBytes, "Bytes in the bodies of HTTP requests whose exchanges ended in order"},
	{"http.response.size", Histogram, UnitBytes, "Bytes in the bodies of HTTP responses whose exchanges ended in order"},
}

// messageFamily are the metrics of bindings that make WebSockets of HTTP, or the other way round.
var messageFamily = family{
	{"ws.messages.received", Counter, UnitCount, "WebSocket messages that came from who opened the sockets"},
	{"ws.messages.sent", Counter, UnitCount, "WebSocket messages that went back to who opened the sockets"},
}

// serverEventFamily are the metrics of bindings that streams of events go through.
var serverEventFamily = family{
	{"sse.events.received", Counter, UnitCount, "Server-sent events that came to the binding from where it opened streams"},
	{"sse.events.sent", Counter, UnitCount, "Server-sent events that went back to who opened the streams"},
}

// families are all that this build counts for bindings.
var families = []*family{&streamFamily, &exchangeFamily, &messageFamily, &serverEventFamily}

// unbuilt are the metrics that a zilla.yaml may list and that nothing in this build counts yet.
var unbuilt = []string{
	"grpc.active.requests",
	"grpc.duration",
	"grpc.request.size",
	"grpc.requests.per.rpc",
	"grpc.response.size",
	"grpc.responses.per.rpc",
	"mcp.initialize",
	"mcp.initialize.duration",
	"mcp.prompts.get",
	"mcp.prompts.get.duration",
	"mcp.prompts.list",
	"mcp.prompts.list.duration",
	"mcp.resources.list",
	"mcp.resources.list.duration",
	"mcp.resources.read",
	"mcp.resources.read.duration",
	"mcp.tools.call",
	"mcp.tools.call.duration",
	"mcp.tools.list",
	"mcp.tools.list.duration",
}

// MetricNames are the names of all metrics that a zilla.yaml may list, sorted. The engine's own are not among them:
// they are always there.
func MetricNames() []string {
	names := slices.Clone(unbuilt)
	for _, f := range families {
		for _, m := range *f {
			names = append(names, m.name)
		}
	}
	slices.Sort(names)
	return names
}

// Built reports whether this build counts the metric of that name.
func Built(name string) bool { return metricOf(name) != nil }

// Help says in one sentence what a metric counts, "" for one that this build does not count.
func Help(name string) string {
	if m := metricOf(name); m != nil {
		return m.help
	}
	return ""
}

// KindOf is the kind of a metric, "" for one that this build does not count.
func KindOf(name string) Kind {
	if m := metricOf(name); m != nil {
		return m.kind
	}
	return ""
}

func metricOf(name string) *metric {
	for _, f := range families {
		for i := range *f {
			if (*f)[i].name == name {
				return &(*f)[i]
			}
		}
	}
	return nil
}

package telemetry

import "slices"

// The units of metrics.
const (
	UnitCount = "count"
	UnitBytes = "bytes"
	UnitNanos = "nanoseconds"
)

// A streamMetric is a metric that every binding has. Names, kinds and units are zilla's.
type streamMetric struct {
	name  string
	kind  Kind
	unit  string
	help  string
	value func(*Streams) int64
}

var streamMetrics = []streamMetric{
	{"stream.active.received", Gauge, UnitCount, "Streams that are open towards the binding",
		func(s *Streams) int64 { return s.Received.Active() }},
	{"stream.active.sent", Gauge, UnitCount, "Streams that are open back to who opened them",
		func(s *Streams) int64 { return s.Sent.Active() }},
	{"stream.closes.received", Counter, UnitCount, "Streams towards the binding that ended in order",
		func(s *Streams) int64 { return s.Received.Closes.Load() }},
	{"stream.closes.sent", Counter, UnitCount, "Streams back to who opened them that ended in order",
		func(s *Streams) int64 { return s.Sent.Closes.Load() }},
	{"stream.data.received", Counter, UnitBytes, "Payload that came from who opened the streams",
		func(s *Streams) int64 { return s.Received.Bytes.Load() }},
	{"stream.data.sent", Counter, UnitBytes, "Payload that went back to who opened the streams",
		func(s *Streams) int64 { return s.Sent.Bytes.Load() }},
	{"stream.errors.received", Counter, UnitCount, "Streams towards the binding that were refused or cut",
		func(s *Streams) int64 { return s.Received.Errors.Load() }},
	{"stream.errors.sent", Counter, UnitCount, "Streams back to who opened them that were refused or cut",
		func(s *Streams) int64 { return s.Sent.Errors.Load() }},
	{"stream.opens.received", Counter, UnitCount, "Streams that were opened towards the binding",
		func(s *Streams) int64 { return s.Received.Opens.Load() }},
	{"stream.opens.sent", Counter, UnitCount, "Streams that were opened back to who opened them",
		func(s *Streams) int64 { return s.Sent.Opens.Load() }},
}

// unbuilt are the metrics that a zilla.yaml may list and that nothing in this build counts yet.
var unbuilt = []string{
	"grpc.active.requests",
	"grpc.duration",
	"grpc.request.size",
	"grpc.requests.per.rpc",
	"grpc.response.size",
	"grpc.responses.per.rpc",
	"http.active.requests",
	"http.duration",
	"http.request.size",
	"http.response.size",
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
	for _, m := range streamMetrics {
		names = append(names, m.name)
	}
	slices.Sort(names)
	return names
}

// Built reports whether this build counts the metric of that name.
func Built(name string) bool { return streamMetricOf(name) != nil }

// Help says in one sentence what a metric counts, "" for one that this build does not count.
func Help(name string) string {
	if m := streamMetricOf(name); m != nil {
		return m.help
	}
	return ""
}

func streamMetricOf(name string) *streamMetric {
	i := slices.IndexFunc(streamMetrics, func(m streamMetric) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return &streamMetrics[i]
}

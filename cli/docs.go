package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"gozilla/admin"
	"gozilla/component"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/telemetry"
)

var docsCommand = &command{
	name: "docs", args: "[PAGE]", short: "show the reference",
	long: "Shows a page of the reference of this build: a component type, a section of the file, or the schema for " +
		"editors. Without a page, lists them.",
	flags: func(*flag.FlagSet) func(context.Context, *Env, []string) error {
		return func(_ context.Context, env *Env, args []string) error {
			switch len(args) {
			case 0:
				listPages(env.Stdout)
				return nil
			case 1:
				return showPage(env.Stdout, args[0])
			}
			return usagef("one page at a time")
		}
	},
	examples: []string{"gozilla docs", "gozilla docs tcp", "gozilla docs schema > zilla.schema.json"},
}

// Pages are all pages of the reference, in order.
func Pages() []component.Page {
	pages := []component.Page{
		component.ShapePage("namespace", "A namespace", "namespace",
			"A configuration is one or several YAML documents, each of which is a namespace. Names of other namespaces are "+
				"written NAMESPACE:NAME. The namespace sys is there without being declared.", config.ShapeOf[config.Namespace]()),
	}
	pages = append(pages, component.TypePages()...)
	return append(pages,
		component.ShapePage("limits", "Limits", "limits",
			"Everything that comes from outside is bounded. Each limit is set with -P gozilla.limits.KEY=VALUE.", config.ShapeOf[stream.Limits]()),
		component.TextPage("properties", "Properties", "properties", propertiesPage()),
		component.TextPage("metrics", "Metrics", "metrics", metricsPage()),
		component.TextPage("events", "Events", "events", eventsPage()),
		component.TextPage("records", "Records", "records", recordsPage()),
		component.TextPage("admin", "The admin API", "admin", admin.Reference()),
		component.TextPage("cli", "The command line", "cli", cliPage()),
	)
}

func listPages(w io.Writer) {
	fmt.Fprint(w, "Pages of the reference, each shown by gozilla docs PAGE:\n\n")
	for _, p := range Pages() {
		fmt.Fprintf(w, "  %-15s  %s\n", p.Name, p.Title)
	}
	fmt.Fprintf(w, "  %-15s  %s\n", "schema", "The JSON schema for editors")
}

func showPage(w io.Writer, name string) error {
	if name == "schema" {
		b, err := Schema()
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	}
	var names []string
	found := false
	for _, p := range Pages() { // there is a filesystem binding, and a filesystem vault
		names = append(names, p.Name)
		if p.Name != name {
			continue
		}
		text := p.Text()
		if found {
			text = append([]byte("\n\n"), text...)
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		found = true
	}
	if found {
		return nil
	}
	if slices.Contains(unbuiltTypes(), name) {
		return fmt.Errorf("%s is not built yet", name)
	}
	return fmt.Errorf("there is no page %q%s", name, didYouMean(name, names))
}

func unbuiltTypes() []string {
	var all []string
	for _, c := range component.Categories() {
		all = append(all, c.Unbuilt()...)
	}
	return all
}

// Schema is the JSON schema of a configuration, for editors.
func Schema() ([]byte, error) {
	b, err := json.MarshalIndent(component.Schema(), "", "  ")
	return append(b, '\n'), err
}

func propertiesPage() string {
	var b strings.Builder
	b.WriteString("Properties are set with -P NAME=VALUE, or in a properties file, a NAME=VALUE a line (-p). Besides those here " +
		"there are the limits, see there. Further properties of zilla are taken with a warning: they have no effect, " +
		"because what they size is not there.\n\n")
	for _, p := range sortedProperties() {
		fmt.Fprintf(&b, "* `%s`: %s\n", p.name, p.doc)
	}
	return b.String()
}

func metricsPage() string {
	var b strings.Builder
	b.WriteString("What a binding counts is listed under telemetry.metrics of its namespace, and selected by the patterns under " +
		"telemetry.metrics of the binding; exporters then carry it. `gozilla metrics` shows all. Names in " +
		"zilla.yaml that this build does not count yet are taken and stay without values. A histogram counts values by " +
		"how large they are, between powers of two.\n\n")
	for _, name := range telemetry.MetricNames() {
		if telemetry.Built(name) {
			fmt.Fprintf(&b, "* `%s` (%s): %s\n", name, telemetry.KindOf(name), telemetry.Help(name))
		}
	}
	b.WriteString("\nAlways there, without being listed: `engine.workers.count`, `engine.workers.capacity`, `engine.workers.usage` " +
		"and `engine.workers.refused`.\n")
	b.WriteString("\n## Attributes\n\n" +
		"By default a binding has one series of each metric. What stands under its telemetry.attributes, text or an expression " +
		"by the name of a label, tells the values of its histograms `http.*` apart: each combination of them is a series of " +
		"its own. An expression is all of a value:\n\n" +
		"* `${http.request.method}`, `${http.request.path}`, `${http.response.status}`\n" +
		"* `${http.request.NAME}` and `${http.response.NAME}`: the header NAME. An exchange without it has no such label.\n\n" +
		fmt.Sprintf("Values are cut at 256 bytes. A binding tells %d combinations apart, and puts further ones into one series in which every "+
			"expression gives `%s`. Prefer what has few values: `${http.request.path}` has as many as clients like.\n\n", telemetry.MaxCombinations, telemetry.OtherLabel) +
		"The prometheus exporter gives times in milliseconds, in buckets from 16 microseconds to 73 minutes, and sizes in bytes, in " +
		"buckets up to 64 GiB.\n")
	return b.String()
}

func eventsPage() string {
	return "Events are what components have to tell. They go to the log, to the exporters, and to `gozilla logs`, which shows the " +
		"last 1024 of the running gateway.\n\n" + terms(telemetry.Events)
}

func recordsPage() string {
	return "Every connection has one record, made at its end, and so has every exchange of a request and its response over it. " +
		"`gozilla logs` shows the last ones of the running gateway (the limit " +
		"records), `gozilla start --records` writes each to the log.\n\n" +
		"A record tells the client's address and the one it connected to; what was dialled for it; the bindings that it " +
		"went through, each with the route that was taken; the bytes received from the client and sent to it; how long " +
		"finding its route and dialling took, how long it was until the first byte went back, and how long all of it; who ended it, how, and " +
		"the details; and, where the system has them, the round trip to the client and the segments that were sent more than " +
		"once. In JSON (`gozilla logs --json`) durations are in milliseconds, and what is not known is left out.\n\n" +
		"That of an exchange also tells which connection it came over, by the number of that record, and what was asked for and " +
		"answered: the method, the scheme, the path with its query, the version, the status, and the headers referer, user-agent " +
		"and traceparent. Its bytes are those of the two bodies. That of a stream of events (sse) also tells how many were sent, and " +
		"the id of the last one that has one.\n\n" +
		"That of a WebSocket (ws) also tells how many messages were received from the client and sent to it, and the goodbye: who was the " +
		"first to take leave, by which code, and with which reason. That is the gateway where it has chosen the code by itself, as when a " +
		"peer breaks the rules. Of a server it is told what its client is told: one that breaks the rules, or is lost, is 1011 of the gateway. " +
		"If nobody took leave, there is no code. That of bytes, or of the group of a fan, which a ws client carries on, tells this too.\n\n" +
		"`gozilla start --access-log FORMAT` writes the records of HTTP exchanges as an access log: `common` and `combined` are the " +
		"formats of the Apache HTTP Server, with its escapes, so that what reads its logs reads these; `text` and `json` are as in " +
		"`gozilla logs`. It goes to standard output or, with --access-log-file, to a file, which is made anew after it was moved " +
		"away. Lines are written at least every second, and lost if they come faster than they can be written.\n\n" +
		"How it ended is one of these:\n\n" + terms(telemetry.Reasons)
}

func terms(all []telemetry.Term) string {
	var b strings.Builder
	for _, t := range all {
		fmt.Fprintf(&b, "* `%s`: %s\n", t.Name, t.Means)
	}
	return b.String()
}

func cliPage() string {
	var b strings.Builder
	b.WriteString("Every command ends with status 0 if it did what it was asked to, 1 if it could not, 2 if the command line is wrong; explain ends with 3 if the stream is not served.\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "\n## gozilla %s\n\n```\n", c.name)
		c.help(&b)
		b.WriteString("```\n")
	}
	return b.String()
}

package config

import (
	"regexp"
)

// Namespace is one document of a zilla.yaml. What its components are is decoded by their types.
type Namespace struct {
	// The name of the namespace. Components of other namespaces are named as namespace:name.
	Name Name `config:"name,required"`
	// Where keys and certificates are kept, by name.
	Vaults map[string]*Node
	// Who may do what, by name.
	Guards map[string]*Node
	// Where small state is kept, by name.
	Stores map[string]*Node
	// Where schemas are found, by name.
	Catalogs map[string]*Node
	// What takes streams in, passes them on and sends them out, by name.
	Bindings map[string]*Node
	// What is measured and told, and to whom.
	Telemetry Telemetry
}

// Telemetry is what a namespace measures and tells.
type Telemetry struct {
	// Attributes of everything that is exported.
	Attributes map[string]string
	// The metrics that are recorded, by name.
	Metrics []string
	// Where events and metrics are sent, by name.
	Exporters map[string]*Node
}

// BindingTelemetry is what is measured at one binding.
type BindingTelemetry struct {
	// The metrics that are recorded: regular expressions, each matched in full against the names in the telemetry of
	// the namespace.
	Metrics []string
	// Labels of the binding's histograms http.*, by name: a text, or ${http.request.method}, ${http.request.path},
	// ${http.response.status}, ${http.request.NAME} or ${http.response.NAME} of a header. Each combination of their values is
	// counted by itself, up to 1,000 of them.
	Attributes map[string]string
}

var nameForm = regexp.MustCompile(namePattern)

// Check looks at the names of the components.
func (n *Namespace) Check(r *Report) {
	checkNames(r, "a vault", &n.Vaults)
	checkNames(r, "a guard", &n.Guards)
	checkNames(r, "a store", &n.Stores)
	checkNames(r, "a catalog", &n.Catalogs)
	checkNames(r, "a binding", &n.Bindings)
	checkNames(r, "an exporter", &n.Telemetry.Exporters)
}

func checkNames(r *Report, what string, m *map[string]*Node) {
	for name := range *m {
		if !nameForm.MatchString(name) {
			r.Errorf(r.AtKey(m, name), "the name of %s must be %s, not %q", shown(what), shown(Name("").Words()), name)
		}
	}
}

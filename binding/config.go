package binding

import "gozilla/config"

// Head is what every binding says of itself.
type Head struct {
	// The binding type.
	Type string `config:"type,required"`
	// What the binding is to the streams of its protocol: a server takes them, a client makes them, a proxy does both.
	Kind string `config:"kind,required"`
	// What is measured on the binding.
	Telemetry config.BindingTelemetry
	// What happens to open streams when a change of the file takes their way from them, because the binding goes or is
	// made anew, or does not lead any more to where it has sent them: keep lets them go on for as long as they last, drain
	// asks them to come to an end and ends them after the time that the limit drain gives, close ends them at once. The
	// new file's value counts; of a binding that it does not have, the old one's.
	Streams Streams `config:"streams,extension"`
}

// Streams is what happens to open streams when their way changes.
type Streams string

// What may happen to them.
const (
	Keep  Streams = "keep"  // they go on as they are for as long as they last
	Drain Streams = "drain" // they are asked to come to an end, and are ended after the time that the limit drain gives
	Close Streams = "close" // they are ended at once
)

// Values are the shape: what a file may say.
func (Streams) Values() []string { return []string{string(Keep), string(Drain), string(Close)} }

// Defaults is what holds for keys that are left out.
func (h *Head) Defaults() { h.Streams = Keep }

// Routed is embedded by bindings that choose among exits.
type Routed[W, X any] struct {
	// Where streams go. The first route that is authorized and whose conditions match is taken.
	Routes []Route[W, X]
	// Where streams go that no route has taken: a route of its own, after all others and without conditions.
	Exit config.Ref
}

// Route is one way on. W is what it asks of a stream, X what it changes about it.
type Route[W, X any] struct {
	// When the route is taken: if any of the conditions holds, of which every key must. No condition at all always holds.
	When []W
	// Who may take the route: guards by name, each with the roles that are all needed. An empty list asks for a session
	// of that guard, whatever its roles. All guards must agree; if one does not, the next route is tried.
	Guarded map[string][]string
	// What is changed about a stream that takes the route.
	With X
	// The binding that the stream goes on to.
	Exit config.Ref `config:"exit,required"`
}

// Check tells what is wrong with the routes as a whole.
func (c *Routed[W, X]) Check(r *config.Report) {
	if c.Exit == "" && len(c.Routes) == 0 {
		r.Errorf(r.At(c), "the binding needs an exit, or a route that has one")
	}
}

// Filtered is embedded by bindings whose routes say which streams they take, and lead nowhere by name.
type Filtered[W any] struct {
	// Which streams are taken. The first route that is authorized and whose conditions match counts.
	Routes []Filter[W]
}

// Filter is one sort of stream that is taken.
type Filter[W any] struct {
	// When the route counts: if any of the conditions holds, of which every key must. No condition at all always holds.
	When []W
	// Who may take the route: guards by name, each with the roles that are all needed. An empty list asks for a session
	// of that guard, whatever its roles. All guards must agree; if one does not, the next route is tried.
	Guarded map[string][]string
}

// Exited is embedded by bindings that have one exit and no routes.
type Exited struct {
	// The binding that streams go on to.
	Exit config.Ref `config:"exit,required"`
}

// body is what In asks of a config struct: that it embeds Head.
type body interface{ head() *Head }

func (h *Head) head() *Head { return h }

// router is a body that names exits or guards.
type router interface {
	// references calls back with every reference to another component.
	references(r *config.Report, f func(Reference))
}

func (c *Routed[W, X]) references(r *config.Report, f func(Reference)) {
	for i := range c.Routes {
		route := &c.Routes[i]
		guards(r, &route.Guarded, i, f)
		if route.Exit != "" { // else that is a fault already
			f(Reference{To: "binding", Name: route.Exit, Pos: r.At(&route.Exit), Route: i})
		}
	}
	if c.Exit != "" {
		f(Reference{To: "binding", Name: c.Exit, Pos: r.At(&c.Exit), Route: -1})
	}
}

func (c *Filtered[W]) references(r *config.Report, f func(Reference)) {
	for i := range c.Routes {
		guards(r, &c.Routes[i].Guarded, i, f)
	}
}

func (c *Exited) references(r *config.Report, f func(Reference)) {
	if c.Exit != "" { // else that is a fault already
		f(Reference{To: "binding", Name: c.Exit, Pos: r.At(&c.Exit), Route: -1})
	}
}

func guards(r *config.Report, guarded *map[string][]string, route int, f func(Reference)) {
	for name := range *guarded {
		f(Reference{To: "guard", Name: config.Ref(name), Pos: r.AtKey(guarded, name), Route: route})
	}
}

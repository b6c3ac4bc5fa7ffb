package prometheus

import (
	"strings"

	"gozilla/config"
	"gozilla/exporter"
)

// Config is a prometheus exporter in a file.
type Config struct {
	exporter.Head
	// Where Prometheus may ask.
	Options *Options `config:"options,required"`
}

// Options are the options of a prometheus exporter.
type Options struct {
	// The addresses on which metrics are served, at least one.
	Endpoints []Endpoint `config:"endpoints,required"`
}

// Endpoint is one address on which metrics are served.
type Endpoint struct {
	// The scheme; http is the only one.
	Scheme Scheme `config:"scheme,required"`
	// The TCP port, on all addresses of the machine.
	Port uint16 `config:"port,required"`
	// The path of the metrics, exactly.
	Path string
}

// Scheme is how Prometheus asks.
type Scheme string

// HTTP is the only scheme.
const HTTP Scheme = "http"

// Values are all schemes.
func (Scheme) Values() []string { return []string{string(HTTP)} }

// Defaults sets the path.
func (e *Endpoint) Defaults() { e.Path = "/metrics" }

// Check looks at one endpoint.
func (e *Endpoint) Check(r *config.Report) {
	if e.Port == 0 {
		r.Errorf(r.At(&e.Port), "port 0 is no port")
	}
	if !strings.HasPrefix(e.Path, "/") {
		r.Errorf(r.At(&e.Path), "path %q must begin with a slash", e.Path).Hintf("write %q", "/"+e.Path)
	} else if strings.ContainsAny(e.Path, "?#") {
		r.Errorf(r.At(&e.Path), "path %q must be without a query and without a fragment", e.Path)
	}
}

// Check looks at the endpoints together.
func (o *Options) Check(r *config.Report) {
	if len(o.Endpoints) == 0 {
		r.Errorf(r.At(&o.Endpoints), "a prometheus exporter needs at least one endpoint")
	}
	first := map[uint16]*Endpoint{}
	for i := range o.Endpoints {
		e := &o.Endpoints[i]
		if other, taken := first[e.Port]; taken {
			r.Errorf(r.At(&e.Port), "port %d is that of another endpoint", e.Port).
				Note(r.At(&other.Port), "it is here first")
			continue
		}
		first[e.Port] = e
	}
}

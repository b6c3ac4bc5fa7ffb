// Package exporter is the contract of exporters, which carry what telemetry knows out of the process: events to a log,
// metrics to a collector.
//
// An exporter has no methods. Its constructor declares with the Builder what it wants: every event (OnEvent), a port to
// be asked on (Listen), a task that pushes (Go); and it reads Builder.Metrics.
package exporter

import (
	"gozilla/component"
)

// Registry holds the exporter types.
var Registry = component.NewRegistry[Type]("exporter", "otlp", "prometheus", "stdout")

// Type is an exporter type.
type Type struct {
	component.Recipe[None]
}

// None is what an exporter's constructor returns: there is nothing to call.
type None struct{}

// Head is what a file says of every exporter.
type Head struct {
	// The exporter type.
	Type string `config:"type,required"`
}

// Register adds an exporter type; C is the config struct of its body, which embeds Head.
func Register[C any](name string, construct func(*component.Builder, *C) error) {
	Registry.Register(name, Type{component.Make(func(b *component.Builder, c *C) (None, error) {
		return None{}, construct(b, c)
	})})
}

var _ component.Type = Type{}

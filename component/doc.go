// Package component is what every component of a zilla.yaml has in common, be it a binding, a guard, an exporter …:
// the [Builder] that its constructor is given, and the [Registry] in which its type is found by name.
//
//	init:   binding.Register(…)       -> Registry, by category and name
//	load:   the registry's type       -> decodes what the file says of the component
//	build:  the type's constructor    <- Builder: declares listeners and tasks, does no IO, starts nothing
//	serve:  the engine                opens what was declared, and closes it at the end
package component

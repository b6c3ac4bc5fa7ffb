// Package binding is the contract of bindings: what a binding type says of itself, and what its constructor is given.
//
//	zilla.yaml ──config.Decode──▶ the type's config struct ──▶ Spec      pure
//	Spec ──constructor(Builder, config)──▶ the binding's faces ──▶ Node  no IO
//	Node ──Link──▶ edges, from the exits backwards                       the graph is in service
//	Question ──Explain──▶ the Node that a stream would go on to          no IO
//
// A type is registered in an init function and needs nothing else, see binding/echo for the smallest. Its config
// struct says by what it embeds which keys it takes: [Head] always, [Routed] for routes and an exit, [Filtered] for
// routes that lead nowhere by name, [Exited] for an exit alone. Its exits are held as a [Routes] table or an [Exit],
// both of which the engine can exchange under a live binding.
package binding

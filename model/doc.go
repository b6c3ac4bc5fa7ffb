// Package model is the contract of models, which say what values must look like: the content of a request, a header, a
// key of Kafka's. A binding asks a model where values come in and where they go out.
//
//	outside ── Decoder ──▶ inside        a request's body at a server, a response's at a client, a record that was fetched
//	outside ◀── Encoder ── inside        a record that is produced
//
// A value goes through whole, or in pieces as they come. A model that leaves values as they are says so ([Coder]'s
// Identity): nothing is copied then, and lengths that were said before stay true. Another one makes the length unknown.
//
// A model is no component with a name: it stands where it is used, as [Config], and is built there.
package model

// Package x509guard is the guard that knows peers by their certificates: it turns the chain that a tls server has
// verified into a session, whose identity, attributes and roles are read off the chain's first certificate.
//
//	credentials (PEM) -> leaf -> fields: subject.cn, san.dns … -> identity, attributes, roles -> session
//
// The guard verifies no signatures: who hands it a chain has done that. Sessions end with the certificate.
package x509guard

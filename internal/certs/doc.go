// Package certs makes certificates for try-outs and tests: authorities, certificates of servers and clients, revocation
// lists, and PKCS12 stores as zilla.yaml names them.
//
//	NewAuthority -Intermediate-> Authority -Issue-> Pair -PKCS12-> store
//	                                       -Revoke-> CRL
//
// What it makes is sound, but nobody guards the keys: it is no way to run an authority.
package certs

// Package vault is the contract of vaults, which keep private keys and the certificates that peers are trusted by.
// Bindings choose from what a vault holds by alias, and choose again when it changes.
package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"

	"gozilla/component"
	"gozilla/config"
)

// A Vault keeps keys and certificates. Its methods may be called by several goroutines.
type Vault interface {
	// Contents is what the vault holds now. It is never changed: when a file changes, all of it is replaced at once.
	Contents() *Contents
	// OnChange calls f after each replacement, one call at a time, until undo is called; a call that is going on then is
	// not waited for. f must not block.
	OnChange(f func()) (undo func())
}

// Contents is what a vault holds at one moment.
type Contents struct {
	Keys    []Key         // private keys, in the order of their store
	Trust   []Certificate // whom to trust, in the order of their store
	Signers []Certificate // issuers that keys are chosen by
	// Revoked is nil unless the vault knows of revocations. It tells why a verified chain, leaf first and root last, is
	// not good any more; a status that cannot be found out is an error too. It may fetch a list, and waits for that no
	// longer than ctx.
	Revoked func(ctx context.Context, chain []*x509.Certificate) error
}

// Key is a private key with its certificate.
type Key struct {
	Alias       string
	Certificate tls.Certificate // its chain leaf first; Leaf is set
}

// Certificate is a trusted certificate.
type Certificate struct {
	Alias       string
	Certificate *x509.Certificate
}

// KeysNamed are the keys with the aliases, in the order of these. Upper and lower case are the same in an alias.
func (c *Contents) KeysNamed(aliases []string) []Key {
	var found []Key
	for _, alias := range aliases {
		for _, k := range c.Keys {
			if strings.EqualFold(k.Alias, alias) {
				found = append(found, k)
			}
		}
	}
	return found
}

// KeysSignedBy are the keys whose certificates the signers with the aliases have issued.
func (c *Contents) KeysSignedBy(aliases []string) []Key {
	var found []Key
	for _, signer := range named(c.Signers, aliases) {
		for _, k := range c.Keys {
			if string(k.Certificate.Leaf.RawIssuer) == string(signer.Certificate.RawSubject) {
				found = append(found, k)
			}
		}
	}
	return found
}

// TrustNamed are the trusted certificates with the aliases.
func (c *Contents) TrustNamed(aliases []string) []Certificate { return named(c.Trust, aliases) }

func named(all []Certificate, aliases []string) (found []Certificate) {
	for _, alias := range aliases {
		for _, c := range all {
			if strings.EqualFold(c.Alias, alias) {
				found = append(found, c)
			}
		}
	}
	return found
}

// Aliases are those of some keys or certificates, in their order.
func Aliases[T Key | Certificate](all []T) []string {
	names := make([]string, len(all))
	for i := range all {
		switch x := any(&all[i]).(type) {
		case *Key:
			names[i] = x.Alias
		case *Certificate:
			names[i] = x.Alias
		}
	}
	return names
}

// Registry holds the vault types.
var Registry = component.NewRegistry[Type]("vault", "filesystem")

// Type is a vault type.
type Type struct {
	component.Recipe[Vault]
}

// Head is what a file says of every vault.
type Head struct {
	// The vault type.
	Type string `config:"type,required"`
}

// Register adds a vault type; C is the config struct of its body, which embeds Head, and L what load reads from the
// files that it names.
func Register[C, L any](name string, load func(*component.Loader, *C) L, construct func(*component.Builder, *C, L) (Vault, error)) {
	Registry.Register(name, Type{component.MakeLoaded(load, construct)})
}

// Ref names a vault, in a config struct.
type Ref string

// Pattern is what the reference looks like.
func (Ref) Pattern() string { return config.Ref("").Pattern() }

// Words says what it is.
func (Ref) Words() string { return config.Ref("").Words() }

// Refers is how the engine finds what a component refers to.
func (r Ref) Refers() (category string, names []config.Ref) {
	return "vault", []config.Ref{config.Ref(r)}
}

var _ component.Type = Type{}

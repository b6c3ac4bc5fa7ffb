package filesystem

import (
	"slices"
	"strings"

	"gozilla/config"
	"gozilla/vault"
)

// Config is a filesystem vault in a file.
type Config struct {
	vault.Head
	// The files of the vault. Their paths are relative to the folder of this file. When they change, they are read again.
	Options Options
}

// Options are the files of a vault.
type Options struct {
	// Private keys with their certificates: who this side is.
	Keys *Store
	// Trusted certificates: whom peers are verified by.
	Trust *Store
	// Certificates of issuers, which keys can be chosen by.
	Signers *Store
	// AES keys that other components encrypt by. They are not built yet: a vault that has them is refused.
	Secrets *config.Node
	// How to find out whether the certificate of a peer has been revoked: none, or crl for the lists that its issuer
	// signs. A certificate is refused if no list that is in force can be had.
	Revocation Revocation
	// Files with revocation lists, in PEM or DER. Lists in PEM files of trust count too. A list that is not among them is
	// fetched from where the certificate says, by http or https.
	CRLs config.List[string] `config:"crls,extension"`
}

// Store is what keys or certificates are read from.
type Store struct {
	// The path of the file. It may be a list: then it is as if one file had the content of all. In PEM, a key and its
	// certificate may stand in different files: they are told by what fits.
	Store config.List[string] `config:"store,required"`
	// The type of the file: pkcs12, or pem, which is an extension.
	Type StoreType
	// The password of the store and of its keys. If it is left out, it is empty.
	Password string
	// The aliases of the entries to take. By default all of them. What is in a PEM file has the name of the file as its
	// alias, without the extension, or that of the folder if the file is called tls, ca, cert, chain, fullchain or privkey.
	Entries []string
}

// StoreType is how a store is written. Upper and lower case are the same.
type StoreType string

// The types of stores.
const (
	PKCS12 StoreType = "pkcs12"
	PEM    StoreType = "pem"
)

// Words says what it is.
func (StoreType) Words() string { return "pkcs12, pem" }

// known is the type, by whichever of its names.
func (t StoreType) known() StoreType {
	switch lower := StoreType(strings.ToLower(string(t))); lower {
	case "p12", "pfx":
		return PKCS12
	default:
		return lower
	}
}

// Revocation is how to find out whether a certificate has been revoked.
type Revocation string

// The ways to find out.
const (
	None Revocation = "none"
	CRL  Revocation = "crl"
)

// Values are those of the option.
func (Revocation) Values() []string { return []string{string(None), string(CRL)} }

// Defaults is what holds for keys that are left out.
func (s *Store) Defaults() { s.Type = PKCS12 }

// Defaults is what holds for keys that are left out.
func (o *Options) Defaults() { o.Revocation = None }

// javas are types of stores that only Java reads.
var javas = []StoreType{"jks", "jceks", "dks", "bks", "uber", "bcfks", "pkcs11", "windows-my", "windows-root", "keychainstore"}

// Check tells what is wrong with a store as a whole.
func (s *Store) Check(r *config.Report) {
	switch t := s.Type.known(); {
	case t == PKCS12:
	case t == PEM && r.Strict:
		r.Errorf(r.At(&s.Type), "the type pem is an extension of gozilla: zilla does not take it")
	case t == PEM:
	case slices.Contains(javas, t):
		r.Errorf(r.At(&s.Type), "stores of the type %s are not supported", s.Type).Hintf("%s", convertHint)
	default:
		f := r.Errorf(r.At(&s.Type), "%q is no type of a store: it must be pkcs12 or pem", s.Type)
		if like, ok := config.Like(string(s.Type), []string{string(PKCS12), string(PEM)}); ok {
			f.Hintf("did you mean %q?", like)
		}
	}
	if len(s.Store) == 0 {
		r.Errorf(r.At(&s.Store), "store names no file")
	}
	if len(s.Store) > 1 && r.Strict {
		r.Errorf(r.At(&s.Store), "several files are an extension of gozilla: zilla takes one")
	}
	if s.Entries != nil && len(s.Entries) == 0 {
		r.Errorf(r.At(&s.Entries), "with no entries, nothing of the store is taken").Hintf("leave entries out to take all of it")
	}
}

// Check tells what is wrong with the options as a whole.
func (o *Options) Check(r *config.Report) {
	if o.Secrets != nil {
		r.Errorf(r.At(&o.Secrets), "the secrets of a vault are not built yet")
	}
	if o.Revocation == None && r.Strict && r.At(&o.Revocation) != r.At(o) {
		r.Errorf(r.At(&o.Revocation), "revocation: none is an extension of gozilla: zilla does not take it").Hintf("leave it out")
	}
	if o.Signers != nil && o.Keys == nil {
		r.Warnf(r.At(&o.Signers), "signers have no effect without keys, which are chosen by them")
	}
	if len(o.CRLs) > 0 && o.Revocation != CRL {
		r.Warnf(r.At(&o.CRLs), "crls have no effect without revocation: crl")
	}
}

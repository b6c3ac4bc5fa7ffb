package x509guard

import (
	"maps"
	"slices"

	"gozilla/config"
	"gozilla/guard"
)

// Config is an x509 guard in a file: it knows peers by the certificate that they have proved to be theirs.
type Config struct {
	guard.Head
	// What is read off a certificate.
	Options Options
}

// Options says what is read off a certificate.
type Options struct {
	// The field that is the identity of a session.
	Identity Field
	// The attributes of a session, by name, and the field that each is the first value of.
	Attributes map[config.Name]Field
	// The roles that a session may have, by name. A certificate gives a role if it matches one of the list.
	Roles map[config.Name][]Match
}

// Defaults is what holds for keys that are left out.
func (o *Options) Defaults() { o.Identity = "subject.dn" }

// Match is what must be true of a certificate: each field has a value that its pattern matches.
type Match map[Field]Glob

// Field names a field of a certificate: subject.dn, issuer.dn, an attribute of either name such as subject.cn or
// issuer.o, san.dns, san.email, san.uri, san.ip, or x5t.s256.
type Field string

// Pattern is what the name of a field looks like.
func (Field) Pattern() string { return config.Name("").Pattern() }

// Words says what it is.
func (Field) Words() string { return "a field of a certificate, such as subject.cn or san.dns" }

// Glob is a pattern of text: * stands for any run of characters, also none, ? for one character, and all else for
// itself, in upper or lower case. The whole of a text must match.
type Glob string

// Words says what a pattern is.
func (Glob) Words() string { return "text in which * stands for anything and ? for one character" }

// Check tells of fields that no certificate has, and of roles that say nothing.
func (o *Options) Check(r *config.Report) {
	checkField(r, r.At(&o.Identity), o.Identity)
	for _, name := range slices.Sorted(maps.Keys(o.Attributes)) {
		checkField(r, r.AtKey(&o.Attributes, string(name)), o.Attributes[name])
	}
	for _, role := range slices.Sorted(maps.Keys(o.Roles)) {
		at := r.AtKey(&o.Roles, string(role))
		matches := o.Roles[role]
		if len(matches) == 0 {
			r.Errorf(at, "the role %s needs at least one match", role)
		}
		for i := range matches {
			if len(matches[i]) == 0 {
				r.Errorf(r.At(&matches[i]), "a match of the role %s needs at least one field", role)
			}
			for _, f := range slices.Sorted(maps.Keys(matches[i])) {
				checkField(r, r.AtKey(&matches[i], string(f)), f)
			}
		}
	}
}

func checkField(r *config.Report, at config.Pos, f Field) {
	if f.reader() != nil {
		return
	}
	fault := r.Errorf(at, "a certificate has no field %q", f)
	if like, ok := config.Like(string(f), fieldNames()); ok {
		fault.Hintf("did you mean %q?", like)
		return
	}
	fault.Hintf("there are subject.dn, issuer.dn, attributes of both such as subject.cn, san.dns, san.email, san.uri, san.ip and x5t.s256")
}

package guard

import (
	"regexp"

	"gozilla/config"
	"gozilla/stream"
)

// Text is a value in a config struct: a literal, or what a guard knows of the stream's session, as
// ${guarded['NAME'].identity} or ${guarded['NAME'].attributes.KEY}.
type Text string

const expression = `\$\{guarded\['([^'\]]+)'\]\.(identity|attributes\.([a-zA-Z]+[a-zA-Z0-9._\-]*))\}`

var expressionForm = regexp.MustCompile(`\A` + expression + `\z`)

// Pattern is what the text looks like.
func (Text) Pattern() string { return `^(` + expression + `|([^$]|\$[^{]).*)$` }

// Words says what it is.
func (Text) Words() string {
	return "text, or ${guarded['NAME'].identity}, or ${guarded['NAME'].attributes.KEY}"
}

// Refers is how the engine finds what a component refers to.
func (t Text) Refers() (category string, names []config.Ref) {
	if m := expressionForm.FindStringSubmatch(string(t)); m != nil {
		names = []config.Ref{config.Ref(m[1])}
	}
	return "guard", names
}

// IsLiteral reports whether the text does not depend on a session.
func (t Text) IsLiteral() bool { return !expressionForm.MatchString(string(t)) }

// Of is the text for a stream; the guards' names are relative to the namespace. It is "" where a guard has no session,
// or the session no such attribute.
func (t Text) Of(s *stream.Scope, namespace string) string {
	m := expressionForm.FindStringSubmatch(string(t))
	if m == nil {
		return string(t)
	}
	session := s.Session(config.Ref(m[1]).Qualified(namespace))
	switch {
	case session == nil:
		return ""
	case m[2] == "identity":
		return session.Identity()
	}
	if value, ok := session.Attribute(m[3]); ok {
		return value
	}
	return ""
}

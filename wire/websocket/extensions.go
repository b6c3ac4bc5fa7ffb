package websocket

import "strings"

// An extension is an element of sec-websocket-extensions (section 9.1).
type extension struct {
	name   string
	params []parameter
}

// A parameter has a value of "" if it has none, since a value is a token.
type parameter struct{ name, value string }

// parseExtensions reads a list of extensions. Empty elements are left out (RFC 9110, 5.6.1), as is white space between all
// that the list is made of.
func parseExtensions(s string) (list []extension, err error) {
	in := scanner{s}
	for {
		for in.take(',') {
		}
		if in.rest == "" {
			return list, nil
		}
		e := extension{name: in.token()}
		for e.name != "" && in.take(';') {
			p, ok := in.parameter()
			if !ok {
				return nil, errExtensions
			}
			e.params = append(e.params, p)
		}
		if e.name == "" || in.rest != "" && in.rest[0] != ',' {
			return nil, errExtensions
		}
		list = append(list, e)
	}
}

// A scanner reads what a field is made of.
type scanner struct{ rest string }

func (s *scanner) blanks() { s.rest = strings.TrimLeft(s.rest, " \t") }

// take goes past c if it is what comes next but for white space, which it goes past in any case.
func (s *scanner) take(c byte) bool {
	s.blanks()
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// token is "" if there is none.
func (s *scanner) token() string {
	s.blanks()
	n := tokenEnd(s.rest)
	token := s.rest[:n]
	s.rest = s.rest[n:]
	return token
}

func (s *scanner) parameter() (p parameter, ok bool) {
	if p.name = s.token(); p.name == "" {
		return p, false
	}
	if !s.take('=') {
		return p, true
	}
	if s.take('"') {
		p.value = s.quoted()
	} else {
		p.value = s.token()
	}
	return p, p.value != ""
}

// quoted is the value of a string whose quote is open. It is "" if that is no token, as it must be (section 9.1).
func (s *scanner) quoted() string {
	var value []byte
	for i := 0; i < len(s.rest); i++ {
		c := s.rest[i]
		if c == '"' {
			s.rest = s.rest[i+1:]
			return string(value)
		}
		if c == '\\' && i+1 < len(s.rest) {
			i++
			c = s.rest[i]
		}
		if !ofToken(c) {
			return ""
		}
		value = append(value, c)
	}
	return ""
}

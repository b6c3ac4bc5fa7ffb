package config

import (
	"net/netip"
	"strings"
)

// List is a list, or a single item without one.
type List[T any] []T

func (List[T]) oneOrMany() {}

// Ref names another component: "name" in the same namespace, or "namespace:name".
type Ref string

// Pattern is what a reference looks like.
func (Ref) Pattern() string { return `^([^:]+:)?[^:]+$` }

// Words says what a reference is.
func (Ref) Words() string { return "a name, or namespace:name" }

// Split gives the two parts of a reference; ns is the namespace of one that names none.
func (r Ref) Split(defaultNS string) (ns, name string) {
	if ns, name, ok := strings.Cut(string(r), ":"); ok {
		return ns, name
	}
	return defaultNS, string(r)
}

// Qualified is the reference with its namespace.
func (r Ref) Qualified(ns string) string {
	ns, name := r.Split(ns)
	return ns + ":" + name
}

// Name is the name of a namespace, or of something in it.
type Name string

const namePattern = `^[a-zA-Z]+[a-zA-Z0-9\._\-]*$`

// Pattern is what a name looks like.
func (Name) Pattern() string { return namePattern }

// Words says what a name is.
func (Name) Words() string { return "a letter and then letters, digits, dots, hyphens or underscores" }

// CIDR is a network, such as 10.0.0.0/8. Host bits in the file are ignored. An address of the other family is never
// in it; an IPv4 address inside IPv6 counts as IPv4.
type CIDR struct {
	netip.Prefix
}

// Pattern is what a network looks like.
func (CIDR) Pattern() string { return `^[0-9a-fA-F:.]+/(\d{1,3})$` }

// Words says what a network is.
func (CIDR) Words() string { return "a network like 10.0.0.0/8 or fd00::/8" }

// UnmarshalText reads a network.
func (c *CIDR) UnmarshalText(text []byte) error {
	p, err := netip.ParsePrefix(string(text))
	if err != nil {
		return errWords
	}
	c.Prefix = p.Masked()
	return nil
}

// Contains reports whether an address is in the network.
func (c CIDR) Contains(a netip.Addr) bool { return c.Prefix.Contains(a.Unmap().WithZone("")) }

// Wildcard is text in which * stands for any run of characters, also none. All else is literal, upper and lower case
// differ, and the whole of a text must match.
type Wildcard string

// Words says what a wildcard is.
func (Wildcard) Words() string { return "text in which * stands for anything" }

// Match reports whether s matches. It takes time in proportion to the length of s times that of the longest part
// between two stars, at worst.
func (w Wildcard) Match(s string) bool {
	first, rest, star := strings.Cut(string(w), "*")
	if !star {
		return s == first
	}
	s, ok := strings.CutPrefix(s, first)
	if !ok {
		return false
	}
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(s, part)
		}
		if _, s, ok = strings.Cut(s, part); !ok {
			return false
		}
		rest = after
	}
}

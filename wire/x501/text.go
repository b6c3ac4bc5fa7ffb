package x501

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// Type is the dotted number of a type of attributes, by one of its names, of which upper and lower case are the same.
func Type(name string) (oid string, ok bool) {
	oid, ok = types[strings.ToLower(name)]
	return oid, ok
}

// TypeNames are the names of all types, in order.
func TypeNames() []string {
	var all []string
	for name := range types {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// errText is that a text is no name.
var errText = errors.New("it is no distinguished name, such as CN=client,O=Example")

// ParseText reads a name that is written as in RFC 4514 (and RFC 2253): the most special part first.
func ParseText(text string) (Name, error) {
	p := parser{text}
	var n Name
	part := []attribute{}
	for {
		a, err := p.attribute()
		if err != nil {
			return nil, err
		}
		part = append(part, a)
		if p.rest != "" && p.rest[0] == '+' {
			p.rest = p.rest[1:]
			continue
		}
		n = append(n, part)
		if p.rest == "" {
			slices.Reverse(n)
			return n, nil
		}
		part, p.rest = []attribute{}, p.rest[1:] // a comma or a semicolon, where a value ends
	}
}

type parser struct{ rest string }

func (p *parser) attribute() (attribute, error) {
	kind, rest, ok := strings.Cut(p.rest, "=")
	kind = strings.TrimSpace(kind)
	oid, known := Type(kind)
	if !known && isDotted(kind) {
		oid, known = kind, true
	}
	if !ok || !known {
		return attribute{}, errText
	}
	p.rest = strings.TrimLeft(rest, " ")
	if strings.HasPrefix(p.rest, "#") {
		return p.encoded(oid)
	}
	value, err := p.value()
	if err != nil || !utf8.ValidString(value) {
		return attribute{}, errText
	}
	return attributeOf(oid, value)
}

// attributeOf is a value as Java would encode it, which counts where the canonical form shows the encoding.
func attributeOf(oid, value string) (attribute, error) {
	v := asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(value)}
	switch {
	case oid == types["emailaddress"] || oid == types["dc"]:
		if strings.IndexFunc(value, func(c rune) bool { return c > 127 }) < 0 {
			v.Tag = asn1.TagIA5String
		}
	case strings.Trim(value, printable) == "":
		v.Tag = asn1.TagPrintableString
	}
	var err error
	if v.FullBytes, err = asn1.Marshal(v); err != nil {
		return attribute{}, errText
	}
	return attribute{oid, v}, nil
}

// printable are the characters of a PrintableString (X.680, section 41.4).
const printable = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?"

// isDotted reports whether a type is written as a number.
func isDotted(s string) bool {
	return len(s) > 2 && strings.Trim(s, "0123456789.") == "" && s[0] >= '0' && s[0] <= '2' && s[1] == '.' && !strings.HasSuffix(s, ".") && !strings.Contains(s, "..")
}

// encoded is a value that is written as the hexadecimal digits of its encoding.
func (p *parser) encoded(oid string) (attribute, error) {
	end := strings.IndexAny(p.rest, ",;+")
	if end < 0 {
		end = len(p.rest)
	}
	der, err := hex.DecodeString(strings.TrimSpace(p.rest[1:end]))
	if err != nil {
		return attribute{}, errText
	}
	a := attribute{oid: oid}
	if rest, err := asn1.Unmarshal(der, &a.value); err != nil || len(rest) > 0 {
		return attribute{}, errText
	}
	p.rest = p.rest[end:]
	return a, nil
}

// value is a value up to where it ends. Spaces around it that are not escaped are no part of it.
func (p *parser) value() (string, error) {
	var b strings.Builder
	quoted, kept := false, 0 // kept is how much of b stays when spaces are taken off its end
	for p.rest != "" {
		c := p.rest[0]
		switch {
		case c == '\\':
			plain, n := unescape(p.rest)
			if n == 0 {
				return "", errText
			}
			b.WriteString(plain)
			p.rest = p.rest[n:]
			kept = b.Len()
			continue
		case c == '"':
			quoted = !quoted
			kept = b.Len()
		case !quoted && (c == ',' || c == ';' || c == '+'):
			return b.String()[:kept], nil
		default:
			b.WriteByte(c)
			if c != ' ' || quoted {
				kept = b.Len()
			}
		}
		p.rest = p.rest[1:]
	}
	if quoted {
		return "", errText
	}
	return b.String()[:kept], nil
}

// unescape is what the backslash that s begins with stands for, and the length of it all; 0 if it stands for nothing.
func unescape(s string) (plain string, n int) {
	if len(s) < 2 {
		return "", 0
	}
	if strings.IndexByte(` "#+,;<=>\`, s[1]) >= 0 {
		return s[1:2], 2
	}
	if len(s) < 3 {
		return "", 0
	}
	b, err := hex.DecodeString(s[1:3])
	if err != nil {
		return "", 0
	}
	return string(b), 3
}

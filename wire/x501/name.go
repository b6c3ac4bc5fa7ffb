package x501

import (
	"cmp"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf16"
)

// types are the types of attributes of names that have names themselves: those of RFC 4519, of OpenSSL and of Java.
var types = map[string]string{
	"cn": "2.5.4.3", "commonname": "2.5.4.3",
	"sn": "2.5.4.4", "surname": "2.5.4.4",
	"serialnumber": "2.5.4.5",
	"c":            "2.5.4.6", "countryname": "2.5.4.6",
	"l": "2.5.4.7", "localityname": "2.5.4.7",
	"st": "2.5.4.8", "s": "2.5.4.8", "stateorprovincename": "2.5.4.8",
	"street": "2.5.4.9", "streetaddress": "2.5.4.9",
	"o": "2.5.4.10", "organizationname": "2.5.4.10",
	"ou": "2.5.4.11", "organizationalunitname": "2.5.4.11",
	"t": "2.5.4.12", "title": "2.5.4.12",
	"description": "2.5.4.13", "businesscategory": "2.5.4.15", "postalcode": "2.5.4.17", "telephonenumber": "2.5.4.20",
	"name": "2.5.4.41",
	"gn":   "2.5.4.42", "givenname": "2.5.4.42",
	"initials":   "2.5.4.43",
	"generation": "2.5.4.44", "generationqualifier": "2.5.4.44",
	"uniqueidentifier": "2.5.4.45",
	"dnq":              "2.5.4.46", "dnqualifier": "2.5.4.46",
	"pseudonym": "2.5.4.65", "role": "2.5.4.72", "organizationidentifier": "2.5.4.97",
	"emailaddress": "1.2.840.113549.1.9.1", "email": "1.2.840.113549.1.9.1", "e": "1.2.840.113549.1.9.1",
	"unstructuredname": "1.2.840.113549.1.9.2", "unstructuredaddress": "1.2.840.113549.1.9.8",
	"uid": "0.9.2342.19200300.100.1.1", "userid": "0.9.2342.19200300.100.1.1",
	"dc": "0.9.2342.19200300.100.1.25", "domaincomponent": "0.9.2342.19200300.100.1.25",
	"jurisdictionl":  "1.3.6.1.4.1.311.60.2.1.1",
	"jurisdictionst": "1.3.6.1.4.1.311.60.2.1.2",
	"jurisdictionc":  "1.3.6.1.4.1.311.60.2.1.3",
}

// keywords are the names that RFC 2253, section 2.3, has for types.
var keywords = map[string]string{
	"2.5.4.3": "cn", "2.5.4.6": "c", "2.5.4.7": "l", "2.5.4.8": "st", "2.5.4.9": "street", "2.5.4.10": "o", "2.5.4.11": "ou",
	"0.9.2342.19200300.100.1.1": "uid", "0.9.2342.19200300.100.1.25": "dc",
}

// A Name is a distinguished name, its parts as a certificate has them, the most general one first. A part may have
// several attributes.
type Name [][]attribute

type attribute struct {
	oid   string // dotted
	value asn1.RawValue
}

// Parse reads what a certificate has for a name.
func Parse(der []byte) (Name, error) {
	var parts []asn1.RawValue
	if _, err := asn1.Unmarshal(der, &parts); err != nil {
		return nil, err
	}
	var n Name
	for _, part := range parts {
		var pairs []struct {
			ID    asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		if _, err := asn1.UnmarshalWithParams(part.FullBytes, &pairs, "set"); err != nil {
			return nil, err
		}
		var all []attribute
		for _, p := range pairs {
			all = append(all, attribute{p.ID.String(), p.Value})
		}
		n = append(n, all)
	}
	return n, nil
}

// Values are those of all attributes of a type, in the order of the certificate.
func (n Name) Values(oid string) []string {
	var all []string
	for _, part := range n {
		for _, a := range part {
			if a.oid == oid {
				all = append(all, a.text())
			}
		}
	}
	return all
}

// text is the value as text; that of a type which is none, as # and hexadecimal digits (RFC 2253, section 2.4).
func (a *attribute) text() string {
	b := a.value.Bytes
	switch a.value.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString:
		return strings.ToValidUTF8(string(b), "\uFFFD")
	case asn1.TagT61String: // in practice Latin-1
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
		}
		return string(runes)
	case asn1.TagBMPString:
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		}
		return string(utf16.Decode(units))
	}
	return "#" + hex.EncodeToString(a.value.FullBytes)
}

// Canonical is the form in which Java compares names: the order of RFC 2253, the most special part first, in lower
// case, with single spaces. Unlike Java's, it leaves letters with accents as they are, rather than to take them apart.
func (n Name) Canonical() string {
	parts := make([]string, 0, len(n))
	for _, part := range slices.Backward(n) {
		all := make([]string, 0, len(part))
		for _, a := range part {
			all = append(all, a.canonical())
		}
		slices.SortFunc(all, func(a, b string) int { // those with a keyword first
			return cmp.Or(cmp.Compare(digit(a), digit(b)), cmp.Compare(a, b))
		})
		parts = append(parts, strings.Join(all, "+"))
	}
	return strings.Join(parts, ",")
}

// digit is 1 if s begins with a digit, else 0.
func digit(s string) int {
	if s[0] >= '0' && s[0] <= '9' {
		return 1
	}
	return 0
}

// canonical is one attribute of a name: what has no keyword, or is of a kind of text other than the two usual ones,
// stands in hexadecimal digits.
func (a *attribute) canonical() string {
	keyword, ok := keywords[a.oid]
	if !ok {
		return a.oid + "=#" + hex.EncodeToString(a.value.FullBytes)
	}
	if tag := a.value.Tag; tag != asn1.TagPrintableString && tag != asn1.TagUTF8String {
		return keyword + "=#" + hex.EncodeToString(a.value.FullBytes)
	}
	return keyword + "=" + strings.ToLower(strings.ToUpper(escape(a.text())))
}

// escape escapes what RFC 2253, section 2.4, wants escaped, and makes one space of many; none is left at the ends.
func escape(s string) string {
	var b strings.Builder
	white := false
	// Java looks for the # before it takes off what is no text, so that its form of such a name has two meanings.
	s = strings.TrimFunc(s, func(c rune) bool { return c <= ' ' })
	for i, c := range s {
		if i == 0 && c == '#' || strings.ContainsRune(`,+<>;"\`, c) {
			b.WriteByte('\\')
		}
		if c == ' ' && white {
			continue
		}
		white = c == ' '
		b.WriteRune(c)
	}
	return b.String()
}

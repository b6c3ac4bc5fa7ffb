package x501_test

import (
	"encoding/asn1"
	"strconv"
	"strings"
	"testing"

	"gozilla/wire/x501"
)

// TestNames has the parts of names in the order of the certificate; each part is attributes, "OID=value", with the tag
// of the value before it where it is not the usual one.
func TestNames(t *testing.T) {
	for _, test := range []struct {
		parts [][]string
		want  string
	}{
		{nil, ""},
		{[][]string{{"2.5.4.6=CH"}, {"2.5.4.10=Acme"}, {"2.5.4.3=Alice"}}, "cn=alice,o=acme,c=ch"},
		{[][]string{{"0.9.2342.19200300.100.1.25=COM"}, {"0.9.2342.19200300.100.1.25=Example"}, {"0.9.2342.19200300.100.1.1=al"}}, "uid=al,dc=example,dc=com"},
		{[][]string{{"2.5.4.3=  two   words "}}, "cn=two words"},
		{[][]string{{"2.5.4.3=   "}}, "cn="},
		{[][]string{{`2.5.4.3=a,b+c"d\e<f>g;h`}}, `cn=a\,b\+c\"d\\e\<f\>g\;h`},
		{[][]string{{"2.5.4.3=#1=#"}}, `cn=\#1=#`},
		{[][]string{{"2.5.4.11=B", "2.5.4.3=a", "2.5.4.11=A"}}, "cn=a+ou=a+ou=b"},
		{[][]string{{"1.2.3=x", "2.5.4.3=a"}}, "cn=a+1.2.3=#0c0178"},
		{[][]string{{"2.5.4.3=printable:Alice"}}, "cn=alice"},
		{[][]string{{"2.5.4.3=ia5:A"}}, "cn=#160141"},
		{[][]string{{"1.2.840.113549.1.9.1=ia5:a@b"}}, "1.2.840.113549.1.9.1=#1603614062"},
		{[][]string{{"2.5.4.7=ZÜRICH"}}, "l=zürich"},
	} {
		n, err := x501.Parse(nameDER(t, test.parts))
		if err != nil {
			t.Errorf("%q: %v", test.parts, err)
			continue
		}
		if got := n.Canonical(); got != test.want {
			t.Errorf("%q: %s, not %s", test.parts, got, test.want)
		}
	}
}

func nameDER(t testing.TB, parts [][]string) []byte {
	t.Helper()
	type pair struct {
		ID    asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	all := []asn1.RawValue{}
	for _, part := range parts {
		var pairs []pair
		for _, a := range part {
			oid, value, _ := strings.Cut(a, "=")
			tag := asn1.TagUTF8String
			if text, ok := strings.CutPrefix(value, "printable:"); ok {
				tag, value = asn1.TagPrintableString, text
			} else if text, ok := strings.CutPrefix(value, "ia5:"); ok {
				tag, value = asn1.TagIA5String, text
			}
			pairs = append(pairs, pair{oidOf(t, oid), asn1.RawValue{Tag: tag, Bytes: []byte(value)}})
		}
		der, err := asn1.MarshalWithParams(pairs, "set")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, asn1.RawValue{FullBytes: der})
	}
	der, err := asn1.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func oidOf(t testing.TB, dotted string) asn1.ObjectIdentifier {
	t.Helper()
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(dotted, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			t.Fatal(err)
		}
		oid = append(oid, n)
	}
	return oid
}

// TestText is of values that are not in the usual kind of text.
func TestText(t *testing.T) {
	for _, test := range []struct {
		tag   int
		bytes string
		want  string
	}{
		{asn1.TagT61String, "Z\xfcrich", "Zürich"},
		{asn1.TagBMPString, "\x00Z\x00\xfc", "Zü"},
		{asn1.TagUTF8String, "a\xff", "a\uFFFD"},
		{asn1.TagInteger, "\x07", "#020107"},
	} {
		der, err := asn1.Marshal(asn1.RawValue{Tag: test.tag, Bytes: []byte(test.bytes)})
		if err != nil {
			t.Fatal(err)
		}
		pair, err := asn1.MarshalWithParams([]struct {
			ID    asn1.ObjectIdentifier
			Value asn1.RawValue
		}{{oidOf(t, "2.5.4.3"), asn1.RawValue{FullBytes: der}}}, "set")
		if err != nil {
			t.Fatal(err)
		}
		whole, err := asn1.Marshal([]asn1.RawValue{{FullBytes: pair}})
		if err != nil {
			t.Fatal(err)
		}
		n, err := x501.Parse(whole)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Values("2.5.4.3")[0]; got != test.want {
			t.Errorf("%q of tag %d: %q, not %q", test.bytes, test.tag, got, test.want)
		}
	}
}

func TestParseText(t *testing.T) {
	for text, want := range map[string]string{
		"CN=Alice,O=Acme,C=CH":          "cn=alice,o=acme,c=ch",
		"cn = Alice , o = Acme  Inc":    "cn=alice,o=acme inc",
		"CN=Alice;O=Acme":               "cn=alice,o=acme",
		`CN=a\,b,O="c,d"`:               `cn=a\,b,o=c\,d`,
		`CN=a\2cb`:                      `cn=a\,b`,
		`CN=M\c3\bcller`:                "cn=müller",
		"OU=b+CN=a":                     "cn=a+ou=b",
		"2.5.4.3=Alice":                 "cn=alice",
		"commonName=Alice":              "cn=alice",
		"1.2.3=#0c0178,CN=a":            "1.2.3=#0c0178,cn=a",
		"CN=":                           "cn=",
		"EMAILADDRESS=#1603614062,CN=a": "1.2.840.113549.1.9.1=#1603614062,cn=a",
		"CN=a=b":                        "cn=a=b",
		"2.5.4.5=":                      "2.5.4.5=#1300",
		"serialNumber=42,CN=a":          "2.5.4.5=#13023432,cn=a",
		"SN=Müller":                     "2.5.4.4=#0c074dc3bc6c6c6572",
		"E=a@b,DC=x":                    "1.2.840.113549.1.9.1=#1603614062,dc=#160178",
		"CN=\x01 \\#0c":                 "cn=\\#0c",
	} {
		n, err := x501.ParseText(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := n.Canonical(); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
	for _, text := range []string{"", "Alice", "CN", "X=a", "CN=a,", "CN=a,,O=b", `CN=a\`, `CN=a\z`, `CN="a`, "CN=#zz", "CN=#", "CN=#0c01", "9.9=a", "CN=\xff"} {
		if n, err := x501.ParseText(text); err == nil {
			t.Errorf("%q is %s", text, n.Canonical())
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("CN=Alice,O=Acme")
	f.Add(`2.5.4.3="a\,b"+ou=#0c0178;C=CH`)
	f.Fuzz(func(t *testing.T, text string) {
		n, err := x501.ParseText(text)
		if err != nil {
			return
		}
		again, err := x501.ParseText(n.Canonical())
		if err != nil || again.Canonical() != n.Canonical() {
			t.Errorf("%q is %q, and then %q (%v)", text, n.Canonical(), again.Canonical(), err)
		}
	})
}

package jwt

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// faultsOf are what is said of a file, each in a line.
func faultsOf(t *testing.T, text string, strict bool) string {
	t.Helper()
	_, r := decode(t, text, strict)
	var all []string
	for _, f := range r.Faults() {
		line := f.Pos.String() + ": " + f.Text
		if f.Warning {
			line = "warning: " + line
		}
		if f.Hint != "" {
			line += " [" + f.Hint + "]"
		}
		all = append(all, strings.TrimPrefix(line, "zilla.yaml:"))
	}
	return strings.ReplaceAll(strings.Join(all, "\n"), "warning: zilla.yaml:", "warning: ")
}

func TestFaults(t *testing.T) {
	const base = "type: jwt\noptions:\n  issuer: https://issuer.example\n  audience: us\n"
	// with changes or adds a member of a key.
	with := func(id, name, value string) string {
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(signers()[id].jwk("use")), &m); err != nil {
			t.Fatal(err)
		}
		m[name] = json.RawMessage(value)
		if value == "" {
			delete(m, name)
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	at := func(key, name string) string { // the column of a member of a key in a list of keys
		i := strings.Index(key, `"`+name+`":`) + len(name) + 3
		return "5:" + itoa(i+len("  keys: [ ")+1) + ": "
	}
	keys := func(key string) string { return base + "  keys: [ " + key + " ]\n" }
	key := with("rsa", "kid", `"rsa"`)
	ed := with("ed", "kid", `"ed"`)
	number, short, oct, odd, hs, es, enc, private, offCurve, x25519 := with("rsa", "kid", "7"), with("rsa", "n", `"AQAB"`), with("rsa", "kty", `"oct"`), with("rsa", "kty", `"rsa"`),
		with("rsa", "alg", `"HS256"`), with("p256", "alg", `"ES384"`), with("rsa", "use", `"enc"`), with("rsa", "d", `"AQAB"`), with("p256", "x", `"AQAB"`), with("ed", "crv", `"X25519"`)
	for name, test := range map[string]struct{ text, want string }{
		"without options":   {"type: jwt", "1:1: a jwt guard needs options"},
		"empty options":     {"type: jwt\noptions: {}", "2:10: a jwt guard needs keys, or an issuer to fetch them from\nwarning: 2:10: without audience, tokens are taken that are meant for others\nwarning: 2:10: without issuer, a token of any issuer is taken whose key is known"},
		"all is well":       {base, ""},
		"key is well":       {keys(key), ""},
		"without audience":  {"type: jwt\noptions:\n  issuer: https://issuer.example\n", "warning: 3:3: without audience, tokens are taken that are meant for others"},
		"without issuer":    {"type: jwt\noptions:\n  audience: us\n  keys: [ " + key + " ]\n", "warning: 3:3: without issuer, a token of any issuer is taken whose key is known"},
		"empty issuer":      {"type: jwt\noptions:\n  audience: us\n  issuer: \"\"\n  keys: [ " + key + " ]\n", "warning: 4:11: without issuer, a token of any issuer is taken whose key is known"},
		"issuer is a name":  {"type: jwt\noptions:\n  issuer: test issuer\n  audience: us\n", "3:11: without keys, the issuer must be an http or https address to fetch them from"},
		"kind":              {base + "kind: server\n", "5:1: a jwt guard takes no kind"},
		"keys at ftp":       {base + "  keys: ftp://issuer.example\n", `5:9: keys must be an http or https address or a list of keys, not "ftp://issuer.example"`},
		"keys without host": {base + "  keys: \"https:///x\"\n", `5:9: keys must be an http or https address or a list of keys, not "https:///x"`},
		"keys by address":   {base + "  keys: https://issuer.example/keys\n", ""},
		"keys by number":    {base + "  keys: 7\n", "5:9: keys must be an http or https address or a list of keys, not 7"},
		"keys by nothing":   {base + "  keys:\n", "5:3: keys must be an http or https address or a list of keys, not empty"},
		"keys by mapping":   {base + "  keys: {}\n", "5:9: keys must be an http or https address or a list of keys, not a mapping"},
		"no keys":           {base + "  keys: []\n", "5:9: with no keys, no token is taken [leave keys out to have them fetched from the issuer]"},
		"key is text":       {keys("abc"), `5:11: a key must be a mapping, not "abc"`},
		"key is empty":      {keys("{}"), "5:11: a key needs kid\n5:11: a key needs kty"},
		"without kid":       {keys(with("rsa", "kid", "")), "5:11: a key needs kid"},
		"without kty":       {keys(with("rsa", "kty", "")), "5:11: a key needs kty"},
		"number as kid":     {keys(number), at(number, "kid") + "kid of a key must be a string, not 7"},
		"more members":      {keys(with("rsa", "x5t", `"abc"`)), ""},
		"without alg":       {keys(with("rsa", "alg", "")), ""},
		"oct":               {keys(oct), at(oct, "kty") + "keys of the type oct are not taken: who can verify a token by one can make tokens too"},
		"rsa":               {keys(odd), at(odd, "kty") + `"rsa" is no type of a key: it must be RSA, EC or OKP [did you mean "RSA"?]`},
		"short":             {keys(short), at(short, "alg") + "an RSA key of 17 bits is too short: it must have 2048 or more"},
		"HS256":             {keys(hs), at(hs, "alg") + `an RSA key is not used to sign with "HS256"`},
		"ES384":             {keys(es), at(es, "alg") + `a key on P-256 is not used to sign with "ES384"`},
		"off the curve":     {keys(offCurve), "5:11: the key cannot be read: invalid EC public key, wrong length for x"},
		"X25519":            {keys(x25519), "5:11: the key cannot be read: its curve or size is not supported"},
		"no n":              {keys(with("rsa", "n", "")), "5:11: the key cannot be read: invalid RSA key, missing n/e values"},
		"enc":               {keys(key + ", " + enc), "warning: 5:" + itoa(strings.Index(enc, `"use":`)+6+len("  keys: [ ")+len(key)+3) + ": no token is verified by a key with use: enc"},
		"enc only":          {keys(enc), "5:9: by none of the keys a token is verified\nwarning: " + at(enc, "use") + "no token is verified by a key with use: enc"},
		"private":           {keys(private), "warning: " + at(private, "d") + "the private part of a key is of no use here, and should be known to the issuer only"},
		"two":               {keys(key + ", " + ed), ""},
		"challenge":         {base + "  challenge: 30\n", ""},
		"challenge -1":      {base + "  challenge: -1\n", "5:14: challenge must be a whole number from 0 to 1000000000, not the number -1"},
		"challenge 30s":     {base + "  challenge: 30s\n", `5:14: challenge must be a whole number from 0 to 1000000000, not "30s"`},
		"skew":              {base + "  skew: 30s\n  refresh: 1h\n", ""},
		"refresh":           {base + "  refresh: 10ms\n", "5:12: refresh must be 1s or more"},
		"refresh of keys":   {keys(key) + "  refresh: 1h\n", "warning: 6:12: refresh has no effect on keys that stand in the file"},
		"empty identity":    {base + "  identity: \"\"\n", `5:13: identity must be a name of a claim, not ""`},
		"attributes":        {base + "  attributes: { 7x: a }\n", `5:17: the key must be a letter and then letters, digits, dots, hyphens or underscores, not "7x"`},
		"a typo":            {base + "  isuer: x\n", `5:3: unknown key "isuer" in the options of a jwt guard [did you mean "issuer"?]`},
	} {
		if got := faultsOf(t, test.text, false); got != test.want {
			t.Errorf("%s:\n%s\nnot\n%s", name, got, test.want)
		}
	}
	for name, test := range map[string]struct{ text, want string }{
		"strict":         {keys(key), ""},
		"skew":           {base + "  skew: 30s\n", "5:3: skew is an extension of gozilla: zilla does not take it"},
		"refresh":        {base + "  refresh: 1h\n", "5:3: refresh is an extension of gozilla: zilla does not take it"},
		"without alg":    {keys(with("rsa", "alg", "")), "5:11: a key without alg is an extension of gozilla: zilla takes no token that is signed by one"},
		"without issuer": {"type: jwt\noptions:\n  audience: us\n  keys: [ " + key + " ]\n", "3:3: a jwt guard without issuer is an extension of gozilla: zilla takes no token then"},
		"the least":      {"type: jwt\noptions: { keys: https://issuer.example/keys }\n", "2:10: a jwt guard without audience is an extension of gozilla: zilla takes no token then\n2:10: a jwt guard without issuer is an extension of gozilla: zilla takes no token then"},
	} {
		if got := faultsOf(t, test.text, true); got != test.want {
			t.Errorf("strict, %s:\n%s\nnot\n%s", name, got, test.want)
		}
	}
}

func itoa(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

func TestDefaults(t *testing.T) {
	c, r := decode(t, "type: jwt\noptions: { issuer: https://issuer.example }", false)
	o := &c.Options
	if err := r.Err(); err != nil || o.Roles != "scope" || o.Identity != "sub" || o.Refresh != 10*time.Minute || o.Skew != 0 || o.Challenge != 0 {
		t.Errorf("%+v, %v", o, err)
	}
}

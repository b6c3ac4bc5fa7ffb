package jwt

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	notTaken    = "unauthenticated: the token is signed by a key or an algorithm that is not taken"
	wrongSigned = "unauthenticated: the signature of the token is wrong"
	notParsed   = "unauthenticated: the token cannot be parsed"
)

// forge puts a token together by hand.
func forge(header, payload string, sign func(input string) []byte) string {
	input := encoded(header) + "." + encoded(payload)
	return input + "." + encoded(string(sign(input)))
}

// TestForged takes what others have tried.
func TestForged(t *testing.T) {
	b, err := json.Marshal(usual(nil))
	if err != nil {
		t.Fatal(err)
	}
	said := string(b)
	none := func(string) []byte { return nil }
	public := signers()["rsa"].Public().Key.(*rsa.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	secretly := func(secret []byte) func(string) []byte {
		return func(input string) []byte {
			h := hmac.New(sha256.New, secret)
			h.Write([]byte(input))
			return h.Sum(nil)
		}
	}
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	byOwn := func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		sig, err := rsa.SignPKCS1v15(rand.Reader, own, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	ownJWK, err := (jose.JSONWebKey{Key: own.Public(), KeyID: "rsa"}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	mine := &signer{jose.JSONWebKey{Key: own, KeyID: "rsa"}, jose.RS256}
	r := with(t, all())
	for name, test := range map[string]struct{ token, want string }{
		"none":                       {forge(`{"alg":"none","kid":"rsa"}`, said, none), notTaken},
		"None":                       {forge(`{"alg":"None","kid":"rsa"}`, said, none), notTaken},
		"none, no kid":               {forge(`{"alg":"none"}`, said, none), notTaken},
		"no alg":                     {forge(`{"kid":"rsa"}`, said, none), notTaken},
		"alg is a number":            {forge(`{"alg":7,"kid":"rsa"}`, said, none), notTaken},
		"alg is null":                {forge(`{"alg":null,"kid":"rsa"}`, said, none), notTaken},
		"two algs":                   {forge(`{"alg":"RS256","alg":"none","kid":"rsa"}`, said, none), notParsed},
		"header is a list":           {forge(`["RS256"]`, said, none), notParsed},
		"header is no JSON":          {forge(`RS256`, said, none), notParsed},
		"public key as secret":       {forge(`{"alg":"HS256","kid":"rsa"}`, said, secretly(der)), notTaken},
		"public PEM as secret":       {forge(`{"alg":"HS256","kid":"rsa"}`, said, secretly(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))), notTaken},
		"modulus as secret":          {forge(`{"alg":"HS256","kid":"rsa"}`, said, secretly(public.N.Bytes())), notTaken},
		"own key":                    {forge(`{"alg":"RS256","kid":"rsa"}`, said, byOwn), wrongSigned},
		"own key inside":             {forge(`{"alg":"RS256","kid":"rsa","jwk":`+string(ownJWK)+`}`, said, byOwn), wrongSigned},
		"own key elsewhere":          {forge(`{"alg":"RS256","kid":"rsa","jku":"https://evil.example/jwks.json","x5u":"https://evil.example"}`, said, byOwn), wrongSigned},
		"own key, own id":            {forge(`{"alg":"RS256","kid":"mine"}`, said, byOwn), notTaken},
		"a file as id":               {forge(`{"alg":"RS256","kid":"../../../../dev/null"}`, said, byOwn), notTaken},
		"a query as id":              {forge(`{"alg":"RS256","kid":"x' UNION SELECT 'y"}`, said, byOwn), notTaken},
		"id is a number":             {forge(`{"alg":"RS256","kid":7}`, said, byOwn), notParsed},
		"id is empty, many fit":      {forge(`{"alg":"RS256","kid":""}`, said, byOwn), notTaken},
		"another key of the set":     {forge(`{"alg":"RS256","kid":"rsa2"}`, said, byOwn), wrongSigned},
		"another type of key":        {forge(`{"alg":"RS256","kid":"p256"}`, said, byOwn), notTaken},
		"another algorithm":          {signedBy(t, signers()["rsa"], jose.PS256, usual(nil)), notTaken},
		"another curve":              {forge(`{"alg":"ES384","kid":"p256"}`, said, func(string) []byte { return make([]byte, 96) }), notTaken},
		"zeros for a signature":      {forge(`{"alg":"ES256","kid":"p256"}`, said, func(string) []byte { return make([]byte, 64) }), wrongSigned},
		"zeros by Ed25519":           {forge(`{"alg":"EdDSA","kid":"ed"}`, said, func(string) []byte { return make([]byte, 64) }), wrongSigned},
		"critical":                   {signedBytes(t, signers()["ed"], jose.EdDSA, b, map[jose.HeaderKey]any{"crit": []string{"exp"}, "exp": 1}), notParsed},
		"not encoded":                {signedBytes(t, signers()["ed"], jose.EdDSA, b, map[jose.HeaderKey]any{"b64": true}), notParsed},
		"own key by the library":     {signedBy(t, mine, "", usual(nil)), wrongSigned},
		"compressed":                 {forge(`{"alg":"RS256","kid":"rsa","zip":"DEF"}`, said, byOwn), wrongSigned},
		"encrypted":                  {forge(`{"alg":"RSA-OAEP","enc":"A128GCM","kid":"rsa"}`, said, none) + ".AA.AA", notParsed},
		"deep":                       {forge(`{"alg":"RS256","kid":"rsa","x":`+strings.Repeat("[", 20000)+strings.Repeat("]", 20000)+`}`, said, none), notParsed},
		"characters of another kind": {strings.Replace(token(t, "rsa", usual(nil)), ".", "。", 1), notParsed},
	} {
		if got := r.outcome(t, test.token); got != test.want {
			t.Errorf("%s: %s, not %s", name, got, test.want)
		}
		for _, part := range strings.Split(test.token, ".") {
			if told := r.told(); len(part) > 20 && strings.Contains(told, part) {
				t.Errorf("%s: the token is told: %s", name, told)
			}
		}
	}
}

// TestWithoutID takes a token without kid if one key alone fits.
func TestWithoutID(t *testing.T) {
	nameless := func(id string) string {
		s := *signers()[id]
		s.KeyID = ""
		return signedBy(t, &s, "", usual(nil))
	}
	keys := func(ids ...string) string {
		var all []string
		for _, id := range ids {
			all = append(all, signers()[id].jwk())
		}
		return "keys: [" + strings.Join(all, ",") + "]"
	}
	for _, test := range []struct{ options, by, want string }{
		{keys("rsa"), "rsa", ""},
		{keys("rsa", "p256", "ed"), "p256", ""},
		{keys("rsa", "rsa2"), "rsa", notTaken},
		{keys("p256", "ed"), "rsa", notTaken},
		{keys("rsa2", "ed"), "rsa", wrongSigned},
	} {
		if got := with(t, test.options).outcome(t, nameless(test.by)); got != test.want {
			t.Errorf("%s by %s: %q", test.options[:40], test.by, got)
		}
	}
}

// TestOneIDForMany tries all keys of an id.
func TestOneIDForMany(t *testing.T) {
	a, b := *signers()["rsa"], *signers()["rsa2"]
	c := *signers()["p256"]
	a.KeyID, b.KeyID, c.KeyID = "same", "same", "same"
	r := with(t, "keys: ["+a.jwk()+","+b.jwk()+","+c.jwk()+"]")
	for _, by := range []*signer{&a, &b, &c} {
		if got := r.outcome(t, signedBy(t, by, "", usual(nil))); got != "" {
			t.Error(got)
		}
	}
}

func TestDate(t *testing.T) {
	for text, want := range map[string]string{
		"0": "1970-01-01T00:00:00Z", "1.5": "1970-01-01T00:00:01.5Z", "-1": "1970-01-01T00:00:00Z", "1e9": "2001-09-09T01:46:40Z",
		"1e400": "9999-12-31T23:59:59Z", "-1e400": "1970-01-01T00:00:00Z", "253402300800": "9999-12-31T23:59:59Z",
		`"1"`: "no", "true": "no", "null": "no", "[1]": "no", "{}": "no",
	} {
		at, ok := date([]byte(text))
		got := "no"
		if ok {
			got = at.UTC().Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
	if at, ok := date(nil); !at.IsZero() || !ok {
		t.Error("there is no date")
	}
}

func TestPerson(t *testing.T) {
	k := &keeper{options: &Options{Identity: "sub", Attributes: nil}}
	var keys []string
	for _, payload := range []string{`{"sub":"a"}`, `{"sub":"a","iss":"b"}`, `{"sub":"a\" of \"b"}`, `{}`, `{"sub":""}`} {
		v, wrong := k.read([]byte(payload), &digest{byte(len(payload))})
		if wrong != nil {
			t.Fatal(wrong)
		}
		keys = append(keys, v.key)
	}
	slices.Sort(keys)
	if len(slices.Compact(keys)) != 5 {
		t.Errorf("they are not told from each other: %q", keys)
	}
}

func TestCache(t *testing.T) {
	var c cache
	old, now := &keySet{}, &keySet{}
	sum := func(i int) *digest { return &digest{byte(i), byte(i >> 8), byte(i >> 16)} }
	tok := &verified{}
	for i := range mostTokens {
		c.put(sum(i), old, tok)
	}
	if c.get(sum(7), now) != nil || c.get(sum(7), old) != tok || c.get(sum(mostTokens), old) != nil {
		t.Error("it has what it should not, or has not what it should")
	}
	c.put(sum(7), now, &verified{})
	if c.get(sum(7), old) != nil || c.get(sum(7), now) == nil || c.len() != mostTokens {
		t.Error("the keys of before are still in use")
	}
	for i := range mostTokens { // those that were asked for stay
		if i%2 == 0 {
			c.get(sum(i), old)
		}
	}
	for i := range mostTokens / 2 {
		c.put(sum(mostTokens+i), old, tok)
	}
	kept := 0
	for i := range mostTokens {
		if i%2 == 0 && c.get(sum(i), old) != nil {
			kept++
		}
	}
	if kept < mostTokens/2-1 || c.len() != mostTokens || len(c.byKey) != mostTokens {
		t.Errorf("of those that were asked for, %d are left; there are %d", kept, c.len())
	}
	for i := range 3 * mostTokens { // all are in use: some of them go
		c.get(sum(i), old)
		c.put(sum(i), old, tok)
	}
	if c.len() != mostTokens || len(c.byKey) != mostTokens {
		t.Errorf("there are %d", c.len())
	}
}

func TestKnownTokens(t *testing.T) {
	r := with(t, all())
	for _, test := range []struct {
		said  says
		known int
	}{{nil, 1}, {nil, 1}, {says{"exp": time.Now().Unix() - 1}, 2}, {says{"pad": strings.Repeat("x", mostCachedSize)}, 2}, {says{"exp": "x"}, 2}} {
		said := usual(test.said)
		if test.said == nil {
			said["exp"] = 9999999999
		}
		r.outcome(t, token(t, "ed", said))
		if got := r.known.len(); got != test.known {
			t.Errorf("%.40s: %d tokens are known", fmt.Sprint(test.said), got)
		}
	}
}

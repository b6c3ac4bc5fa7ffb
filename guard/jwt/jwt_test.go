package jwt

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gozilla/component"
	"gozilla/guard"
	"gozilla/stream"
)

func TestAlgorithms(t *testing.T) {
	for id, algs := range map[string][]jose.SignatureAlgorithm{
		"rsa": rsaAlgorithms, "p256": {jose.ES256}, "p384": {jose.ES384}, "p521": {jose.ES512}, "ed": {jose.EdDSA},
	} {
		by := signers()[id]
		every := with(t, "keys: ["+by.jwk("alg")+"]")
		one := with(t, "keys: ["+by.jwk()+"]")
		for _, alg := range algs {
			tok := signedBy(t, by, alg, usual(nil))
			if got := every.outcome(t, tok); got != "" {
				t.Errorf("%s, %s: %s", id, alg, got)
			}
			if got := one.outcome(t, tok); (got == "") != (alg == by.sign) {
				t.Errorf("%s, %s: with alg, it is %q", id, alg, got)
			}
		}
	}
}

func TestIdentity(t *testing.T) {
	for _, test := range []struct {
		option string
		said   says
		want   string
	}{
		{"", nil, "alice"},
		{"", says{"sub": nil}, ""},
		{"", says{"sub": 42}, "42"},
		{"", says{"sub": 12345678901234567890.0}, "12345678901234567000"},
		{"", says{"sub": []string{"a"}}, ""},
		{"", says{"sub": ""}, ""},
		{"identity: email", says{"email": "a@example.com"}, "a@example.com"},
		{"identity: email", nil, ""},
		{"identity: user.name", says{"user": says{"name": "Alice"}}, "Alice"},
		{"identity: user.name", says{"user.name": "dotted", "user": says{"name": "Alice"}}, "dotted"},
	} {
		r := with(t, strings.Trim(all()+", "+test.option, ", "))
		if got := r.admit(t, token(t, "ed", usual(test.said))).Identity(); got != test.want {
			t.Errorf("%s of %v: %q, not %q", test.option, test.said, got, test.want)
		}
	}
}

func TestRoles(t *testing.T) {
	realm := says{"realm_access": says{"roles": []string{"b", "a", "b"}}}
	for _, test := range []struct {
		option string
		said   says
		want   string
	}{
		{"", nil, "read write"},
		{"", says{"scope": " b\ta  b\n"}, "a b"},
		{"", says{"scope": []string{"b c", "a"}}, "a|b c"},
		{"", says{"scope": []any{"a", 7, nil, says{}}}, "a"},
		{"", says{"scope": 7}, ""},
		{"", says{"scope": says{"a": "b"}}, ""},
		{"", says{"scope": nil}, ""},
		{"roles: realm_access.roles", realm, "a b"},
		{"roles: realm_access.none", realm, ""},
		{"roles: realm_access.roles.deeper", realm, ""},
		{"roles: realm_access", realm, ""},
		{"roles: \"https://example.com/roles\"", says{"https://example.com/roles": []string{"a"}}, "a"},
		{"roles: \"https://example.com/app.roles\"", says{"https://example.com/app": says{"roles": "a"}}, "a"},
		{"roles: a.b.c", says{"a": says{"b": says{}}, "a.b": says{"c": "x"}}, "x"},
	} {
		r := with(t, strings.Trim(all()+", "+test.option, ", "))
		s := r.admit(t, token(t, "ed", usual(test.said)))
		var want []string
		if strings.Contains(test.want, "|") {
			want = strings.Split(test.want, "|")
		} else {
			want = strings.Fields(test.want)
		}
		for _, role := range want {
			if !s.Verify([]string{role}) {
				t.Errorf("%s of %v: there is no role %s", test.option, test.said, role)
			}
		}
		if !s.Verify(nil) || !s.Verify(want) || s.Verify(append(want, "more")) || s.Verify([]string{"7"}) {
			t.Errorf("%s of %v: the roles are not %q", test.option, test.said, want)
		}
	}
}

func TestAttributes(t *testing.T) {
	r := with(t, all()+", attributes: { mail: email, city: address.city, age: age, vip: vip, groups: groups, no: nothing }")
	s := r.admit(t, token(t, "ed", usual(says{"email": "a@example.com", "address": says{"city": "Bern"}, "age": 7, "vip": true, "groups": []string{"a"}})))
	for name, want := range map[string]string{"mail": "a@example.com", "city": "Bern", "age": "7", "vip": "true"} {
		if got, ok := s.Attribute(name); got != want || !ok {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
	for _, name := range []string{"groups", "no", "other", "email"} {
		if got, ok := s.Attribute(name); ok {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestRefused(t *testing.T) {
	now := time.Now().Unix()
	tok := func(s says) string { return token(t, "ed", usual(s)) }
	head, rest, _ := strings.Cut(tok(nil), ".")
	payload, signature, _ := strings.Cut(rest, ".")
	for name, test := range map[string]struct{ token, event, outcome string }{
		"nothing":        {"", "(). Missing credentials.", "unauthenticated: there are no credentials"},
		"garbage":        {"garbage", "(). Unable to parse token.", "unauthenticated: the token cannot be parsed"},
		"dots":           {"..", "(). Invalid alg or key.", "unauthenticated: the token is signed by a key or an algorithm that is not taken"},
		"two parts":      {head + "." + payload, "(). Unable to parse token.", "unauthenticated: the token cannot be parsed"},
		"four parts":     {tok(nil) + ".", "(). Unable to parse token.", "unauthenticated: the token cannot be parsed"},
		"encrypted":      {head + "." + payload + "." + payload + "." + payload + "." + signature, "(). Unable to parse token.", "unauthenticated: the token cannot be parsed"},
		"with bearer":    {"Bearer " + tok(nil), "(). Unable to parse token.", "unauthenticated: the token cannot be parsed"},
		"padded":         {head + "=." + payload + "." + signature, "(). Unable to parse token.", "unauthenticated: the token cannot be parsed"},
		"broken":         {head + "." + payload + "\r\n." + signature, "(). Unable to parse token.", "unauthenticated: the token cannot be parsed"},
		"too long":       {strings.Repeat("a", mostToken+1), "(). The token is too long.", "unauthenticated: the token is too long"},
		"one megabyte":   {head + "." + strings.Repeat("A", 1<<20) + "." + signature, "(). The token is too long.", "unauthenticated: the token is too long"},
		"as JSON":        {`{"payload":"` + payload + `","protected":"` + head + `","signature":"` + signature + `"}`, "(). Unable to parse token.", "unauthenticated: the token cannot be parsed"},
		"no signature":   {head + "." + payload + ".", "(). Unable to verify key signature.", "unauthenticated: the signature of the token is wrong"},
		"cut signature":  {head + "." + payload + "." + signature[:40], "(). Unable to verify key signature.", "unauthenticated: the signature of the token is wrong"},
		"changed":        {head + "." + encoded(`{"sub":"root"}`) + "." + signature, "(). Unable to verify key signature.", "unauthenticated: the signature of the token is wrong"},
		"expired":        {tok(says{"exp": now - 1}), "(alice). Token is expired.", "expired: the token has expired"},
		"expired now":    {tok(says{"exp": now}), "(alice). Token is expired.", "expired: the token has expired"},
		"long ago":       {tok(says{"exp": -1e300}), "(alice). Token is expired.", "expired: the token has expired"},
		"early":          {tok(says{"nbf": now + 60}), "(alice). Token is not valid yet.", "unauthenticated: the token is not valid yet"},
		"other issuer":   {tok(says{"iss": "https://issuer.example/"}), "(alice). Invalid issuer or audience.", "unauthenticated: the token is of another issuer, or meant for somebody else"},
		"no issuer":      {tok(says{"iss": nil}), "(alice). Invalid issuer or audience.", "unauthenticated: the token is of another issuer, or meant for somebody else"},
		"issuers":        {tok(says{"iss": []string{"https://issuer.example"}}), "(alice). Invalid issuer or audience.", "unauthenticated: the token is of another issuer, or meant for somebody else"},
		"others":         {tok(says{"aud": []string{"them", "US"}}), "(alice). Invalid issuer or audience.", "unauthenticated: the token is of another issuer, or meant for somebody else"},
		"other":          {tok(says{"aud": "them us"}), "(alice). Invalid issuer or audience.", "unauthenticated: the token is of another issuer, or meant for somebody else"},
		"nobody":         {tok(says{"aud": nil}), "(alice). Invalid issuer or audience.", "unauthenticated: the token is of another issuer, or meant for somebody else"},
		"expired, other": {tok(says{"exp": now - 1, "aud": nil}), "(alice). Token is expired.", "expired: the token has expired"},
		"anonymous":      {tok(says{"exp": now - 1, "sub": nil}), "(). Token is expired.", "expired: the token has expired"},
		"text as exp":    {tok(says{"exp": "never"}), "(). Unable to parse claims.", "unauthenticated: the claims of the token cannot be read"},
		"number text":    {tok(says{"exp": fmt.Sprint(now + 60)}), "(). Unable to parse claims.", "unauthenticated: the claims of the token cannot be read"},
		"null as exp":    {signedBytes(t, signers()["ed"], jose.EdDSA, []byte(`{"iss":"https://issuer.example","aud":"us","exp":null}`), nil), "(). Unable to parse claims.", "unauthenticated: the claims of the token cannot be read"},
		"list as nbf":    {tok(says{"nbf": []int{1}}), "(). Unable to parse claims.", "unauthenticated: the claims of the token cannot be read"},
		"twice":          {signedBytes(t, signers()["ed"], jose.EdDSA, []byte(`{"sub":"a","sub":"b","iss":"https://issuer.example","aud":"us"}`), nil), "(). Unable to parse claims.", "unauthenticated: the claims of the token cannot be read"},
		"no claims":      {signedBytes(t, signers()["ed"], jose.EdDSA, []byte("null"), nil), "(). Unable to parse claims.", "unauthenticated: the claims of the token cannot be read"},
		"text":           {signedBytes(t, signers()["ed"], jose.EdDSA, []byte("hello"), nil), "(). Unable to parse claims.", "unauthenticated: the claims of the token cannot be read"},
		"strange": {tok(says{"sub": "a\nb" + strings.Repeat("x", 300), "exp": now - 1}),
			`(a\nb` + strings.Repeat("x", 196) + "…). Token is expired.", "expired: the token has expired"},
	} {
		r := with(t, all())
		if got := r.outcome(t, test.token); got != test.outcome {
			t.Errorf("%s: %s, not %s", name, got, test.outcome)
		}
		want := "authorization.failed JWT token authorization failed for identity " + test.event
		if got := r.told(); got != want {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
		if r.sessions.Len() != 0 {
			t.Errorf("%s: a session is left", name)
		}
	}
}

func TestTaken(t *testing.T) {
	for name, said := range map[string]says{
		"without an end": {"exp": nil},
		"ends in 292277": {"exp": 1e15},
		"ends never":     {"exp": 1e300},
		"half a second":  {"exp": float64(time.Now().Unix()) + 3600.5},
		"since now":      {"nbf": time.Now().Unix()},
		"since ever":     {"nbf": -5},
		"for many":       {"aud": []any{7, "them", "us"}},
		"more":           {"jti": "x", "nested": says{"exp": 1}},
	} {
		if got := with(t, all()).outcome(t, token(t, "p256", usual(said))); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
	r := with(t, "keys: ["+signers()["ed"].jwk()+"]") // neither issuer nor audience is asked for
	for _, said := range []says{{"iss": nil, "aud": nil}, {"iss": "anybody", "aud": "them"}} {
		if got := r.outcome(t, token(t, "ed", usual(said))); got != "" {
			t.Error(got)
		}
	}
}

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, skew := range []time.Duration{0, 30 * time.Second} {
			r := with(t, all()+", skew: "+skew.String())
			now := time.Now()
			tok := token(t, "ed", usual(says{"nbf": now.Unix() + 60, "exp": now.Unix() + 120}))
			for _, step := range []struct {
				at   time.Duration // after which
				want string
			}{
				{time.Minute - skew - 1, "unauthenticated: the token is not valid yet"},
				{time.Minute - skew, ""},
				{2*time.Minute + skew - 1, ""}, // remembered
				{2*time.Minute + skew, "expired: the token has expired"},
			} {
				time.Sleep(time.Until(now.Add(step.at)))
				if got := r.outcome(t, tok); got != step.want {
					t.Errorf("skew %v, after %v: %q, not %q", skew, step.at, got, step.want)
				}
			}
		}
	})
}

func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hour := func(n int) int64 { return time.Now().Add(time.Duration(n) * time.Hour).Unix() }
		for name, test := range map[string]struct {
			said        says
			first, next int // when the sessions end, in hours
			sessions    int
		}{
			"the same":               {says{"exp": hour(2)}, 2, 2, 1},
			"later":                  {says{"exp": hour(3)}, 3, 3, 1},
			"later, other order":     {says{"exp": hour(3), "scope": []string{"write", "read"}}, 3, 3, 1},
			"earlier":                {says{"exp": hour(1)}, 2, 2, 1},
			"later and broader":      {says{"exp": hour(3), "scope": "read write admin"}, 3, 3, 2},
			"earlier and narrower":   {says{"exp": hour(1), "scope": "read"}, 2, 1, 2},
			"later and narrower":     {says{"exp": hour(3), "scope": "read"}, 2, 3, 2},
			"another subject":        {says{"exp": hour(3), "sub": "bob"}, 2, 3, 2},
			"without a subject":      {says{"exp": hour(3), "sub": nil}, 2, 3, 2},
			"other attributes":       {says{"exp": hour(3), "city": "Basel"}, 2, 3, 2},
			"without its attributes": {says{"exp": hour(3), "city": nil}, 2, 3, 2},
			"more claims":            {says{"exp": hour(3), "jti": "7", "street": "x"}, 3, 3, 1},
		} {
			r := with(t, all()+", attributes: { city: city }")
			first := r.admit(t, token(t, "ed", usual(says{"exp": hour(2), "city": "Bern"})))
			if _, ok := test.said["city"]; !ok {
				test.said["city"] = "Bern"
			}
			next := r.admit(t, token(t, "rsa", usual(test.said)))
			if a, b := first.Expires().Unix(), next.Expires().Unix(); a != hour(test.first) || b != hour(test.next) || r.sessions.Len() != test.sessions {
				t.Errorf("%s: they end at %v and %v, there are %d", name, first.Expires(), next.Expires(), r.sessions.Len())
			}
			if first.Verify([]string{"admin"}) || strings.Contains(name, "broader") != next.Verify([]string{"admin"}) {
				t.Errorf("%s: the roles are wrong", name)
			}
			first.Release()
			next.Release()
			if r.sessions.Len() != 0 {
				t.Errorf("%s: %d sessions are left", name, r.sessions.Len())
			}
		}
	})
}

func TestAnonymousSessions(t *testing.T) {
	r := with(t, all())
	tok := token(t, "ed", usual(says{"sub": nil}))
	r.admit(t, tok)
	r.admit(t, tok)
	if r.sessions.Len() != 1 {
		t.Errorf("of one token there are %d sessions", r.sessions.Len())
	}
	r.admit(t, token(t, "ed", usual(says{"sub": nil, "jti": "x"})))
	if r.sessions.Len() != 2 {
		t.Errorf("of two tokens there are %d sessions", r.sessions.Len())
	}
}

// TestIssuersAreNotMixed has two with a subject of the same name.
func TestIssuersAreNotMixed(t *testing.T) {
	r := with(t, "keys: ["+signers()["ed"].jwk()+"]")
	r.admit(t, token(t, "ed", usual(nil)))
	r.admit(t, token(t, "ed", usual(says{"iss": "https://other.example"})))
	if r.sessions.Len() != 2 {
		t.Errorf("there are %d sessions", r.sessions.Len())
	}
}

func TestChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, skew := range []time.Duration{0, 10 * time.Second} {
			r := with(t, all()+", challenge: 60, skew: "+skew.String())
			begin := time.Now()
			tok := func(minutes int, sub any) string {
				return token(t, "ed", usual(says{"sub": sub, "exp": begin.Add(time.Duration(minutes) * time.Minute).Unix()}))
			}
			s := r.admit(t, tok(10, "alice")).(guard.Challenger)
			nobody := r.admit(t, tok(10, nil)).(guard.Challenger)
			if at := s.ChallengeAt(); !at.Equal(begin.Add(9*time.Minute)) || !nobody.ChallengeAt().IsZero() || s.Challenge() {
				t.Errorf("the challenge is at %v", at)
			}
			time.Sleep(9 * time.Minute)
			if !s.Challenge() || s.Challenge() || nobody.Challenge() {
				t.Error("there must be one challenge")
			}
			r.admit(t, tok(20, "alice"))
			if at := s.ChallengeAt(); !at.Equal(begin.Add(19*time.Minute)) || s.Challenge() {
				t.Errorf("the next challenge is at %v", at)
			}
			time.Sleep(10*time.Minute + 30*time.Second)
			if !s.Challenge() || s.Challenge() {
				t.Error("there must be one challenge more")
			}
			time.Sleep(30*time.Second + skew)
			if s.Challenge() {
				t.Error("it is too late")
			}
		}
		if s := with(t, all()).admit(t, token(t, "ed", usual(nil))).(guard.Challenger); !s.ChallengeAt().IsZero() {
			t.Error("nobody wants a challenge")
		}
	})
}

func TestPresent(t *testing.T) {
	r := with(t, all())
	first, second := token(t, "ed", usual(nil)), token(t, "rsa", usual(says{"jti": "2"}))
	a, b := r.admit(t, first), r.admit(t, second)
	if r.sessions.Len() != 1 {
		t.Fatalf("there are %d sessions", r.sessions.Len())
	}
	for s, want := range map[stream.Session]string{a: first, b: second} {
		if p, ok := r.Present(s); !ok || p != (guard.Presented{Identity: "alice", Credentials: want, Whole: want}) {
			t.Errorf("%+v, %v", p, ok)
		}
	}
	if p, ok := r.Present(nil); ok || p != (guard.Presented{}) {
		t.Errorf("without a session: %+v", p)
	}
	if _, ok := with(t, all()).Present(a); ok {
		t.Error("the session is of another guard")
	}
}

// TestAtOnce has many bring tokens while others do.
func TestAtOnce(t *testing.T) {
	r := with(t, all()+", challenge: 10")
	var tokens []string
	for i := range 16 {
		tokens = append(tokens, token(t, "ed", usual(says{"sub": fmt.Sprint(i % 3), "scope": strings.Repeat("a ", i%2), "exp": time.Now().Unix() + 60 + int64(i)})))
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				s, err := r.Authorize(t.Context(), tokens[(i*j)%len(tokens)])
				if err != nil {
					t.Error(err)
					return
				}
				s.(guard.Challenger).Challenge()
				s.Release()
			}
		})
	}
	wg.Wait()
	if r.sessions.Len() != 0 {
		t.Errorf("%d sessions are left", r.sessions.Len())
	}
}

// TestShape is what the reference is made of, but for comments, which a build has once they were generated.
func TestShape(t *testing.T) {
	if err := component.VariantOf[Config]("").Check(); err != nil {
		for line := range strings.Lines(err.Error()) {
			if !strings.Contains(line, "comment") {
				t.Error(line)
			}
		}
	}
	if _, ok := guard.Registry.Get("jwt"); !ok {
		t.Error("the type is not registered")
	}
}

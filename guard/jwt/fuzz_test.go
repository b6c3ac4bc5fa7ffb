package jwt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gozilla/stream"
)

// FuzzAuthorize takes anything for a token.
func FuzzAuthorize(f *testing.F) {
	tok := token(f, "ed", usual(nil))
	f.Add(tok)
	f.Add(token(f, "rsa", usual(nil)))
	f.Add("..")
	f.Add(encoded(`{"alg":"none"}`) + "." + encoded(`{"sub":"a"}`) + ".")
	r := with(f, all())
	f.Fuzz(func(t *testing.T, token string) {
		s, err := r.Authorize(context.Background(), token)
		var refused *stream.Refused
		switch {
		case err == nil && strings.Count(token, ".") != 2:
			t.Fatal("it is no token")
		case err == nil:
			s.Release()
		case !errors.As(err, &refused) || refused.Reason != stream.Unauthenticated && refused.Reason != stream.Expired:
			t.Fatal(err)
		}
	})
}

// FuzzClaims signs anything.
func FuzzClaims(f *testing.F) {
	for _, s := range []string{`{"sub":"alice","scope":"a b","exp":9999999999,"a":{"b":"c"}}`, `{"a":{"b":[1,"x",null]},"nbf":1.5e3}`, `{"exp":1e999}`, "null", `{"a.b":1,"a":{"b":2}}`} {
		f.Add([]byte(s), "a.b")
	}
	f.Fuzz(func(t *testing.T, payload []byte, path string) {
		k := &keeper{options: &Options{Identity: Path(path), Roles: Path(path)}}
		v, wrong := k.read(payload, &digest{})
		if (v == nil) == (wrong == nil) {
			t.Fatal("it is neither")
		}
		if v == nil {
			return
		}
		if !json.Valid(payload) {
			t.Fatalf("%q was taken", payload)
		}
		if !slices.IsSorted(v.Roles) || len(slices.Compact(slices.Clone(v.Roles))) != len(v.Roles) || v.key == "" {
			t.Fatalf("%+v", v)
		}
		s, err := k.sessions.Join(v.key, &v.Claims, "")
		if err == nil {
			if !s.Verify(v.Roles) {
				t.Fatal("its roles are lost")
			}
			s.Release()
		}
		if k.sessions.Len() != 0 {
			t.Fatal("a session is left")
		}
	})
}

func BenchmarkAuthorize(b *testing.B) {
	for _, id := range []string{"rsa", "p256", "ed"} {
		tok := token(b, id, usual(says{"realm_access": says{"roles": []string{"a", "b"}}, "email": "alice@example.com", "jti": "5f0c6a2e-8a2b-4f0e-9b1a-2f6f6f6f6f6f"}))
		for _, known := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/known=%v", id, known), func(b *testing.B) {
				r := with(b, all()+", roles: realm_access.roles, attributes: { mail: email }")
				b.ReportAllocs()
				for b.Loop() {
					if !known {
						r.known = cache{}
					}
					s, err := r.Authorize(context.Background(), tok)
					if err != nil {
						b.Fatal(err)
					}
					s.Release()
				}
			})
		}
	}
}

package test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// An issuer signs tokens.
type issuer struct {
	t      testing.TB
	id     string
	key    *rsa.PrivateKey
	signer jose.Signer
}

func newIssuer(t testing.TB, id string) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{t, id, key, signer}
}

// public is the public key, as JSON.
func (i *issuer) public() string {
	b, err := (jose.JSONWebKey{Key: i.key.Public(), KeyID: i.id, Algorithm: "RS256", Use: "sig"}).MarshalJSON()
	if err != nil {
		i.t.Fatal(err)
	}
	return string(b)
}

// token is one for an hour, but for these claims; those that are nil are left out.
func (i *issuer) token(claims map[string]any) string {
	i.t.Helper()
	all := map[string]any{"iss": "https://auth.example.com", "aud": "https://api.example.com", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range claims {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	text, err := jwt.Signed(i.signer).Claims(all).Serialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return text
}

// guarding is a configuration of an echo for those who have the role echo:stream.
func guarding(port int, keys string) string {
	return fmt.Sprintf(`name: example
guards:
  tokens:
    type: jwt
    options: { issuer: "https://auth.example.com", audience: "https://api.example.com", keys: %s }
bindings:
  north: { type: tcp, kind: server, options: { host: 127.0.0.1, port: %d }, exit: in }
  in:
    type: http
    kind: server
    options:
      authorization:
        tokens:
          credentials: { headers: { authorization: "Bearer {credentials}" }, query: { access_token: "{credentials}" }, cookies: { token: "{credentials}" } }
    routes:
      - { when: [ { headers: { ":path": /public } } ], exit: echo }
      - { guarded: { tokens: [ echo:stream ] }, exit: echo }
  echo: { type: echo, kind: server }
`, keys, port)
}

func TestHTTPTokens(t *testing.T) {
	port := freePort(t)
	ours, others := newIssuer(t, "example"), newIssuer(t, "example")
	g := start(t, guarding(port, "["+ours.public()+"]"), "--records")
	role := map[string]any{"scope": "other echo:stream"}
	and := func(name string, value any) map[string]any {
		return map[string]any{"scope": "echo:stream", name: value}
	}
	good := ours.token(role)
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	parts := strings.Split(good, ".")
	for _, c := range []struct {
		name, token string
		status      int
	}{
		{"good", good, 200},
		{"no token", "", 401},
		{"no role", ours.token(nil), 404},
		{"roles as a list", ours.token(map[string]any{"scope": []string{"a", "echo:stream"}}), 200},
		{"part of a role", ours.token(map[string]any{"scope": "echo:streams"}), 404},
		{"expired", ours.token(and("exp", time.Now().Add(-time.Second).Unix())), 403},
		{"not yet", ours.token(and("nbf", time.Now().Add(time.Hour).Unix())), 403},
		{"of another issuer", ours.token(and("iss", "https://auth.example.org")), 403},
		{"for others", ours.token(and("aud", "https://api.example.org")), 403},
		{"for others too", ours.token(and("aud", []string{"https://api.example.org", "https://api.example.com"})), 200},
		{"for nobody", ours.token(and("aud", nil)), 403},
		{"of another key", others.token(role), 403},
		{"without a signature", encode(`{"alg":"none","kid":"example"}`) + "." + parts[1] + ".", 403},
		{"signed by what is public", encode(`{"alg":"HS256","kid":"example"}`) + "." + parts[1] + "." + parts[2], 403},
		{"half a signature", good[:len(good)-10], 403},
		{"other claims", parts[0] + "." + encode(`{"iss":"https://auth.example.com","aud":"https://api.example.com","scope":"echo:stream","exp":4102444800}`) + "." + parts[2], 403},
		{"no claims", parts[0] + ".." + parts[2], 403},
		{"no parts", "none", 403},
		{"20 KB", strings.Repeat("a", 20000), 403},
		{"1 MB", strings.Repeat("a", 1<<20), 431},
	} {
		t.Run(c.name, func(t *testing.T) {
			ask := request(t, "POST", port, "/", "Hello")
			if c.token != "" {
				ask.Header.Set("Authorization", "Bearer "+c.token)
			}
			if c.status == 431 { // the answer comes before all of it is sent
				conn := call(t, port)
				go fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n", c.token)
				if r, _ := conn.hears("POST"); r.StatusCode != c.status {
					t.Errorf("it gets %s", r.Status)
				}
				return
			}
			r, body := fetch(t, ask)
			if r.StatusCode != c.status || (body == "Hello") != (c.status == 200) || c.status != 200 && body != "" {
				t.Errorf("it gets %s, %q, want %d", r.Status, body, c.status)
			}
			if challenge := r.Header.Get("WWW-Authenticate"); (c.status == 401) != (challenge != "") {
				t.Errorf("www-authenticate is %q", challenge)
			}
		})
	}
	for _, ask := range []*http.Request{
		request(t, "POST", port, "/?a=b&access_token="+good+"&c=d", "Hello", "Referer: http://a/?access_token="+good),
		request(t, "POST", port, "/", "Hello", "Cookie: a=b; token="+good+"; c=d"),
		request(t, "POST", port, "/public", "Hello"),
		request(t, "POST", port, "/public", "Hello", "Authorization: Bearer none"),
	} {
		if r, body := fetch(t, ask); r.StatusCode != 200 || body != "Hello" {
			t.Errorf("%s gets %s, %q", ask.URL.Path, r.Status, body)
		}
	}
	g.exchange(t, `identity=alice .*http\.status=200|http\.status=200 .*identity=alice`)
	g.exchange(t, `http\.path="/\?a=b&access_token=\*\*\*&c=d"`)
	for _, format := range []string{"text", "json", "combined"} {
		if _, out, _ := run(t, g.dir, "logs", "--records", "--format", format); strings.Contains(out, good) || !strings.Contains(out, "access_token=***") {
			t.Errorf("records show a token, or no query:\n%s", out)
		}
	}
	g.terminate()
	if strings.Contains(g.stderr.String(), good) {
		t.Error("a token is shown")
	}
}

// A session ends with its token, and an exchange with its session.
func TestHTTPTokenEnds(t *testing.T) {
	port := freePort(t)
	ours := newIssuer(t, "example")
	g := start(t, guarding(port, "["+ours.public()+"]"), "--records")
	c := call(t, port).says("POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " +
		ours.token(map[string]any{"scope": "echo:stream", "exp": float64(time.Now().UnixMilli())/1000 + 1.2}) + "\r\nContent-Length: 10\r\n\r\nhello")
	within(t, "the end of a session", 5*time.Second, func() {
		r, err := http.ReadResponse(c.r, nil)
		if err != nil || r.StatusCode != 200 {
			t.Errorf("%v, %v", r, err)
			return
		}
		for b := make([]byte, 100); err == nil; {
			_, err = r.Body.Read(b)
		}
		if err.Error() == "EOF" {
			t.Error("half a response looks whole")
		}
	})
	g.exchange(t, `reason="session expired"`)
	g.terminate()
}

// TestHTTPKeySet has the keys of an issuer change while tokens come.
func TestHTTPKeySet(t *testing.T) {
	first, second := newIssuer(t, "first"), newIssuer(t, "second")
	var set atomic.Value
	set.Store(fmt.Sprintf(`{"keys":[%s]}`, first.public()))
	var down atomic.Bool
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(500)
			return
		}
		fmt.Fprint(w, set.Load())
	})
	port := freePort(t)
	g := start(t, strings.Replace(guarding(port, fmt.Sprintf("%q", b.URL+"/keys")), "options: { issuer", "options: { refresh: 1s, issuer", 1))
	role := map[string]any{"scope": "echo:stream"}
	ask := func(i *issuer) int {
		r, _ := fetch(t, request(t, "POST", port, "/", "Hello", "Authorization: Bearer "+i.token(role)))
		return r.StatusCode
	}
	eventually(t, "the keys are fetched", func() bool { return ask(first) == 200 })
	if status := ask(newIssuer(t, "first")); status != 403 {
		t.Errorf("another key gets %d", status)
	}
	// Both for a while, then the new one alone.
	set.Store(fmt.Sprintf(`{"keys":[%s,%s]}`, first.public(), second.public()))
	eventually(t, "the second key is known", func() bool { return ask(second) == 200 })
	if status := ask(first); status != 200 {
		t.Errorf("the first key gets %d", status)
	}
	set.Store(fmt.Sprintf(`{"keys":[%s]}`, second.public()))
	eventually(t, "the first key is forgotten", func() bool { return ask(first) == 403 })
	// What was fetched stays in use when nothing can be fetched.
	down.Store(true)
	g.stderr.await(t, g, `guard\.jwt\.keys\.failed`)
	if status := ask(second); status != 200 {
		t.Errorf("then the second key gets %d", status)
	}
	var keys struct{ Keys []any }
	if err := json.Unmarshal([]byte(set.Load().(string)), &keys); err != nil || len(keys.Keys) != 1 {
		t.Errorf("%v", err)
	}
	g.terminate()
}

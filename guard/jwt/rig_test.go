package jwt

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gozilla/component"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/telemetry"
)

// A signer is a private key of the tests, made anew for each process.
type signer struct {
	jose.JSONWebKey
	sign jose.SignatureAlgorithm
}

// signers are all of them, by the names that are also their ids.
var signers = sync.OnceValue(func() map[string]*signer {
	all := map[string]*signer{}
	add := func(id string, alg jose.SignatureAlgorithm, k crypto.Signer, err error) {
		if err != nil {
			panic(err)
		}
		all[id] = &signer{jose.JSONWebKey{Key: k, KeyID: id, Algorithm: string(alg), Use: "sig"}, alg}
	}
	for _, id := range []string{"rsa", "rsa2"} {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		add(id, jose.RS256, k, err)
	}
	for id, curve := range map[string]elliptic.Curve{"p256": elliptic.P256(), "other": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		add(id, map[elliptic.Curve]jose.SignatureAlgorithm{elliptic.P256(): jose.ES256, elliptic.P384(): jose.ES384, elliptic.P521(): jose.ES512}[curve], k, err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	add("ed", jose.EdDSA, ed, err)
	return all
})

// jwk is the public key as JSON, which is YAML too. Without what is named.
func (s *signer) jwk(without ...string) string {
	public := s.Public()
	b, err := public.MarshalJSON()
	if err != nil {
		panic(err)
	}
	var m map[string]string
	if err := json.Unmarshal(b, &m); err != nil {
		panic(err)
	}
	for _, name := range without {
		delete(m, name)
	}
	if b, err = json.Marshal(m); err != nil {
		panic(err)
	}
	return string(b)
}

// jwks is a set of the public keys of these names.
func jwks(ids ...string) string {
	var all []string
	for _, id := range ids {
		all = append(all, signers()[id].jwk())
	}
	return `{"keys":[` + strings.Join(all, ",") + `]}`
}

// says is what a token of a test says.
type says map[string]any

// usual is what a token says that the usual options take, but for what is changed; nil takes a claim away.
func usual(changed says) says {
	s := says{"iss": "https://issuer.example", "aud": "us", "sub": "alice", "scope": "read write", "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(s, changed)
	maps.DeleteFunc(s, func(_ string, v any) bool { return v == nil })
	return s
}

// token signs what is said, with a key of this name and its id and algorithm.
func token(t testing.TB, id string, s says) string {
	t.Helper()
	return signedBy(t, signers()[id], "", s)
}

// signedBy signs by an algorithm, that of the key if it is "".
func signedBy(t testing.TB, by *signer, alg jose.SignatureAlgorithm, s says) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if alg == "" {
		alg = by.sign
	}
	return signedBytes(t, by, alg, b, nil)
}

// signedBytes signs anything, with more in its header.
func signedBytes(t testing.TB, by *signer, alg jose.SignatureAlgorithm, payload []byte, header map[jose.HeaderKey]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: by.Key, KeyID: by.KeyID}}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// encoded is text as it stands in a token.
func encoded(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// decode reads a guard as it stands in a file.
func decode(t testing.TB, text string, strict bool) (*Config, *config.Report) {
	t.Helper()
	r := &config.Report{Strict: strict}
	docs := config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte(text), Env: func(string) (string, bool) { return "", false }})
	if len(docs) != 1 {
		t.Fatalf("%s is %d documents: %v", text, len(docs), r.Err())
	}
	return config.Decode[Config](r, docs[0], "a jwt guard"), r
}

// A rig is a guard, and the events that it has emitted.
type rig struct {
	*keeper
	mu     sync.Mutex
	events []string
}

// all are the usual options: the keys of all signers, by id.
func all() string {
	var keys []string
	for _, s := range signers() {
		keys = append(keys, s.jwk())
	}
	return "issuer: https://issuer.example, audience: us, keys: [" + strings.Join(keys, ",") + "]"
}

// with makes a guard with these options, and runs its tasks until the test ends.
func with(t testing.TB, options string, change ...func(*fetcher)) *rig {
	t.Helper()
	c, report := decode(t, "type: jwt\noptions: {"+options+"}\n", false)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 8, false))
	b := &component.Builder{Node: &stream.Node{Namespace: "test", Name: "tokens"}, Host: host, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	k, err := newGuard(b, c)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{keeper: k.(*keeper)}
	if len(change) > 0 {
		f := &fetcher{client: newClient(), issuer: c.Options.Issuer, keys: c.Options.Keys.address}
		change[0](f)
		r.source.fetch = f.fetch
	}
	t.Cleanup(host.Log.Handle(func(e *telemetry.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, strings.TrimPrefix(e.ID, "guard.jwt.")+" "+e.Message)
	}))
	run(t, b)
	return r
}

// run runs the tasks of a component until the test ends.
func run(t testing.TB, b *component.Builder) {
	ctx, cancel := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	for _, task := range b.Tasks() {
		tasks.Go(func() {
			if err := task.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		tasks.Wait()
	})
}

// told gives the events since it was called last, and forgets them.
func (r *rig) told() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := strings.Join(r.events, "\n")
	r.events = nil
	return all
}

// admit gives the session of a token, which the caller or the end of the test releases.
func (r *rig) admit(t testing.TB, token string) stream.Session {
	t.Helper()
	s, err := r.Authorize(t.Context(), token)
	if err != nil {
		t.Fatal(err, r.told())
	}
	t.Cleanup(s.Release)
	return s
}

// outcome is why a token is refused, "" if it is not.
func (r *rig) outcome(t testing.TB, token string) string {
	t.Helper()
	s, err := r.Authorize(t.Context(), token)
	if err == nil {
		s.Release()
		return ""
	}
	var refused *stream.Refused
	if s != nil || !errors.As(err, &refused) {
		t.Fatalf("%v, %v", s, err)
	}
	return string(refused.Reason) + ": " + refused.Err.Error()
}

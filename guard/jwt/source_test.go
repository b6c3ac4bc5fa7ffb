package jwt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const keysAddress = "https://issuer.example/keys"

// by are the options of a guard that fetches its keys.
const by = "issuer: https://issuer.example, audience: us, keys: " + keysAddress

// An issuer answers requests without a network, so that time is that of the test.
type issuer struct {
	mu    sync.Mutex
	body  string
	err   error
	takes time.Duration
	asked []string // when, after the beginning
	begin time.Time
}

func newIssuer(ids ...string) *issuer { return &issuer{body: jwks(ids...), begin: time.Now()} }

func (i *issuer) set(f func(*issuer)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f(i)
}

// RoundTrip is part of http.RoundTripper.
func (i *issuer) RoundTrip(req *http.Request) (*http.Response, error) {
	i.mu.Lock()
	body, err, takes := i.body, i.err, i.takes
	i.asked = append(i.asked, time.Since(i.begin).String())
	i.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

// times gives when the issuer was asked since this was called last.
func (i *issuer) times() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	all := strings.Join(i.asked, " ")
	i.asked = nil
	return all
}

func (i *issuer) serve(f *fetcher) { f.client = &http.Client{Transport: i, CheckRedirect: stayPrivate} }

// equal fails the test if two texts differ.
func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s\nnot\n%s", what, got, want)
	}
}

// TestRefresh asks for the keys from time to time.
func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer("rsa", "ed")
		r := with(t, by, i.serve)
		equal(t, "the first one", r.outcome(t, token(t, "ed", usual(nil))), "")
		equal(t, "events", r.told(), "keys.loaded 2 keys were loaded from https://issuer.example/keys.")
		set := r.source.set.Load()
		time.Sleep(25 * time.Minute)
		equal(t, "asked", i.times(), "0s 10m0s 20m0s")
		equal(t, "events", r.told(), "") // they are the same
		if r.source.set.Load() != set {
			t.Error("the same keys were taken anew")
		}
		i.set(func(i *issuer) { i.body = jwks("p256") })
		equal(t, "before", r.outcome(t, token(t, "ed", usual(nil))), "")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		equal(t, "events", r.told(), "keys.loaded 1 key was loaded from https://issuer.example/keys.")
		tok := token(t, "ed", usual(nil)) // whose key is gone
		equal(t, "after", r.outcome(t, tok), notTaken)
		equal(t, "the new key", r.outcome(t, token(t, "p256", usual(nil))), "")
	})
}

// TestKnownTokensOfOldKeys are not known any more when the key is gone.
func TestKnownTokensOfOldKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer("ed")
		r := with(t, by, i.serve)
		tok := token(t, "ed", usual(nil))
		equal(t, "known", r.outcome(t, tok), "")
		i.set(func(i *issuer) { i.body = jwks("rsa") })
		time.Sleep(11 * time.Minute)
		equal(t, "revoked", r.outcome(t, tok), notTaken)
	})
}

// TestFailures has the keys of before stay in use.
func TestFailures(t *testing.T) {
	const take, read = "cannot take what comes from https://issuer.example/keys: ", "cannot read https://issuer.example/keys: "
	for what, test := range map[string]struct{ body, why string }{
		"down":     {"", read + "it is down"},
		"no JSON":  {"<html>", take + "it is no set of keys"},
		"no keys":  {"{}", take + "it has no key that tokens can be verified by"},
		"a list":   {"[]", take + "it is no set of keys"},
		"useless":  {`{"keys":[{"kty":"oct","k":"AAAA"},7]}`, take + "it has no key that tokens can be verified by"},
		"too many": {`{"keys":[` + strings.Repeat("{},", mostKeys) + `{}]}`, take + "it has more than 256 keys"},
		"too long": {strings.Repeat(" ", mostBody+1), read + "it has more than 1048576 bytes"},
	} {
		synctest.Test(t, func(t *testing.T) {
			i := newIssuer("ed")
			r := with(t, by, i.serve)
			equal(t, "the first one", r.outcome(t, token(t, "ed", usual(nil))), "")
			r.told()
			i.set(func(i *issuer) {
				if i.body = test.body; test.body == "" {
					i.err = errors.New("it is down")
				}
			})
			time.Sleep(10*time.Minute + 3500*time.Millisecond)
			equal(t, what, r.told(), "keys.failed Unable to load keys: "+test.why+". It is tried again in 1s. Until then, those of before stay in use.\n"+
				"keys.failed Unable to load keys: "+test.why+". It is tried again in 2s. Until then, those of before stay in use.\n"+
				"keys.failed Unable to load keys: "+test.why+". It is tried again in 4s. Until then, those of before stay in use.")
			equal(t, what, r.outcome(t, token(t, "ed", usual(says{"jti": what}))), "")
			i.set(func(i *issuer) { i.body, i.err = jwks("ed"), nil })
			time.Sleep(4 * time.Second)
			equal(t, what, r.told(), "keys.loaded 1 key was loaded from https://issuer.example/keys.")
			i.times()
			time.Sleep(10 * time.Minute)
			equal(t, what, i.times(), "20m7s")
		})
	}
}

// TestNoKeysYet waits for the first answer, but not for ever.
func TestNoKeysYet(t *testing.T) {
	const noKeys = "unavailable: the keys of the issuer could not be fetched yet"
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer("ed")
		i.takes = 4 * time.Second
		r := with(t, by, i.serve)
		begin := time.Now()
		equal(t, "garbage", r.outcome(t, "garbage"), notParsed)
		if took := time.Since(begin); took != 0 {
			t.Errorf("it took %v to refuse garbage", took)
		}
		equal(t, "a slow answer", r.outcome(t, token(t, "ed", usual(nil))), "")
		if took := time.Since(begin); took != 4*time.Second {
			t.Errorf("it took %v", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer("ed")
		i.takes = time.Hour
		r := with(t, by, i.serve)
		begin := time.Now()
		equal(t, "no answer", r.outcome(t, token(t, "ed", usual(nil))), noKeys)
		if took := time.Since(begin); took != firstWait {
			t.Errorf("it took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		if _, err := r.Authorize(ctx, token(t, "ed", usual(nil))); err == nil || time.Since(begin) != time.Second {
			t.Errorf("%v, after %v", err, time.Since(begin))
		}
		r.told()
		time.Sleep(5 * time.Second)
		equal(t, "events", r.told(), "keys.failed Unable to load keys: cannot read https://issuer.example/keys: context deadline exceeded. It is tried again in 1s. Until then, no token is taken.")
		begin = time.Now()
		equal(t, "after the first answer", r.outcome(t, token(t, "ed", usual(nil))), noKeys)
		if took := time.Since(begin); took != 0 {
			t.Errorf("it took %v", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer("ed")
		i.err = errors.New("it is down")
		r := with(t, by, i.serve)
		time.Sleep(5 * time.Minute)
		equal(t, "asked", i.times(), "0s 1s 3s 7s 15s 31s 1m3s 2m3s 3m3s 4m3s")
		equal(t, "no keys", r.outcome(t, token(t, "ed", usual(nil))), noKeys)
		i.set(func(i *issuer) { i.err = nil })
		time.Sleep(time.Minute)
		equal(t, "keys", r.outcome(t, token(t, "ed", usual(nil))), "")
	})
}

// TestRotation fetches the keys when a token names one that is not there, but not each time.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer("ed")
		r := with(t, by, i.serve)
		synctest.Wait()
		time.Sleep(time.Minute)
		i.times()
		i.set(func(i *issuer) { i.body, i.takes = jwks("ed", "rsa"), 500*time.Millisecond })
		var wg sync.WaitGroup
		for n := range 10 {
			wg.Go(func() { equal(t, "rotated", r.outcome(t, token(t, "rsa", usual(says{"jti": n}))), "") })
		}
		wg.Wait()
		equal(t, "asked", i.times(), "1m0s")
		if at := time.Since(i.begin); at != time.Minute+500*time.Millisecond {
			t.Errorf("it is %v", at)
		}
		unknown := token(t, "p256", usual(nil))
		equal(t, "a moment later", r.outcome(t, unknown), notTaken)
		equal(t, "asked", i.times(), "")
		time.Sleep(10 * time.Second)
		for range 3 {
			equal(t, "in vain", r.outcome(t, unknown), notTaken)
		}
		equal(t, "asked", i.times(), "1m10.5s")
		time.Sleep(10 * time.Second)
		equal(t, "of an algorithm that does not fit", r.outcome(t, signedBy(t, signers()["rsa"], "PS256", usual(nil))), notTaken)
		equal(t, "of a wrong signature", r.outcome(t, token(t, "rsa", usual(nil))+"A"), wrongSigned)
		equal(t, "asked", i.times(), "")
		time.Sleep(11 * time.Minute)
		i.times()
		i.set(func(i *issuer) { i.takes = 5 * time.Second })
		begin := time.Now()
		equal(t, "slow", r.outcome(t, unknown), notTaken)
		if took := time.Since(begin); took != earlyWait {
			t.Errorf("it took %v", took)
		}
	})
}

// TestRotationWithoutIDs fetches the keys when a token without kid has another signature.
func TestRotationWithoutIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer("rsa")
		r := with(t, by, i.serve)
		synctest.Wait()
		i.set(func(i *issuer) { i.body = jwks("rsa2") })
		nameless := *signers()["rsa2"]
		nameless.KeyID = ""
		equal(t, "rotated", r.outcome(t, signedBy(t, &nameless, "", usual(nil))), "")
		nameless.Key = signers()["rsa"].Key
		equal(t, "the key of before", r.outcome(t, signedBy(t, &nameless, "", usual(nil))), wrongSigned)
		equal(t, "asked", i.times(), "0s 0s")
	})
}

// TestAskedWhileAsking waits for the answer to the next question: that to the present one may be out of date.
func TestAskedWhileAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer("ed")
		r := with(t, by, i.serve)
		synctest.Wait()
		i.set(func(i *issuer) { i.takes = 300 * time.Millisecond })
		time.Sleep(10*time.Minute + 100*time.Millisecond) // it is asked now
		i.set(func(i *issuer) { i.body = jwks("ed", "rsa") })
		equal(t, "the next answer", r.outcome(t, token(t, "rsa", usual(nil))), "")
		if at := time.Since(i.begin); at != 10*time.Minute+600*time.Millisecond {
			t.Errorf("it is %v", at)
		}
		equal(t, "asked", i.times(), "0s 10m0s 10m0.3s")
	})
}

// TestRotationAtOnce has many bring tokens while keys come and go.
func TestRotationAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer("ed")
		r := with(t, by+", refresh: 1s", i.serve)
		var tokens []string
		for n := range 4 {
			tokens = append(tokens, token(t, "ed", usual(says{"sub": fmt.Sprint(n)})), token(t, "rsa", usual(says{"sub": fmt.Sprint(n)})))
		}
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				for m := range 100 {
					s, err := r.Authorize(t.Context(), tokens[(n+m)%len(tokens)])
					if err == nil {
						s.Release()
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		for n := range 10 {
			i.set(func(i *issuer) { i.body = jwks([]string{"ed", "rsa"}[:1+n%2]...) })
			time.Sleep(time.Second)
		}
		wg.Wait()
		if r.sessions.Len() != 0 {
			t.Errorf("%d sessions are left", r.sessions.Len())
		}
	})
}

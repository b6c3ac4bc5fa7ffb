package jwt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Bounds on what is fetched.
const (
	fetchTime   = 10 * time.Second // for all of an answer
	dialTime    = 5 * time.Second
	mostBody    = 1 << 20
	mostHeader  = 64 << 10
	mostForward = 5 // addresses that one answer leads to
)

// A fetcher asks HTTP servers for keys.
type fetcher struct {
	client *http.Client
	issuer string
	keys   string // an address; "": ask the issuer
}

// newClient is like the default one, but takes no proxy from the environment, which is meant for who started the gateway,
// and keeps no connection, since the next request is minutes away.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: dialTime}).DialContext,
			TLSHandshakeTimeout:    dialTime,
			MaxResponseHeaderBytes: mostHeader,
			DisableKeepAlives:      true,
		},
		CheckRedirect: stayPrivate,
	}
}

// stayPrivate follows a server elsewhere, but not from https to http.
func stayPrivate(req *http.Request, via []*http.Request) error {
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return errors.New("it leads from https to http")
	}
	if len(via) > mostForward {
		return errors.New("it leads from one address to the next")
	}
	return nil
}

// noKeysThere is the answer of a server that is in good order, but has no keys at that address.
type noKeysThere struct{ error }

func (n noKeysThere) Unwrap() error { return n.error }

// fetch asks for the keys.
func (f *fetcher) fetch(ctx context.Context) (*fetched, error) {
	if f.keys != "" {
		return f.set(ctx, f.keys)
	}
	base := strings.TrimRight(f.issuer, "/")
	set, err := f.set(ctx, base+"/.well-known/jwks.json")
	if !errors.As(err, new(noKeysThere)) {
		return set, err
	}
	address, discoveryErr := f.discover(ctx, base)
	if discoveryErr != nil {
		return nil, fmt.Errorf("%w; %w", err, discoveryErr)
	}
	return f.set(ctx, address)
}

// set reads a set of keys.
func (f *fetcher) set(ctx context.Context, address string) (*fetched, error) {
	b, err := f.get(ctx, address)
	if err != nil {
		return nil, err
	}
	set, skipped, err := parseSet(b)
	if err != nil {
		return nil, noKeysThere{fmt.Errorf("cannot take what comes from %s: %w", redacted(address), err)}
	}
	return &fetched{set, redacted(address), skipped}, nil
}

// discover finds where the keys of an issuer are: OpenID Connect Discovery 1.0 section 4.
func (f *fetcher) discover(ctx context.Context, base string) (address string, err error) {
	from := base + "/.well-known/openid-configuration"
	b, err := f.get(ctx, from)
	if err != nil {
		return "", err
	}
	var about struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	wrong := func(why string) error { return fmt.Errorf("cannot take what comes from %s: %s", redacted(from), why) }
	if json.Unmarshal(b, &about) != nil {
		return "", wrong("it is no OpenID configuration")
	}
	if strings.TrimRight(about.Issuer, "/") != base {
		return "", wrong("it is about another issuer")
	}
	u, err := parseAddress(about.Keys)
	if err != nil {
		return "", wrong("its jwks_uri is no http or https address")
	}
	if strings.HasPrefix(base, "https:") && u.Scheme != "https" {
		return "", wrong("its jwks_uri leads from https to http")
	}
	return about.Keys, nil
}

// get is the content of an address.
func (f *fetcher) get(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	name := redacted(address)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: its address is wrong", name)
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json")
	resp, err := f.client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the address, which may have a password
		}
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		err := fmt.Errorf("cannot read %s: the server answers %d", name, resp.StatusCode)
		if resp.StatusCode >= 400 && resp.StatusCode < 500 {
			return nil, noKeysThere{err}
		}
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, mostBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	case len(b) > mostBody:
		return nil, fmt.Errorf("cannot read %s: it has more than %d bytes", name, mostBody)
	}
	return b, nil
}

// redacted is an address as it may be shown.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be read"
	}
	return u.Redacted()
}

package jwt

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gozilla/internal/gwtest/leak"
)

// serve is a server of the test, and what is not to be seen of its address.
func serve(t *testing.T, tls bool, routes map[string]http.HandlerFunc) (*httptest.Server, *strings.Replacer) {
	t.Helper()
	leak.Check(t)
	mux := http.NewServeMux()
	for path, f := range routes {
		mux.HandleFunc(path, f)
	}
	s := httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s, strings.NewReplacer(s.URL, "SERVER")
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

// fetching asks with the client of the guard, which trusts the server of the test.
func fetching(s *httptest.Server, issuer, keys string) *fetcher {
	f := &fetcher{client: newClient(), issuer: issuer, keys: keys}
	if s.TLS != nil {
		f.client.Transport.(*http.Transport).TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	}
	return f
}

func TestFetch(t *testing.T) {
	set := jwks("ed", "rsa")
	for name, test := range map[string]struct {
		routes map[string]http.HandlerFunc
		issuer string // after the address of the server
		keys   string // after the address of the server; "": none
		tls    bool
		want   string
	}{
		"an address":          {map[string]http.HandlerFunc{"/k": body(set)}, "", "/k", false, "2 from SERVER/k"},
		"by TLS":              {map[string]http.HandlerFunc{"/k": body(set)}, "", "/k", true, "2 from SERVER/k"},
		"of the issuer":       {map[string]http.HandlerFunc{"/.well-known/jwks.json": body(set)}, "", "", false, "2 from SERVER/.well-known/jwks.json"},
		"with a slash":        {map[string]http.HandlerFunc{"/.well-known/jwks.json": body(set)}, "/", "", false, "2 from SERVER/.well-known/jwks.json"},
		"below a path":        {map[string]http.HandlerFunc{"/realms/x/.well-known/jwks.json": body(set)}, "/realms/x/", "", false, "2 from SERVER/realms/x/.well-known/jwks.json"},
		"discovered":          {map[string]http.HandlerFunc{"/.well-known/openid-configuration": discovery("", "/k"), "/k": body(set)}, "", "", false, "2 from SERVER/k"},
		"discovered by TLS":   {map[string]http.HandlerFunc{"/.well-known/openid-configuration": discovery("", "/k"), "/k": body(set)}, "", "", true, "2 from SERVER/k"},
		"discovered, slash":   {map[string]http.HandlerFunc{"/x/.well-known/openid-configuration": discovery("/x/", "/k"), "/k": body(set)}, "/x", "", false, "2 from SERVER/k"},
		"instead of a page":   {map[string]http.HandlerFunc{"/.well-known/openid-configuration": discovery("", "/k"), "/k": body(set), "/": body("<html>")}, "", "", false, "2 from SERVER/k"},
		"led elsewhere":       {map[string]http.HandlerFunc{"/k": http.RedirectHandler("/l", http.StatusFound).ServeHTTP, "/l": body(set)}, "", "/k", false, "2 from SERVER/k"},
		"led in circles":      {map[string]http.HandlerFunc{"/k": http.RedirectHandler("/k", http.StatusFound).ServeHTTP}, "", "/k", false, "cannot read SERVER/k: it leads from one address to the next"},
		"led to plain http":   {map[string]http.HandlerFunc{"/k": http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound).ServeHTTP}, "", "/k", true, "cannot read SERVER/k: it leads from https to http"},
		"led by mistake":      {map[string]http.HandlerFunc{"/k": http.RedirectHandler("ftp://x/", http.StatusFound).ServeHTTP}, "", "/k", false, `cannot read SERVER/k: unsupported protocol scheme "ftp"`},
		"nothing there":       {nil, "", "/k", false, "cannot read SERVER/k: the server answers 404"},
		"nothing at all":      {nil, "", "", false, "cannot read SERVER/.well-known/jwks.json: the server answers 404; cannot read SERVER/.well-known/openid-configuration: the server answers 404"},
		"broken":              {map[string]http.HandlerFunc{"/.well-known/jwks.json": status(500), "/.well-known/openid-configuration": discovery("", "/k"), "/k": body(set)}, "", "", false, "cannot read SERVER/.well-known/jwks.json: the server answers 500"},
		"empty":               {map[string]http.HandlerFunc{"/k": status(204)}, "", "/k", false, "cannot read SERVER/k: the server answers 204"},
		"another issuer":      {map[string]http.HandlerFunc{"/.well-known/openid-configuration": discovery("/other", "/k"), "/k": body(set)}, "", "", false, "cannot read SERVER/.well-known/jwks.json: the server answers 404; cannot take what comes from SERVER/.well-known/openid-configuration: it is about another issuer"},
		"no configuration":    {map[string]http.HandlerFunc{"/.well-known/openid-configuration": body("<html>")}, "", "", false, "cannot read SERVER/.well-known/jwks.json: the server answers 404; cannot take what comes from SERVER/.well-known/openid-configuration: it is no OpenID configuration"},
		"a file":              {map[string]http.HandlerFunc{"/.well-known/openid-configuration": discovery("", "file:///etc/passwd")}, "", "", false, "cannot read SERVER/.well-known/jwks.json: the server answers 404; cannot take what comes from SERVER/.well-known/openid-configuration: its jwks_uri is no http or https address"},
		"discovered as plain": {map[string]http.HandlerFunc{"/.well-known/openid-configuration": discovery("", "http://127.0.0.1:1/")}, "", "", true, "cannot read SERVER/.well-known/jwks.json: the server answers 404; cannot take what comes from SERVER/.well-known/openid-configuration: its jwks_uri leads from https to http"},
		"discovered nothing":  {map[string]http.HandlerFunc{"/.well-known/openid-configuration": discovery("", "/k")}, "", "", false, "cannot read SERVER/k: the server answers 404"},
		"ten megabytes":       {map[string]http.HandlerFunc{"/k": body(strings.Repeat(" ", 10<<20) + set)}, "", "/k", false, "cannot read SERVER/k: it has more than 1048576 bytes"},
		"without end":         {map[string]http.HandlerFunc{"/k": endless}, "", "/k", false, "cannot read SERVER/k: it has more than 1048576 bytes"},
		"compressed":          {map[string]http.HandlerFunc{"/k": compressed(10 << 20)}, "", "/k", false, "cannot read SERVER/k: it has more than 1048576 bytes"},
		"a long header":       {map[string]http.HandlerFunc{"/k": longHeader}, "", "/k", false, "cannot read SERVER/k: net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded 65536 bytes; aborted"},
		"cut":                 {map[string]http.HandlerFunc{"/k": cut}, "", "/k", false, "cannot read SERVER/k: unexpected EOF"},
		"with a password":     {map[string]http.HandlerFunc{"/k": status(401)}, "", "/k?USERINFO", false, "cannot read USERINFO/k: the server answers 401"},
	} {
		t.Run(name, func(t *testing.T) {
			s, hide := serve(t, test.tls, test.routes)
			keys := test.keys
			if keys != "" {
				keys = s.URL + keys
			}
			if strings.Contains(keys, "?USERINFO") {
				keys = strings.Replace(s.URL, "://", "://me:secret@", 1) + "/k"
				hide = strings.NewReplacer(strings.Replace(s.URL, "://", "://me:xxxxx@", 1), "USERINFO")
			}
			f, err := fetching(s, s.URL+test.issuer, keys).fetch(t.Context())
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = fmt.Sprintf("%d from %s", len(f.keySet.keys), f.from)
			}
			equal(t, name, hide.Replace(got), test.want)
		})
	}
}

// discovery answers with an OpenID configuration. What begins with a slash is at the same server.
func discovery(issuer, keys string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		self := "http://" + r.Host
		if r.TLS != nil {
			self = "https://" + r.Host
		}
		if strings.HasPrefix(keys, "/") {
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, self+issuer, self+keys)
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, self+issuer, keys)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func endless(w http.ResponseWriter, r *http.Request) {
	for b := make([]byte, 4096); r.Context().Err() == nil; {
		if _, err := w.Write(b); err != nil {
			return
		}
	}
}

func compressed(n int) http.HandlerFunc {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(make([]byte, n)); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(b.Bytes())
	}
}

func longHeader(w http.ResponseWriter, _ *http.Request) {
	for i := range 100 {
		w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 1000))
	}
	fmt.Fprint(w, jwks("ed"))
}

func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, "{")
}

// TestUntrusted does not take keys from a server whose certificate nobody knows.
func TestUntrusted(t *testing.T) {
	s, _ := serve(t, true, map[string]http.HandlerFunc{"/k": body(jwks("ed"))})
	_, err := (&fetcher{client: newClient(), keys: s.URL + "/k"}).fetch(t.Context())
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Error(err)
	}
}

// TestNoProxy asks servers, and not who the environment says.
func TestNoProxy(t *testing.T) {
	if p := newClient().Transport.(*http.Transport).Proxy; p != nil {
		t.Error("there is a proxy")
	}
}

// TestUsable takes those keys of a set that tokens may be verified by, also private ones, of which it keeps the public part.
func TestUsable(t *testing.T) {
	private, err := signers()["ed"].MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	change := func(id, from, to string) string { return strings.Replace(signers()[id].jwk(), from, to, 1) }
	for name, test := range map[string]struct {
		key  string
		want bool
	}{
		"as it is":      {signers()["rsa"].jwk(), true},
		"bare":          {signers()["rsa"].jwk("kid", "alg", "use"), true},
		"enc":           {change("rsa", `"sig"`, `"enc"`), false},
		"other alg":     {change("rsa", `"RS256"`, `"RSA-OAEP"`), false},
		"verify":        {change("rsa", `{`, `{"key_ops":["verify"],`), true},
		"encrypt":       {change("rsa", `{`, `{"key_ops":["encrypt"],`), false},
		"nothing":       {change("rsa", `{`, `{"key_ops":[],`), false},
		"strange ops":   {change("rsa", `{`, `{"key_ops":7,`), false},
		"more members":  {change("rsa", `{`, `{"iat":7,"x":["y"],`), false}, // x is a member of other keys
		"unknown":       {change("rsa", `{`, `{"iat":7,`), true},
		"secp256k1":     {change("p256", `"P-256"`, `"secp256k1"`), false},
		"not on P-384":  {change("p256", `"P-256"`, `"P-384"`), false},
		"secret":        {`{"kty":"oct","k":"AAAA","kid":"x","alg":"HS256"}`, false},
		"private":       {string(private), true},
		"no type":       {signers()["rsa"].jwk("kty"), false},
		"a bad chain":   {change("rsa", `{`, `{"x5c":["AAAA"],`), false},
		"text":          {`"key"`, false},
		"null":          {`null`, false},
		"of small size": {`{"kty":"RSA","n":"AQAB","e":"AQAB"}`, false},
	} {
		k, ok := parseKey([]byte(test.key))
		if ok != test.want || ok && !k.IsPublic() {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

// TestSkipped tells how many keys of a set are of no use.
func TestSkipped(t *testing.T) {
	s, hide := serve(t, false, map[string]http.HandlerFunc{"/k": body(strings.Replace(jwks("ed"), "[", `[{"kty":"oct"},{},`, 1))})
	r := with(t, strings.Replace(by, keysAddress, s.URL+"/k", 1))
	equal(t, "outcome", r.outcome(t, token(t, "ed", usual(nil))), "")
	equal(t, "events", hide.Replace(r.told()), "keys.loaded 1 key was loaded from SERVER/k. 2 more cannot be used to verify tokens.")
}

// TestSlow gives a server up that does not answer, as soon as the guard ends.
func TestSlow(t *testing.T) {
	begun := make(chan struct{})
	s, _ := serve(t, false, map[string]http.HandlerFunc{"/k": func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "{")
		w.(http.Flusher).Flush()
		close(begun)
		<-r.Context().Done()
	}})
	begin := time.Now()
	t.Run("guard", func(t *testing.T) {
		with(t, strings.Replace(by, keysAddress, s.URL+"/k", 1))
		<-begun
	})
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestIssuerRotates runs the whole of it over a network.
func TestIssuerRotates(t *testing.T) {
	i := newIssuer("ed")
	s, _ := serve(t, false, map[string]http.HandlerFunc{"/.well-known/jwks.json": func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		fmt.Fprint(w, i.body)
	}})
	r := with(t, "issuer: "+s.URL+"/, audience: us")
	said := func(id string) string { return token(t, id, usual(says{"iss": s.URL + "/"})) }
	equal(t, "the first key", r.outcome(t, said("ed")), "")
	equal(t, "a key to come", r.outcome(t, said("p256")), notTaken)
	i.set(func(i *issuer) { i.body = jwks("ed", "p256") })
	got := "not asked"
	for begin := time.Now(); got != "" && time.Since(begin) < 30*time.Second; got = r.outcome(t, said("p256")) { // which waits
		r.source.mu.Lock()
		r.source.early = time.Time{} // as if that was long ago
		r.source.mu.Unlock()
	}
	equal(t, "the new key", got, "")
	s.Close()
	equal(t, "without a server", r.outcome(t, said("ed")), "")
}

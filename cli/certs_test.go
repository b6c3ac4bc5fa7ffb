package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gozilla/internal/certs"
)

// gozilla runs a command line in the working directory.
func gozilla(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := &Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		LookupEnv: func(string) (string, bool) { return "", false }, IsTerminal: func(io.Writer) bool { return false }}
	status = Run(context.Background(), env, args)
	return status, out.String(), errs.String()
}

// mustCerts runs gozilla certs, which must work.
func mustCerts(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	status, stdout, stderr := gozilla(t, append([]string{"certs"}, args...)...)
	if status != statusOK || stderr != "" {
		t.Fatalf("%q: status %d: %s", args, status, stderr)
	}
	return stdout
}

// failsCerts runs gozilla certs, which must fail and leave nothing half done.
func failsCerts(t *testing.T, wantStatus int, want string, args ...string) {
	t.Helper()
	before := tree(t)
	status, stdout, stderr := gozilla(t, append([]string{"certs"}, args...)...)
	if status != wantStatus || stdout != "" || !strings.HasPrefix(stderr, want) {
		t.Errorf("%q: status %d: %s%s; want %d: %s", args, status, stdout, stderr, wantStatus, want)
	}
	if after := tree(t); !slices.Equal(before, after) {
		t.Errorf("%q: there is %q, there was %q", args, after, before)
	}
}

// tree lists the files below the working directory, with their contents.
func tree(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(".", func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		all = append(all, name+"\n"+string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// pair reads a certificate and its key.
func pair(t *testing.T, name string) tls.Certificate {
	t.Helper()
	p, err := tls.LoadX509KeyPair(name+".crt", name+".key")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// verify fails unless the certificate is of that authority.
func verify(t *testing.T, c *x509.Certificate, authority, host string, usage x509.ExtKeyUsage) {
	t.Helper()
	b, err := os.ReadFile(authority)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(b)
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
		t.Errorf("%s: %v", c.Subject, err)
	}
}

var dates = regexp.MustCompile(`\d{4}-\d\d-\d\d`)

func TestCerts(t *testing.T) {
	t.Chdir(t.TempDir())
	want := `file                  purpose           of                             valid until
certs/ca.crt          authority         gozilla test CA                yyyy-mm-dd
certs/ca.key          authority's key   -                              -
certs/localhost.crt   server            localhost by gozilla test CA   yyyy-mm-dd
certs/localhost.key   server's key      -                              -
certs/localhost.p12   key store         alias localhost                -
certs/client.crt      client            client by gozilla test CA      yyyy-mm-dd
certs/client.key      client's key      -                              -
certs/client.p12      key store         alias client                   -
certs/trust.p12       trust store       alias ca                       -

The password of the stores is generated.

Once a tls server has them, try: openssl s_client -connect localhost:PORT -CAfile certs/ca.crt -cert certs/client.crt -key certs/client.key
`
	if got := dates.ReplaceAllString(mustCerts(t), "yyyy-mm-dd"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	server, client := pair(t, "certs/localhost").Leaf, pair(t, "certs/client").Leaf
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		verify(t, server, "certs/ca.crt", host, x509.ExtKeyUsageServerAuth)
	}
	verify(t, client, "certs/ca.crt", "", x509.ExtKeyUsageClientAuth)
	if client.Subject.String() != "CN=client" || time.Until(client.NotAfter) < 364*24*time.Hour || time.Until(client.NotAfter) > 367*24*time.Hour {
		t.Errorf("the client is %s until %v", client.Subject, client.NotAfter)
	}
	for _, name := range filesIn(t, "certs") {
		info, err := os.Stat(filepath.Join("certs", name))
		if err != nil {
			t.Fatal(err)
		}
		secret := strings.HasSuffix(name, ".key") || strings.HasSuffix(name, ".p12") && name != "trust.p12"
		if got := info.Mode().Perm(); secret != (got == 0o600) {
			t.Errorf("%s has mode %o", name, got)
		}
	}
	if b, err := os.ReadFile("certs/.gitignore"); err != nil || string(b) != "*\n" {
		t.Errorf("git is told %q, %v", b, err)
	}
}

// TestCertsForMutualTLS makes what a server needs that tells clients of two authorities apart.
func TestCertsForMutualTLS(t *testing.T) {
	t.Chdir(t.TempDir())
	out := mustCerts(t, "-d", "tls", "--ca", "test-ca", "--ca", "client-ca=Test Client CA", "--ca=other-ca=Other CA", "--server", "localhost",
		"--client", "client-1@client-ca", "--client", "other-1=client-1@other-ca", "--trust", "client-ca=client-ca,other-ca", "--password", "secret", "--json")
	verify(t, pair(t, "tls/localhost").Leaf, "tls/test-ca.crt", "localhost", x509.ExtKeyUsageServerAuth)
	verify(t, pair(t, "tls/client-1").Leaf, "tls/client-ca.crt", "", x509.ExtKeyUsageClientAuth)
	verify(t, pair(t, "tls/other-1").Leaf, "tls/other-ca.crt", "", x509.ExtKeyUsageClientAuth)
	other := pair(t, "tls/other-1").Leaf
	if other.Subject.CommonName != "client-1" || other.Issuer.CommonName != "Other CA" {
		t.Errorf("the other client is %s of %s", other.Subject, other.Issuer)
	}
	var files []certFile
	if err := json.Unmarshal([]byte(out), &files); err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, f := range files {
		shown = append(shown, filepath.Base(f.File))
		if (f.ValidUntil != nil) != strings.HasSuffix(f.File, ".crt") {
			t.Errorf("%s: %v", f.File, f.ValidUntil)
		}
	}
	slices.Sort(shown)
	if got := filesIn(t, "tls"); !slices.Equal(got, append([]string{".gitignore"}, shown...)) {
		t.Errorf("there is %q, shown is %q", got, shown)
	}
	last := files[len(files)-1]
	if last.File != "tls/client-ca.p12" || last.Purpose != "trust store" || !slices.Equal(last.Aliases, []string{"client-ca", "other-ca"}) {
		t.Errorf("the last one is %+v", last)
	}
	if strings.Contains(out, "secret") {
		t.Error("the password is shown")
	}
}

func TestCertsAreAdded(t *testing.T) {
	t.Chdir(t.TempDir())
	mustCerts(t)
	before := tree(t)
	out := mustCerts(t, "--client", "alice", "--days", "7")
	if strings.Contains(out, "\ncerts/ca.crt") || !strings.Contains(out, "certs/alice.p12") || strings.Contains(out, "localhost.crt") {
		t.Error(out)
	}
	alice := pair(t, "certs/alice").Leaf
	verify(t, alice, "certs/ca.crt", "", x509.ExtKeyUsageClientAuth)
	if left := time.Until(alice.NotAfter); left < 6*24*time.Hour || left > 8*24*time.Hour {
		t.Errorf("alice is valid until %v", alice.NotAfter)
	}
	for _, f := range before {
		if !slices.Contains(tree(t), f) {
			t.Errorf("this is gone: %s", f)
		}
	}
	mustCerts(t, "--ca", "other=Other CA", "--client", "bob", "--client", "carol@ca", "--trust", "all=ca,other")
	verify(t, pair(t, "certs/bob").Leaf, "certs/other.crt", "", x509.ExtKeyUsageClientAuth)
	verify(t, pair(t, "certs/carol").Leaf, "certs/ca.crt", "", x509.ExtKeyUsageClientAuth)
}

func TestCertsOverwrite(t *testing.T) {
	t.Chdir(t.TempDir())
	mustCerts(t)
	authority, err := os.ReadFile("certs/ca.key")
	if err != nil {
		t.Fatal(err)
	}
	before := pair(t, "certs/client").Leaf
	failsCerts(t, statusFailed, "gozilla: certs/localhost.crt is there already; nothing was written, --force overwrites it\n")
	failsCerts(t, statusFailed, "gozilla: certs/client.crt is there already", "--client", "alice", "--client", "client")
	failsCerts(t, statusFailed, "gozilla: certs/trust.p12 is there already", "--ca", "new", "--client", "alice")
	mustCerts(t, "--force")
	if after := pair(t, "certs/client").Leaf; after.Equal(before) {
		t.Error("the client's certificate is the same")
	}
	verify(t, pair(t, "certs/client").Leaf, "certs/ca.crt", "", x509.ExtKeyUsageClientAuth)
	if b, err := os.ReadFile("certs/ca.key"); err != nil || !bytes.Equal(b, authority) {
		t.Errorf("the authority is another one: %v", err)
	}
	if err := os.MkdirAll("certs/dir.crt", 0o755); err != nil {
		t.Fatal(err)
	}
	failsCerts(t, statusFailed, "gozilla: cannot write certs/dir.crt: it is a directory", "--client", "dir", "--force")
}

func TestCertsOfStrangeAuthorities(t *testing.T) {
	t.Chdir(t.TempDir())
	mustCerts(t)
	failsCerts(t, statusFailed, `gozilla: certs/ca.crt is the certificate of "gozilla test CA", not of "Mine"`, "--ca", "ca=Mine", "--client", "a")
	failsCerts(t, statusFailed, "gozilla: cannot use the authority in certs/client.crt: it is not an authority's certificate", "--client", "a@client")
	past := time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)
	old, err := certs.NewAuthority("Old CA", certs.Valid(past.AddDate(-1, 0, 0), past))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"old.crt": old.PEM(), "old.key": old.KeyPEM(), "half.crt": old.PEM(), "bad.crt": []byte("x"), "bad.key": []byte("x")} {
		if err := os.WriteFile(filepath.Join("certs", name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	failsCerts(t, statusFailed, "gozilla: the authority in certs/old.crt has expired on 2020-01-02; remove it and its key to have another one", "--ca", "old", "--client", "a")
	failsCerts(t, statusFailed, "gozilla: cannot use the authority half: open certs/half.key: ", "--ca", "half", "--client", "a")
	failsCerts(t, statusFailed, "gozilla: cannot use the authority in certs/bad.crt: ", "--ca", "bad", "--client", "a")
}

func TestCertsUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"more"}, "it takes no arguments"},
		{[]string{"--days", "0"}, "--days must be from 1 to 36500, not 0"},
		{[]string{"--days", "36501"}, "--days must be from 1 to 36500, not 36501"},
		{[]string{"--client", "../alice"}, `--client "../alice" is no name of a file: it must be letters, digits, dots, hyphens and underscores; put the common name behind a =`},
		{[]string{"--client", `a\b`}, `--client "a\\b" is no name of a file`},
		{[]string{"--client", ".hidden"}, `--client ".hidden" is no name of a file`},
		{[]string{"--client", ""}, `--client "" is no name of a file`},
		{[]string{"--server", "*.example.com"}, `--server "*.example.com" is no name of a file`},
		{[]string{"--client", "a="}, `the common name "" must have 1 to 64 characters that can be printed`},
		{[]string{"--client", "a=b\nc"}, `the common name "b\nc" must have`},
		{[]string{"--client", "a=" + strings.Repeat("x", 65)}, `the common name "xxx`},
		{[]string{"--client", "a@"}, `--client "a@" names no authority behind the @`},
		{[]string{"--client", "a@../b"}, `--client "a@../b" names no authority behind the @`},
		{[]string{"--client", "a@other"}, "--client a@other wants the authority other, which is not there: add --ca other"},
		{[]string{"--ca", "a/b"}, `--ca "a/b" is no name of a file`},
		{[]string{"--ca", "a", "--ca", "a=b"}, "--ca a is there twice"},
		{[]string{"--client", "ca"}, "certs/ca.crt would be written twice: each NAME is of one authority, server, client or trust store"},
		{[]string{"--client", "a", "--server", "A"}, "certs/a.crt would be written twice"},
		{[]string{"--client", "a", "--trust", "a"}, "certs/a.p12 would be written twice"},
		{[]string{"--trust", "../x"}, `--trust "../x" is no name of a file`},
		{[]string{"--trust", "x=ca,"}, `--trust x=ca, names no authority where it has ""`},
		{[]string{"--trust", "x=other"}, "--trust x=other wants the authority other, which is not there"},
	} {
		failsCerts(t, statusUsage, "gozilla certs: "+test.want, test.args...)
	}
	failsCerts(t, statusFailed, "gozilla: cannot make a PKCS12 store: the password has characters that it may not have", "--password", "\U0001F600")
}

func TestServerNames(t *testing.T) {
	for common, want := range map[string]string{
		"localhost":           "localhost 127.0.0.1 ::1",
		"gateway.example.com": "gateway.example.com localhost 127.0.0.1 ::1",
		"*.example.com":       "*.example.com localhost 127.0.0.1 ::1",
		"192.0.2.7":           "localhost 192.0.2.7 127.0.0.1 ::1",
		"127.0.0.1":           "localhost 127.0.0.1 ::1",
		"My Gateway":          "localhost 127.0.0.1 ::1",
	} {
		all, ips := serverNames(common)
		for _, ip := range ips {
			all = append(all, ip.String())
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("%s: %s, not %s", common, got, want)
		}
	}
}

func TestShellWord(t *testing.T) {
	for word, want := range map[string]string{"certs/ca.crt": "certs/ca.crt", "my certs/ca.crt": "'my certs/ca.crt'", "a'b": `'a'\''b'`, "$x": "'$x'"} {
		if got := shellWord(word); got != want {
			t.Errorf("%s: %s, not %s", word, got, want)
		}
	}
}

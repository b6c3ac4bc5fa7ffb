package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"gozilla/internal/certs"
)

var certsCommand = &command{
	name: "certs", short: "make certificates for a try-out",
	long: "Makes certificates, keys, and the stores that a vault takes, so that tls can be tried out and nobody has to keep " +
		"keys beside a configuration. By default there is an authority ca, a server localhost and a client named client.\n\n" +
		"An authority is NAME or NAME=COMMON NAME. A server or a client is NAME, NAME=COMMON NAME or either with @CA, the " +
		"authority that issues it, which is by default the first one. Flags for these may be repeated. Each NAME is that of files:\n\n" +
		"NAME.crt is the certificate in PEM, with those between it and the authority.\n" +
		"NAME.key is its key in PEM (PKCS8). Only the owner may read it.\n" +
		"NAME.p12 is a PKCS12 store of both, under the alias NAME. Not of authorities.\n" +
		"trust.p12 is a PKCS12 store of the authorities, each under its name as the alias.\n\n" +
		"A server's certificate is for its common name, localhost, 127.0.0.1 and ::1. An authority that is in the directory " +
		"already is used as it is, so that clients can be added later. Of other files none is overwritten without --force. " +
		"If one of them cannot be made, none is.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		m := &certMaker{}
		const directory = "Write into this `DIRECTORY`. One that is made gets a .gitignore that leaves all of it out."
		fs.StringVar(&m.dir, "d", "certs", directory)
		fs.StringVar(&m.dir, "directory", "certs", directory)
		list := func(to *[]string, name, text string) {
			fs.Func(name, text, func(s string) error { *to = append(*to, s); return nil })
		}
		list(&m.cas, "ca", "Make or use the authority `NAME[=COMMON NAME]`. By default ca, which is the gozilla test CA.")
		list(&m.servers, "server", "Make a certificate for the server `NAME[=COMMON NAME][@CA]`. By default localhost, unless there is a --client.")
		list(&m.clients, "client", "Make a certificate for the client `NAME[=COMMON NAME][@CA]`. By default client, unless there is a --server.")
		list(&m.trusts, "trust", "Make a trust store of these authorities: `NAME[=CA,CA...]`. By default trust, of all that the command line names, unless it is there.")
		fs.StringVar(&m.password, "password", defaultPassword, "Protect the stores with this `PASSWORD`. By default "+defaultPassword+".")
		fs.IntVar(&m.days, "days", 365, "Make certificates that are valid for so many `DAYS`, authorities for ten years at least.")
		fs.BoolVar(&m.force, "force", false, "Overwrite what is there, authorities aside.")
		fs.BoolVar(&m.json, "json", false, "Show what was written as a JSON array.")
		return func(_ context.Context, env *Env, args []string) error {
			if len(args) > 0 {
				return usagef("it takes no arguments")
			}
			return m.run(env)
		}
	},
	examples: []string{
		"gozilla certs", "gozilla certs --client alice --client bob", "gozilla certs --server gateway=gateway.example.com",
		`gozilla certs --ca ca --ca "other=Other CA" --client alice --client mallory@other --server localhost`,
	},
}

const (
	defaultPassword = "generated"
	defaultTrust    = "trust"
	authorityDays   = 10 * 365
	mostDays        = 100 * 365
)

// A certMaker makes what its flags name.
type certMaker struct {
	dir, password string
	days          int
	force, json   bool

	cas, servers, clients, trusts []string

	authorities []*namedAuthority
	made        []certFile
	fresh       bool // an authority was made
}

// A namedAuthority is one that the command line names, or that a certificate wants.
type namedAuthority struct {
	name string
	*certs.Authority
}

// A certSpec is what a flag says of a certificate.
type certSpec struct {
	name, common, ca string
	named            bool // the common name was given
}

// certName is what a name looks like: it is that of a file, and an alias.
var certName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`)

// parseSpec reads NAME[=COMMON NAME][@CA].
func parseSpec(flag, text string) (certSpec, error) {
	var s certSpec
	if at := strings.LastIndexByte(text, '@'); at >= 0 && flag != "--ca" {
		text, s.ca = text[:at], text[at+1:]
		if !certName.MatchString(s.ca) {
			return s, usagef("%s %q names no authority behind the @", flag, text+"@"+s.ca)
		}
	}
	s.name, s.common, s.named = strings.Cut(text, "=")
	if !s.named {
		s.common = s.name
	}
	if err := checkName(flag, s.name); err != nil {
		return s, err
	}
	if n := len([]rune(s.common)); n == 0 || n > 64 || strings.ContainsFunc(s.common, func(c rune) bool { return !unicode.IsPrint(c) || c == unicode.ReplacementChar }) {
		return s, usagef("the common name %q must have 1 to 64 characters that can be printed", s.common)
	}
	return s, nil
}

func checkName(flag, name string) error {
	if !certName.MatchString(name) {
		return usagef("%s %q is no name of a file: it must be letters, digits, dots, hyphens and underscores; put the common name behind a =", flag, name)
	}
	return nil
}

func (m *certMaker) run(env *Env) error {
	if m.days < 1 || m.days > mostDays {
		return usagef("--days must be from 1 to %d, not %d", mostDays, m.days)
	}
	if err := m.plan(); err != nil {
		return err
	}
	if err := m.write(); err != nil {
		return err
	}
	if m.json {
		return writeJSON(env, m.made)
	}
	return m.show(env.Stdout)
}

// plan makes everything, in memory.
func (m *certMaker) plan() error {
	if len(m.cas) == 0 {
		m.cas = []string{"ca=gozilla test CA"}
		if _, err := os.Stat(m.path("ca.crt")); err == nil {
			m.cas = []string{"ca"}
		}
	}
	if len(m.servers)+len(m.clients) == 0 {
		m.servers, m.clients = []string{"localhost"}, []string{"client"}
	}
	for _, text := range m.cas {
		s, err := parseSpec("--ca", text)
		if err == nil {
			err = m.authority(s)
		}
		if err != nil {
			return err
		}
	}
	for _, text := range m.servers {
		if err := m.issue("--server", text); err != nil {
			return err
		}
	}
	for _, text := range m.clients {
		if err := m.issue("--client", text); err != nil {
			return err
		}
	}
	if err := m.planTrusts(); err != nil {
		return err
	}
	return m.checkFiles()
}

func (m *certMaker) path(name string) string { return filepath.Join(m.dir, name) }

// authority reads an authority from the directory, or makes it.
func (m *certMaker) authority(s certSpec) error {
	if m.find(s.name) != nil {
		return usagef("--ca %s is there twice", s.name)
	}
	found, err := m.load(s.name)
	if err != nil {
		return err
	}
	if found != nil {
		if have := found.Certificate.Subject.CommonName; s.named && s.common != have {
			return fmt.Errorf("%s is the certificate of %q, not of %q", m.path(s.name+".crt"), have, s.common)
		}
		m.authorities = append(m.authorities, &namedAuthority{s.name, found})
		return nil
	}
	now := time.Now()
	a, err := certs.NewAuthority(s.common, certs.Valid(now.Add(-5*time.Minute), now.AddDate(0, 0, max(m.days, authorityDays))))
	if err != nil {
		return err
	}
	m.fresh = true
	m.authorities = append(m.authorities, &namedAuthority{s.name, a})
	until := a.Certificate.NotAfter
	m.add(certFile{File: s.name + ".crt", Purpose: "authority", Subject: s.common, ValidUntil: &until, content: a.PEM()},
		certFile{File: s.name + ".key", Purpose: "authority's key", content: a.KeyPEM(), secret: true})
	return nil
}

// load reads an authority from the directory; nil if it is not there.
func (m *certMaker) load(name string) (*certs.Authority, error) {
	crt, key := m.path(name+".crt"), m.path(name+".key")
	cert, err := os.ReadFile(crt)
	keyText, keyErr := os.ReadFile(key)
	switch {
	case errors.Is(err, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot use the authority %s: %w", name, err)
	case keyErr != nil:
		return nil, fmt.Errorf("cannot use the authority %s: %w", name, keyErr)
	}
	a, err := certs.ParseAuthority(cert, keyText)
	if err != nil {
		return nil, fmt.Errorf("cannot use the authority in %s: %w", crt, err)
	}
	if until := a.Certificate.NotAfter; time.Now().After(until) {
		return nil, fmt.Errorf("the authority in %s has expired on %s; remove it and its key to have another one", crt, until.Format(time.DateOnly))
	}
	return a, nil
}

func (m *certMaker) find(name string) *namedAuthority {
	for _, a := range m.authorities {
		if a.name == name {
			return a
		}
	}
	return nil
}

// wanted is the authority of that name, the first one for none. One that the command line does not name may be in the
// directory.
func (m *certMaker) wanted(flag, name string) (*namedAuthority, error) {
	if name == "" {
		return m.authorities[0], nil
	}
	if a := m.find(name); a != nil {
		return a, nil
	}
	found, err := m.load(name)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, usagef("%s wants the authority %s, which is not there: add --ca %s", flag, name, name)
	}
	a := &namedAuthority{name, found}
	m.authorities = append(m.authorities, a)
	return a, nil
}

// issue makes the certificate of a server or a client, its key, and the store of both.
func (m *certMaker) issue(flag, text string) error {
	s, err := parseSpec(flag, text)
	if err != nil {
		return err
	}
	ca, err := m.wanted(flag+" "+text, s.ca)
	if err != nil {
		return err
	}
	who := strings.TrimPrefix(flag, "--")
	r := certs.Request{CommonName: s.common, NotAfter: time.Now().AddDate(0, 0, m.days)}
	if who == "server" {
		r.DNS, r.IPs = serverNames(s.common)
	}
	p, err := ca.Issue(r)
	if err != nil {
		return err
	}
	store, err := certs.PKCS12(m.password, certs.Entry{Alias: s.name, Pair: p})
	if err != nil {
		return err
	}
	until := p.Leaf().NotAfter
	subject := s.common + " by " + ca.Certificate.Subject.CommonName
	m.add(certFile{File: s.name + ".crt", Purpose: who, Subject: subject, ValidUntil: &until, content: p.CertPEM()},
		certFile{File: s.name + ".key", Purpose: who + "'s key", content: p.KeyPEM(), secret: true},
		certFile{File: s.name + ".p12", Purpose: "key store", Aliases: []string{s.name}, content: store, secret: true})
	return nil
}

// serverNames are what a server is reached at: its own name, and this machine.
func serverNames(common string) (names []string, ips []net.IP) {
	names, ips = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	switch ip := net.ParseIP(common); {
	case ip != nil && !slices.ContainsFunc(ips, ip.Equal):
		ips = append([]net.IP{ip}, ips...)
	case ip == nil && common != "localhost" && hostName.MatchString(common):
		names = append([]string{common}, names...)
	}
	return names, ips
}

// hostName is what the name of a server looks like, or a wildcard for several.
var hostName = regexp.MustCompile(`^(\*\.)?[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?)*$`)

// planTrusts makes the stores of authorities.
func (m *certMaker) planTrusts() error {
	if len(m.trusts) == 0 {
		if _, err := os.Lstat(m.path(defaultTrust + ".p12")); err == nil && !m.fresh && !m.force {
			return nil
		}
		m.trusts = []string{defaultTrust}
	}
	for _, text := range m.trusts {
		name, list, some := strings.Cut(text, "=")
		if err := checkName("--trust", name); err != nil {
			return err
		}
		trusted := slices.Clone(m.authorities)
		if some {
			trusted = nil
			for ca := range strings.SplitSeq(list, ",") {
				if !certName.MatchString(ca) {
					return usagef("--trust %s names no authority where it has %q", text, ca)
				}
				a, err := m.wanted("--trust "+text, ca)
				if err != nil {
					return err
				}
				trusted = append(trusted, a)
			}
		}
		if err := m.trust(name, trusted); err != nil {
			return err
		}
	}
	return nil
}

func (m *certMaker) trust(name string, trusted []*namedAuthority) error {
	var entries []certs.Entry
	var aliases []string
	for _, a := range trusted {
		entries = append(entries, certs.Entry{Alias: a.name, Trusted: a.Certificate})
		aliases = append(aliases, a.name)
	}
	store, err := certs.PKCS12(m.password, entries...)
	if err != nil {
		return err
	}
	m.add(certFile{File: name + ".p12", Purpose: "trust store", Aliases: aliases, content: store})
	return nil
}

// show tells what was written, and what may come next.
func (m *certMaker) show(w io.Writer) error {
	t := &table{columns: []column{{title: "file"}, {title: "purpose"}, {title: "of"}, {title: "valid until"}}}
	for _, f := range m.made {
		of, until := f.Subject, "-"
		if len(f.Aliases) > 0 {
			of = "alias " + strings.Join(f.Aliases, ", ")
		}
		if f.ValidUntil != nil {
			until = f.ValidUntil.Format(time.DateOnly)
		}
		t.add(f.File, f.Purpose, orDash(of), until)
	}
	if err := t.write(w); err != nil {
		return err
	}
	if m.password == defaultPassword {
		fmt.Fprintf(w, "\nThe password of the stores is %s.\n", defaultPassword)
	}
	_, err := fmt.Fprintf(w, "\nOnce a tls server has them, try: %s\n", m.next())
	return err
}

// next is a command that uses what was written.
func (m *certMaker) next() string {
	line := "openssl s_client -connect localhost:PORT -CAfile " + shellWord(m.path(m.authorities[0].name+".crt"))
	for _, f := range m.made {
		if f.Purpose == "client" {
			key := strings.TrimSuffix(f.File, ".crt") + ".key"
			return line + " -cert " + shellWord(f.File) + " -key " + shellWord(key)
		}
	}
	return line
}

// shellWord is text as a shell takes it for one word.
func shellWord(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("/._-", c)
	}) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

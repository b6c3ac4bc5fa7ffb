package filesystem

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gozilla/component"
	"gozilla/config"
	"gozilla/internal/watch"
	"gozilla/vault"
)

func init() { vault.Register("filesystem", load, construct) }

// loaded is what load leaves to construct.
type loaded struct {
	holding *holding
	read    func(name string) ([]byte, error)
	files   *watch.Snapshot // of before they were read
}

// A holding is what all files of a vault hold, read as one unit.
type holding struct {
	keys           []vault.Key
	trust, signers []vault.Certificate
	lists          []*list
}

// load reads the files when the configuration is read.
func load(l *component.Loader, c *Config) *loaded {
	var paths []string
	for _, name := range c.Options.names() {
		if path := l.Path(name); path != "" && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	into := &loaded{read: l.Read, files: watch.Take(paths...)}
	var found findings
	into.holding = c.Options.read(l.Read, &found)
	found.tell(l.Report)
	return into
}

// names are the files of the vault.
func (o *Options) names() (names []string) {
	for _, s := range []*Store{o.Keys, o.Trust, o.Signers} {
		if s != nil {
			names = append(names, s.Store...)
		}
	}
	if o.Revocation == CRL {
		names = append(names, o.CRLs...)
	}
	return names
}

// read reads all files. What it gives is of no use if an error was found.
func (o *Options) read(file func(name string) ([]byte, error), found *findings) *holding {
	h := &holding{}
	if stock := o.Keys.read(file, found); stock != nil {
		h.keys = o.Keys.privateKeys(stock, found)
	}
	h.trust = o.Trust.certificates(file, &h.lists, found)
	h.signers = o.Signers.certificates(file, nil, found)
	if o.Revocation != CRL {
		h.lists = nil
		return h
	}
	for i := range o.CRLs {
		h.lists = append(h.lists, o.readLists(&o.CRLs[i], file, found)...)
	}
	return h
}

func keyAlias(k vault.Key) string          { return k.Alias }
func certAlias(c vault.Certificate) string { return c.Alias }

// privateKeys are the keys of a store.
func (s *Store) privateKeys(from *stock, found *findings) []vault.Key {
	if len(from.keys) == 0 {
		f := found.errorf(&s.Store, "there is no private key in %s", s.files())
		if s.Type.known() == PEM {
			f.hint = "name the file of the key too: [ tls.crt, tls.key ]"
		}
		return nil
	}
	keys := take(s, "private key", from.pairs(s, found), keyAlias, found)
	warnExpired(s, keys, func(k vault.Key) *x509.Certificate { return k.Certificate.Leaf }, found)
	return keys
}

// certificates are the trusted certificates of a store, and the lists that stand beside them, if somebody wants these.
func (s *Store) certificates(file func(name string) ([]byte, error), lists *[]*list, found *findings) []vault.Certificate {
	from := s.read(file, found)
	if from == nil {
		return nil
	}
	if lists != nil {
		*lists = append(*lists, from.lists...)
	}
	trusted := from.trusted()
	if len(trusted) == 0 {
		f := found.errorf(&s.Store, "there is no trusted certificate in %s", s.files())
		if len(from.certs) > 0 {
			f.hint = "certificates in the chain of a key are not trusted: write the others into a store of their own"
		}
		return nil
	}
	certs := take(s, "trusted certificate", trusted, certAlias, found)
	warnExpired(s, certs, func(c vault.Certificate) *x509.Certificate { return c.Certificate }, found)
	return certs
}

// files are the names of all files of the store.
func (s *Store) files() string { return strings.Join(s.Store, ", ") }

// read reads the files of a store; nil if there is none, or one cannot be read.
func (s *Store) read(file func(name string) ([]byte, error), found *findings) *stock {
	if s == nil {
		return nil
	}
	all, whole := &stock{}, true
	for i := range s.Store {
		b, err := file(s.Store[i])
		if err != nil {
			found.errorf(&s.Store[i], "%v", err)
			whole = false
			continue
		}
		more, err := s.parse(s.Store[i], b)
		if err != nil {
			s.tell(i, err, found)
			whole = false
			continue
		}
		all.add(s.Store[i], more)
	}
	if !whole {
		return nil
	}
	return all
}

func (s *Store) parse(name string, b []byte) (*stock, error) {
	if s.Type.known() == PEM {
		return parsePEM(name, b, s.Password)
	}
	return parsePKCS12(b, s.Password)
}

// tell adds what is wrong with the i-th file.
func (s *Store) tell(i int, err error, found *findings) {
	name := s.Store[i]
	switch {
	case !errors.Is(err, errPassword):
		f := found.errorf(&s.Store[i], "cannot read %s: %v", name, err)
		var h hinted
		if errors.As(err, &h) {
			f.hint = h.hint
		}
	case s.Password == "":
		found.errorf(&s.Password, "%s needs a password", name)
	default:
		found.errorf(&s.Password, "the password does not open %s", name)
	}
}

// take is what a store's entries let through.
func take[T any](s *Store, what string, all []T, alias func(T) string, found *findings) []T {
	if s.Entries == nil || len(all) == 0 {
		return all
	}
	var have []string
	for _, x := range all {
		if !slices.Contains(have, alias(x)) {
			have = append(have, alias(x))
		}
	}
	var taken []T
	for _, x := range all {
		if slices.ContainsFunc(s.Entries, func(entry string) bool { return strings.EqualFold(entry, alias(x)) }) {
			taken = append(taken, x)
		}
	}
	for i, entry := range s.Entries {
		if slices.ContainsFunc(have, func(alias string) bool { return strings.EqualFold(entry, alias) }) {
			continue
		}
		add := found.warnf
		if len(taken) == 0 {
			add = found.errorf
		}
		f := add(&s.Entries[i], "%s has no %s with the alias %q", s.files(), what, entry)
		if like, ok := config.Like(entry, have); ok {
			f.hint = fmt.Sprintf("did you mean %q?", like)
		} else {
			f.hint = "it has " + some(have)
		}
	}
	return taken
}

// some is the first few of some names.
func some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// warnExpired tells of certificates that are not valid now.
func warnExpired[T any](s *Store, all []T, certificate func(T) *x509.Certificate, found *findings) {
	now := time.Now()
	for _, x := range all {
		switch c := certificate(x); {
		case now.After(c.NotAfter):
			found.warnf(&s.Store, "the certificate of %s is no longer valid, since %s", nameOf(c), day(c.NotAfter))
		case now.Before(c.NotBefore):
			found.warnf(&s.Store, "the certificate of %s is not yet valid, until %s", nameOf(c), day(c.NotBefore))
		}
	}
}

// readLists reads a file of revocation lists.
func (o *Options) readLists(name *string, file func(name string) ([]byte, error), found *findings) []*list {
	b, err := file(*name)
	if err != nil {
		found.errorf(name, "%v", err)
		return nil
	}
	lists, err := parseLists(b)
	if err != nil {
		found.errorf(name, "cannot read %s: %v", *name, err)
		return nil
	}
	for _, l := range lists {
		if l.over(time.Now()) {
			found.warnf(name, "the revocation list of %q is out of date: %s", cmp.Or(l.crl.Issuer.CommonName, l.crl.Issuer.String()),
				"certificates of its issuer are refused unless a newer one can be fetched")
		}
	}
	return lists
}

package filesystem

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"gozilla/vault"
)

// changes says in a few words what is different in what the files hold, "" if nothing is.
func changes(before, now *holding) string {
	var all []string
	add := func(what string, before, now []item) {
		if text := changed(before, now); text != "" {
			all = append(all, what+" "+text)
		}
	}
	add("keys:", keyItems(before.keys), keyItems(now.keys))
	add("trust:", certItems(before.trust), certItems(now.trust))
	add("signers:", certItems(before.signers), certItems(now.signers))
	if !sameLists(before.lists, now.lists) {
		all = append(all, "other revocation lists")
	}
	return strings.Join(all, "; ")
}

// An item is an entry, as far as it can be told from others.
type item struct {
	alias string
	name  string // in what is said
	raw   []byte // all of it
	leaf  *x509.Certificate
}

func keyItems(keys []vault.Key) (items []item) {
	for _, k := range keys {
		items = append(items, item{k.Alias, k.Alias, bytes.Join(k.Certificate.Certificate, nil), k.Certificate.Leaf})
	}
	return items
}

// certItems names certificates by their subjects: a bundle has one alias for all of them.
func certItems(certs []vault.Certificate) (items []item) {
	for _, c := range certs {
		items = append(items, item{c.Alias, nameOf(c.Certificate), c.Certificate.Raw, c.Certificate})
	}
	return items
}

// changed says which entries are new, and which are gone.
func changed(before, now []item) string {
	var parts, fresh, gone []string
	lacks := func(items []item, x item) bool {
		return !slices.ContainsFunc(items, func(y item) bool { return bytes.Equal(x.raw, y.raw) })
	}
	for _, x := range now {
		if lacks(before, x) {
			fresh = append(fresh, fmt.Sprintf("%s (valid until %s)", x.name, day(x.leaf.NotAfter)))
		}
	}
	for _, x := range before {
		if lacks(now, x) && !slices.ContainsFunc(now, func(y item) bool { return x.name == y.name }) {
			gone = append(gone, x.name)
		}
	}
	if len(fresh) > 0 {
		parts = append(parts, "new "+some(fresh))
	}
	if len(gone) > 0 {
		parts = append(parts, "without "+some(gone))
	}
	if len(parts) == 0 && !slices.EqualFunc(before, now, func(a, b item) bool { return a.alias == b.alias && bytes.Equal(a.raw, b.raw) }) {
		return "other aliases, or another order"
	}
	return strings.Join(parts, ", ")
}

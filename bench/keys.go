//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"gozilla/internal/certs"
)

const (
	serverName    = "bench.example" // what clients ask for, and what the certificates say
	storePassword = "bench"
	storeAlias    = "bench"
)

// makeKeys makes the keys of a run, which all proxies share: for each sort SORT.pem, a chain and its key, and SORT.p12
// with the same.
func makeKeys(dir string) error {
	ca, err := certs.NewAuthority("Bench CA")
	if err != nil {
		return err
	}
	for sort, isRSA := range map[string]bool{"ecdsa": false, "rsa": true} {
		pair, err := ca.Issue(certs.Request{CommonName: serverName, DNS: []string{serverName}, RSA: isRSA})
		if err != nil {
			return err
		}
		store, err := certs.PKCS12(storePassword, certs.Entry{Alias: storeAlias, Pair: pair})
		if err != nil {
			return err
		}
		for name, b := range map[string][]byte{sort + ".pem": append(pair.CertPEM(), pair.KeyPEM()...), sort + ".p12": store} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				return fmt.Errorf("cannot write keys: %w", err)
			}
		}
	}
	return nil
}

// keyFile is the file with the key that a proxy shows in a mode, in PEM or PKCS12 by its extension.
func keyFile(dir string, m mode, extension string) string {
	sort := "ecdsa"
	if m == modeRSA {
		sort = "rsa"
	}
	return filepath.Join(dir, sort+extension)
}

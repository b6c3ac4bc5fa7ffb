package test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"gozilla/internal/certs"
)

// scanTime is how long one scan may take.
const scanTime = 4 * time.Minute

// TestTestSSL has testssl look at a server that has no options but its key: it finds nothing that is worse than LOW. No
// finding is excused: testssl is told of the test's authority, and the certificate names a place for revocations.
func TestTestSSL(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	testssl := need(t, "testssl", "testssl.sh")
	need(t, "hexdump", "bsdextrautils")
	need(t, "dig", "dnsutils")
	for _, rsa := range []bool{false, true} {
		name := map[bool]string{false: "ECDSA", true: "RSA"}[rsa]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			r := localhost()
			r.RSA, r.CRLs = rsa, []string{"http://localhost/crl"} // it is not asked, but looked for
			s.pair("localhost", issue(t, s.ca, r))
			port := freePort(t)
			// The web server spares testssl the guess of what it talks to.
			g := s.gateway(t, secured(port, keys(""), "exit: south")+to(webServer(t)))
			ctx, cancel := context.WithTimeout(t.Context(), scanTime)
			defer cancel()
			began := time.Now()
			findings := s.path("findings.json")
			cmd := exec.CommandContext(ctx, testssl, "--quiet", "--color", "0", "--ip", "127.0.0.1", "--nodns", "none", "--warnings", "off",
				"--openssl-timeout", "5", "--connect-timeout", "5", "--add-ca", s.path("ca.crt"), "--jsonfile", findings,
				"-p", "-s", "-f", "-S", "-P", "-U", fmt.Sprintf("localhost:%d", port))
			cmd.Dir = s.dir
			out, err := cmd.CombinedOutput()
			if ctx.Err() != nil {
				t.Fatalf("testssl does not end:\n%s", out)
			}
			t.Logf("testssl took %v, %v", time.Since(began).Round(time.Second), err)
			var all []struct{ ID, Severity, Finding string }
			if err := json.Unmarshal(mustRead(t, findings), &all); err != nil || len(all) < 50 {
				t.Fatalf("%d findings, %v:\n%s", len(all), err, out)
			}
			found := map[string]string{}
			for _, f := range all {
				found[f.ID] = f.Finding
				if slices.Contains([]string{"MEDIUM", "HIGH", "CRITICAL", "FATAL"}, f.Severity) {
					t.Errorf("%s, %s: %s", f.Severity, f.ID, f.Finding)
				} else if f.Severity == "LOW" {
					t.Logf("%s, %s: %s", f.Severity, f.ID, f.Finding)
				}
			}
			// It has looked at what it should.
			for id, want := range map[string]string{
				"SSLv2": "not offered", "SSLv3": "not offered", "TLS1": "not offered", "TLS1_1": "not offered", "TLS1_2": "offered", "TLS1_3": "offered",
				"heartbleed": "not vulnerable", "CCS": "not vulnerable", "ROBOT": "not vulnerable", "secure_client_renego": "not vulnerable",
				"CRIME_TLS": "not vulnerable", "POODLE_SSL": "not vulnerable", "fallback_SCSV": "no protocol below", "SWEET32": "not vulnerable",
				"LUCKY13": "not vulnerable", "PFS": "offered",
			} {
				if got, ok := found[id]; !ok || !strings.Contains(got, want) {
					t.Errorf("%s: %q, %v, not %q", id, got, ok, want)
				}
			}
			c, err := secure(t, port, s.config())
			if err != nil {
				t.Fatalf("after testssl: %v", err)
			}
			c.Close()
			g.terminate()
		})
	}
}

// TestSSLScan has sslscan do the same.
func TestSSLScan(t *testing.T) {
	sslscan := need(t, "sslscan", "sslscan")
	for _, r := range []certs.Request{localhost(), {CommonName: "localhost", DNS: []string{"localhost"}, RSA: true}} {
		t.Run(fmt.Sprintf("RSA %v", r.RSA), func(t *testing.T) {
			s := newStage(t)
			s.pair("localhost", issue(t, s.ca, r))
			port := freePort(t)
			g := s.gateway(t, secured(port, keys(""), "exit: echo"))
			ctx, cancel := context.WithTimeout(t.Context(), scanTime)
			defer cancel()
			out, err := exec.CommandContext(ctx, sslscan, "--no-colour", "--ipv4", "--xml=-", fmt.Sprintf("localhost:%d", port)).Output()
			if err != nil {
				t.Fatalf("sslscan: %v\n%s", err, out)
			}
			var scan struct {
				Test struct {
					Protocols []struct {
						Type    string `xml:"type,attr"`
						Version string `xml:"version,attr"`
						Enabled bool   `xml:"enabled,attr"`
					} `xml:"protocol"`
					Renegotiation struct {
						Supported bool `xml:"supported,attr"`
					} `xml:"renegotiation"`
					Compression []struct {
						Supported bool `xml:"supported,attr"`
					} `xml:"compression"`
					Heartbleed []struct {
						Version    string `xml:"sslversion,attr"`
						Vulnerable bool   `xml:"vulnerable,attr"`
					} `xml:"heartbleed"`
					Ciphers []struct {
						Version  string `xml:"sslversion,attr"`
						Name     string `xml:"cipher,attr"`
						Strength string `xml:"strength,attr"`
					} `xml:"cipher"`
				} `xml:"ssltest"`
			}
			if err := xml.Unmarshal(out, &scan); err != nil {
				t.Fatalf("%v:\n%s", err, out)
			}
			enabled := []string{}
			for _, p := range scan.Test.Protocols {
				if p.Enabled {
					enabled = append(enabled, p.Type+p.Version)
				}
			}
			if len(scan.Test.Protocols) != 6 || !slices.Equal(enabled, []string{"tls1.2", "tls1.3"}) {
				t.Errorf("of %d protocols %q are enabled", len(scan.Test.Protocols), enabled)
			}
			if scan.Test.Renegotiation.Supported {
				t.Error("renegotiation")
			}
			for _, c := range scan.Test.Compression {
				if c.Supported {
					t.Error("compression")
				}
			}
			for _, h := range scan.Test.Heartbleed {
				if h.Vulnerable {
					t.Errorf("heartbleed by %s", h.Version)
				}
			}
			if len(scan.Test.Heartbleed) != 2 || len(scan.Test.Ciphers) != 6 {
				t.Errorf("%d looks at heartbleed, %d ciphers:\n%s", len(scan.Test.Heartbleed), len(scan.Test.Ciphers), out)
			}
			for _, c := range scan.Test.Ciphers {
				if strings.Contains(c.Name, "CBC") || strings.Contains(c.Name, "SHA1") || c.Strength != "strong" && c.Strength != "acceptable" {
					t.Errorf("%s: %s is %s", c.Version, c.Name, c.Strength)
				}
			}
			g.terminate()
		})
	}
}

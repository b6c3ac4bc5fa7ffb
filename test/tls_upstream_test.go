package test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// upstream starts one of the examples that zilla has too, with certificates of zilla's names beside a copy of the file.
func upstream(t *testing.T, name string, certs ...string) (g *gateway, dir string, port int) {
	t.Helper()
	need(t, "openssl", "openssl")
	dir, port = t.TempDir(), freePort(t)
	text := string(mustRead(t, filepath.Join("..", "examples", name, "zilla.yaml")))
	if strings.Count(text, "23456") != 1 {
		t.Fatalf("the port 23456 is not there once:\n%s", text)
	}
	write(t, filepath.Join(dir, "zilla.yaml"), strings.Replace(text, "23456", fmt.Sprint(port), 1))
	if status, out, stderr := run(t, dir, append([]string{"certs", "-d", "tls", "--password", password}, certs...)...); status != 0 {
		t.Fatalf("gozilla certs: status %d\n%s%s", status, out, stderr)
	}
	cmd := exec.Command(binary(t), "start", "--records", "--log-format", "json")
	cmd.Env = append(cmd.Environ(), "KEYSTORE_PASSWORD="+password, "TRUSTSTORE_PASSWORD="+password)
	g = launchCmd(t, cmd, dir)
	g.awaitStart()
	return g, filepath.Join(dir, "tls"), port
}

// TestUpstreamTLSEcho does what zilla's check of its example tls.echo does; only that input ends when the echo is there.
func TestUpstreamTLSEcho(t *testing.T) {
	g, dir, port := upstream(t, "tls.echo", "--ca", "test-ca", "--ca", "client-ca=Test Client CA", "--ca", "other-ca=Other CA",
		"--server", "localhost", "--client", "client-1@client-ca", "--client", "other-1=client-1@other-ca", "--trust", "client-ca=client-ca,other-ca")
	for i, c := range []struct {
		name, protocol, show string
		want                 string
		record               []string
	}{
		{"echo without a certificate", "echo", "", "Hello, Zilla!\n", []string{"alpn=echo", "reason=fin", "by=client", "identity="}},
		{"secure-echo without a certificate", "secure-echo", "", "", []string{"alpn=secure-echo", "reason=unauthenticated", "by=gateway", "identity="}},
		{"secure-echo, of the other authority", "secure-echo", "other-1", "", []string{"alpn=secure-echo", "reason=forbidden", "by=gateway", "identity=client-1"}},
		{"secure-echo, of a client", "secure-echo", "client-1", "Hello, Zilla!\n", []string{"alpn=secure-echo", "reason=fin", "by=client", "identity=client-1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"s_client", "-connect", fmt.Sprintf("localhost:%d", port), "-CAfile", filepath.Join(dir, "test-ca.crt"), "-quiet", "-no_ign_eof", "-alpn", c.protocol}
			if c.show != "" {
				args = append(args, "-cert", filepath.Join(dir, c.show+".crt"), "-key", filepath.Join(dir, c.show+".key"))
			}
			until := c.want
			if until == "" {
				until = "nothing"
			}
			got := talk(t, "Hello, Zilla!\n", until, "openssl", args...)
			if got.out != c.want || got.status != 0 {
				t.Errorf("status %d, %q: %s", got.status, got.out, got.errs)
			}
			says(t, g.in(t).record(i+1), c.record...)
		})
	}
	g.terminate()
	if events := g.events(); len(events) > 0 {
		t.Errorf("events: %q", events)
	}
}

// TestUpstreamTLSReflect does so for tls.reflect, whose two sessions have no input there.
func TestUpstreamTLSReflect(t *testing.T) {
	g, dir, port := upstream(t, "tls.reflect", "--ca", "test-ca", "--server", "localhost")
	for i, input := range []string{"Hello, Zilla!\n", "Bye, Zilla!\n", ""} {
		got := talk(t, input, input, "openssl", "s_client", "-connect", fmt.Sprintf("localhost:%d", port), "-CAfile", filepath.Join(dir, "test-ca.crt"),
			"-quiet", "-no_ign_eof", "-alpn", "echo")
		if got.out != input || got.status != 0 {
			t.Errorf("status %d, %q, want %q: %s", got.status, got.out, input, got.errs)
		}
		says(t, g.record(i+1), "alpn=echo", "reason=fin", "by=client")
	}
	g.terminate()
}

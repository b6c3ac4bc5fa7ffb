package test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

// outdated are the cases of h2spec that do not hold any more, and why.
var outdated = map[string]string{}

// TestH2Spec has h2spec try everything that it knows, those cases included that it calls strict: an http server in the clear
// and one over TLS, in front of a server of HTTP/1.1 and one of HTTP/2.
func TestH2Spec(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		tls      bool
		versions string
	}{{"in the clear, HTTP/1.1 behind", false, "http/1.1"}, {"in the clear, HTTP/2 behind", false, "h2"}, {"TLS, HTTP/1.1 behind", true, "http/1.1"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t, tells, bilingual)
			port := freePort(t)
			g := h2Gateway(t, port, setting{tls: c.tls, server: speaks("h2") + "\nexit: out", client: speaks(c.versions), end: b.port})
			with := func() *config.Config {
				return &config.Config{Host: "127.0.0.1", Port: port, Path: "/", Timeout: patience, MaxHeaderLen: 4000, Strict: true, TLS: c.tls, Insecure: true}
			}
			t.Run("cases", func(t *testing.T) {
				for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
					conforms(t, with, group)
				}
			})
			g.terminate()
		})
	}
}

// conforms runs the cases of a group, each a test of its own.
func conforms(t *testing.T, with func() *config.Config, group *spec.TestGroup) {
	for i, c := range append(group.Tests, group.StrictTests...) {
		name := fmt.Sprintf("%s/%d", group.ID(), i+1)
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			t.Parallel()
			if why := outdated[name]; why != "" {
				t.Skipf("%s: %s", c.Desc, why)
			}
			if err := try(with(), c); err != nil && !errors.Is(err, spec.ErrSkipped) {
				var said *spec.TestError
				if errors.As(err, &said) {
					err = fmt.Errorf("%s, want %s", said.Actual, strings.Join(said.Expected, "; "))
				}
				t.Errorf("%s: %s: %v", c.Desc, c.Requirement, err)
			}
		})
	}
	for _, g := range group.Groups {
		conforms(t, with, g)
	}
}

func try(with *config.Config, c *spec.TestCase) error {
	conn, err := spec.Dial(with)
	if err != nil {
		return err
	}
	defer conn.Close()
	return c.Run(with, conn)
}

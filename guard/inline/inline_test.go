package inline

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"gozilla/component"
	"gozilla/config"
	"gozilla/guard"
	"gozilla/internal/gwtest/leak"
	"gozilla/stream"
	"gozilla/telemetry"
)

func TestMain(m *testing.M) { leak.Main(m) }

// decode reads a guard as it stands in a file.
func decode(t testing.TB, text string, strict bool) (*Config, *config.Report) {
	t.Helper()
	r := &config.Report{Strict: strict}
	docs := config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte(text), Env: func(string) (string, bool) { return "", false }})
	if len(docs) != 1 {
		t.Fatalf("%s is %d documents: %v", text, len(docs), r.Err())
	}
	return config.Decode[Config](r, docs[0], "an inline guard"), r
}

// with makes a guard with these options.
func with(t testing.TB, options string) *keeper {
	t.Helper()
	c, r := decode(t, "type: inline\noptions: "+options+"\n", true)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return build(t, c)
}

func build(t testing.TB, c *Config) *keeper {
	t.Helper()
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 8, false))
	g, err := newGuard(&component.Builder{
		Node: &stream.Node{Namespace: "test", Name: "who"}, Host: host, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, c)
	if err != nil {
		t.Fatal(err)
	}
	return g.(*keeper)
}

func TestAuthorize(t *testing.T) {
	const static = `{ identity: me, credentials: secret, format: "%" }`
	for _, test := range []struct {
		format, presented, identity, credentials string
	}{
		{"", "anything at all", "anything at all", "anything at all"},
		{"", " ", " ", " "},
		{"{identity}:{credentials}", "alice:pass", "alice", "pass"},
		{"{identity}:{credentials}", "alice:pa:ss", "alice", "pa:ss"},
		{"{credentials}@{identity}", "pass@alice", "alice", "pass"},
		{"user {identity} with {credentials}!", "user alice with pass!", "alice", "pass"},
		{"{identity}", "alice", "alice", "secret"},
		{"Bearer {credentials}", "Bearer token", "me", "token"},
		{"({identity}|{credentials})", "(a.*|b)", "a.*", "b"}, // what is literal is no pattern
		// What does not match is the identity.
		{"{identity}:{credentials}", "alice", "alice", "secret"},
		{"{identity}:{credentials}", "alice:", "alice:", "secret"},
		{"{identity}:{credentials}", ":pass", ":pass", "secret"},
		{"{identity}:{credentials}", "alice:pa ss", "alice:pa ss", "secret"},
		{"{identity}:{credentials}", "al ice:pass", "al ice:pass", "secret"},
		{"{identity}:{credentials}", " alice:pass", " alice:pass", "secret"},
		{"{identity}:{credentials}", "alice:pass\n", "alice:pass\n", "secret"},
		{"a{identity}", "balice", "balice", "secret"},
	} {
		options := strings.Replace(static, "%", test.format, 1)
		if test.format == "" {
			options = "{ identity: me, credentials: secret }"
		}
		k := with(t, options)
		s, err := k.Authorize(t.Context(), test.presented)
		if err != nil {
			t.Errorf("%s, %q: %v", test.format, test.presented, err)
			continue
		}
		p, ok := k.Present(s)
		if s.Identity() != test.identity || !ok || p != (guard.Presented{Identity: test.identity, Credentials: test.credentials, Whole: test.presented}) {
			t.Errorf("%s, %q: %s, %+v", test.format, test.presented, s.Identity(), p)
		}
	}
}

func TestSession(t *testing.T) {
	c, r := decode(t, "type: identity", true) // as it was called once, without options
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	k := build(t, c)
	s, err := k.Authorize(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Attribute("city"); ok || !s.Expires().IsZero() || !s.Verify(nil) || !s.Verify([]string{"admin", "reader"}) {
		t.Errorf("%+v", s)
	}
	if _, ok := s.(guard.Challenger); ok {
		t.Error("it can be challenged")
	}
	s.Release()
	if s, err := k.Authorize(t.Context(), ""); s != nil || reason(err) != stream.Unauthenticated {
		t.Errorf("without credentials: %v, %v", s, err)
	}
}

func reason(err error) stream.Reason {
	var refused *stream.Refused
	if !errors.As(err, &refused) {
		return ""
	}
	return refused.Reason
}

func TestPresentWithoutASession(t *testing.T) {
	for options, want := range map[string]guard.Presented{
		"{}":                                    {},
		"{ format: \"{identity}\" }":            {},
		"{ identity: me }":                      {Identity: "me"},
		"{ credentials: secret }":               {Credentials: "secret", Whole: "secret"},
		"{ identity: me, credentials: secret }": {Identity: "me", Credentials: "secret", Whole: "secret"},
		"{ identity: me, credentials: secret, format: \"{identity}:{credentials}\" }":           {Identity: "me", Credentials: "secret", Whole: "me:secret"},
		"{ credentials: secret, format: \"Bearer {credentials}\" }":                             {Credentials: "secret", Whole: "Bearer secret"},
		"{ identity: \"{credentials}\", credentials: x, format: \"{identity}:{credentials}\" }": {Identity: "{credentials}", Credentials: "x", Whole: "{credentials}:x"},
		"{ credentials: secret, format: \"{identity}:{credentials}\" }":                         {Credentials: "secret", Whole: "secret"},
	} {
		got, ok := with(t, options).Present(nil)
		if got != want || ok != (want != guard.Presented{}) {
			t.Errorf("%s: %+v, %v", options, got, ok)
		}
	}
}

func TestPresentOfAnotherGuard(t *testing.T) {
	s, err := with(t, "{}").Authorize(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := with(t, "{ identity: me }").Present(s); ok || p != (guard.Presented{}) {
		t.Errorf("%+v", p)
	}
}

func TestFaults(t *testing.T) {
	for options, want := range map[string]string{
		"{ format: Bearer }":                         `zilla.yaml:2:20: format must be text with {identity} or {credentials} in it, not "Bearer"`,
		"{ format: \"{identity}:{identity}\" }":      `zilla.yaml:2:20: the format has {identity} more than once`,
		"{ format: 7 }":                              `zilla.yaml:2:20: format must be text with {identity} or {credentials} in it, not the number 7`,
		"{ identity: 7 }":                            `zilla.yaml:2:22: identity must be a string, not the number 7`,
		"{ password: x }":                            `zilla.yaml:2:12: unknown key "password"`,
		"{ format: \"{identity}:{credential}\" }":    "warning: zilla.yaml:2:20: the format takes {credential} as it stands\n  hint: did you mean {credentials}?",
		"{ format: \"{identity}{credentials}\" }":    "warning: zilla.yaml:2:20: with nothing between {identity} and {credentials}, the first of them is a single character",
		"{ format: \"{identity} {something}\" }":     "warning: zilla.yaml:2:20: the format takes {something} as it stands",
		"{ format: \"{identity}:{credentials}{}\" }": "",
	} {
		_, r := decode(t, "type: inline\noptions: "+options+"\n", false)
		got := ""
		for _, f := range r.Faults() {
			if f.Warning {
				got += "warning: "
			}
			got += f.Pos.String() + ": " + f.Text
			if f.Hint != "" {
				got += "\n  hint: " + f.Hint
			}
		}
		if want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, not %s", options, got, want)
		}
	}
}

// TestShape is what the reference is made of, but for comments, which a build has once they were generated.
func TestShape(t *testing.T) {
	if err := component.VariantOf[Config]("").Check(); err != nil && !strings.Contains(err.Error(), "comment") {
		t.Error(err)
	}
	for _, name := range []string{"inline", "identity"} {
		if _, ok := guard.Registry.Get(name); !ok {
			t.Errorf("the type %s is not registered", name)
		}
	}
}

// FuzzSplit splits anything by any format: what matches is put together again as it was.
func FuzzSplit(f *testing.F) {
	f.Add("{identity}:{credentials}", "alice:pass")
	f.Add("({identity}", "(a")
	f.Fuzz(func(t *testing.T, format, whole string) {
		o := Options{Format: Format(format), Credentials: "\x00none"}
		r := &config.Report{}
		if o.Check(r); r.Err() != nil || !utf8.ValidString(format) || whole == "" || !strings.Contains(format, identityPart) || !strings.Contains(format, credentialsPart) {
			return
		}
		k := &keeper{o, o.Format.splitter()}
		s, err := k.Authorize(context.Background(), whole)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := k.Present(s)
		if !ok || p.Whole != whole {
			t.Fatalf("%+v", p)
		}
		if p.Credentials != "\x00none" && o.Format.compose(p.Identity, p.Credentials) != whole {
			t.Fatalf("%q is %+v", whole, p)
		}
	})
}

func BenchmarkAuthorize(b *testing.B) {
	for name, options := range map[string]string{"whole": "{}", "split": "{ format: \"{identity}:{credentials}\" }"} {
		b.Run(name, func(b *testing.B) {
			k := with(b, options)
			b.ReportAllocs()
			for b.Loop() {
				s, err := k.Authorize(context.Background(), "alice:correct horse battery staple"[:13])
				if err != nil {
					b.Fatal(err)
				}
				s.Release()
			}
		})
	}
}

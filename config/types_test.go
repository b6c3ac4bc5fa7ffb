package config_test

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gozilla/config"
)

func TestPorts(t *testing.T) {
	p := config.Ports{{From: 3, To: 5}, {From: 4, To: 6}, {From: 65535, To: 65535}, {From: 1, To: 1}, {From: 3, To: 3}}
	if got := slices.Collect(p.All()); !slices.Equal(got, []uint16{3, 4, 5, 6, 65535, 1}) {
		t.Errorf("all are %v", got)
	}
	for range p.All() {
		break // must not go on
	}
	if first, ok := p.First(); first != 3 || !ok || p.String() != "3-5, 4-6, 65535, 1, 3" {
		t.Errorf("first is %d, %v of %s", first, ok, p)
	}
	if _, ok := (config.Ports{}).First(); ok || !p.Has(6) || p.Has(2) || p.Has(0) {
		t.Error("Has or First is wrong")
	}
}

func TestPortRange(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		var p config.PortRange
		switch err := p.UnmarshalText([]byte(text)); {
		case err != nil && want != "":
			t.Errorf("%s: %v", text, err)
		case err == nil && p.String() != want:
			t.Errorf("%s is %s", text, p)
		}
	}
	f("0", "0")
	f("65535", "65535")
	f("1-65535", "1-65535")
	f("7-7", "7")
	for _, bad := range []string{"", "-", "1-", "-1", "65536", "5-4", "1-2-3", "0x10", " 1", "1-65536", "99999999999999999999"} {
		f(bad, "")
	}
}

func TestCIDR(t *testing.T) {
	f := func(net, addr string, want bool) {
		t.Helper()
		var c config.CIDR
		if err := c.UnmarshalText([]byte(net)); err != nil {
			t.Fatal(err)
		}
		if got := c.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s in %s is %v", addr, net, got)
		}
	}
	f("127.0.0.1/24", "127.0.0.200", true)
	f("127.0.0.1/24", "127.0.1.1", false)
	f("0.0.0.0/0", "8.8.8.8", true)
	f("10.0.0.0/8", "::ffff:10.1.2.3", true)
	f("::1/64", "0.0.0.1", false) // upstream says true: it compares numbers
	f("::/0", "1.2.3.4", false)
	f("fe80::/10", "fe80::1%eth0", true)
}

func TestRef(t *testing.T) {
	ns, name := config.Ref("a:b").Split("c")
	if ns != "a" || name != "b" || config.Ref("b").Qualified("c") != "c:b" || config.Ref("a:b").Qualified("c") != "a:b" {
		t.Error("references are taken apart wrongly")
	}
}

func TestParseDuration(t *testing.T) {
	f := func(text string, want time.Duration) {
		t.Helper()
		if got, err := config.ParseDuration(text); got != want || (err != nil) != (want == 0) {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	f("30s", 30*time.Second)
	f("PT30S", 30*time.Second)
	f("pt0.25s", 250*time.Millisecond)
	f("P1DT2H3M4.5S", 26*time.Hour+3*time.Minute+4500*time.Millisecond)
	for _, bad := range []string{"", "P", "PT", "P1Y", "PT1", "PTS", "1", "P99999999999D", "P106752D", "PT2562047H99999999M"} {
		f(bad, 0)
	}
}

func TestLike(t *testing.T) {
	f := func(word, want string) {
		t.Helper()
		if got, _ := config.Like(word, []string{"host", "port", "maxConnections", "tls"}); got != want {
			t.Errorf("%s is like %q", word, got)
		}
	}
	f("hots", "host")
	f("Host", "host")
	f("max-connections", "maxConnections")
	f("maxConection", "maxConnections")
	f("TLS", "tls")
	f("a", "")
	f("cost", "host")
	f("nothing", "")
	f(strings.Repeat("x", 1000), "")
}

func naive(w string) *regexp.Regexp {
	return regexp.MustCompile(`(?s)^` + strings.ReplaceAll(regexp.QuoteMeta(w), `\*`, `.*`) + `$`)
}

func TestWildcard(t *testing.T) {
	words := []string{""}
	for i := 0; i < len(words); i++ {
		if len(words[i]) < 4 {
			words = append(words, words[i]+"a", words[i]+"b", words[i]+"*")
		}
	}
	for _, w := range words {
		re := naive(w)
		for _, s := range words {
			if got := config.Wildcard(w).Match(s); got != re.MatchString(s) {
				t.Errorf("%q matches %q: %v", w, s, got)
			}
		}
	}
}

func FuzzWildcard(f *testing.F) {
	f.Add("*.example.com", "www.example.com")
	f.Add("a*b*a", "aba")
	f.Add("*", "")
	f.Fuzz(func(t *testing.T, w, s string) {
		if strings.ToValidUTF8(w, "") != w || strings.ToValidUTF8(s, "") != s || len(w) > 100 {
			return
		}
		if got := config.Wildcard(w).Match(s); got != naive(w).MatchString(s) {
			t.Errorf("%q matches %q: %v", w, s, got)
		}
	})
}

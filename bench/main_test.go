//go:build linux

package main

import (
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	f := func(args, cases, proxies, out string, rounds int) {
		t.Helper()
		o, err := parseOptions(strings.Fields(args))
		if err != nil {
			t.Fatal(err)
		}
		var gotCases, gotProxies []string
		for _, c := range o.selected() {
			gotCases = append(gotCases, c.name)
		}
		list, err := o.compared()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			gotProxies = append(gotProxies, p.name)
		}
		if got := strings.Join(gotCases, " "); got != cases {
			t.Errorf("%s: cases %s", args, got)
		}
		if got := strings.Join(gotProxies, " "); got != proxies {
			t.Errorf("%s: proxies %s", args, got)
		}
		if o.out != out || o.rounds != rounds {
			t.Errorf("%s: out %q, %d rounds", args, o.out, o.rounds)
		}
	}
	const all = "haproxy nginx gozilla haproxy-64k nginx-64k ReverseProxy gozilla-relay coder gobwas http.Server"
	f("", "msg-1 msg-64 msg-1000 msg-64-1k paced-64 churn bulk-1 bulk-16 memory start"+
		" tls-handshake tls-handshake-tickets tls-handshake-rsa tls-resume tls-msg-64 tls-bulk-16 tls-bulk-up-16 tls-memory tls-sni"+
		" http-64 http-rich http-16k http-post http-1000 http-file http-paced http-memory h2-8x32 h2-1x100 h2-h2-8x32 h2-h2-1x100 h2-down h2-up"+
		" ws-64 ws-1000 ws-paced ws-fan ws-fan-1 ws-memory sse-fan sse-paced", all, results, 9)
	f("-quick -run ^bulk-up", "bulk-up-1 bulk-up-16", all, "", 3)
	f("-quick -rounds 5 -run ^memory -out x", "memory", all, "x", 5)
	f("-run start -proxies gozilla,haproxy", "start", "gozilla haproxy haproxy-64k ReverseProxy gozilla-relay coder gobwas http.Server", "", 9)
	for _, bad := range []string{"-run (", "-rounds 0", "case", "-nonsense"} {
		if _, err := parseOptions(strings.Fields(bad)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	o, err := parseOptions([]string{"-proxies", "haproxy,squid"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.compared(); err == nil {
		t.Error("squid: no error")
	}
}

func TestTakesPart(t *testing.T) {
	o, err := parseOptions([]string{"-proxies", "haproxy"})
	if err != nil {
		t.Fatal(err)
	}
	list, err := o.compared()
	if err != nil {
		t.Fatal(err)
	}
	own := &proxy{name: ownRelay, base: subject}
	for _, c := range cases {
		passes := c.name != "http-file" && c.suite != wsSuite && c.suite != sseSuite
		if o.takesPart(list[0], c) != passes {
			t.Errorf("%s with %s: %v", c.name, list[0].name, !passes)
		}
		if o.takesPart(&proxy{name: coderPeer, base: subject}, c) != (c.suite == wsSuite) {
			t.Errorf("%s with %s: %v", c.name, coderPeer, c.suite != wsSuite)
		}
		if o.takesPart(own, c) != (c.name == "tls-sni") {
			t.Errorf("%s with %s: %v", c.name, own.name, c.name != "tls-sni")
		}
		if tuned := strings.HasPrefix(c.name, "bulk"); o.takesPart(list[1], c) != tuned {
			t.Errorf("%s with %s: %v", c.name, list[1].name, !tuned)
		}
	}
}

// Each proxy refuses a mode that it has no configuration for.
func TestModes(t *testing.T) {
	for _, p := range allProxies() {
		if _, err := p.command(task{mode: "carrier pigeon", dir: t.TempDir()}); err == nil && p.name != ownRelay {
			t.Errorf("%s: no error", p.name)
		}
		for _, m := range []mode{modeTCP, modeTLS, modeRSA, modeTicket, modeResume, modeSNI, modeHTTP, modeH2, modeH2H2, modeFile, modeSocket, modeFan, modeEvents} {
			answers, peer := m == modeSocket || m == modeFan || m == modeEvents, p.name == coderPeer || p.name == gobwasPeer || p.name == stdPeer
			switch {
			case peer && (!answers || (m == modeEvents) != (p.name == stdPeer)), answers && !peer && p.name != subject && p.name != ownRelay:
				continue
			case p.name == stdReverse && m != modeHTTP && !m.streams(), p.base == "nginx" && m == modeH2H2, p.name == "nginx" && m == modeH2H2,
				strings.HasPrefix(p.name, baseline) && m == modeFile:
				continue
			}
			argv, err := p.command(task{mode: m, dir: t.TempDir(), keys: "keys", listen: 1, backend: 2})
			if err != nil || len(argv) < 3 {
				t.Errorf("%s, %s: %v, %v", p.name, m, argv, err)
			}
		}
	}
}

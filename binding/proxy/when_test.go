package proxy

import (
	"net/netip"
	"strings"
	"testing"

	"gozilla/config"
	"gozilla/stream"
)

func decoded[T any](t *testing.T, yaml string) (*T, *config.Report) {
	t.Helper()
	r := &config.Report{}
	docs := config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte(yaml)})
	return config.Decode[T](r, docs[0], "it"), r
}

// addr is an address as stream.Addr shows it.
func addr(s string) stream.Addr {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		return stream.Addr{Path: path}
	}
	if p, err := netip.ParseAddrPort(s); err == nil {
		return stream.Addr{IP: p.Addr(), Port: p.Port()}
	}
	name, port, _ := strings.Cut(s, ":")
	p, _ := netip.ParseAddrPort("[::]:" + port)
	return stream.Addr{Host: name, Port: p.Port()}
}

// TestWhen asks which streams a condition accepts.
func TestWhen(t *testing.T) {
	f := func(when string, about *stream.Info, want bool) {
		t.Helper()
		w, r := decoded[When](t, when)
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		if got := w.matches(about); got != want {
			t.Errorf("%s for %s -> %s: %v", when, about.Source, about.Dest, got)
		}
	}
	nothing := &stream.Info{}
	tcp4 := &stream.Info{Source: addr("192.0.2.7:40000"), Dest: addr("10.1.2.3:443")}
	udp4 := &stream.Info{Source: tcp4.Source, Dest: tcp4.Dest, Datagram: true}
	tcp6 := &stream.Info{Source: addr("[2001:db8::7]:40000"), Dest: addr("[2001:db8:1::3]:443")}
	named := &stream.Info{Source: addr("192.0.2.7:40000"), Dest: addr("api.Example.com:443")}
	unix := &stream.Info{Source: addr("unix:/tmp/source"), Dest: addr("unix:/run/dest")}
	half := &stream.Info{Source: addr("unix:/tmp/source")}
	all := []*stream.Info{nothing, tcp4, udp4, tcp6, named, unix, half}
	only := func(when string, accepted ...*stream.Info) {
		t.Helper()
		for _, about := range all {
			want := false
			for _, a := range accepted {
				want = want || a == about
			}
			f(when, about, want)
		}
	}
	only(`{}`, all...)
	only(`{ transport: stream }`, nothing, tcp4, tcp6, named, unix, half)
	only(`{ transport: datagram }`, udp4)
	only(`{ family: inet }`, named)
	only(`{ family: inet4 }`, tcp4, udp4)
	only(`{ family: inet6 }`, tcp6)
	only(`{ family: unix }`, unix, half)
	only(`{ destination: { port: 443 } }`, tcp4, udp4, tcp6, named)
	only(`{ destination: { port: 444 } }`)
	only(`{ source: { port: 40000 } }`, tcp4, udp4, tcp6, named)
	only(`{ source: { port: 0 } }`)
	only(`{ source: { host: 192.0.2.7 } }`, tcp4, udp4, named)
	only(`{ source: { host: 192.0.2.99/24 } }`, tcp4, udp4, named) // host bits are ignored
	only(`{ source: { host: 192.0.2.8 } }`)
	only(`{ source: { host: 0.0.0.0/0 } }`, tcp4, udp4, named)
	only(`{ source: { host: "::/0" } }`, tcp6)
	only(`{ source: { host: "2001:db8::7" } }`, tcp6)
	only(`{ source: { host: "2001:db8::8" } }`) // a bare address is all of its bits
	only(`{ destination: { host: "2001:db8:1::/48" } }`, tcp6)
	only(`{ destination: { host: "::ffff:10.1.2.3" } }`, tcp4, udp4)
	only(`{ family: inet4, destination: { host: 10.0.0.0/8 } }`, tcp4, udp4)
	only(`{ family: inet6, destination: { host: "2001:db8::/32" } }`, tcp6)
	only(`{ destination: { host: api.example.com } }`, named) // without case
	only(`{ destination: { host: "*.EXAMPLE.com" } }`, named)
	only(`{ destination: { host: "*" } }`, named)
	only(`{ destination: { host: api-example.com } }`)
	only(`{ destination: { host: "api.example.co?" } }`)
	only(`{ family: inet, destination: { host: "*.com" } }`, named)
	only(`{ destination: { host: /run/ } }`, unix)
	only(`{ destination: { host: /run/dest } }`, unix)
	only(`{ destination: { host: /run/dest/ } }`)
	only(`{ destination: { host: /run/* } }`) // * is a path like any other
	only(`{ family: unix, source: { host: /tmp } }`, unix, half)
	only(`{ transport: stream, family: inet4, source: { host: 192.0.2.0/24, port: 40000 }, destination: { host: 10.0.0.0/8, port: 443 } }`, tcp4)
	only(`{ transport: stream, family: inet4, source: { host: 192.0.2.0/24, port: 40000 }, destination: { host: 10.0.0.0/8, port: 80 } }`)
	f(`{ family: inet, destination: { host: 10.1.2.* } }`, &stream.Info{Dest: stream.Addr{Host: "10.1.2.3"}}, true)
	f(`{ family: unix, source: { host: 10.1.2.3 } }`, &stream.Info{Source: addr("unix:10.1.2.3")}, true)
	f(`{ family: unix, source: { host: "a b:c/d" } }`, &stream.Info{Source: addr("unix:a b:c/d/e")}, true)

	known := &stream.Info{
		ALPN: "h2", Authority: "example.com", UniqueID: []byte{0x12, 0xab}, Namespace: "space",
		Secure: &stream.Secure{Version: "TLSv1.3", Cipher: "c", Key: "k", Name: "n", Signature: "s"},
	}
	for key, value := range map[string]string{"alpn": "h2", "authority": "example.com", "identity": "12aB", "namespace": "space"} {
		f(`{ info: { `+key+`: "`+value+`" } }`, known, true)
		f(`{ info: { `+key+`: "`+value+`00" } }`, known, false)
		f(`{ info: { `+key+`: "`+value+`" } }`, nothing, false)
	}
	for key, value := range map[string]string{"version": "TLSv1.3", "cipher": "c", "key": "k", "name": "n", "signature": "s"} {
		f(`{ info: { secure: { `+key+`: `+value+` } } }`, known, true)
		f(`{ info: { secure: { `+key+`: x } } }`, known, false)
		f(`{ info: { secure: { `+key+`: `+value+` } } }`, nothing, false)
	}
	f(`{ info: { alpn: h2, authority: example.com, secure: { version: TLSv1.3, name: n } } }`, known, true)
	f(`{ info: { alpn: h2, authority: example.com, secure: { version: TLSv1.3, name: x } } }`, known, false)
	f(`{ info: { alpn: H2 } }`, known, false)
	f(`{ info: {} }`, nothing, true)
}

// TestFaults reads files that are wrong.
func TestFaults(t *testing.T) {
	text := func(r *config.Report) string {
		var all []string
		for _, f := range r.Faults() {
			all = append(all, f.String()+" | "+f.Hint)
		}
		return strings.Join(all, "\n")
	}
	when := func(yaml, want string) {
		t.Helper()
		if _, r := decoded[When](t, yaml); text(r) != want {
			t.Errorf("%s\ngot  %s\nwant %s", yaml, text(r), want)
		}
	}
	when(`{ source: { host: 10.0.0.0/33 } }`,
		`zilla.yaml:1:19: "10.0.0.0/33" is neither an address, nor a network, a name or a path | if it is a path, say family: unix`)
	when(`{ source: { host: "::g" } }`,
		`zilla.yaml:1:19: "::g" is neither an address, nor a network, a name or a path | if it is a path, say family: unix`)
	when(`{ family: inet4, source: { host: example.com } }`,
		`zilla.yaml:1:34: "example.com" is neither an address nor a network of the family inet4 | such as 192.0.2.7, or 192.0.2.0/24`)
	when(`{ family: inet4, destination: { host: "::1" } }`,
		`zilla.yaml:1:39: "::1" is neither an address nor a network of the family inet4 | such as 192.0.2.7, or 192.0.2.0/24`)
	when(`{ family: inet6, source: { host: 10.0.0.0/8 } }`,
		`zilla.yaml:1:34: "10.0.0.0/8" is neither an address nor a network of the family inet6 | such as 2001:db8::7, or 2001:db8::/32`)
	when(`{ family: inet6, source: { host: "fe80::1%eth0" } }`,
		`zilla.yaml:1:34: "fe80::1%eth0" is neither an address nor a network of the family inet6 | such as 2001:db8::7, or 2001:db8::/32`)
	when(`{ family: inet, source: { host: 10.0.0.0/8 } }`,
		`zilla.yaml:1:33: "10.0.0.0/8" is no name of a host | the family inet is for names that are not resolved; for addresses say inet4 or inet6`)
	when(`{ family: unix, source: { host: /tmp, port: 1 } }`, `zilla.yaml:1:45: a path of the family unix has no port | `)
	when(`{ family: unix, destination: { port: 1 } }`, `zilla.yaml:1:38: a path of the family unix has no port | `)
	when(`{ family: inet5 }`, `zilla.yaml:1:11: family must be inet, inet4, inet6 or unix, not "inet5" | did you mean "inet"?`)
	when(`{ transport: tcp }`, `zilla.yaml:1:14: transport must be stream or datagram, not "tcp" | `)
	when(`{ info: { identity: "123" } }`, `zilla.yaml:1:21: identity must be pairs of hexadecimal digits, not "123" | `)
	when(`{ source: { port: 65536 } }`, `zilla.yaml:1:19: port must be a whole number from 0 to 65535, not the number 65536 | `)

	server := func(options, want string) {
		t.Helper()
		if _, r := decoded[Server](t, "{ type: proxy, kind: server, exit: x, options: "+options+" }"); text(r) != want {
			t.Errorf("%s\ngot  %s\nwant %s", options, text(r), want)
		}
	}
	server(`{ trusted: 10.0.0.0/8 }`, ``)
	server(`{ trusted: [ 10.0.0.0/8, "fd00::/8" ] }`, ``)
	server(`{ trusted: [] }`, `zilla.yaml:1:59: warning: this server takes no connection: it trusts nobody | `)
	server(`{ trusted: everybody }`, `zilla.yaml:1:59: trusted must be a network like 10.0.0.0/8 or fd00::/8 or a list of them, not "everybody" | `)

	client := func(options, want string) {
		t.Helper()
		c, r := decoded[Client](t, "{ type: proxy, kind: client, exit: x"+options+" }")
		if text(r) != want {
			t.Errorf("%s\ngot  %s\nwant %s", options, text(r), want)
		}
		if options == "" && c.Options != (ClientOptions{Version: 2}) {
			t.Errorf("the default is %+v", c.Options)
		}
	}
	client(``, ``)
	client(`, options: { version: 1 }`, ``)
	client(`, options: { checksum: true }`, ``)
	client(`, options: { version: 3 }`, `zilla.yaml:1:59: version must be a whole number from 1 to 2, not the number 3 | `)
	client(`, options: { version: 1, checksum: true }`, `zilla.yaml:1:72: version 1 has no checksum | leave it out, or say version: 2`)
	client(`, with: {}`, `zilla.yaml:1:39: it takes no with | `)
	client(`, vault: x`, `zilla.yaml:1:39: it takes no vault | `)
}

package tcp

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"gozilla/binding"
	"gozilla/component"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/telemetry"
)

func decoded[T any](t *testing.T, yaml string) *T {
	t.Helper()
	r := &config.Report{}
	docs := config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte(yaml)})
	v := config.Decode[T](r, docs[0], "it")
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return v
}

func testHost() *stream.Host {
	return stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 64, false))
}

// TestServerWhen asks which connections a condition of a server's route accepts.
func TestServerWhen(t *testing.T) {
	Resolver.Set(nil, map[string][]string{"10.1.2.3": {"inside.example.com."}})
	host := testHost()
	names := newNames(host.Limits)
	names.reverse = Resolver.reverse
	s := &server{names: names}
	scope := stream.Begin(stream.WithHost(t.Context(), host), &stream.Node{})
	defer scope.End(nil)
	f := func(when, source, dest string, want bool) {
		t.Helper()
		about := &stream.Info{Source: addr(source), Dest: addr(dest)}
		if got := s.matches(scope, decoded[ServerWhen](t, when), about); got != want {
			t.Errorf("%s for %s -> %s: %v", when, source, dest, got)
		}
	}
	const client = "192.0.2.7:40000"
	f(`{ port: 12345 }`, client, "10.1.2.3:12345", true)
	f(`{ port: 12345 }`, client, "10.1.2.3:12346", false)
	f(`{ port: [ 12345, 12346-12347 ] }`, client, "10.1.2.3:12345", true)
	f(`{ port: [ 12345, 12346-12347 ] }`, client, "10.1.2.3:12346", true)
	f(`{ port: [ 12345, 12346-12347 ] }`, client, "10.1.2.3:12347", true)
	f(`{ port: [ 12345, 12346-12347 ] }`, client, "10.1.2.3:12348", false)
	f(`{ cidr: 10.1.2.3/32 }`, client, "10.1.2.3:1", true)
	f(`{ cidr: 10.1.2.3/32 }`, client, "10.1.2.4:1", false)
	f(`{ cidr: 10.1.2.99/24 }`, client, "10.1.2.3:1", true) // host bits are ignored
	f(`{ cidr: 10.0.0.0/8 }`, client, "10.1.2.3:1", true)
	f(`{ cidr: 0.0.0.0/0 }`, client, "10.1.2.3:1", true)
	f(`{ cidr: 0.0.0.0/0 }`, client, "[fd00::1]:1", false)
	f(`{ cidr: fd00::/8 }`, client, "[fd00::1]:1", true)
	f(`{ cidr: "::1/128" }`, client, "[::1]:1", true)
	f(`{ cidr: "::1/64" }`, client, "10.1.2.3:1", false) // zilla compares integers: see l4.md, 2.5
	f(`{ cidr: 192.0.2.0/24 }`, client, "10.1.2.3:1", false)
	f(`{ source: 192.0.2.0/24 }`, client, "10.1.2.3:1", true)
	f(`{ source: [ 10.0.0.0/8, 192.0.2.7/32 ] }`, client, "10.1.2.3:1", true)
	f(`{ source: 10.0.0.0/8 }`, client, "10.1.2.3:1", false)
	f(`{ source: fd00::/8 }`, "[fd00::9]:1", "[fd00::1]:1", true)
	f(`{ authority: inside.example.com }`, client, "10.1.2.3:1", true)
	f(`{ authority: "*.example.com" }`, client, "10.1.2.3:1", true)
	f(`{ authority: "*.example.org" }`, client, "10.1.2.3:1", false)
	f(`{ authority: "*" }`, client, "10.9.9.9:1", false) // it has no name
	f(`{ port: 1, cidr: 10.0.0.0/8, source: 192.0.2.0/24, authority: "*" }`, client, "10.1.2.3:1", true)
	f(`{ port: 2, cidr: 10.0.0.0/8, source: 192.0.2.0/24, authority: "*" }`, client, "10.1.2.3:1", false)
	f(`{}`, client, "10.1.2.3:1", true)
}

// addr is IP:port, or name:port, or "" for none.
func addr(s string) stream.Addr {
	if s == "" {
		return stream.Addr{}
	}
	if p, err := netip.ParseAddrPort(s); err == nil {
		return stream.Addr{IP: p.Addr(), Port: p.Port()}
	}
	name, port, _ := strings.Cut(s, ":")
	p, _ := netip.ParseAddrPort("[::]:" + port)
	return stream.Addr{Host: name, Port: p.Port()}
}

// testClient is a client as it is in service.
func testClient(t *testing.T, host *stream.Host, yaml string) *client {
	t.Helper()
	r := &config.Report{}
	docs := config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte("type: tcp-of-tests\nkind: client\n" + yaml)})
	spec := binding.Decode(r, docs[0], "test", "south")
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	b, err := spec.Build(&component.Builder{Node: &stream.Node{Namespace: "test", Name: "south"}, Host: host}, binding.Parts{})
	if err != nil {
		t.Fatal(err)
	}
	b.Link(spec, func(string, string) *stream.Node { return nil })
	return Resolver.made
}

// TestClientTargets asks what a client dials for what a stream wants to reach.
func TestClientTargets(t *testing.T) {
	Resolver.Set(map[string][]string{
		"localhost":    {"127.0.0.1", "::1"},
		"db.internal":  {"10.0.0.5"},
		"api.internal": {"10.0.0.6", "192.168.0.6"},
		"mapped":       {"::ffff:10.0.0.5"},
	}, nil)
	host := testHost()
	refused := func(reason stream.Reason) string { return "refused: " + string(reason) }
	f := func(yaml, dest, authority, want string) {
		t.Helper()
		c := testClient(t, host, yaml)
		s := stream.Begin(stream.WithHost(t.Context(), host), &stream.Node{})
		defer s.End(nil)
		to, err := c.targets(s, s, &stream.Info{Dest: addr(dest), Authority: authority})
		got := make([]string, len(to))
		for i := range to {
			got[i] = to[i].String()
		}
		all := strings.Join(got, " ")
		if refused := (*stream.Refused)(nil); errors.As(err, &refused) {
			all = "refused: " + string(refused.Reason)
		} else if err != nil {
			all = err.Error()
		}
		if all != want {
			t.Errorf("%s\nfor %q, authority %q: got %s, want %s", yaml, dest, authority, all, want)
		}
	}
	// Nothing said: the stream says it.
	f(``, "10.0.0.1:80", "", "10.0.0.1:80")
	f(``, "db.internal:80", "", "10.0.0.5:80")
	f(``, "mapped:80", "", "10.0.0.5:80")
	f(``, "[fd00::1]:80", "", "[fd00::1]:80")
	f(``, "nowhere:80", "", errNoSuchHost.Error())
	f(``, "", "", refused(stream.NoRoute))
	// Options alone: they say it.
	fixed := "options: { host: localhost, port: [ 12345, 12300-12302 ] }\n"
	f(fixed, "", "", "127.0.0.1:12345 [::1]:12345")
	f(fixed, "10.0.0.1:80", "", "127.0.0.1:12345 [::1]:12345")
	f("options: { host: 10.0.0.9, port: 12300-12302 }\n", "", "", "10.0.0.9:12300")
	f("options: { host: \"::1\", port: 1 }\n", "", "", "[::1]:1")
	f("options: { host: nowhere, port: 1 }\n", "", "", errNoSuchHost.Error())
	// client.connect.with.port.extension, client.rejected.port.not.routed
	ports := fixed + "routes:\n  - when: [ { port: 12345 }, { port: 12346-12347 } ]\n"
	f(ports, "127.0.0.1:12347", "", "127.0.0.1:12347")
	f(ports, "127.0.0.1:12348", "", refused(stream.NoRoute))
	f(ports, "10.0.0.1:12346", "", "10.0.0.1:12346")
	// No destination: the options say it, whatever the routes are.
	f(ports, "", "", "127.0.0.1:12345 [::1]:12345")
	// client.connect.with.ipv4.extension, client.connect.with.ipv6.extension, client.reset.with.no.subnet.match
	subnet := "options: { host: \"*\", port: 12345 }\nroutes:\n  - when: [ { cidr: 127.0.0.1/24 } ]\n"
	f(subnet, "127.0.0.1:12345", "", "127.0.0.1:12345")
	f(subnet, "127.0.0.1:80", "", "127.0.0.1:80")
	f(subnet, "192.168.0.1:12345", "", refused(stream.NoRoute))
	f(subnet, "localhost:12345", "", "127.0.0.1:12345") // the address of the other family is not in the network
	f(strings.ReplaceAll(subnet, "127.0.0.1/24", `"::1/128"`), "[::1]:12345", "", "[::1]:12345")
	f(strings.ReplaceAll(subnet, "127.0.0.1/24", `"::1/128"`), "127.0.0.1:12345", "", refused(stream.NoRoute))
	// client.connect.with.host.extension
	f("options: { host: \"*\", port: 12345 }\nroutes:\n  - when: [ { cidr: 10.0.0.0/8 } ]\n", "api.internal:443", "", "10.0.0.6:443")
	// client.authority: by the name that the stream asks for, at the first port of the options.
	names := "options: { host: \"*\", port: 12345 }\nroutes:\n  - when: [ { authority: \"*.internal\" } ]\n"
	f(names, "192.0.2.1:443", "db.internal", "10.0.0.5:12345")
	f(names, "db.internal:443", "", "10.0.0.5:443")
	f(names, "localhost:443", "", refused(stream.NoRoute))
	f(names, "192.0.2.1:443", "localhost", refused(stream.NoRoute))
	f(names, "192.0.2.1:443", "gone.internal", "192.0.2.1:443") // its name cannot be resolved, the address can be dialled
	// Keys of a condition all hold, of the conditions any; the first route that has an answer counts.
	both := "options: { host: \"*\", port: 1 }\nroutes:\n" +
		"  - when: [ { cidr: 10.0.0.0/8, port: 80 }, { cidr: 192.168.0.0/16 } ]\n  - when: [ { port: 443 } ]\n"
	f(both, "10.0.0.1:80", "", "10.0.0.1:80")
	f(both, "192.168.0.1:9", "", "192.168.0.1:9")
	f(both, "10.0.0.1:443", "", "10.0.0.1:443")
	f(both, "10.0.0.1:81", "", refused(stream.NoRoute))
	f(both, "api.internal:81", "", "192.168.0.6:81")
	// client.host.and.subnet: the host of the options is allowed too, at its port.
	either := "options: { host: db.internal, port: 12345 }\nroutes:\n  - when: [ { cidr: 127.0.0.0/8 } ]\n"
	f(either, "127.0.0.1:80", "", "127.0.0.1:80")
	f(either, "10.0.0.5:12345", "", "10.0.0.5:12345")
	f(either, "10.0.0.5:80", "", refused(stream.NoRoute))
	f(either, "db.internal:12345", "", "10.0.0.5:12345")
	f(either, "10.0.0.6:12345", "", refused(stream.NoRoute))
	// A route without conditions matches nothing by itself, but lets the host of the options through.
	open := "options: { host: db.internal, port: 12345 }\nroutes:\n  - when: []\n"
	f(open, "10.0.0.5:12345", "", "10.0.0.5:12345")
	f(open, "10.0.0.7:12345", "", refused(stream.NoRoute))
	f("options: { host: \"*\", port: 12345 }\nroutes:\n  - when: []\n", "10.0.0.5:12345", "", refused(stream.NoRoute))
}

func TestClientTargetsAreRecorded(t *testing.T) {
	host := testHost()
	c := testClient(t, host, "options: { host: \"*\", port: 1 }\nroutes:\n  - when: [ { port: 1 } ]\n  - when: [ { port: 2 } ]\n")
	s := stream.Begin(stream.WithHost(context.Background(), host), c.b.Node)
	defer s.End(nil)
	if _, err := c.targets(s, s, &stream.Info{Dest: addr("10.0.0.1:2")}); err != nil {
		t.Fatal(err)
	}
	if path := s.Record().Path; len(path) != 1 || path[0].Route != "routes[1]" {
		t.Errorf("the path of the record is %v", path)
	}
}

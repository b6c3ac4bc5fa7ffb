package proxy

import (
	"net/netip"
	"reflect"
	"testing"

	"gozilla/stream"
	"gozilla/wire/proxyproto"
)

// TestLearned asks what is known of a stream once its header was read.
func TestLearned(t *testing.T) {
	before := stream.Info{
		Source: addr("10.0.0.1:1"), Dest: addr("10.0.0.2:2"), ALPN: "http/1.1", Authority: "proxy.example", Namespace: "ours", UniqueID: []byte("ours"),
		Secure: &stream.Secure{Version: "TLSv1.2", Name: "proxy", Cipher: "c"},
	}
	f := func(name string, h proxyproto.Header, change func(*stream.Info)) {
		t.Helper()
		about, want := before, before
		change(&want)
		if got := learned(&about, &h); !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, not %+v", name, *got, want)
		}
		if !reflect.DeepEqual(about, before) {
			t.Errorf("%s: what was given has changed", name)
		}
	}
	header := func(change func(*proxyproto.Header)) proxyproto.Header {
		h := proxyproto.Header{
			Version: 2, Family: proxyproto.Inet4, Transport: proxyproto.Stream,
			Source: netip.MustParseAddrPort("192.0.2.7:40000"), Dest: netip.MustParseAddrPort("198.51.100.1:443"),
		}
		change(&h)
		return h
	}
	told := func(i *stream.Info) { i.Source, i.Dest = addr("192.0.2.7:40000"), addr("198.51.100.1:443") }
	f("local", proxyproto.Header{Version: 2, Local: true}, func(*stream.Info) {})
	f("unknown", proxyproto.Header{Version: 1}, func(*stream.Info) {})
	f("addresses", header(func(*proxyproto.Header) {}), told)
	f("datagrams", header(func(h *proxyproto.Header) { h.Transport = proxyproto.Datagram }), func(i *stream.Info) { told(i); i.Datagram = true })
	f("IPv4 in IPv6", header(func(h *proxyproto.Header) {
		h.Family, h.Source, h.Dest = proxyproto.Inet6, netip.MustParseAddrPort("[::ffff:192.0.2.7]:40000"), netip.MustParseAddrPort("[2001:db8::1]:443")
	}), func(i *stream.Info) { i.Source, i.Dest = addr("192.0.2.7:40000"), addr("[2001:db8::1]:443") })
	f("paths", proxyproto.Header{Version: 2, Family: proxyproto.Unix, Transport: proxyproto.Stream, DestPath: "/tmp/dest"},
		func(i *stream.Info) { i.Source, i.Dest = stream.Addr{}, addr("unix:/tmp/dest") })
	f("everything", header(func(h *proxyproto.Header) {
		h.ALPN, h.Authority, h.Namespace, h.UniqueID = "same", "same", "same", []byte("same")
		h.TLS = &proxyproto.TLS{Client: 7, Version: "TLSv1.3", Name: "n", Cipher: "c", Signature: "s", Key: "k"}
	}), func(i *stream.Info) {
		told(i)
		i.ALPN, i.Authority, i.Namespace, i.UniqueID = "same", "same", "same", []byte("same")
		i.Secure = &stream.Secure{Version: "TLSv1.3", Name: "n", Cipher: "c", Signature: "s", Key: "k"}
	})
	for _, tls := range []proxyproto.TLS{{Client: 7, Verify: 1}, {Client: 1}, {Client: 1, Verify: 0xffffffff}} {
		tls.Version, tls.Name = "TLSv1.3", "anybody"
		f("a name that is not good", header(func(h *proxyproto.Header) { h.TLS = &tls }), func(i *stream.Info) {
			told(i)
			i.Secure = &stream.Secure{Version: "TLSv1.3"}
		})
	}
	f("no TLS", header(func(h *proxyproto.Header) { h.TLS = &proxyproto.TLS{Version: "TLSv1.3"} }), told)
}

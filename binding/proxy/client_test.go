package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
	"gozilla/wire/proxyproto"
)

var names = map[string][]string{
	"four.example": {"10.0.0.4"}, "six.example": {"2001:db8::6"}, "both.example": {"2001:db8::46", "::ffff:10.0.0.46"}, "none.example": {},
}

func testLookup(_ context.Context, host string) (ips []netip.Addr, err error) {
	all, ok := names[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	for _, ip := range all {
		ips = append(ips, netip.MustParseAddr(ip))
	}
	return ips, nil
}

// TestClientHeader asks what a client says of a stream.
func TestClientHeader(t *testing.T) {
	header := func(version Version, about *stream.Info) (proxyproto.Header, error) {
		c := &client{options: ClientOptions{Version: version, Checksum: version == 2}, lookup: testLookup}
		b, err := c.header(t.Context(), time.Minute, about)
		if err != nil {
			return proxyproto.Header{}, err
		}
		h, n, err := proxyproto.Parse(b)
		if n != len(b) || err != nil {
			t.Errorf("it cannot be read: %q: %d, %v", b, n, err)
		}
		return h, nil
	}
	f := func(about *stream.Info, want proxyproto.Header) {
		t.Helper()
		want.Version, want.Checksum = 2, want.Known()
		if got, err := header(2, about); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s -> %s: %+v, %v", about.Source, about.Dest, got, err)
		}
		want = proxyproto.Header{Version: 1, Family: want.Family, Transport: want.Transport, Source: want.Source, Dest: want.Dest}
		if want.Family == proxyproto.Unix || want.Transport != proxyproto.Stream {
			want = proxyproto.Header{Version: 1}
		}
		if got, err := header(1, about); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s -> %s in version 1: %+v, %v", about.Source, about.Dest, got, err)
		}
	}
	at := func(source, dest string) *stream.Info {
		about := &stream.Info{}
		if source != "" {
			about.Source = addr(source)
		}
		if dest != "" {
			about.Dest = addr(dest)
		}
		return about
	}
	says := func(family proxyproto.Family, source, dest string) proxyproto.Header {
		return proxyproto.Header{
			Family: family, Transport: proxyproto.Stream, Source: netip.MustParseAddrPort(source), Dest: netip.MustParseAddrPort(dest),
		}
	}
	const four, six = proxyproto.Inet4, proxyproto.Inet6
	f(at("", ""), proxyproto.Header{Local: true})
	f(at("10.0.0.1:1", "10.0.0.2:2"), says(four, "10.0.0.1:1", "10.0.0.2:2"))
	f(at("[2001:db8::1]:1", "[2001:db8::2]:2"), says(six, "[2001:db8::1]:1", "[2001:db8::2]:2"))
	f(at("10.0.0.1:1", "[2001:db8::2]:2"), says(six, "[::ffff:10.0.0.1]:1", "[2001:db8::2]:2"))
	f(at("[2001:db8::1]:1", "10.0.0.2:2"), says(six, "[2001:db8::1]:1", "[::ffff:10.0.0.2]:2"))
	f(at("", "10.0.0.2:2"), says(four, "0.0.0.0:0", "10.0.0.2:2"))
	f(at("10.0.0.1:1", ""), says(four, "10.0.0.1:1", "0.0.0.0:0"))
	f(at("", "[2001:db8::2]:2"), says(six, "[::]:0", "[2001:db8::2]:2"))
	// connected.tcp4.unresolved, connected.tcp6.unresolved
	f(at("", "four.example:2"), says(four, "0.0.0.0:0", "10.0.0.4:2"))
	f(at("four.example:1", "four.example:2"), says(four, "10.0.0.4:1", "10.0.0.4:2"))
	f(at("six.example:1", "six.example:2"), says(six, "[2001:db8::6]:1", "[2001:db8::6]:2"))
	f(at("10.0.0.1:1", "six.example:2"), says(six, "[::ffff:10.0.0.1]:1", "[2001:db8::6]:2"))
	f(at("10.0.0.1:1", "both.example:2"), says(four, "10.0.0.1:1", "10.0.0.46:2"))
	f(at("[2001:db8::1]:1", "both.example:2"), says(six, "[2001:db8::1]:1", "[2001:db8::46]:2"))
	f(at("", "both.example:2"), says(six, "[::]:0", "[2001:db8::46]:2"))
	f(at("both.example:1", "10.0.0.2:2"), says(four, "10.0.0.46:1", "10.0.0.2:2"))
	unix := proxyproto.Header{Family: proxyproto.Unix, Transport: proxyproto.Stream, SourcePath: "/tmp/source", DestPath: "/tmp/dest"}
	f(at("unix:/tmp/source", "unix:/tmp/dest"), unix)
	f(at("", "unix:/tmp/dest"), proxyproto.Header{Family: proxyproto.Unix, Transport: proxyproto.Stream, DestPath: "/tmp/dest"})
	f(at("unix:/tmp/source", "10.0.0.2:2"), proxyproto.Header{Family: proxyproto.Unix, Transport: proxyproto.Stream, SourcePath: "/tmp/source"})
	f(at("10.0.0.1:1", "unix:/tmp/dest"), says(four, "10.0.0.1:1", "0.0.0.0:0"))

	about, want := at("10.0.0.1:1", "10.0.0.2:2"), says(four, "10.0.0.1:1", "10.0.0.2:2")
	about.Datagram, want.Transport = true, proxyproto.Datagram
	about.ALPN, about.Authority, about.Namespace, about.UniqueID = "h2", "example.com", "space", []byte("id")
	want.ALPN, want.Authority, want.Namespace, want.UniqueID = "h2", "example.com", "space", []byte("id")
	about.Secure = &stream.Secure{Version: "TLSv1.3", Name: "n", Cipher: "c", Signature: "s", Key: "k"}
	want.TLS = &proxyproto.TLS{Client: 7, Version: "TLSv1.3", Name: "n", Cipher: "c", Signature: "s", Key: "k"}
	f(about, want)
	about.Secure, want.TLS = &stream.Secure{Version: "TLSv1.3"}, &proxyproto.TLS{Client: 1, Verify: 0xffffffff, Version: "TLSv1.3"}
	f(about, want)

	refused := func(about *stream.Info, want string) {
		t.Helper()
		if _, err := header(2, about); err == nil || err.Error() != want {
			t.Errorf("%s -> %s: %v, want %s", about.Source, about.Dest, err, want)
		}
	}
	refused(at("", "nowhere.example:2"), "refused: unavailable: cut by the server: dial failed: cannot resolve what the PROXY header names: lookup nowhere.example: no such host")
	refused(at("nowhere.example:1", "10.0.0.2:2"), "refused: unavailable: cut by the server: dial failed: cannot resolve what the PROXY header names: lookup nowhere.example: no such host")
	refused(at("", "none.example:2"), "refused: unavailable: cut by the server: dial failed: cannot resolve what the PROXY header names: lookup none.example: no address")
	refused(at("unix:"+strings.Repeat("x", 109), ""), "refused: invalid: cannot write the PROXY header: a path is longer than 108 bytes")
}

// TestLookupIsBounded has a resolver that does not answer.
func TestLookupIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &client{options: ClientOptions{Version: 2}, lookup: func(ctx context.Context, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		began := time.Now()
		_, err := c.header(t.Context(), time.Minute, &stream.Info{Dest: addr("slow.example:1")})
		var refused *stream.Refused
		if !errors.As(err, &refused) || refused.Reason != stream.Timeout || time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestSendIsBounded sends to who does not read.
func TestSendIsBounded(t *testing.T) {
	f := func(want error, end func(context.Context, context.CancelCauseFunc)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			near, far := conn.Pipe()
			defer near.Close()
			defer far.Close()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if err := send(ctx, time.Minute, near, []byte("PROXY UNKNOWN\r\n")); err != nil {
				t.Error(err)
			}
			go end(ctx, cancel)
			if err := send(ctx, time.Minute, near, make([]byte, 1<<20)); !errors.Is(err, want) {
				t.Errorf("%v, not %v", err, want)
			}
			cancel(nil)
			synctest.Wait()
		})
	}
	f(os.ErrDeadlineExceeded, func(ctx context.Context, _ context.CancelCauseFunc) { <-ctx.Done() })
	cut := &stream.Cut{By: telemetry.Client, Why: "rst"}
	f(cut, func(_ context.Context, cancel context.CancelCauseFunc) { cancel(cut) })
}

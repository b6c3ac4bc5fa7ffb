package tls

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"

	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/wire/clienthello"
)

// explain is part of binding.Explains: the stream begins with a hello, and the handshake succeeds if what the client
// shows is trusted. Whether it was revoked is not asked.
func (s *server) explain(ctx context.Context, q *stream.Question) error {
	v := &serving{server: s, scope: stream.From(ctx), about: q.About, state: s.state.Load()}
	if err := v.known(); err != nil {
		return err
	}
	says(ctx, q)
	hello, n, err := clienthello.Parse(helloOf(ctx, q))
	if err != nil || n == 0 {
		return stream.Refuse(stream.Invalid, "no client can say that: %w", cmp.Or(err, errHello))
	}
	said := &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, ServerName: hello.ServerName}
	if s.options.Version.newest() == tls.VersionTLS12 {
		said.Version, said.CipherSuite = tls.VersionTLS12, suites[0]
	}
	if len(hello.ALPN) > 0 {
		said.NegotiatedProtocol = s.protocol(&tls.ClientHelloInfo{ServerName: hello.ServerName, SupportedProtos: hello.ALPN}, q.About)
	}
	switch {
	case v.state.mutual == NoMutual:
	case len(q.Shows) > 0:
		said.PeerCertificates = q.Shows
		if said.VerifiedChains, err = verified(v.state.trust, q.Shows); err != nil {
			return stream.Refuse(stream.Unauthenticated, "the client's certificate is not trusted: %w", err)
		}
	case v.state.mutual == Required:
		return stream.Refuse(stream.Unauthenticated, "the client shows no certificate")
	}
	err = v.choose(said)
	q.About = v.about
	v.scope.Trace().Knew(q)
	return err
}

// explain is part of binding.Explains: the stream begins with a hello.
func (p *proxy) explain(ctx context.Context, q *stream.Question) error {
	says(ctx, q)
	how, err := conn.Decided(ctx, p, q.About, helloOf(ctx, q))
	if err == nil {
		q.About = how.About
		stream.From(ctx).Trace().Knew(q)
	}
	return err
}

// explain is part of binding.Explains: the route is that by which DialConn dials, before it is known what the server
// agrees on.
func (t *client) explain(ctx context.Context, q *stream.Question) error {
	if _, err := t.pick(ctx, q.About.Authority, q.About.ALPN, q.About); err != nil {
		return err
	}
	name := cmp.Or(t.serverName(q.About, &stream.Info{}), "the address that is dialled")
	stream.From(ctx).Trace().Notef("asks for %s by TLS%s", name, offering(t.protocols(q.About)))
	return nil
}

// says notes what the client says by TLS.
func says(ctx context.Context, q *stream.Question) {
	stream.From(ctx).Trace().Notef("the client asks for %s%s", cmp.Or(q.SNI, "no name"), offering(q.ALPN))
}

// offering is what a note says of protocols that are offered.
func offering(protocols []string) string {
	if len(protocols) == 0 {
		return ""
	}
	return " and offers " + strings.Join(protocols, ", ")
}

var errHello = errors.New("it makes no ClientHello")

// helloOf is what a client says that asks a question.
func helloOf(ctx context.Context, q *stream.Question) []byte {
	var first firstWrite
	c := tls.Client(&first, &tls.Config{ServerName: q.SNI, NextProtos: slices.Clone(q.ALPN), InsecureSkipVerify: true}) // it ends after the hello
	c.HandshakeContext(context.WithoutCancel(ctx))
	return first.written
}

// A firstWrite is a connection that takes one write and no more.
type firstWrite struct {
	net.Conn
	written []byte
}

var errEnough = errors.New("that was enough")

func (f *firstWrite) Write(p []byte) (int, error) {
	if f.written == nil {
		f.written = slices.Clone(p)
	}
	return 0, errEnough
}

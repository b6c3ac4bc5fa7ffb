package tls

import (
	"crypto/tls"
	"strings"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/guard"
	"gozilla/vault"
)

// Server takes streams that are secured by TLS.
type Server struct {
	binding.Head
	// The vault with the server's keys, and with the certificates that its clients are trusted by.
	Vault vault.Ref `config:"vault,required"`
	// What is taken from the vault, and what clients are asked for. Without options the server uses all keys of the vault,
	// and, if it trusts anything at all, requires a client certificate that it trusts.
	Options *ServerOptions
	binding.Routed[When, config.None]
}

// ServerOptions says how a tls server meets its clients.
type ServerOptions struct {
	Options
	// Whether clients must show a certificate. By default they must if the server has something to trust them by.
	Mutual Mutual
	// A guard that is told of the client's certificates, once they are verified. The session that it gives decides about
	// guarded routes, here and in all bindings behind.
	Authorization map[guard.Ref]Authorization
}

// Options are what servers and clients have in common.
type Options struct {
	// The newest version of TLS that is spoken; 1.2 is the oldest.
	Version Version
	// The keys to use, by their aliases in the vault.
	Keys []string
	// The keys to use, by the aliases of the certificates in the vault that have signed theirs.
	Signers []string
	// Whom to trust, by aliases in the vault.
	Trust []string
	// Whether a client also trusts the authorities that the system knows. It does when it has nothing else to trust.
	TrustCACerts bool
	// Names that clients ask for. A server agrees on a protocol for the sake of a route only with those who ask for one
	// of them; a client asks for the first one.
	SNI []string `config:"sni"`
	// Protocols (ALPN). A server agrees on none but these; a client offers them, in order, or only that of the stream if
	// it is one of them.
	ALPN []string `config:"alpn"`
}

// Authorization is what a guard is told of.
type Authorization struct {
	// What it is told of the client.
	Credentials Credentials `config:"credentials,required"`
}

// Credentials are the credentials that TLS has.
type Credentials struct {
	// The form of the client's certificates: its own first, then those that vouch for it.
	Certificates CertificateForm `config:"certificates,required"`
}

// CertificateForm is how certificates are written.
type CertificateForm string

// Values are the known forms.
func (CertificateForm) Values() []string { return []string{"pem"} }

// Mutual says whether a client must show a certificate.
type Mutual string

// The policies.
const (
	Required  Mutual = "required"
	Requested Mutual = "requested"
	NoMutual  Mutual = "none"
)

// Values are the policies.
func (Mutual) Values() []string {
	return []string{string(Required), string(Requested), string(NoMutual)}
}

// Version is a version of TLS.
type Version string

// Values are the versions; TLS is the newest one.
func (Version) Values() []string { return []string{"TLS", "TLSv1.2", "TLSv1.3"} }

// newest is the version's number, 0 for the newest one.
func (v Version) newest() uint16 {
	if v == "TLSv1.2" {
		return tls.VersionTLS12
	}
	return 0
}

// When is what a route asks of a stream.
type When struct {
	// The name that the client asks for (SNI). * stands for any run of characters; upper and lower case are the same. A
	// client that asks for none is not taken.
	Authority config.Wildcard
	// The protocol that was agreed on (ALPN), or, at a proxy, one of those that the client offers. * stands for any run of
	// characters.
	ALPN config.Wildcard `config:"alpn"`
	// The ports that the client connected to.
	Port config.Ports
	// Aliases of certificates in the vault by which the client's certificate must be trusted.
	Trust []string
	// Whether the client has shown a certificate.
	Mutual Shown
}

// Shown says whether a client has shown a certificate.
type Shown string

// Values are the two cases.
func (Shown) Values() []string { return []string{string(Required), string(NoMutual)} }

// Check tells what is wrong with the condition as a whole.
func (w *When) Check(r *config.Report) {
	if w.Trust != nil && len(w.Trust) == 0 {
		r.Errorf(r.At(&w.Trust), "a condition that trusts nobody never holds").Hintf("leave trust out, or name whom to trust")
	}
	if w.Mutual == Shown(NoMutual) && len(w.Trust) > 0 {
		r.Errorf(r.At(&w.Trust), "a client without a certificate cannot be trusted by one").Hintf("leave trust out, or mutual")
	}
}

// Check tells what is wrong with the options as a whole.
func (o *ServerOptions) Check(r *config.Report) {
	if o.Keys == nil && o.Signers == nil {
		r.Errorf(r.At(o), "the options of a tls server need keys, or signers").Hintf("without options it uses all keys of the vault")
	}
	if o.TrustCACerts {
		r.Warnf(r.At(&o.TrustCACerts), "trustcacerts has no effect on a tls server: it trusts clients by its vault only")
	}
	if o.Trust != nil && len(o.Trust) == 0 && (o.Mutual == "" || o.Mutual == NoMutual) {
		r.Warnf(r.At(&o.Trust), "no client is asked for a certificate, since there is nobody to trust")
	}
	if len(o.Authorization) > 1 {
		r.Errorf(r.At(&o.Authorization), "a tls server has at most one guard")
	}
}

// Check tells what is wrong with the options as a whole.
func (o *Options) Check(r *config.Report) {
	checkTexts(r, o.SNI, 253, "host")
	checkTexts(r, o.ALPN, 255, "protocol")
	if o.Keys != nil && o.Signers != nil {
		r.Errorf(r.At(&o.Signers), "keys are chosen by their own aliases or by those of their signers, not by both").
			Note(r.At(&o.Keys), "keys stand here")
	}
}

// checkTexts tells of names that no handshake can have.
func checkTexts(r *config.Report, texts []string, most int, what string) {
	for i := range texts {
		if texts[i] == "" || len(texts[i]) > most || strings.ContainsAny(texts[i], " \t\r\n") {
			r.Errorf(r.At(&texts[i]), "%q is no name of a %s", texts[i], what)
		}
	}
}

// Client secures the streams that it opens.
type Client struct {
	binding.Head
	// The vault with the client's keys, and with the certificates that servers are trusted by.
	Vault vault.Ref
	// What is taken from the vault, and what servers are asked for.
	Options *ClientOptions
	binding.Routed[When, With]
}

// ClientOptions says how a tls client meets its servers.
type ClientOptions struct {
	Options
	// What zilla takes here, and does nothing with: the server decides.
	Mutual Mutual
}

// With is what a route changes.
type With struct {
	// Which certificate the client shows. Where it is not said, it is that with the common name of the certificate that
	// came with the stream, if one did, else any that the server accepts.
	Certificate *Choice
}

// Choice chooses among the client's keys, by one property of their certificates. Of several that have it, the newest is
// taken; if none has it, no certificate is shown.
type Choice struct {
	// The common name of the subject.
	SubjectCN guard.Text `config:"subject.cn"`
	// The distinguished name of the subject, such as CN=client,O=Example. Upper and lower case are the same.
	SubjectDN guard.Text `config:"subject.dn"`
}

// Check tells what is wrong with the choice as a whole.
func (c *Choice) Check(r *config.Report) {
	if (c.SubjectCN == "") == (c.SubjectDN == "") {
		r.Errorf(r.At(c), "a certificate is chosen by exactly one of subject.cn and subject.dn")
	}
	if c.SubjectDN != "" && c.SubjectDN.IsLiteral() {
		if _, err := canonical(string(c.SubjectDN)); err != nil {
			r.Errorf(r.At(&c.SubjectDN), "%q: %v", c.SubjectDN, err)
		}
	}
}

// Check tells what is wrong with the client as a whole.
func (c *Client) Check(r *config.Report) {
	if c.Vault == "" && c.Options != nil {
		for _, aliases := range []*[]string{&c.Options.Keys, &c.Options.Signers, &c.Options.Trust} {
			if len(*aliases) > 0 {
				r.Errorf(r.At(aliases), "there is no vault that these could be taken from").Hintf("name one with vault")
			}
		}
	}
	for i := range c.Routes {
		for j := range c.Routes[i].When {
			if w := &c.Routes[i].When[j]; len(w.Trust) > 0 || w.Mutual == Shown(Required) {
				r.Warnf(r.At(w), "this never holds: nobody shows a certificate to a tls client before it is one")
			}
		}
	}
}

// Proxy passes TLS on as it is.
type Proxy struct {
	binding.Head
	// Taken as zilla does, and not used: a proxy needs no keys.
	Vault vault.Ref
	binding.Routed[When, config.None]
}

// Check tells what is wrong with the proxy as a whole.
func (p *Proxy) Check(r *config.Report) {
	for i := range p.Routes {
		for j := range p.Routes[i].When {
			if w := &p.Routes[i].When[j]; len(w.Trust) > 0 || w.Mutual == Shown(Required) {
				r.Warnf(r.At(w), "this never holds: a tls proxy does not see the client's certificate")
			}
		}
	}
}

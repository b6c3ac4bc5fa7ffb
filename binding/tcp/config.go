package tcp

import (
	"net/netip"
	"strings"
	"time"

	"gozilla/binding"
	"gozilla/config"
)

// Server accepts TCP connections and sends each on by the address that the client reached it at.
type Server struct {
	binding.Head
	// Where to listen, and how.
	Options ServerOptions `config:"options,required"`
	binding.Routed[ServerWhen, config.None]
}

// ServerOptions says where a tcp server listens.
type ServerOptions struct {
	// The address to listen on: an IP address of this machine, 0.0.0.0 or ::0 for all of them, or a name, of which the
	// first address is taken.
	Host string `config:"host,required"`
	// The ports to listen on. Each has a listener of its own.
	Port config.Ports `config:"port,required"`
	Socket
	// The connections that may wait to be accepted. By default as many as the system allows.
	Backlog Backlog `config:"backlog,extension"`
}

// Check tells what is wrong with the options as a whole.
func (o *ServerOptions) Check(r *config.Report) { checkHost(r, &o.Host) }

// Check tells what is wrong with the options as a whole.
func (o *ClientOptions) Check(r *config.Report) { checkHost(r, &o.Host) }

// checkHost tells of what is neither an address nor a name.
func checkHost(r *config.Report, host *string) {
	if _, err := netip.ParseAddr(*host); err != nil && strings.ContainsAny(*host, "/:@ \t") {
		r.Errorf(r.At(host), "%q is no host: it must be a name or an IP address", *host)
	}
}

// Backlog is a number of connections.
type Backlog int

// Bounds is part of the shape: a listener needs room for at least one.
func (Backlog) Bounds() (least, most int64) { return 1, 65535 }

// Socket is how connections behave.
type Socket struct {
	// Whether small writes go out at once rather than being gathered (TCP_NODELAY).
	NoDelay bool `config:"nodelay,extension"`
	// How long nothing may move on a connection before the system probes whether the peer is still there. 0s: it never
	// does.
	KeepAlive time.Duration `config:"keepalive,extension"`
	// How long nothing may move on a connection, in either direction, before it is reset. 0s: for ever.
	Idle time.Duration `config:"idle,extension"`
}

// Defaults is what holds for keys that are left out.
func (s *Socket) Defaults() {
	s.NoDelay = true
	s.KeepAlive = time.Minute
}

// Check tells what is wrong with the options as a whole.
func (s *Socket) Check(r *config.Report) {
	if s.KeepAlive%time.Second != 0 {
		r.Errorf(r.At(&s.KeepAlive), "keepalive must be a number of whole seconds, such as 30s")
	}
}

// ServerWhen is what a route of a tcp server asks of a connection.
type ServerWhen struct {
	// The ports that the client connected to.
	Port config.Ports
	// The network of the address that the client connected to, which is one of this machine. See source for the client's.
	CIDR *config.CIDR
	// The name of the address that the client connected to, as a reverse look-up of it tells. * stands for any run of
	// characters.
	Authority config.Wildcard
	// The networks of the client's own address.
	Source config.List[config.CIDR] `config:"source,extension"`
}

// Check tells what is wrong with the server as a whole.
func (s *Server) Check(r *config.Report) {
	if s.Options.Host == "*" {
		r.Errorf(r.At(&s.Options.Host), "a server cannot listen on *").Hintf("0.0.0.0 is every IPv4 address, ::0 every address")
	}
	if len(s.Options.Port) == 0 {
		r.Warnf(r.At(&s.Options.Port), "this server listens on no port")
	}
	for i := range s.Routes {
		for name := range s.Routes[i].Guarded {
			r.Warnf(r.AtKey(&s.Routes[i].Guarded, name), "guarded has no effect on a tcp server: nothing is known yet of who connects")
		}
	}
}

// Client dials TCP connections: to what the options name, or to what the stream asks for.
type Client struct {
	binding.Head
	// What to dial, and how. Without options, the client dials what the stream asks for.
	Options *ClientOptions
	binding.Filtered[ClientWhen]
}

// ClientOptions says what a tcp client dials.
type ClientOptions struct {
	// The host to dial, by name or address. * leaves it to the stream: routes say then what it may ask for.
	Host string `config:"host,required"`
	// The port to dial. The first one counts where there are several; routes may name the others.
	Port config.Ports `config:"port,required"`
	Socket
}

// ClientWhen is what a route of a tcp client asks of the address that a stream wants to reach.
type ClientWhen struct {
	// The ports that may be dialled.
	Port config.Ports
	// The network of the addresses that may be dialled.
	CIDR *config.CIDR
	// The names that may be dialled. * stands for any run of characters.
	Authority config.Wildcard
}

// Check tells what is wrong with the client as a whole.
func (c *Client) Check(r *config.Report) {
	if c.Options != nil && c.Options.Host == "*" && len(c.Routes) == 0 {
		r.Warnf(r.At(&c.Options.Host), "this client dials nothing: with the host *, routes say what may be dialled")
	}
}

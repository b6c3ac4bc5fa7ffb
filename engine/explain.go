package engine

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"gozilla/config"
	"gozilla/stream"
	"gozilla/telemetry"
)

// An Explainer tells where streams would go, and why, by the bindings of a plan: they are built and linked as Start does
// it, but nothing is opened, asked for or run.
type Explainer struct {
	host  *stream.Host
	doors []door
	built map[*stream.Node]explained
	alone string // the namespace whose bindings are known by their names alone; "" if there are several
}

// explained is a binding, and its routes as the file has them.
type explained struct {
	*instance
	routes []Verdict
}

// A door is a port that a binding listens on.
type door struct {
	host string
	port uint16
	in   *instance
}

// Explainer builds the plan, which has no faults.
func (p *Plan) Explainer() *Explainer {
	x := &Explainer{host: stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 1, false)), built: map[*stream.Node]explained{}}
	again := *p
	again.Report = &config.Report{} // what constructors have to say was told when the plan was tried
	instances := New(x.host, &telemetry.Metrics{}, slog.New(slog.DiscardHandler)).build(&again)
	link(instances)
	for _, in := range instances {
		if in.binding == nil {
			continue
		}
		x.built[in.node] = explained{in, routesOf(in)}
		for _, l := range in.builder.Listeners() {
			x.doors = append(x.doors, door{l.Host, l.Port, in})
		}
	}
	slices.SortStableFunc(x.doors, func(a, b door) int { return a.in.source.Pos.Compare(b.in.source.Pos) })
	if len(p.spaces) == 2 { // the other one is the system's
		x.alone = p.spaces[0].name
	}
	return x
}

// A Query is what is asked of an Explainer: a client, and what it does.
type Query struct {
	Port   uint16         // that it connects to
	Dest   netip.Addr     // the address that it connects to; by default that of the listener, or of this machine
	Source netip.AddrPort // its own; by default of this machine
	Proxy  netip.Addr     // of a proxy that connects for it, and says so by the PROXY protocol
	SNI    string
	ALPN   []string
	Shows  []*x509.Certificate
	Header []stream.Field
}

// An Explanation is the answer to a Query.
type Explanation struct {
	Path    []string `json:"path"` // the bindings that the stream comes to; empty if nobody listens
	Served  bool     `json:"served"`
	Reason  string   `json:"reason,omitempty"` // why it is not, in the words of a record
	Details string   `json:"details,omitempty"`
	Steps   []Step   `json:"steps"`
}

// A Step is a binding on a path.
type Step struct {
	Binding string    `json:"binding"` // as the path has it
	Type    string    `json:"type"`
	Kind    string    `json:"kind"`
	Facts   []Fact    `json:"facts"` // what is known there of the stream
	Routes  []Verdict `json:"routes"`
	Took    string    `json:"took,omitempty"` // the route, as a record has it
	Notes   []string  `json:"notes,omitempty"`

	node *stream.Node
}

// A Fact is what is known of a stream at a binding.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Verdict is what became of a route.
type Verdict struct {
	Route string `json:"route"`          // routes[0], or exit
	When  string `json:"when,omitempty"` // its conditions as the file has them
	To    string `json:"to,omitempty"`   // where it leads
	Taken bool   `json:"taken"`
	Why   string `json:"why,omitempty"` // it is not; "" if it was not tried
}

// NobodyListens is the reason where a stream meets no listener.
const NobodyListens = "nobody listens"

// errPatience ends what would wait.
var errPatience = errors.New("nothing is waited for")

// Explain tells where the stream of a query would go.
func (x *Explainer) Explain(ctx context.Context, q *Query) *Explanation {
	e := &Explanation{Path: []string{}, Steps: []Step{}}
	in, dest, err := x.entry(q)
	if err != nil {
		e.Reason, e.Details = NobodyListens, err.Error()
		return e
	}
	about := &stream.Info{
		Source: stream.Addr{IP: source(q, dest), Port: q.Source.Port()},
		Dest:   stream.Addr{IP: dest, Port: q.Port}, Local: netip.AddrPortFrom(dest, q.Port),
	}
	asked := &stream.Question{About: about, From: about.Source, To: about.Dest, SNI: q.SNI, ALPN: q.ALPN, Shows: q.Shows, Header: q.Header}
	if q.Proxy.IsValid() {
		behind := *about
		behind.Source = stream.Addr{IP: q.Proxy}
		asked.About = &behind
	}
	s := stream.Begin(stream.WithHost(ctx, x.host), in.node)
	s.Cancel(errPatience)
	x.walk(s, e, x.built[in.node], asked)
	s.End(nil)
	return e
}

// source is where the client is: on this machine if nothing else is said.
func source(q *Query, dest netip.Addr) netip.Addr {
	switch {
	case q.Source.IsValid():
		return q.Source.Addr()
	case dest.Is4():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// walk takes a question from binding to binding, until the path ends.
func (x *Explainer) walk(s *stream.Scope, e *Explanation, in explained, q *stream.Question) {
	for {
		trace := &stream.Trace{}
		s.Follow(trace)
		before := *q
		to, err := in.binding.Explain(s, q)
		next, known := in.spec.Form.ExitFor(before.Face), trace.Known
		if known == nil {
			known = &before
		}
		e.Path = append(e.Path, x.name(in.node))
		e.Steps = append(e.Steps, Step{
			Binding: x.name(in.node), Type: in.node.Type, Kind: in.node.Kind,
			Facts: facts(known, before.Face == "http" || next == "http"), Routes: in.verdicts(trace, to != nil), Notes: trace.Notes, node: in.node,
		})
		if err != nil {
			e.refuse(err)
		}
		if err != nil || to == nil {
			break
		}
		s.Enter(to)
		from := in.spec.Form
		in = x.built[to]
		q.Face, _ = from.FaceOf(next, in.spec.Form) // which was checked
	}
	e.Served = e.Reason == ""
	for i, step := range s.Record().Path {
		e.Steps[i].Took = step.Route
	}
}

func (e *Explanation) refuse(err error) {
	e.Reason, e.Details = "refused", err.Error()
	var refused *stream.Refused
	if !errors.As(err, &refused) {
		return
	}
	e.Reason, e.Details = string(refused.Reason), ""
	if refused.Err != nil {
		e.Details = refused.Err.Error()
	}
}

// name is what a binding is called.
func (x *Explainer) name(n *stream.Node) string {
	if n.Namespace == x.alone {
		return n.Name
	}
	return n.String()
}

// Names are what the bindings are called that can be on a path, in the order of the file.
func (x *Explainer) Names() []string {
	all := slices.SortedFunc(maps.Values(x.built), func(a, b explained) int { return a.source.Pos.Compare(b.source.Pos) })
	names := make([]string, len(all))
	for i, in := range all {
		names[i] = x.name(in.node)
	}
	return names
}

// Knows reports whether a binding has that name, with or without its namespace.
func (x *Explainer) Knows(name string) bool {
	for n := range x.built {
		if is(n, name) {
			return true
		}
	}
	return false
}

func is(n *stream.Node, name string) bool { return name == n.Name || name == n.String() }

// Passes reports whether the stream comes to bindings of these names in this order, others between them aside.
func (e *Explanation) Passes(names []string) bool {
	for i := range e.Steps {
		if len(names) > 0 && is(e.Steps[i].node, names[0]) {
			names = names[1:]
		}
	}
	return len(names) == 0
}

// facts are what a binding knows of a stream; http tells that it is a request there.
func facts(q *stream.Question, http bool) []Fact {
	all := []Fact{}
	add := func(name, value string) {
		if value != "" {
			all = append(all, Fact{name, value})
		}
	}
	add("from", shown(q.About.Source))
	add("to", shown(q.About.Dest))
	if q.About.Secure != nil {
		add("tls", q.About.Secure.Version)
		add("identity", q.About.Secure.Name)
	}
	add("authority", q.About.Authority)
	add("alpn", q.About.ALPN)
	if http {
		add("request", request(q))
	}
	return all
}

// shown is an address, without a port that nobody has said.
func shown(a stream.Addr) string {
	if a.Port == 0 && a.IP.IsValid() {
		return a.IP.String()
	}
	return a.String()
}

// request is the request line of a question, as a browser would show it.
func request(q *stream.Question) string {
	get := func(name, otherwise string) string {
		for _, f := range q.Header {
			if f.Name == name {
				return f.Value
			}
		}
		return otherwise
	}
	text := get(":method", "GET") + " "
	if authority := get(":authority", ""); authority != "" {
		text += get(":scheme", "http") + "://" + authority
	}
	return text + get(":path", "/")
}

// routesOf are the routes of a binding as the file has them, its exit last.
func routesOf(in *instance) []Verdict {
	all := []Verdict{}
	if routes := in.source.Get("routes"); routes != nil {
		for i, route := range routes.Items {
			v := Verdict{Route: "routes[" + strconv.Itoa(i) + "]", When: strings.TrimPrefix(conditions(in.source, i), " when ")}
			if exit := route.Get("exit"); exit != nil {
				v.To = compact(exit)
			}
			all = append(all, v)
		}
	}
	if exit := in.source.Get("exit"); exit != nil {
		all = append(all, Verdict{Route: "exit", To: compact(exit)})
	}
	return all
}

// verdicts are what became of the routes; on tells that the stream goes on.
func (in *explained) verdicts(trace *stream.Trace, on bool) []Verdict {
	all := append([]Verdict{}, in.routes...)
	for i := range trace.Verdicts {
		t := &trace.Verdicts[i]
		v := &all[len(all)-1]
		if t.Route != stream.RouteExit {
			v = &all[t.Route]
		}
		v.Taken, v.Why = t.Taken, why(t)
	}
	if len(trace.Verdicts) == 0 && len(all) == 1 { // there is nothing to choose
		all[0].Taken = on
	}
	return all
}

// why is what keeps a stream from a route.
func why(v *stream.Verdict) string {
	switch {
	case v.Taken:
		return ""
	case v.Kept != nil:
		return v.Kept.Err.Error()
	}
	text := ""
	for i, keys := range v.Missed {
		if slices.ContainsFunc(v.Missed[:i], func(other []string) bool { return slices.Equal(other, keys) }) {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += strings.Join(keys, ", ")
	}
	return text
}

// entry is the binding that a client would reach, and the address that it reaches it at.
func (x *Explainer) entry(q *Query) (*instance, netip.Addr, error) {
	var best []door
	var at netip.Addr
	most := 0
	for _, d := range x.doors {
		if d.port != q.Port {
			continue
		}
		dest, closeness := d.takes(q)
		switch {
		case closeness == 0 || closeness < most:
		case closeness > most:
			best, at, most = []door{d}, dest, closeness
		case best[0].in != d.in:
			best = append(best, d)
		}
	}
	switch len(best) {
	case 0:
		return nil, at, x.nobody(q)
	case 1:
		return best[0].in, at, nil
	}
	var hosts []string
	for _, d := range best {
		hosts = append(hosts, d.host)
	}
	return nil, at, fmt.Errorf("port %d is listened on at %s: the destination says which", q.Port, strings.Join(hosts, " and "))
}

// takes tells at which address a client reaches a listener, and how close that is to what it wants: as with the system,
// one for the address itself comes before one for all of them. 0: it does not.
func (d *door) takes(q *Query) (at netip.Addr, closeness int) {
	wanted := q.Dest
	host, err := netip.ParseAddr(d.host)
	if d.host == "localhost" {
		if host, err = loopback(q), nil; wanted.IsLoopback() {
			host = wanted
		}
	}
	switch {
	case err != nil && wanted.IsValid(): // a name, whose address is not asked for
		return wanted, 1
	case err != nil:
		return loopback(q), 1
	case host.IsUnspecified() && (!wanted.IsValid() || wanted.Is4() || host.Is6()):
		if !wanted.IsValid() {
			if wanted = loopback(q); host.Is4() {
				wanted = netip.AddrFrom4([4]byte{127, 0, 0, 1})
			}
		}
		return wanted, 2
	case !wanted.IsValid():
		return host.Unmap(), 2
	case host.Unmap() == wanted:
		return wanted, 3
	}
	return wanted, 0
}

// loopback is this machine, as a client of the query's family sees it.
func loopback(q *Query) netip.Addr {
	if q.Source.Addr().Is6() {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// nobody tells where something listens.
func (x *Explainer) nobody(q *Query) error {
	const most = 8
	var hosts, ports []string
	for _, d := range x.doors {
		if d.port == q.Port {
			hosts = append(hosts, d.host)
		}
		if port := strconv.Itoa(int(d.port)); !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	switch {
	case len(hosts) > 0:
		return fmt.Errorf("nobody listens on %s, port %d is listened on at %s",
			net.JoinHostPort(q.Dest.String(), strconv.Itoa(int(q.Port))), q.Port, strings.Join(hosts, " and "))
	case len(ports) == 0:
		return errors.New("there is nothing that listens")
	case len(ports) > most:
		ports = append(ports[:most], fmt.Sprintf("%d more", len(ports)-most))
	}
	return fmt.Errorf("nobody listens on port %d, but on %s", q.Port, words(ports))
}

// words is a list in words.
func words(list []string) string {
	if n := len(list); n > 1 {
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
	return list[0]
}

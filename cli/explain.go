package cli

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gozilla/config"
	"gozilla/engine"
	"gozilla/internal/fetch"
	"gozilla/stream"
	"gozilla/telemetry"
)

var explainCommand = &command{
	name: "explain", short: "tell where a stream would go, and why",
	long: "Tells which way a stream would take through a configuration, and why each route was taken or was not: the routes are tried by the code of the gateway. " +
		"Nothing is started, opened, dialled or looked up. What is not said of the client is that of one on this machine who asks for the page /. " +
		"The status is 0 if the stream is served, 3 if it is refused or if nobody listens, and 1 if the configuration has a fault.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		x := &explaining{}
		x.declare(fs)
		fs.StringVar(&x.port, "port", "", "The `PORT` that the client connects to.")
		fs.StringVar(&x.source, "source", "", "Where the client is: an `IP` address, or IP:PORT.")
		fs.StringVar(&x.dest, "dest", "", "The `IP` address that the client connects to.")
		fs.StringVar(&x.proxy, "proxy", "", "The `IP` address of a proxy that connects for the client, and says so by the PROXY protocol.")
		fs.StringVar(&x.sni, "sni", "", "The `NAME` that the client asks for by TLS.")
		fs.Func("alpn", "A `PROTOCOL` that the client offers by TLS; may be repeated, or be several with commas between them.", func(text string) error {
			x.alpn = append(x.alpn, strings.Split(text, ",")...)
			return nil
		})
		fs.Func("header", "A `HEADER` of the request, as in 'accept: text/html' or ':path: /v1'; may be repeated. :method, :path and :authority are among them.", func(text string) error {
			x.header = append(x.header, text)
			return nil
		})
		fs.StringVar(&x.cert, "cert", "", "A `FILE` with the certificate that the client shows by TLS, and those that vouch for it (PEM).")
		fs.BoolVar(&x.json, "json", false, "Show the answer, or the faults of the configuration, as JSON.")
		return x.run
	},
	examples: []string{
		"gozilla explain -c zilla.yaml --port 443 --source 10.0.0.7 --sni api.example --alpn http/1.1 --header ':path: /v1'",
		"gozilla explain --port 7001 --source 10.0.0.7", "gozilla explain --port 80 --header ':method: POST' --json",
	},
}

// planner is what commands have in common that ask a configuration where streams go.
type planner struct {
	properties propertyFlags
	config     string
	json       bool
}

func (p *planner) declare(fs *flag.FlagSet) {
	const file = "Ask the configuration at this `URI`: a path, or a file:, http: or https: address. By default zilla.yaml."
	fs.StringVar(&p.config, "c", "", file)
	fs.StringVar(&p.config, "config", "", file)
	p.properties.declare(fs)
}

// unusable is what --json shows of files that cannot be used.
type unusable struct {
	Faults []finding `json:"faults"`
}

// faulty shows the faults of a file.
func (p *planner) faulty(env *Env, r *config.Report) error {
	if !p.json {
		r.Write(env.Stderr, env.IsTerminal(env.Stderr))
	} else if err := writeJSON(env, unusable{findings(r)}); err != nil {
		return err
	}
	return errShown
}

// unread tells why there is no file to look for faults in.
func (p *planner) unread(env *Env, name string, err error) error {
	if !p.json {
		return err
	}
	r := &config.Report{}
	r.Errorf(config.Pos{File: name}, "%v", err)
	return p.faulty(env, r)
}

// load reads the configuration. Its faults are shown if it cannot be used.
func (p *planner) load(ctx context.Context, env *Env) (*engine.Explainer, error) {
	s := defaultSettings()
	if err := p.properties.apply(s, func(string, ...any) {}); err != nil {
		return nil, err
	}
	if p.config == "" {
		p.config = s.config
	}
	text, err := fetch.Read(ctx, p.config, fetch.Options{Max: config.MaxText, Authorization: s.authorization})
	if err != nil {
		return nil, p.unread(env, p.config, err)
	}
	plan := engine.Load(ctx, config.Source{Name: p.config, Text: text, Env: env.LookupEnv}, engine.Options{Authorization: s.authorization})
	switch {
	case plan.Report.Err() != nil:
		return nil, p.faulty(env, plan.Report)
	case plan.Empty():
		return nil, p.unread(env, p.config, fmt.Errorf("%s: the configuration is missing or empty", p.config))
	}
	return plan.Explainer(), nil
}

// explaining is gozilla explain.
type explaining struct {
	planner
	port, source, dest, proxy string
	sni, cert                 string
	alpn, header              []string
}

func (x *explaining) run(ctx context.Context, env *Env, args []string) error {
	if len(args) > 0 {
		return usagef("it takes no arguments")
	}
	query, err := x.query()
	if err != nil {
		return usage{err}
	}
	if x.cert != "" {
		if query.Shows, err = readChain(x.cert); err != nil {
			return err
		}
	}
	explainer, err := x.load(ctx, env)
	if err != nil {
		return err
	}
	e := explainer.Explain(ctx, query)
	if x.json {
		err = writeJSON(env, e)
	} else {
		p := painted{color: env.IsTerminal(env.Stdout)}
		p.explanation(e)
		_, err = env.Stdout.Write([]byte(p.String()))
	}
	if err == nil && !e.Served {
		err = errRefused
	}
	return err
}

// query is what the flags ask.
func (x *explaining) query() (*engine.Query, error) {
	q := &engine.Query{SNI: x.sni, ALPN: x.alpn}
	if x.port == "" {
		return nil, errors.New("it needs --port, which the client connects to")
	}
	port, err := strconv.ParseUint(x.port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("the flag --port must be a port, not %q", x.port)
	}
	q.Port = uint16(port)
	if x.source != "" {
		if q.Source, err = peerOf(x.source); err != nil {
			return nil, fmt.Errorf("the flag --source must be an IP address, or IP:PORT, not %q", x.source)
		}
	}
	if x.dest != "" {
		if q.Dest, err = addressOf(x.dest); err != nil {
			return nil, fmt.Errorf("the flag --dest must be an IP address, not %q", x.dest)
		}
	}
	if x.proxy != "" {
		if q.Proxy, err = addressOf(x.proxy); err != nil {
			return nil, fmt.Errorf("the flag --proxy must be an IP address, not %q", x.proxy)
		}
	}
	for _, text := range x.header {
		f, err := fieldOf(text)
		if err != nil {
			return nil, err
		}
		q.Header = append(q.Header, f)
	}
	return q, checkALPN(q.ALPN)
}

func addressOf(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, errAddress
	}
	return a.Unmap(), nil
}

var errAddress = errors.New("it is no IP address")

// peerOf reads an address, which may have a port.
func peerOf(text string) (netip.AddrPort, error) {
	if p, err := netip.ParseAddrPort(text); err == nil && p.Addr().Zone() == "" {
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port()), nil
	}
	a, err := addressOf(text)
	return netip.AddrPortFrom(a, 0), err
}

// pseudo are the headers that are no lines.
var pseudo = []string{":method", ":path", ":scheme", ":authority"}

// fieldOf reads a header. The name of a pseudo-header begins with a colon.
func fieldOf(text string) (stream.Field, error) {
	at := strings.IndexByte(strings.TrimPrefix(text, ":"), ':')
	if at < 0 {
		return stream.Field{}, fmt.Errorf("the flag --header must be a name, a colon and a value, not %q", text)
	}
	at += len(text) - len(strings.TrimPrefix(text, ":"))
	f := stream.Field{Name: strings.ToLower(strings.TrimSpace(text[:at])), Value: strings.Trim(text[at+1:], " \t")}
	return f, checkHeader(f.Name)
}

// checkHeader tells of what is no name of a header.
func checkHeader(name string) error {
	switch {
	case name == "":
		return errors.New("a header needs a name")
	case strings.HasPrefix(name, ":") && !slices.Contains(pseudo, name):
		return fmt.Errorf("there is no header %s, but %s", name, config.Words(pseudo))
	case strings.ContainsAny(name, " \t\r\n\x00"):
		return fmt.Errorf("%q is no name of a header", name)
	}
	return nil
}

// checkALPN tells of what is no name of a protocol.
func checkALPN(protocols []string) error {
	for _, p := range protocols {
		if p == "" || len(p) > 255 {
			return fmt.Errorf("%q is no name of a protocol", p)
		}
	}
	return nil
}

// readChain reads certificates, the client's own first.
func readChain(name string) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var chain []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		if text = rest; block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", name, err)
		}
		chain = append(chain, c)
	}
	if chain == nil {
		return nil, fmt.Errorf("cannot read %s: there is no certificate in it", name)
	}
	return chain, nil
}

// painted is text, with colours if they are wanted.
type painted struct {
	strings.Builder
	color bool
}

// in writes text in a colour, and fills it up to a width.
func (p *painted) in(color, text string, width int) {
	text = telemetry.OneLine(text)
	fill := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
	if p.color {
		text = paint(color, text)
	}
	p.WriteString(text + fill)
}

// explanation writes a block for each binding, and what came of it.
func (p *painted) explanation(e *engine.Explanation) {
	for i := range e.Steps {
		p.step(&e.Steps[i])
	}
	path := strings.Join(e.Path, " -> ")
	switch {
	case e.Served:
		p.in(green, "served", 0)
		p.WriteString(": " + path + "\n")
	case path == "":
		p.in(red, "refused", 0)
		p.WriteString(": " + telemetry.OneLine(e.Details) + "\n")
	default:
		p.in(red, "refused", 0)
		p.WriteString(": " + path + ": " + telemetry.OneLine(because(e)) + "\n")
	}
}

// because is why a stream is refused.
func because(e *engine.Explanation) string {
	if e.Details == "" {
		return e.Reason
	}
	return e.Reason + ": " + e.Details
}

func (p *painted) step(s *engine.Step) {
	p.in(bold, s.Binding, 0)
	p.WriteString("  " + s.Type + " " + s.Kind + "\n")
	var facts []string
	for _, f := range s.Facts {
		facts = append(facts, f.Name+" "+f.Value)
	}
	p.line(strings.Join(facts, ", "))
	names, verdicts := 0, 0
	for i := range s.Routes {
		if v := &s.Routes[i]; v.Taken || v.Why != "" {
			names = max(names, len(v.Route))
			verdicts = max(verdicts, utf8.RuneCountInString(verdict(v)))
		}
	}
	for i := range s.Routes {
		if v := &s.Routes[i]; v.Taken || v.Why != "" {
			p.route(v, names, verdicts)
		}
	}
	if text := untried(s.Routes); text != "" {
		p.WriteString("    ")
		p.in(faint, text, 0)
		p.WriteString("\n")
	}
	for _, note := range s.Notes {
		p.line(note)
	}
	p.WriteString("\n")
}

func (p *painted) line(text string) {
	if text != "" {
		p.WriteString("    " + telemetry.OneLine(text) + "\n")
	}
}

// route writes the verdict about a route, its name and its verdict as wide as those around it.
func (p *painted) route(v *engine.Verdict, name, width int) {
	color, rest := faint, v.When
	if v.Taken {
		color = green
	}
	if v.To != "" {
		rest += " -> " + v.To
	}
	fmt.Fprintf(p, "    %-*s", name+2, v.Route)
	p.in(color, verdict(v), width+2)
	p.WriteString(telemetry.OneLine(strings.TrimLeft(rest, " ")) + "\n")
}

func verdict(v *engine.Verdict) string {
	if v.Taken {
		return "yes"
	}
	return "no: " + v.Why
}

// untried tells which routes were not tried, since one before them was taken, or nothing was asked of any.
func untried(routes []engine.Verdict) string {
	var left []string
	for _, v := range routes {
		if !v.Taken && v.Why == "" {
			left = append(left, v.Route)
		}
	}
	switch n := len(left); n {
	case 0:
		return ""
	case 1:
		return left[0] + " was not tried"
	case 2:
		return left[0] + " and " + left[1] + " were not tried"
	default:
		return left[0] + " to " + left[n-1] + " were not tried"
	}
}

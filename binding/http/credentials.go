package http

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/guard"
	"gozilla/stream"
	"gozilla/stream/web"
	"gozilla/stream/web/facts"
	"gozilla/telemetry"
)

// Authorization is how a guard is told of credentials, or by a client how a server is told of those that a guard has.
type Authorization struct {
	// Where the credentials stand in a request. A server takes the first that are there: of cookies, then of headers,
	// then of the query, each in the order of the file.
	Credentials Credentials `config:"credentials,required"`
}

// Credentials are the places of credentials.
type Credentials struct {
	// Headers, and what they look like: Bearer {credentials} for instance. Basic {username}:{password} is what browsers
	// send who have asked for both.
	Headers map[HeaderName]HeaderCredential
	// Parameters of the query, and what they look like. They are compared as they stand, without being decoded.
	Query map[string]Credential
	// Cookies, and what they look like.
	Cookies map[string]Credential

	places []place
}

// Credential is text with credentials in it.
type Credential string

const (
	wholePart = "{credentials}"
	userPart  = "{username}"
	passPart  = "{password}"
)

// Pattern is what the text looks like.
func (Credential) Pattern() string { return `\{credentials\}` }

// Words says what it is.
func (Credential) Words() string { return "text with {credentials} in it" }

// HeaderCredential is text with credentials in it.
type HeaderCredential string

// Pattern is what the text looks like.
func (HeaderCredential) Pattern() string {
	return `\{credentials\}|^[Bb]asic .*\{username\}.+\{password\}`
}

// Words says what it is.
func (HeaderCredential) Words() string {
	return "text with {credentials} in it, or Basic {username}:{password}"
}

// A place is where credentials stand.
type place struct {
	in            carrier
	name          string
	at            config.Pos
	before, after string // the credentials
	basic         bool
	between       string // {username} and {password}
}

type carrier uint8

// The carriers, in the order in which they are tried.
const (
	inCookie carrier = iota
	inHeader
	inQuery
)

// Check tells what is wrong with the places as a whole, and makes them ready.
func (c *Credentials) Check(r *config.Report) {
	c.places = c.places[:0]
	for name, text := range c.Cookies {
		c.add(r, inCookie, name, string(text), r.AtKey(&c.Cookies, name))
	}
	for name, text := range c.Headers {
		at := r.AtKey(&c.Headers, string(name))
		if lower := name.lower(); lower[0] == ':' || barred[lower] || lower == "content-length" || lower == "upgrade" {
			r.Errorf(at, "%s does not carry credentials", name)
		}
		c.add(r, inHeader, name.lower(), string(text), at)
	}
	for name, text := range c.Query {
		c.add(r, inQuery, name, string(text), r.AtKey(&c.Query, name))
	}
	if len(c.places) == 0 {
		r.Errorf(r.At(c), "credentials stand in headers, query or cookies: none is named")
	}
	slices.SortFunc(c.places, func(a, b place) int { return cmp.Or(cmp.Compare(a.in, b.in), a.at.Compare(b.at)) })
}

func (c *Credentials) add(r *config.Report, in carrier, name, text string, at config.Pos) {
	p := place{in: in, name: name, at: at}
	var ok bool
	if p.before, p.after, ok = strings.Cut(text, wholePart); ok && strings.Contains(p.after, wholePart) {
		r.Errorf(at, "the text has {credentials} more than once")
	}
	if !ok {
		p.basic = true
		_, layout, _ := strings.Cut(text, " ")
		var rest string
		p.before, rest, _ = strings.Cut(layout, userPart)
		p.between, p.after, _ = strings.Cut(rest, passPart)
	}
	if name == "" || in != inHeader && strings.ContainsAny(name, " \t=;&#,") {
		r.Errorf(at, "%q is no name of a %s", name, [...]string{inCookie: "cookie", inQuery: "parameter", inHeader: "header"}[in])
	}
	c.places = append(c.places, p)
}

// of are the credentials of a request, whole as the guard is given them; "" if there are none.
func (c *Credentials) of(r *web.Request) string {
	for i := range c.places {
		if found := c.places[i].of(r); found != "" {
			return found
		}
	}
	return ""
}

func (p *place) of(r *web.Request) string {
	if p.in == inQuery {
		_, query, _ := strings.Cut(r.Path, "?")
		return p.among(query, "&")
	}
	name := p.name
	if p.in == inCookie {
		name = "cookie"
	}
	for i := range r.Header {
		f := &r.Header[i]
		if f.Name != name {
			continue
		}
		found := ""
		switch {
		case p.in == inCookie:
			found = p.among(f.Value, ";")
		case p.basic:
			found = p.decoded(f.Value)
		default:
			found = p.cut(f.Value)
		}
		if found != "" {
			return found
		}
	}
	return ""
}

// among finds the credentials in a list of names and values.
func (p *place) among(list, by string) string {
	for one := range strings.SplitSeq(list, by) {
		if name, value, ok := strings.Cut(strings.Trim(one, " \t"), "="); ok && name == p.name {
			if found := p.cut(value); found != "" {
				return found
			}
		}
	}
	return ""
}

// cut is what stands for {credentials} in a value. What stands before it is mostly the name of a scheme, in which upper
// and lower case are the same (RFC 9110, section 11.1).
func (p *place) cut(value string) string {
	n := len(value) - len(p.after)
	if n <= len(p.before) || !strings.EqualFold(value[:len(p.before)], p.before) || value[n:] != p.after {
		return ""
	}
	if value = value[len(p.before):n]; strings.ContainsAny(value, " \t") {
		return ""
	}
	return value
}

// decoded is what a value for the scheme Basic (RFC 7617) has encoded, if it has a name and a password.
func (p *place) decoded(value string) string {
	scheme, code, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return ""
	}
	b, err := base64.StdEncoding.DecodeString(strings.Trim(code, " "))
	if err != nil || !p.splits(string(b)) {
		return ""
	}
	return string(b)
}

// splits reports whether a text has a name and a password in it.
func (p *place) splits(whole string) bool {
	rest, ok := strings.CutPrefix(whole, p.before)
	name, password, cut := strings.Cut(rest, p.between)
	return ok && cut && name != "" && strings.HasSuffix(password, p.after)
}

// errUnwritable is that credentials have characters in them that cannot stand where they should.
var errUnwritable = errors.New("the credentials cannot be written there")

// put writes into a request what a guard presents.
func (p *place) put(r *web.Request, shown *guard.Presented) error {
	text := p.before + shown.Credentials + p.after
	switch {
	case p.basic:
		whole := shown.Whole
		if !p.splits(whole) {
			whole = p.before + shown.Identity + p.between + shown.Credentials + p.after
		}
		r.Header.Set(p.name, "Basic "+base64.StdEncoding.EncodeToString([]byte(whole)))
	case p.in == inHeader:
		if !isWritable(text, "") {
			return errUnwritable
		}
		r.Header.Set(p.name, text)
	case p.in == inCookie:
		if !isWritable(text, "; ,") {
			return errUnwritable
		}
		text = p.name + "=" + text
		if i := slices.IndexFunc(r.Header, func(f web.Field) bool { return f.Name == "cookie" }); i >= 0 {
			r.Header[i].Value += "; " + text
		} else {
			r.Header.Add("cookie", text)
		}
	default:
		if !isWritable(text, "&# +") {
			return errUnwritable
		}
		by := "?"
		if strings.Contains(r.Path, "?") {
			by = "&"
		}
		r.Path += by + p.name + "=" + text
	}
	return nil
}

// isWritable reports whether a text is printable ASCII, without any of some characters.
func isWritable(s, without string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && !strings.ContainsAny(s, without)
}

// challenges are the schemes by which a client without credentials may bring some, as www-authenticate says it (RFC 9110,
// section 11.6.1), which an answer 401 must.
func (c *Credentials) challenges(realm string) []string {
	var all []string
	for i := range c.places {
		p := &c.places[i]
		scheme, _, ok := strings.Cut(p.before, " ")
		switch {
		case p.basic:
			scheme = "Basic"
		case p.in != inHeader || p.name != "authorization" || !ok || scheme == "":
			continue
		}
		if text := scheme + " realm=" + strconv.Quote(realm); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if all == nil {
		all = append(all, "Bearer realm="+strconv.Quote(realm))
	}
	return all
}

// An asker asks a guard who has sent a request.
type asker struct {
	guard     guard.Guard
	name      string // qualified
	from      *Credentials
	challenge web.Header
}

// newAsker is nil if nobody is asked.
func newAsker(b *binding.Builder, all map[guard.Ref]Authorization) *asker {
	for ref, by := range all {
		a := &asker{guard: b.Guard(ref), name: config.Ref(ref).Qualified(b.Node.Namespace), from: &by.Credentials}
		for _, text := range by.Credentials.challenges(string(ref)) {
			a.challenge.Add("www-authenticate", text)
		}
		return a
	}
	return nil
}

// secrets are the parameters of queries in which credentials are looked for. a may be nil.
func (a *asker) secrets() (names facts.Secrets) {
	if a == nil {
		return nil
	}
	for i := range a.from.places {
		if p := &a.from.places[i]; p.in == inQuery {
			names = append(names, p.name)
		}
	}
	return names
}

// ask has the guard look at the credentials of a request, and admits the session that it gives. The error is a
// *stream.Refused; one of errNone is that there are no credentials.
func (a *asker) ask(ctx context.Context, r *web.Request) error {
	credentials := a.from.of(r)
	if credentials == "" {
		return errNone
	}
	session, err := a.guard.Authorize(ctx, credentials)
	if err != nil {
		return err
	}
	s := stream.From(ctx)
	s.Admit(a.name, session)
	if identity := session.Identity(); identity != "" {
		s.SetRecord(func(rec *telemetry.Record) { rec.Identity = identity })
	}
	return nil
}

// ends reports whether the session of the exchange comes to an end.
func (a *asker) ends(ctx context.Context) bool {
	session := stream.From(ctx).Session(a.name)
	return session != nil && !session.Expires().IsZero()
}

var errNone = stream.Refuse(stream.Unauthenticated, "the request has no credentials")

// refused is the answer where what stands behind has refused the exchange: as it is here, if that is for who the client is,
// and not what a server has said.
func (a *asker) refused(err, asked error) error {
	if refused, ok := err.(*stream.Refused); ok && !errors.As(err, new(*web.Error)) && (refused.Reason == stream.Unauthenticated || refused.Reason == stream.Forbidden) {
		return a.unrouted(err, asked)
	}
	return err
}

// unrouted is the answer where no route was found; asked is what the guard has said.
func (a *asker) unrouted(err, asked error) error {
	var refused *stream.Refused
	switch {
	case a == nil || asked == nil:
		return &web.Error{Status: 404, Err: err}
	case asked == errNone:
		return &web.Error{Status: 401, Header: a.challenge, Err: asked}
	case errors.As(asked, &refused) && (refused.Reason == stream.Unavailable || refused.Reason == stream.Timeout ||
		refused.Reason == stream.Limit || refused.Reason == stream.Draining):
		return asked // the guard does not know
	}
	return &web.Error{Status: 403, Err: asked}
}

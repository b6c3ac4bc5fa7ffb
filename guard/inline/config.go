package inline

import (
	"regexp"
	"strings"

	"gozilla/config"
	"gozilla/guard"
)

// Config is an inline guard in a file: it gives a session to everybody who presents something.
type Config struct {
	guard.Head
	// What is known without asking, and how to read what is presented.
	Options Options
}

// Options are what is known without asking, and how to read what is presented.
type Options struct {
	// The identity where none is presented: the format has no {identity}, or there is no session at all, as for a client
	// binding that introduces itself to a server.
	Identity string
	// The credentials where none are presented.
	Credentials string
	// How to read what is presented: text in which {identity} and {credentials} stand for runs of characters other than
	// white space. The whole must match; what does not is the identity as a whole. If the two can be told apart at several
	// places, it is at the first one, so that a password may have a colon in it.
	Format Format
}

// Format is text with {identity} and {credentials} in it.
type Format string

const (
	identityPart    = "{identity}"
	credentialsPart = "{credentials}"
)

// Pattern is what a format looks like.
func (Format) Pattern() string { return `\{(identity|credentials)\}` }

// Words says what a format is.
func (Format) Words() string { return "text with {identity} or {credentials} in it" }

// otherParts are those that look like one of the two, but are taken as they stand.
var otherParts = regexp.MustCompile(`\{[a-zA-Z]+\}`)

// Check tells of a format that cannot be meant.
func (o *Options) Check(r *config.Report) {
	if o.Format == "" {
		return
	}
	at := r.At(&o.Format)
	for _, part := range []string{identityPart, credentialsPart} {
		if strings.Count(string(o.Format), part) > 1 {
			r.Errorf(at, "the format has %s more than once", part)
		}
	}
	for _, part := range otherParts.FindAllString(string(o.Format), -1) {
		if part == identityPart || part == credentialsPart {
			continue
		}
		f := r.Warnf(at, "the format takes %s as it stands", part)
		if like, ok := config.Like(part, []string{identityPart, credentialsPart}); ok {
			f.Hintf("did you mean %s?", like)
		}
	}
	if strings.Contains(string(o.Format), identityPart+credentialsPart) || strings.Contains(string(o.Format), credentialsPart+identityPart) {
		r.Warnf(at, "with nothing between {identity} and {credentials}, the first of them is a single character")
	}
}

// A splitter reads what is presented.
type splitter struct {
	form                  *regexp.Regexp
	identity, credentials int // groups of the form; 0: there is none
}

// splitter is nil if there is no format.
func (f Format) splitter() *splitter {
	if f == "" {
		return nil
	}
	text := regexp.QuoteMeta(string(f))
	for _, part := range []string{identityPart, credentialsPart} {
		text = strings.Replace(text, regexp.QuoteMeta(part), `(?P<`+part[1:len(part)-1]+`>[^\s]+?)`, 1)
	}
	form := regexp.MustCompile(`\A` + text + `\z`)
	return &splitter{form, max(0, form.SubexpIndex("identity")), max(0, form.SubexpIndex("credentials"))}
}

// compose is the format with both parts in it.
func (f Format) compose(identity, credentials string) string {
	return strings.NewReplacer(identityPart, identity, credentialsPart, credentials).Replace(string(f))
}

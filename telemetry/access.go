package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

// AccessFormats are the names of the forms in which an access log can be written.
var AccessFormats = []string{"common", "combined", "text", "json"}

// AppendAccess appends the record of an HTTP exchange in one of AccessFormats, without a line break.
func AppendAccess(dst []byte, format string, r *Record) []byte {
	switch format {
	case "text":
		return append(dst, r.Text()...)
	case "json":
		text, err := r.MarshalJSON()
		if err != nil { // which strings and numbers cannot cause
			return append(dst, "{}"...)
		}
		return append(dst, text...)
	}
	return r.appendCommon(dst, format == "combined")
}

// appendCommon appends the record as Apache's httpd writes its access log, in the Common Log Format or, combined, with
// two headers more:
//
//	%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"
//	10.0.0.1 - alice [01/Aug/2026:12:00:00 +0000] "GET /items HTTP/1.1" 200 34 "-" "curl/8.0"
func (r *Record) appendCommon(b []byte, combined bool) []byte {
	switch client := r.Source.Addr().Unmap(); {
	case !client.IsValid():
		b = append(b, '-')
	case client.Zone() != "":
		b = appendLogItem(b, client.String(), true)
	default:
		b = client.AppendTo(b)
	}
	b = append(b, " - "...)
	b = appendLogItem(b, r.Identity, true)
	b = r.Start.AppendFormat(b, " [02/Jan/2006:15:04:05 -0700] \"")
	if h := &r.HTTP; h.Method == "" && h.Path == "" {
		b = append(b, '-')
	} else {
		b = appendLogItem(b, h.Method, true)
		b = append(b, ' ')
		b = appendLogItem(b, h.Path, true)
		switch h.Version {
		case "":
		case "HTTP/2": // which httpd spells as if it had a minor version
			b = append(b, " HTTP/2.0"...)
		default:
			b = append(b, ' ')
			b = appendLogItem(b, h.Version, true)
		}
	}
	b = append(b, `" `...)
	b = appendNumber(b, int64(r.HTTP.Status))
	b = append(b, ' ')
	b = appendNumber(b, r.Sent)
	if combined {
		b = append(b, ` "`...)
		b = appendLogItem(b, r.HTTP.Referer, false)
		b = append(b, `" "`...)
		b = appendLogItem(b, r.HTTP.Agent, false)
		b = append(b, '"')
	}
	return b
}

func appendNumber(b []byte, n int64) []byte {
	if n == 0 {
		return append(b, '-')
	}
	return strconv.AppendInt(b, n, 10)
}

// appendLogItem appends s as httpd escapes it, and "-" for nothing: quotes and backslashes by a backslash, white space
// that is no space as in C, and whatever else is not printable ASCII as \xhh. In a word spaces are escaped too, since
// they separate the items of a line. A word that is a dash is escaped, so that nobody can look like nobody.
func appendLogItem(b []byte, s string, word bool) []byte {
	switch {
	case s == "":
		return append(b, '-')
	case s == "-" && word:
		return append(b, `\x2d`...)
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"', c == '\\':
			b = append(b, '\\', c)
		case c > ' ' && c < 0x7f, c == ' ' && !word:
			b = append(b, c)
		case c >= '\b' && c <= '\r' && c != '\f':
			b = append(b, '\\', "btnv-r"[c-'\b'])
		default:
			b = append(b, `\x`...)
			b = append(b, hex[c>>4], hex[c&15])
		}
	}
	return b
}

const (
	accessEvery = time.Second // how long a line waits to be written
	accessFull  = 64 << 10    // bytes at which it does not wait so long
	accessMost  = 4 << 20     // bytes that wait at most; lines that come then are lost
)

// An AccessLog writes the records of HTTP exchanges, a line each. Who hands in a record does not wait for the writer.
type AccessLog struct {
	format string
	out    io.Writer
	log    *slog.Logger

	mu      sync.Mutex // guards what follows
	waiting []byte
	lost    int
	full    chan struct{} // tells that enough is waiting

	failed bool // the last write has, and was told of; of Run alone
}

// NewAccessLog makes an access log in one of AccessFormats. It writes to out while Run does; log is told of what goes
// wrong.
func NewAccessLog(format string, out io.Writer, log *slog.Logger) *AccessLog {
	return &AccessLog{format: format, out: out, log: log, full: make(chan struct{}, 1)}
}

// Record takes a record. Those that are not of an HTTP exchange are left out.
func (a *AccessLog) Record(r *Record) {
	if r.HTTP == (HTTP{}) {
		return
	}
	a.mu.Lock()
	had := len(a.waiting)
	if had >= accessMost {
		a.lost++
		a.mu.Unlock()
		return
	}
	a.waiting = append(AppendAccess(a.waiting, a.format, r), '\n')
	wake := had < accessFull && len(a.waiting) >= accessFull
	a.mu.Unlock()
	if wake {
		select {
		case a.full <- struct{}{}:
		default:
		}
	}
}

// Run writes until ctx ends, and then what is waiting.
func (a *AccessLog) Run(ctx context.Context) {
	ticks := time.NewTicker(accessEvery)
	defer ticks.Stop()
	var spare []byte
	for {
		select {
		case <-ticks.C:
		case <-a.full:
		case <-ctx.Done():
			a.write(spare)
			return
		}
		spare = a.write(spare)
	}
}

// write writes what is waiting, while spare takes what comes, and gives back what it has written for the next time.
func (a *AccessLog) write(spare []byte) []byte {
	a.mu.Lock()
	waiting, lost := a.waiting, a.lost
	a.waiting, a.lost = spare[:0], 0
	a.mu.Unlock()
	if lost > 0 {
		a.log.Warn("lines of the access log were lost, because they came faster than they could be written", "lines", lost)
	}
	if len(waiting) > 0 {
		_, err := a.out.Write(waiting)
		if err != nil && !a.failed {
			a.log.Warn(fmt.Sprintf("the access log cannot be written, and its lines are lost until it can: %v", err))
		}
		a.failed = err != nil
	}
	if cap(waiting) > 4*accessFull {
		return nil // it was much once, and need not be so again
	}
	return waiting
}

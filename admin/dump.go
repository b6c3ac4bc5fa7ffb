package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"gozilla/engine"
)

// A Dump says what is to be shown, and for how long.
type Dump struct {
	Binding string        // that streams come from or go to: its name, or namespace:name; "" for all
	Source  netip.Prefix  // that streams were opened from; the zero value for all
	For     time.Duration // after which it ends; 0: when the client does
	Bytes   int64         // of data after which it ends; 0: likewise
}

// A DumpLine is one line of /v1/dump: a chunk, or the news of how many were lost, because they were not taken in time.
type DumpLine struct {
	*engine.Chunk
	Lost int64 `json:"lost,omitempty"`
}

// Size is how many bytes of data the line has.
func (l *DumpLine) Size() int64 {
	if l.Chunk == nil {
		return 0
	}
	return int64(len(l.Data))
}

// readTime is how long who watches may take to read what it was sent. Meanwhile it loses chunks; it is not cut off for a
// look at something else.
const readTime = 10 * time.Minute

// dump shows what crosses the edges of the gateway, until the client or the gateway ends it, or a bound that was given.
func (a *API) dump(w http.ResponseWriter, r *http.Request) {
	d, err := dumpOf(r.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	leave, ok := a.follow(w)
	if !ok {
		return
	}
	defer leave()
	watcher, err := a.source.Watch(engine.Filter{Binding: d.Binding, Source: d.Source})
	switch {
	case errors.Is(err, engine.TooMany{}):
		fail(w, http.StatusTooManyRequests, "%v", err)
		return
	case err != nil:
		fail(w, http.StatusNotFound, "%v", err)
		return
	}
	defer watcher.Close()
	ctx := r.Context()
	if d.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.For)
		defer cancel()
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := &dumping{Dump: d, w: bufio.NewWriter(w), control: http.NewResponseController(w)}
	out.show(ctx, watcher)
}

// dumping is a dump on its way to the client.
type dumping struct {
	Dump
	w       *bufio.Writer
	control *http.ResponseController
	shown   int64 // bytes of data
}

// show ends with ctx, with a bound, or when the client does not take what it is sent.
func (d *dumping) show(ctx context.Context, from *engine.Watcher) {
	for d.flush() == nil && d.more() { // at first, that is the head
		chunks, lost, err := from.Next(ctx)
		if err != nil {
			return
		}
		for _, c := range chunks {
			if d.more() {
				d.line(&DumpLine{Chunk: c})
			}
		}
		if lost > 0 {
			d.line(&DumpLine{Lost: lost})
		}
	}
}

func (d *dumping) more() bool { return d.Bytes == 0 || d.shown < d.Bytes }

// line writes a line. An error comes again with flush.
func (d *dumping) line(l *DumpLine) {
	text, err := json.Marshal(l)
	if err != nil {
		return // there is nothing in it that could not be written
	}
	d.allowTime()
	_, _ = d.w.Write(append(text, '\n'))
	d.shown += l.Size()
}

func (d *dumping) flush() error {
	d.allowTime()
	if err := d.w.Flush(); err != nil {
		return err
	}
	return d.control.Flush()
}

func (d *dumping) allowTime() { _ = d.control.SetWriteDeadline(time.Now().Add(readTime)) }

// query is a dump as it is asked for, dumpOf reads that.
func (d *Dump) query() url.Values {
	q := url.Values{}
	if d.Binding != "" {
		q.Set("binding", d.Binding)
	}
	if d.Source.IsValid() {
		q.Set("source", d.Source.String())
	}
	if d.For > 0 {
		q.Set("for", d.For.String())
	}
	if d.Bytes > 0 {
		q.Set("bytes", strconv.FormatInt(d.Bytes, 10))
	}
	return q
}

func dumpOf(q url.Values) (d Dump, err error) {
	d.Binding = q.Get("binding")
	if s := q.Get("source"); s != "" {
		if d.Source, err = ParseSource(s); err != nil {
			return d, fmt.Errorf("source must be %w", err)
		}
	}
	if s := q.Get("for"); s != "" {
		if d.For, err = time.ParseDuration(s); err != nil || d.For <= 0 {
			return d, fmt.Errorf("for must be a duration like 30s, not %q", s)
		}
	}
	if s := q.Get("bytes"); s != "" {
		if d.Bytes, err = strconv.ParseInt(s, 10, 64); err != nil || d.Bytes <= 0 {
			return d, fmt.Errorf("bytes must be a number of at least 1, not %q", s)
		}
	}
	return d, nil
}

// ParseSource reads a network, or an address, which is a network of one. The error says what it must be.
func ParseSource(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		ip = ip.Unmap().WithZone("")
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	return netip.Prefix{}, fmt.Errorf("a network like 10.0.0.0/8, or an address, not %q", s)
}

// dumpLineBytes is how long a line of a dump may be. A head may be as long as the limits of the gateway allow.
const dumpLineBytes = 64 << 20

// A Dumping is a dump that has begun.
type Dumping struct {
	client *Client
	ctx    context.Context
	cancel context.CancelFunc
	body   io.ReadCloser
}

// Dump has the gateway show what crosses its edges, from when it returns on, until a bound of d, the end of ctx, or the
// end of the gateway. The caller closes it.
func (c *Client) Dump(ctx context.Context, d Dump) (*Dumping, error) {
	ctx, cancel := context.WithCancel(ctx)
	body, err := c.ask(ctx, http.MethodPost, "/v1/dump?"+d.query().Encode(), nil)
	if err != nil {
		cancel()
		return nil, err
	}
	return &Dumping{c, ctx, cancel, body}, nil
}

// Close ends the dump.
func (d *Dumping) Close() {
	d.cancel()
	_ = d.body.Close() // nothing more is wanted
}

// Each calls f with every line, until the dump ends or f returns an error. If f is slow, lines are lost, which it is told
// of; the gateway does not wait.
func (d *Dumping) Each(f func(*DumpLine) error) error {
	lines := bufio.NewScanner(d.body)
	lines.Buffer(nil, dumpLineBytes)
	var err error
	for lines.Scan() {
		l := &DumpLine{}
		if err = json.Unmarshal(lines.Bytes(), l); err != nil {
			break
		}
		if err := f(l); err != nil {
			return err
		}
	}
	if err == nil {
		err = lines.Err()
	}
	switch {
	case d.ctx.Err() != nil:
		return context.Cause(d.ctx)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the gozilla in %s has ended the dump", d.client.dir)
	case err != nil:
		return fmt.Errorf("cannot read the dump of the gozilla in %s: %w", d.client.dir, err)
	}
	return nil
}

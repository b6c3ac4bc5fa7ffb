package telemetry

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Text is the record as one line for people:
//
//	2026-08-01 12:00:00.123 #7 10.0.0.1:5555 -> 10.0.0.2:80 -> 10.0.0.9:8080 default:north routes[0] > default:south
//	received 12 sent 34 dial 1.2ms first 3.4ms total 5.6ms client: fin
//
// That of an exchange names its connection, and the request and the response if it is one of HTTP; that of a WebSocket has its
// messages and its goodbye besides:
//
//	2026-08-01 12:00:00.123 #8 of #7 GET  /items                          200 10.0.0.1:5555 -> …
func (r *Record) Text() string {
	b := make([]byte, 0, 256)
	b = r.Start.AppendFormat(b, "2006-01-02 15:04:05.000 #")
	b = strconv.AppendUint(b, r.ID, 10)
	if r.Connection != 0 {
		b = append(b, " of #"...)
		b = strconv.AppendUint(b, r.Connection, 10)
	}
	if r.HTTP != (HTTP{}) {
		b = r.HTTP.appendText(append(b, ' '))
	}
	b = r.appendEnds(append(b, ' '))
	b = r.appendPath(b)
	b = append(b, " received "...)
	b = strconv.AppendInt(b, r.Received, 10)
	b = append(b, " sent "...)
	b = strconv.AppendInt(b, r.Sent, 10)
	if r.WS != (WS{}) {
		b = r.WS.appendText(b)
	}
	b = r.appendFacts(b)
	b = r.SSE.appendText(b)
	if r.Handshake > 0 {
		b = append(append(b, " handshake "...), short(r.Handshake)...)
	}
	if r.Dial > 0 {
		b = append(append(b, " dial "...), short(r.Dial)...)
	}
	if r.FirstByte > 0 {
		b = append(append(b, " first "...), short(r.FirstByte)...)
	}
	b = append(append(b, " total "...), short(r.Duration)...)
	b = append(b, ' ')
	b = appendOneLine(b, string(r.By))
	b = append(b, ": "...)
	b = appendOneLine(b, r.Reason)
	if r.Err != "" {
		b = append(b, " ("...)
		b = appendOneLine(b, r.Err)
		b = append(b, ')')
	}
	return string(b)
}

const (
	methodWidth = 4  // of most methods
	pathWidth   = 32 // of many paths
)

// appendText appends the request and the status, padded so that those of several records line up mostly.
func (h *HTTP) appendText(b []byte) []byte {
	pad := func(text string, width int) {
		from := len(b)
		if b = appendOneLine(b, text); text == "" {
			b = append(b, '-')
		}
		for n := utf8.RuneCount(b[from:]); n < width; n++ {
			b = append(b, ' ')
		}
	}
	pad(h.Method, methodWidth)
	b = append(b, ' ')
	pad(h.Path, pathWidth)
	b = append(b, ' ')
	if h.Status == 0 {
		return append(b, "  -"...)
	}
	return strconv.AppendInt(b, int64(h.Status), 10)
}

// appendText appends how much of a stream of events was sent.
func (s *SSE) appendText(b []byte) []byte {
	if s.Events > 0 {
		b = strconv.AppendInt(append(b, " events "...), s.Events, 10)
	}
	if s.LastID != "" {
		b = appendOneLine(append(b, " last-id "...), s.LastID)
	}
	return b
}

// appendEnds appends who was connected to whom: the client, the address it reached us at, what was dialled for it.
func (r *Record) appendEnds(b []byte) []byte {
	if r.Source.IsValid() {
		b = appendOneLine(b, r.Source.String())
	} else {
		b = append(b, '-')
	}
	if r.Dest.IsValid() {
		b = append(b, " -> "...)
		b = appendOneLine(b, r.Dest.String())
	}
	if r.Target != "" {
		b = append(b, " -> "...)
		b = appendOneLine(b, r.Target)
	}
	return b
}

// appendPath appends the bindings, and after each the way on from there.
func (r *Record) appendPath(b []byte) []byte {
	for i, s := range r.Path {
		if i > 0 {
			b = append(b, " >"...)
		}
		b = append(b, ' ')
		b = appendOneLine(b, s.Binding)
		if s.Route != "" {
			b = append(b, ' ')
			b = appendOneLine(b, s.Route)
		}
	}
	return b
}

// PathText is the bindings, and after each the way on from there, on one line; "" for none.
func (r *Record) PathText() string {
	path := r.appendPath(nil)
	return string(path[min(1, len(path)):])
}

// PathLines is PathText for a connection that is open: where all its exchanges take one way, with that, else with a line for each
// of their ways. There is at least one line.
func (r *Record) PathLines() []string {
	if len(r.Ways) == 1 && len(r.Ways[0].Path) > 0 {
		w := &r.Ways[0]
		whole := Record{Path: slices.Concat(r.Path, w.Path)}
		if n := len(r.Path); n > 0 && r.Path[n-1].Binding == w.Path[0].Binding { // which says where it goes on
			whole.Path = slices.Delete(whole.Path, n-1, n)
		}
		if w.Count == 1 {
			return []string{whole.PathText()}
		}
		return []string{whole.PathText() + " (" + exchanges(w.Count) + ")"}
	}
	lines := []string{r.PathText()}
	for _, w := range r.Ways {
		if line := (&Record{Path: w.Path}).PathText(); line != "" {
			lines = append(lines, exchanges(w.Count)+": "+line)
		} else {
			lines = append(lines, exchanges(w.Count)+" on other ways")
		}
	}
	return lines
}

func exchanges(n int) string {
	if n == 1 {
		return "1 exchange"
	}
	return strconv.Itoa(n) + " exchanges"
}

// appendFacts appends what the client has said of itself.
func (r *Record) appendFacts(b []byte) []byte {
	for _, fact := range []struct{ name, value string }{
		{" tls ", r.TLS}, {" authority ", r.Authority}, {" alpn ", r.ALPN}, {" identity ", r.Identity},
		{" trace ", r.HTTP.Trace},
	} {
		if fact.value != "" {
			b = appendOneLine(append(b, fact.name...), fact.value)
		}
	}
	return b
}

// short is a duration with about three digits, which is what people read of it.
func short(d time.Duration) string {
	unit := time.Duration(1)
	for unit < time.Second && d >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit).String()
}

type recordJSON struct {
	ID          uint64     `json:"id"`
	Connection  uint64     `json:"connection,omitempty"`
	Start       string     `json:"start"`
	Source      string     `json:"source,omitempty"`
	Dest        string     `json:"dest,omitempty"`
	Target      string     `json:"target,omitempty"`
	HTTP        *httpJSON  `json:"http,omitempty"`
	SSE         *sseJSON   `json:"sse,omitempty"`
	WS          *wsJSON    `json:"ws,omitempty"`
	Path        []stepJSON `json:"path,omitempty"`
	Ways        []wayJSON  `json:"exchanges,omitempty"`
	Received    int64      `json:"received"`
	Sent        int64      `json:"sent"`
	TLS         string     `json:"tls,omitempty"`
	Authority   string     `json:"authority,omitempty"`
	ALPN        string     `json:"alpn,omitempty"`
	Identity    string     `json:"identity,omitempty"`
	Handshake   float64    `json:"handshake_ms,omitempty"`
	Dial        float64    `json:"dial_ms,omitempty"`
	Accept      float64    `json:"accept_ms,omitempty"`
	FirstByte   float64    `json:"first_byte_ms,omitempty"`
	Duration    float64    `json:"duration_ms"`
	By          Side       `json:"by,omitempty"`
	Reason      string     `json:"reason,omitempty"`
	Err         string     `json:"error,omitempty"`
	RTT         float64    `json:"rtt_ms,omitempty"`
	Retransmits uint32     `json:"retransmits,omitempty"`
}

type httpJSON struct {
	Method  string `json:"method,omitempty"`
	Scheme  string `json:"scheme,omitempty"`
	Path    string `json:"path,omitempty"`
	Version string `json:"version,omitempty"`
	Status  int    `json:"status,omitempty"`
	Referer string `json:"referer,omitempty"`
	Agent   string `json:"agent,omitempty"`
	Trace   string `json:"trace,omitempty"`
}

type sseJSON struct {
	Events int64  `json:"events"`
	LastID string `json:"last_id,omitempty"`
}

type stepJSON struct {
	Binding string `json:"binding"`
	Route   string `json:"route,omitempty"`
}

type wayJSON struct {
	Path  []stepJSON `json:"path,omitempty"`
	Count int        `json:"count"`
}

const startLayout = "2006-01-02T15:04:05.000Z07:00" // RFC 3339 with milliseconds

// MarshalJSON gives the record snake_case keys. What is not known is left out.
func (r *Record) MarshalJSON() ([]byte, error) {
	j := recordJSON{
		ID: r.ID, Connection: r.Connection, Start: r.Start.UTC().Format(startLayout),
		Source: addrText(r.Source), Dest: addrText(r.Dest), Target: r.Target,
		Received: r.Received, Sent: r.Sent,
		TLS: r.TLS, Authority: r.Authority, ALPN: r.ALPN, Identity: r.Identity,
		Handshake: millis(r.Handshake), Accept: millis(r.Accept), Dial: millis(r.Dial), FirstByte: millis(r.FirstByte), Duration: millis(r.Duration),
		By: r.By, Reason: r.Reason, Err: r.Err,
		RTT: millis(r.RTT), Retransmits: r.Retransmits,
	}
	if r.HTTP != (HTTP{}) {
		j.HTTP = (*httpJSON)(&r.HTTP)
	}
	if r.SSE != (SSE{}) {
		j.SSE = (*sseJSON)(&r.SSE)
	}
	if r.WS != (WS{}) {
		j.WS = (*wsJSON)(&r.WS)
	}
	j.Path = stepsJSON(r.Path)
	for _, w := range r.Ways {
		j.Ways = append(j.Ways, wayJSON{stepsJSON(w.Path), w.Count})
	}
	return marshalLine(j)
}

// UnmarshalJSON reads what MarshalJSON gives.
func (r *Record) UnmarshalJSON(b []byte) error {
	var j recordJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("cannot read a record: %w", err)
	}
	start, err := time.Parse(time.RFC3339, j.Start)
	if err != nil {
		return fmt.Errorf("cannot read the start of a record: %w", err)
	}
	*r = Record{
		ID: j.ID, Connection: j.Connection, Start: start.Local(), Target: j.Target, Received: j.Received, Sent: j.Sent,
		TLS: j.TLS, Authority: j.Authority, ALPN: j.ALPN, Identity: j.Identity,
		Handshake: fromMillis(j.Handshake), Accept: fromMillis(j.Accept), Dial: fromMillis(j.Dial), FirstByte: fromMillis(j.FirstByte), Duration: fromMillis(j.Duration),
		By: j.By, Reason: j.Reason, Err: j.Err, RTT: fromMillis(j.RTT), Retransmits: j.Retransmits,
	}
	if j.HTTP != nil {
		r.HTTP = HTTP(*j.HTTP)
	}
	if j.SSE != nil {
		r.SSE = SSE(*j.SSE)
	}
	if j.WS != nil {
		r.WS = WS(*j.WS)
	}
	r.Path = stepsOf(j.Path)
	for _, w := range j.Ways {
		r.Ways = append(r.Ways, Way{stepsOf(w.Path), w.Count})
	}
	if r.Source, err = parseAddr(j.Source); err != nil {
		return fmt.Errorf("cannot read the source of a record: %w", err)
	}
	if r.Dest, err = parseAddr(j.Dest); err != nil {
		return fmt.Errorf("cannot read the destination of a record: %w", err)
	}
	return nil
}

func stepsJSON(path []Step) (all []stepJSON) {
	for _, s := range path {
		all = append(all, stepJSON(s))
	}
	return all
}

func stepsOf(path []stepJSON) (all []Step) {
	for _, s := range path {
		all = append(all, Step(s))
	}
	return all
}

func addrText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func parseAddr(s string) (netip.AddrPort, error) {
	if s == "" {
		return netip.AddrPort{}, nil
	}
	return netip.ParseAddrPort(s)
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func fromMillis(ms float64) time.Duration {
	return time.Duration(math.Round(ms * float64(time.Millisecond)))
}

// logRecord writes a record to a process's log.
func logRecord(l *slog.Logger, r *Record) {
	attrs := make([]any, 0, 24)
	add := func(known bool, a slog.Attr) {
		if known {
			attrs = append(attrs, a)
		}
	}
	message := "connection ended"
	if r.Connection != 0 {
		message = "exchange ended"
		add(true, slog.Uint64("exchange", r.ID))
		add(true, slog.Uint64("connection", r.Connection))
	} else {
		add(true, slog.Uint64("connection", r.ID))
	}
	add(r.HTTP != (HTTP{}), r.HTTP.attr())
	add(r.SSE != (SSE{}), slog.Group("sse", slog.Int64("events", r.SSE.Events), slog.String("last_id", r.SSE.LastID)))
	add(r.WS != (WS{}), r.WS.attr())
	add(r.Source.IsValid(), slog.String("source", addrText(r.Source)))
	add(r.Dest.IsValid(), slog.String("dest", addrText(r.Dest)))
	add(r.Target != "", slog.String("target", r.Target))
	add(len(r.Path) > 0, slog.String("path", r.PathText()))
	add(true, slog.Int64("received", r.Received))
	add(true, slog.Int64("sent", r.Sent))
	add(r.TLS != "", slog.String("tls", r.TLS))
	add(r.Authority != "", slog.String("authority", r.Authority))
	add(r.ALPN != "", slog.String("alpn", r.ALPN))
	add(r.Identity != "", slog.String("identity", r.Identity))
	add(r.Handshake > 0, slog.Duration("handshake", r.Handshake))
	add(r.Dial > 0, slog.Duration("dial", r.Dial))
	add(r.Accept > time.Millisecond, slog.Duration("accept", r.Accept))
	add(r.FirstByte > 0, slog.Duration("first_byte", r.FirstByte))
	add(true, slog.Duration("duration", r.Duration))
	add(r.By != "", slog.String("by", string(r.By)))
	add(r.Reason != "", slog.String("reason", r.Reason))
	add(r.Err != "", slog.String("error", r.Err))
	add(r.RTT > 0, slog.Duration("rtt", r.RTT))
	add(r.Retransmits > 0, slog.Uint64("retransmits", uint64(r.Retransmits)))
	l.Info(message, attrs...)
}

// attr is what is known of the exchange, under the keys that records have in JSON.
func (h *HTTP) attr() slog.Attr {
	attrs := make([]any, 0, 8)
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("method", h.Method)
	add("scheme", h.Scheme)
	add("path", h.Path)
	add("version", h.Version)
	if h.Status != 0 {
		attrs = append(attrs, slog.Int("status", h.Status))
	}
	add("referer", h.Referer)
	add("agent", h.Agent)
	add("trace", h.Trace)
	return slog.Group("http", attrs...)
}

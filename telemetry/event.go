package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Event is something that a component of the gateway has to say, such as a name that could not be resolved. Ids and
// texts of events that zilla has are zilla's, so that what reads its logs reads ours.
type Event struct {
	Time      time.Time
	Namespace string // of the component, "engine" for the engine's own
	Name      string // of the component, "events" for the engine's own
	ID        string // dotted and lower case: binding.tcp.dns.failed
	Message   string // one sentence
	Scope     uint64 // the connection it concerns, 0 for none
	Warning   bool   // something went wrong
}

// Text is the event as one line for people, as gozilla logs shows it.
func (e *Event) Text() string { return e.line(e.ID) }

// UpperText is Text with the id in upper case and underscores, as the stdout exporter prints it.
func (e *Event) UpperText() string {
	return e.line(strings.ToUpper(strings.ReplaceAll(e.ID, ".", "_")))
}

func (e *Event) line(id string) string {
	b := make([]byte, 0, 80+len(e.Message))
	b = appendOneLine(b, e.Namespace)
	b = append(b, ':')
	b = appendOneLine(b, e.Name)
	b = e.Time.AppendFormat(b, " [02/Jan/2006:15:04:05 -0700] [")
	b = append(b, e.trace()...)
	b = append(b, "] "...)
	b = appendOneLine(b, id)
	b = append(b, ' ')
	b = appendOneLine(b, e.Message)
	return string(b)
}

// trace is the id of the connection in the form of zilla's trace ids.
func (e *Event) trace() string { return fmt.Sprintf("%016x", e.Scope) }

// eventJSON has the keys of zilla logs --format json.
type eventJSON struct {
	Namespace string `json:"namespace"` // qualified: with the component's name
	Timestamp int64  `json:"timestamp"` // milliseconds
	TraceID   string `json:"traceId"`
	Event     string `json:"event"`
	Message   string `json:"message"`
}

// MarshalJSON gives the event the keys that zilla logs --format json has.
func (e *Event) MarshalJSON() ([]byte, error) {
	return marshalLine(eventJSON{
		Namespace: e.Namespace + ":" + e.Name,
		Timestamp: e.Time.UnixMilli(),
		TraceID:   e.trace(),
		Event:     e.ID,
		Message:   e.Message,
	})
}

// UnmarshalJSON reads what MarshalJSON gives, which does not tell whether the event is a warning.
func (e *Event) UnmarshalJSON(b []byte) error {
	var j eventJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("cannot read an event: %w", err)
	}
	scope, err := strconv.ParseUint(j.TraceID, 16, 64)
	if err != nil {
		return fmt.Errorf("cannot read the trace id of an event: %w", err)
	}
	*e = Event{Time: time.UnixMilli(j.Timestamp), Namespace: j.Namespace, ID: j.Event, Message: j.Message, Scope: scope}
	if i := strings.LastIndexByte(j.Namespace, ':'); i >= 0 {
		e.Namespace, e.Name = j.Namespace[:i], j.Namespace[i+1:]
	}
	return nil
}

// logEvent writes an event to a process's log.
func logEvent(l *slog.Logger, e *Event) {
	write := l.Info
	if e.Warning {
		write = l.Warn
	}
	attrs := []any{slog.String("event", e.ID), slog.String("component", e.Namespace+":"+e.Name)}
	if e.Scope != 0 {
		attrs = append(attrs, slog.Uint64("connection", e.Scope))
	}
	write(e.Message, attrs...)
}

// marshalLine encodes v without line breaks or anything else that a terminal would not show.
func marshalLine(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(jsonWriter{&b})
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

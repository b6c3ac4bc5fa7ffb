package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"gozilla/config"
	"gozilla/engine"
	"gozilla/stream"
	"gozilla/telemetry"
)

// A Source is the gateway that the API tells of.
type Source interface {
	Status() Status
	Graph() engine.Graph
	Host() *stream.Host // whose scopes are the connections, and whose log is shown
	Metrics() *telemetry.Metrics
	Level() *slog.LevelVar // of what the process writes to its log
}

// A Gateway is what the API is for: it can be watched, and its configuration be exchanged.
type Gateway interface {
	Source
	Watch(engine.Filter) (*engine.Watcher, error)
	Generation() int64 // the number of the configuration in service
	// Compare tells what another configuration would change, and Reload reads the one that is followed again.
	Compare(context.Context, config.Source, engine.Options) *engine.Outcome
	Reload(context.Context) *engine.Outcome
}

// An API answers requests about a gateway.
type API struct {
	source    Gateway
	following atomic.Int64 // who follow logs or records, or dump
}

// Handler makes the API of a gateway.
func Handler(g Gateway) http.Handler { return &API{source: g} }

const (
	// writeTime is how long a client may take to read what it was sent.
	writeTime = 10 * time.Second
	// bodyTime is how long a client may take to send a body.
	bodyTime = 3 * time.Second
	// rubbishTime is how long a client may go on sending what nobody asked for.
	rubbishTime = time.Second
	// bodyBytes is how much a body may have: a configuration, as a text in JSON.
	bodyBytes = 2 * config.MaxText
)

// ServeHTTP is part of http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	there, id := find(r.URL.Path)
	var e *endpoint
	for i := range there {
		if there[i].method == r.Method {
			e = &there[i]
		}
	}
	bound(w, r, e != nil && e.body != "")
	switch {
	case len(there) == 0:
		fail(w, http.StatusNotFound, "there is no %q here; there are %s", r.URL.Path, list(paths()))
	case e == nil:
		w.Header().Set("Allow", strings.Join(methods(there), ", "))
		fail(w, http.StatusMethodNotAllowed, "%s is only for %s", r.URL.Path, list(methods(there)))
	default:
		if err := e.checkQuery(r); err != nil {
			fail(w, http.StatusBadRequest, "%v", err)
			return
		}
		r.SetPathValue("id", id)
		e.answer(a, w, r)
	}
}

// bound limits what a request may cost. Deadlines are those of the connection; a writer without one, in a test, has none
// to set.
func bound(w http.ResponseWriter, r *http.Request, takesBody bool) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(writeTime))
	switch {
	case takesBody:
		_ = control.SetReadDeadline(time.Now().Add(bodyTime))
	case r.ContentLength != 0:
		_ = control.SetReadDeadline(time.Now().Add(rubbishTime))
	}
	r.Body = http.MaxBytesReader(w, r.Body, bodyBytes)
}

// follow lets somebody follow, unless as many do as may, who then is answered. Who follows calls leave at the end.
func (a *API) follow(w http.ResponseWriter) (leave func(), ok bool) {
	leave = func() { a.following.Add(-1) }
	if a.following.Add(1) > followers {
		leave()
		fail(w, http.StatusServiceUnavailable, "%d clients follow this gateway, as many as may be: one of them has to end first", followers)
		return nil, false
	}
	return leave, true
}

func (a *API) metrics(w http.ResponseWriter, r *http.Request) {
	samples := a.source.Metrics().Snapshot()
	switch format := r.URL.Query().Get("format"); format {
	case "", "json":
		if samples == nil {
			samples = []telemetry.Sample{}
		}
		reply(w, http.StatusOK, samples)
	case "prometheus":
		w.Header().Set("Content-Type", telemetry.PrometheusType)
		_ = telemetry.WritePrometheus(w, samples) // the client is gone: there is nobody to tell
	default:
		fail(w, http.StatusBadRequest, "there is no format %q; there are json and prometheus", format)
	}
}

func (a *API) bindings(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, a.source.Graph())
}

// level is the body of what asks for the level of the log, and sets it.
type level struct {
	Level string `json:"level"`
}

func (a *API) level(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, level{strings.ToLower(a.source.Level().Level().String())})
}

func (a *API) setLevel(w http.ResponseWriter, r *http.Request) {
	var to level
	if err := readBody(r, &to); err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	var l slog.Level
	if l.UnmarshalText([]byte(to.Level)) != nil {
		fail(w, http.StatusBadRequest, "the level must be debug, info, warn or error, not %q", to.Level)
		return
	}
	a.source.Level().Set(l)
	a.level(w, r)
}

// readBody reads a body that must be one JSON value, to its end: what comes of it may then take longer than the client had
// to send it.
func readBody(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("cannot read the body: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("cannot read the body: there is more than one value")
	}
	return nil
}

// checkQuery refuses parameters that the endpoint does not have.
func (e *endpoint) checkQuery(r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fmt.Errorf("cannot read the query: %w", err)
	}
	var known []string
	for _, p := range e.query {
		known = append(known, p.name)
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch {
		case len(known) == 0:
			return fmt.Errorf("%s takes no parameters", e.path)
		case !slices.Contains(known, name):
			return fmt.Errorf("there is no parameter %q; there are %s", name, list(known))
		case len(query[name]) > 1:
			return fmt.Errorf("the parameter %s is given %d times", name, len(query[name]))
		}
	}
	return nil
}

// list joins words as a sentence does.
func list(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// fault is the body of every answer that is an error.
type fault struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, status int, format string, a ...any) {
	reply(w, status, fault{Error: fmt.Sprintf(format, a...)})
}

func reply[T any](w http.ResponseWriter, status int, body T) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the client is gone: there is nobody to tell
}

package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"gozilla/engine"
	"gozilla/telemetry"
)

// A Source is the gateway that the API tells of.
type Source interface {
	Status() Status
	Log() *telemetry.Log
	Metrics() *telemetry.Metrics
	Watch(engine.Filter) (*engine.Watcher, error)
}

// Status is who a gateway is and how it does.
type Status struct {
	PID         int       `json:"pid"`
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	Config      string    `json:"config"` // the file it runs, or its address
	Ready       bool      `json:"ready"`
	Draining    bool      `json:"draining"`
	Connections int64     `json:"connections"` // open ones
	Capacity    int64     `json:"capacity"`    // how many there may be
	Refused     int64     `json:"refused"`     // how often there were as many already
}

// An Entry is one line of /v1/logs: an event, a record, or the news that entries before this one are kept no longer.
type Entry struct {
	telemetry.Entry
	Lost bool `json:"lost,omitempty"`
}

// An API answers requests about a gateway.
type API struct {
	source Source
}

// Handler makes the API of a gateway.
func Handler(s Source) http.Handler { return &API{source: s} }

const (
	// writeTime is how long a client may take to read what it was sent.
	writeTime = 10 * time.Second
	// bodyTime is how long a client may go on sending what nobody asked for.
	bodyTime = time.Second
)

// ServeHTTP is part of http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := a.route(r.URL.Path)
	control := http.NewResponseController(w)
	// Deadlines are those of the connection; a writer without one, in a test, has none to set.
	_ = control.SetWriteDeadline(time.Now().Add(writeTime))
	if r.ContentLength != 0 {
		_ = control.SetReadDeadline(time.Now().Add(bodyTime))
	}
	switch {
	case r.URL.Path == "/v1/dump":
		a.dump(w, r)
	case answer == nil:
		fail(w, http.StatusNotFound, "there is no %s here; there are /v1/status, /v1/metrics, /v1/logs and /v1/dump",
			strconv.Quote(r.URL.Path))
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		fail(w, http.StatusMethodNotAllowed, "%s is only for GET", r.URL.Path)
	default:
		answer(w, r)
	}
}

func (a *API) route(path string) http.HandlerFunc {
	switch path {
	case "/v1/status":
		return a.status
	case "/v1/metrics":
		return a.metrics
	case "/v1/logs":
		return a.logs
	}
	return nil
}

func (a *API) status(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, a.source.Status())
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

// logs sends what is kept from a sequence number on, and with follow what comes after, until the client or the
// gateway ends it.
func (a *API) logs(w http.ResponseWriter, r *http.Request) {
	since, follow, err := logsQuery(r)
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	log := a.source.Log()
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := &lines{w: w, control: http.NewResponseController(w)}
	for {
		entries, next, lost := log.Since(since)
		if lost {
			out.write(&Entry{Lost: true})
		}
		for _, e := range entries {
			out.write(&Entry{Entry: e})
		}
		if out.flush(); out.err != nil || !follow {
			return
		}
		if since = next; log.Wait(r.Context(), since) != nil {
			// One last look, so that a gateway's last words reach who follows it.
			if entries, _, _ := log.Since(since); len(entries) == 0 {
				return
			}
			follow = false
		}
	}
}

func logsQuery(r *http.Request) (since uint64, follow bool, err error) {
	query := r.URL.Query()
	if s := query.Get("since"); s != "" {
		if since, err = strconv.ParseUint(s, 10, 64); err != nil {
			return 0, false, fmt.Errorf("since must be a sequence number, not %q", s)
		}
	}
	if s := query.Get("follow"); s != "" {
		if follow, err = strconv.ParseBool(s); err != nil {
			return 0, false, fmt.Errorf("follow must be true or false, not %q", s)
		}
	}
	return since, follow, nil
}

// lines writes a JSON object a line, until the first error.
type lines struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

func (l *lines) write(e *Entry) {
	if l.err != nil {
		return
	}
	var line []byte
	if line, l.err = json.Marshal(e); l.err != nil {
		return
	}
	_ = l.control.SetWriteDeadline(time.Now().Add(writeTime))
	_, l.err = l.w.Write(append(line, '\n'))
}

func (l *lines) flush() {
	if l.err == nil {
		_ = l.control.SetWriteDeadline(time.Now().Add(writeTime))
		l.err = l.control.Flush()
	}
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
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the client is gone: there is nobody to tell
}

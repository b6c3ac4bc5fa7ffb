package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"gozilla/telemetry"
)

// An Entry is one line of /v1/logs: an event, a record, or the news that entries before this one are kept no longer.
type Entry struct {
	telemetry.Entry
	Lost bool `json:"lost,omitempty"`
}

func (a *API) logs(w http.ResponseWriter, r *http.Request) {
	a.entries(w, r, func(*telemetry.Entry) bool { return true })
}

func (a *API) records(w http.ResponseWriter, r *http.Request) {
	a.entries(w, r, func(e *telemetry.Entry) bool { return e.Record != nil })
}

// entries sends what is wanted of what is kept from a sequence number on, and with follow of what comes after, until the
// client or the gateway ends it.
func (a *API) entries(w http.ResponseWriter, r *http.Request, wanted func(*telemetry.Entry) bool) {
	since, follow, err := logsQuery(r)
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	if follow {
		leave, ok := a.follow(w)
		if !ok {
			return
		}
		defer leave()
	}
	log := a.source.Host().Log
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := &lines{w: w, control: http.NewResponseController(w)}
	for {
		entries, next, lost := log.Since(since)
		if lost {
			out.write(&Entry{Lost: true})
		}
		for _, e := range entries {
			if wanted(&e) {
				out.write(&Entry{Entry: e})
			}
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

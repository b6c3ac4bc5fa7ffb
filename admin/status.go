package admin

import (
	"net/http"
	"time"
)

// Status is who a gateway is and how it does.
type Status struct {
	PID         int       `json:"pid"`
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	Config      string    `json:"config"`     // the file it runs, or its address
	Generation  int       `json:"generation"` // the number of the configuration that runs, from 1; 0 before the first one does
	Loaded      time.Time `json:"loaded"`     // when that was put in service
	Refused     *Refusal  `json:"refused"`    // the last configuration that was not taken; nil if there was none
	Ready       bool      `json:"ready"`
	Empty       bool      `json:"empty"` // nothing is served, since the configuration is missing or empty; it may come
	Draining    bool      `json:"draining"`
	Connections int64     `json:"connections"` // open ones
	Capacity    int64     `json:"capacity"`    // how many there may be
	TurnedAway  int64     `json:"turned_away"` // connections that were closed at once, because there were as many already
}

// State is how far the gateway is, in words.
func (s Status) State() string {
	switch {
	case s.Draining:
		return "draining"
	case s.Ready && s.Empty:
		return "ready, serves nothing: the configuration is missing or empty"
	case s.Ready:
		return "ready"
	}
	return "starting"
}

// A Refusal tells of a changed configuration that was not taken, so that the one before went on.
type Refusal struct {
	Time   time.Time `json:"time"`
	Faults []string  `json:"faults"` // each as file:line:column: what is wrong
	Times  int       `json:"times"`  // how often that has happened since the process began
}

func (a *API) status(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, a.source.Status())
}

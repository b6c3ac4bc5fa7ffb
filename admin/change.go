package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"gozilla/config"
	"gozilla/engine"
)

// A Draft is a configuration that a gateway is asked about: what would change if it were the one in service?
type Draft struct {
	Name   string `json:"name"`             // as it is to stand in messages
	Folder string `json:"folder,omitempty"` // an absolute path or an address, that the files it names are relative to
	Text   string `json:"text"`
	Color  bool   `json:"color,omitempty"` // the report is for a terminal with colours
}

// Changed is what came of a configuration, or would.
type Changed struct {
	Generation int64          `json:"generation"`       // of the configuration in service
	Loaded     time.Time      `json:"loaded"`           // when that was put in service
	Change     *engine.Change `json:"change,omitempty"` // nil if the configuration is refused
	Error      string         `json:"error,omitempty"`  // why it is, in a line; "" if it is not
	Faults     []string       `json:"faults,omitempty"` // each as file:line:column: what is wrong
	Report     string         `json:"report,omitempty"` // faults and warnings as gozilla check shows them
}

// changeTime is how long it may take to read and compare a configuration.
const changeTime = time.Minute

func (a *API) plan(w http.ResponseWriter, r *http.Request) {
	var d Draft
	if err := readBody(r, &d); err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	allow(w)
	ctx, cancel := context.WithTimeout(r.Context(), changeTime)
	defer cancel()
	o := a.source.Compare(ctx, config.Source{Name: d.Name, Text: []byte(d.Text)}, engine.Options{Folder: d.Folder})
	c := a.changed(o, d.Color)
	if o.Err != nil && o.Plan != nil && o.Plan.Report.Err() == nil && o.Plan.Empty() {
		c.Error = d.Name + ": " + c.Error // else nothing in it tells which file is meant
		c.Faults = []string{c.Error}
	}
	reply(w, http.StatusOK, c)
}

func (a *API) reload(w http.ResponseWriter, r *http.Request) {
	allow(w)
	ctx, cancel := context.WithTimeout(r.Context(), changeTime)
	defer cancel()
	reply(w, http.StatusOK, a.changed(a.source.Reload(ctx), r.URL.Query().Get("color") == "true"))
}

// allow gives an answer the time that a change may take.
func allow(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(changeTime + writeTime))
}

// changed is what came of a configuration.
func (a *API) changed(o *engine.Outcome, color bool) *Changed {
	c := &Changed{Generation: a.source.Generation(), Loaded: a.source.Status().Loaded, Change: o.Change, Faults: o.Faults()}
	if o.Err != nil {
		c.Error = c.Faults[0]
	}
	if o.Plan != nil {
		var b strings.Builder
		_ = o.Plan.Report.Write(&b, color) // a builder takes everything
		c.Report = b.String()
	}
	return c
}

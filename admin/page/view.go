package page

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gozilla/admin"
	"gozilla/telemetry"
)

const (
	shownConnections = 100
	shownRecords     = 50
)

// A view is all that the page shows at one moment.
type view struct {
	admin.Status
	Now         time.Time
	State       string // starting, ready or draining
	Age         string // of the process
	Since       string // when its configuration was put in service
	Used        string // how many connections are open, of how many
	Full        bool   // hardly more may be
	Graph       *drawing
	Bindings    int
	Connections []row
	Total       int // connections that are open
	Records     []row
	Fault       string // why connections are not shown
}

// A row is a connection, or a record of what is over.
type row struct {
	ID                    uint64
	What                  string // a request, or the number of the connection that it came over
	Source, Target        string
	Received, Sent        string
	Time                  string // how long it has been open, or took
	At                    string // when it began
	Who                   string // the client's identity, or the name that it asked for
	By, Reason, Err, Path string
	Bad                   bool // it has not ended in order
}

// look puts together what the page shows.
func (p *page) look(now time.Time) *view {
	g, status := p.source.Graph(), p.source.Status()
	state, _, _ := strings.Cut(status.State(), ",")
	v := &view{
		Status: status, Now: now, State: state, Age: short(now.Sub(status.Started)), Bindings: len(g.Bindings),
		Used:  fmt.Sprintf("%s of %s", count(status.Connections), count(status.Capacity)),
		Full:  status.Connections*10 >= status.Capacity*9,
		Graph: draw(&g, p.rates.look(&g, now)),
	}
	if status.Generation > 0 {
		v.Since = status.Loaded.Local().Format(time.DateTime)
	}
	namespace := ""
	if oneNamespace(&g) && len(g.Bindings) > 0 {
		namespace = g.Bindings[0].Namespace
	}
	open, err := admin.Filter{Limit: shownConnections}.List(p.source.Host())
	if err != nil {
		v.Fault = err.Error()
	}
	v.Total = open.Total
	for _, r := range slices.Backward(open.Connections) {
		v.Connections = append(v.Connections, rowOf(r, namespace))
	}
	for _, r := range slices.Backward(p.source.Host().Log.Last(shownRecords)) {
		v.Records = append(v.Records, rowOf(r, namespace))
	}
	return v
}

// rowOf makes a row of a record, in whose path that namespace goes without saying.
func rowOf(r *telemetry.Record, namespace string) row {
	bare := func(path []telemetry.Step) {
		for i := range path {
			path[i].Binding = strings.TrimPrefix(path[i].Binding, namespace+":")
		}
	}
	bare(r.Path)
	for _, w := range r.Ways {
		bare(w.Path)
	}
	x := row{
		ID: r.ID, Source: address(r.Source), Target: r.Target, Received: size(float64(r.Received)), Sent: size(float64(r.Sent)),
		Time: short(r.Duration), At: r.Start.Local().Format("15:04:05.000"), Who: r.Identity, By: string(r.By), Reason: r.Reason, Err: r.Err,
		Path: strings.Join(r.PathLines(), "; "), What: "connection",
		Bad: r.Reason != "" && r.Reason != "fin" && r.Reason != "drain",
	}
	if x.Who == "" {
		x.Who = r.Authority
	}
	if r.HTTP != (telemetry.HTTP{}) {
		x.What = telemetry.OneLine(strings.TrimSpace(fmt.Sprintf("%s %s", r.HTTP.Method, r.HTTP.Path)))
		if r.HTTP.Status != 0 {
			x.What += fmt.Sprintf(" %d", r.HTTP.Status)
		}
	}
	return x
}

func address(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// short is a duration with about three digits, or in its two largest units.
func short(d time.Duration) string {
	d = max(d, 0)
	switch day := 24 * time.Hour; {
	case d >= day:
		return fmt.Sprintf("%dd %dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh %dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm %ds", d/time.Minute, d%time.Minute/time.Second)
	case d >= 10*time.Second:
		return d.Truncate(time.Second).String()
	}
	unit := time.Duration(1)
	for d >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit).String()
}

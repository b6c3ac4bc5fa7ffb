package admin

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"gozilla/engine"
	"gozilla/stream"
	"gozilla/telemetry"
)

// Connections are those that are open at one moment.
type Connections struct {
	Total       int                 `json:"total"`       // that fit the filter
	Connections []*telemetry.Record `json:"connections"` // the newest of them, which stand last
}

// A Filter says which connections are meant. The zero value means all.
type Filter struct {
	Binding   string // one on their path, or on that of one of their exchanges, NAME or NAMESPACE:NAME
	Namespace string // that of such a one
	Source    string // a network like 10.0.0.0/8, or an address
	Limit     int    // so many at most; 0: as many as are listed by default

	network netip.Prefix
}

const (
	defaultLimit = 1000
	// MaxLimit is how many connections are listed at most.
	MaxLimit = 10_000
)

// settle reads what the filter says.
func (f *Filter) settle() error {
	f.Limit = cmp.Or(f.Limit, defaultLimit)
	if f.Limit < 1 || f.Limit > MaxLimit {
		return fmt.Errorf("the limit must be from 1 to %d", MaxLimit)
	}
	if f.Source == "" {
		return nil
	}
	var err error
	if f.network, err = ParseSource(f.Source); err != nil {
		return fmt.Errorf("source must be %w", err)
	}
	return nil
}

// any reports whether every connection fits.
func (f *Filter) any() bool { return f.Binding == "" && f.Namespace == "" && f.Source == "" }

func (f *Filter) fits(s *stream.Scope) bool {
	if f.Source != "" {
		if r := s.Record(); !f.network.Contains(r.Source.Addr().Unmap()) {
			return false
		}
	}
	if f.Binding == "" && f.Namespace == "" {
		return true
	}
	return s.Has(func(path []*stream.Node) bool {
		return slices.ContainsFunc(path, func(n *stream.Node) bool { return f.names(n.String()) })
	})
}

// mostWays is how many ways of the exchanges of a connection are told.
const mostWays = 8

// ways are those of the exchanges of a connection, the ones that fit first. The last one stands for what would be too many.
func (f *Filter) ways(s *stream.Scope) []telemetry.Way {
	all := s.Ways()
	slices.SortStableFunc(all, func(a, b telemetry.Way) int { return f.rank(&a) - f.rank(&b) })
	if len(all) <= mostWays {
		return all
	}
	rest := 0
	for _, w := range all[mostWays-1:] {
		rest += w.Count
	}
	return append(all[:mostWays-1], telemetry.Way{Count: rest})
}

// rank is 0 for a way on which a binding is meant, else 1.
func (f *Filter) rank(w *telemetry.Way) int {
	if slices.ContainsFunc(w.Path, func(s telemetry.Step) bool { return f.names(s.Binding) }) {
		return 0
	}
	return 1
}

// names reports whether the binding of that qualified name is meant.
func (f *Filter) names(binding string) bool {
	namespace, name := "", binding
	if i := strings.LastIndexByte(binding, ':'); i >= 0 {
		namespace, name = binding[:i], binding[i+1:]
	}
	return (f.Binding == "" || f.Binding == name || f.Binding == binding) && (f.Namespace == "" || f.Namespace == namespace)
}

// List gives the connections of h that fit. It costs those that are listed a moment of their locks, and the others, unless
// they have to be looked at, nothing.
func (f Filter) List(h *stream.Host) (Connections, error) {
	if err := f.settle(); err != nil {
		return Connections{}, err
	}
	var total int
	var found []*stream.Scope
	newest := func() {
		slices.SortFunc(found, func(a, b *stream.Scope) int { return cmp.Compare(a.ID(), b.ID()) })
		found = found[max(0, len(found)-f.Limit):]
	}
	h.Scopes(func(s *stream.Scope) {
		if !f.any() && !f.fits(s) {
			return
		}
		total++
		if found = append(found, s); len(found) >= 2*MaxLimit {
			newest()
		}
	})
	newest()
	all := Connections{Total: total, Connections: make([]*telemetry.Record, len(found))}
	for i, s := range found {
		r := s.Record()
		r.Ways = f.ways(s)
		all.Connections[i] = &r
	}
	return all, nil
}

// exists tells what is wrong with the names of a filter by which nothing was found.
func (f *Filter) exists(g engine.Graph) error {
	var names []string
	for i := range g.Bindings {
		b := &g.Bindings[i]
		if f.names(b.Qualified()) {
			return nil
		}
		names = append(names, b.Qualified())
	}
	there := "none at all"
	if len(names) > 0 {
		there = strings.Join(names, ", ")
	}
	switch {
	case f.Binding == "" && f.Namespace == "":
		return nil
	case f.Binding == "":
		return fmt.Errorf("there is no binding in the namespace %q", f.Namespace)
	case f.Namespace == "":
		return fmt.Errorf("there is no binding %q; there is %s", f.Binding, there)
	}
	return fmt.Errorf("there is no binding %q in the namespace %q; there is %s", f.Binding, f.Namespace, there)
}

func (a *API) connections(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	f := Filter{Binding: query.Get("binding"), Namespace: query.Get("namespace"), Source: query.Get("source")}
	if s := query.Get("limit"); s != "" {
		var err error
		if f.Limit, err = strconv.Atoi(s); err != nil || f.Limit == 0 {
			fail(w, http.StatusBadRequest, "limit must be a number from 1 to %d, not %q", MaxLimit, s)
			return
		}
	}
	found, err := f.List(a.source.Host())
	if err == nil && found.Total == 0 { // those of a binding that is gone may be open still
		err = f.exists(a.source.Graph())
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	reply(w, http.StatusOK, found)
}

// closeConnection cuts a connection off. How it comes to its end is its own affair; its record tells who wanted it.
func (a *API) closeConnection(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		fail(w, http.StatusBadRequest, "a connection has a number, and %q is none", r.PathValue("id"))
		return
	}
	s := a.source.Host().Scope(id)
	if s == nil {
		fail(w, http.StatusNotFound, "there is no connection %d", id)
		return
	}
	s.Cancel(&stream.Cut{By: telemetry.Gateway, Why: "closed by admin"})
	w.WriteHeader(http.StatusNoContent)
}

package engine

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gozilla/config"
)

// Summary is the plan in a few words.
func (p *Plan) Summary() string {
	bindings := 0
	for _, s := range p.spaces {
		if s.name != system {
			bindings += len(s.bindings)
		}
	}
	return fmt.Sprintf("ok, %s in %s", count(bindings, "binding"), count(len(p.spaces)-1, "namespace"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Describe draws what is in service: each namespace, the bindings in it that get their streams from outside, and below
// each where its streams go. Behind every binding stands its digest: what has another one after a change is made anew.
func (e *Engine) Describe(w io.Writer) error {
	e.mu.Lock()
	d := &description{byName: map[string]*instance{}, drawn: map[*instance]bool{}}
	all := slices.Clone(e.instances)
	e.mu.Unlock()
	slices.SortStableFunc(all, func(a, b *instance) int { return a.source.Pos.Compare(b.source.Pos) })
	for _, in := range all {
		d.byName[in.node.String()] = in
	}
	for _, now := range []func(*instance) bool{isEntry, isBinding, func(*instance) bool { return true }} {
		for _, in := range all {
			if !d.drawn[in] && now(in) {
				d.draw(in, "", "")
			}
		}
	}
	_, err := io.WriteString(w, d.text.String())
	return err
}

// isEntry tells of a binding that gets its streams from outside.
func isEntry(in *instance) bool { return isBinding(in) && len(in.spec.Form.Faces()) == 0 }

func isBinding(in *instance) bool { return in.spec != nil }

type description struct {
	byName map[string]*instance
	drawn  map[*instance]bool
	text   strings.Builder
}

func (d *description) draw(in *instance, how, indent string) {
	fmt.Fprintf(&d.text, "%s%s%s  %s %s", indent, how, in.node, in.node.Type, in.node.Kind)
	for _, l := range in.listeners {
		fmt.Fprintf(&d.text, "  %s", l.tcp.Addr())
	}
	if d.drawn[in] {
		d.text.WriteString("  (see above)\n")
		return
	}
	fmt.Fprintf(&d.text, "  #%.8s\n", in.digest)
	d.drawn[in] = true
	if in.spec == nil {
		return
	}
	for _, ref := range in.spec.References() {
		namespace, name := ref.Name.Split(in.node.Namespace)
		to := d.byName[namespace+":"+name]
		if ref.To != "binding" || to == nil {
			continue
		}
		way := routeName(ref.Route)
		if ref.Route >= 0 {
			way += conditions(in.source, ref.Route)
		}
		d.draw(to, way+" -> ", indent+"    ")
	}
}

// routeName is a route by its index as records have it, that of the binding itself as "exit".
func routeName(route int) string {
	if route < 0 {
		return "exit"
	}
	return fmt.Sprintf("routes[%d]", route)
}

// conditions are those of a route as the file has them, on one line: " when port 7001 source [10.0.0.0/8], or port 7002".
func conditions(body *config.Node, route int) string {
	routes := body.Get("routes")
	if routes == nil || route >= len(routes.Items) {
		return ""
	}
	when := routes.Items[route].Get("when")
	if when == nil || len(when.Items) == 0 {
		return ""
	}
	var items []string
	for _, item := range when.Items {
		var keys []string
		for _, e := range item.Entries {
			keys = append(keys, e.Key.Value+" "+compact(e.Value))
		}
		if len(keys) == 0 {
			keys = []string{"anything"}
		}
		items = append(items, strings.Join(keys, " "))
	}
	return " when " + strings.Join(items, ", or ")
}

// compact is a value on one line. What came from the environment is shown as the file has it.
func compact(n *config.Node) string {
	switch n.Kind {
	case config.Sequence:
		var items []string
		for _, item := range n.Items {
			items = append(items, compact(item))
		}
		return "[" + strings.Join(items, " ") + "]"
	case config.Mapping:
		var entries []string
		for _, e := range n.Entries {
			entries = append(entries, e.Key.Value+" "+compact(e.Value))
		}
		return "{" + strings.Join(entries, ", ") + "}"
	}
	return strings.Trim(n.Show(), `"`)
}

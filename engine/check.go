package engine

import (
	"regexp"
	"slices"
	"strings"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/telemetry"
)

// unbuiltSystem are the bindings of the system namespace that zilla has and this build does not.
var unbuiltSystem = []string{"tls_client", "http_client"}

// check tells what is wrong with the graph: references that lead nowhere, streams that a binding does not take, loops,
// and, as a warning, bindings that no stream comes to.
func (p *Plan) check() {
	for _, s := range p.spaces {
		p.checkMetrics(s)
		for _, name := range inOrder(s.config.Bindings) {
			if b := s.bindings[name]; b != nil {
				p.resolve(b)
			}
		}
	}
	p.checkLoops()
	for _, s := range p.spaces {
		for _, name := range inOrder(s.config.Bindings) {
			if b := s.bindings[name]; b != nil && len(b.Form.Faces()) == 0 {
				p.arrive(b, "")
			}
		}
	}
	p.checkUnused()
}

// resolve finds what a binding refers to.
func (p *Plan) resolve(b *planned) {
	b.refs = b.References(p.Report)
	for _, ref := range b.refs {
		namespace, name := ref.Name.Split(b.Namespace)
		s := p.space(namespace)
		switch ref.To {
		case "binding":
			if s == nil || s.config.Bindings[name] == nil {
				p.missing(ref, s, func(s *space) map[string]*config.Node { return s.config.Bindings })
			}
		case "guard":
			if s == nil || s.config.Guards[name] == nil {
				p.missing(ref, s, func(s *space) map[string]*config.Node { return s.config.Guards })
			}
		}
	}
}

func (p *Plan) space(name string) *space {
	for _, s := range p.spaces {
		if s.name == name {
			return s
		}
	}
	return nil
}

// missing is the fault of a reference that leads nowhere.
func (p *Plan) missing(ref binding.Reference, s *space, section func(*space) map[string]*config.Node) {
	namespace, name := ref.Name.Split("")
	if namespace == system && slices.Contains(unbuiltSystem, name) {
		p.Report.Errorf(ref.Pos, "the binding %s is not built yet", ref.Name)
		return
	}
	f := p.Report.Errorf(ref.Pos, "there is no %s %s", ref.To, ref.Name)
	if s == nil {
		var names []string
		for _, s := range p.spaces {
			names = append(names, s.name)
		}
		f.Text = "there is no namespace " + namespace
		f.Hintf("namespaces are %s", config.Words(names))
		return
	}
	have := inOrder(section(s))
	if like, ok := config.Like(name, have); ok {
		f.Hintf("did you mean %s?", like)
	} else if len(have) > 0 && len(have) <= 8 {
		f.Hintf("there is %s", config.Words(have))
	}
}

// arrive follows the streams that come to b by a face, and tells where one comes to a binding that does not take it.
func (p *Plan) arrive(b *planned, face string) {
	if slices.Contains(b.faces, face) {
		return
	}
	b.faces = append(b.faces, face)
	protocol := b.Form.ExitFor(face)
	for _, ref := range b.refs {
		to := p.target(b, ref)
		if to == nil {
			continue
		}
		if slices.Contains(to.Form.Faces(), protocol) {
			p.arrive(to, protocol)
			continue
		}
		f := p.Report.Errorf(ref.Pos, "%s sends %s to %s, %s", b.Name, protocol, ref.Name, takes(to))
		f.Note(to.Pos, "%s is declared here", ref.Name)
	}
}

func takes(b *planned) string {
	faces := b.Form.Faces()
	if len(faces) == 0 {
		return config.A(b.Type+" "+string(b.Kind)) + ", which takes no streams from other bindings"
	}
	return config.A(b.Type+" "+string(b.Kind)) + ", which takes " + config.Words(faces)
}

// target is the binding that ref leads to, nil if it leads to none.
func (p *Plan) target(b *planned, ref binding.Reference) *planned {
	if ref.To != "binding" {
		return nil
	}
	namespace, name := ref.Name.Split(b.Namespace)
	if s := p.space(namespace); s != nil {
		return s.bindings[name]
	}
	return nil
}

// checkLoops puts the bindings in an order in which exits come first, and tells where there is none.
func (p *Plan) checkLoops() {
	const onPath, done = 1, 2
	state := map[*planned]int{}
	var path []*planned
	var visit func(*planned)
	visit = func(b *planned) {
		state[b] = onPath
		path = append(path, b)
		for _, ref := range b.refs {
			to := p.target(b, ref)
			switch {
			case to == nil:
			case state[to] == onPath:
				p.loop(ref, path[slices.Index(path, to):])
			case state[to] == 0:
				visit(to)
			}
		}
		path = path[:len(path)-1]
		state[b] = done
		p.bindings = append(p.bindings, b)
	}
	for _, s := range p.spaces {
		for _, name := range inOrder(s.config.Bindings) {
			if b := s.bindings[name]; b != nil && state[b] == 0 {
				visit(b)
			}
		}
	}
}

func (p *Plan) loop(ref binding.Reference, path []*planned) {
	var names []string
	for _, b := range append(path, path[0]) {
		names = append(names, b.Name)
	}
	f := p.Report.Errorf(ref.Pos, "streams would go round in a loop: %s", strings.Join(names, " -> "))
	f.Note(path[0].Pos, "%s is declared here", path[0].Name)
}

// checkUnused warns of bindings that no stream comes to, and leaves those of the system namespace out. While something
// else is wrong it says nothing: that may be what keeps the streams away.
func (p *Plan) checkUnused() {
	broken := p.Report.Err() != nil
	p.bindings = slices.DeleteFunc(p.bindings, func(b *planned) bool {
		if len(b.faces) > 0 {
			return false
		}
		if b.space.name == system {
			return true
		}
		if broken {
			return false
		}
		p.Report.Warnf(b.Pos, "no stream comes to %s: no exit of a binding in use names it", b.Name)
		return false
	})
}

// checkMetrics tells of metrics that do not exist, and of patterns that say nothing.
func (p *Plan) checkMetrics(s *space) {
	known := telemetry.MetricNames()
	metrics := s.config.Telemetry.Metrics
	for i := range metrics {
		if slices.Contains(known, metrics[i]) {
			continue
		}
		f := p.Report.Errorf(p.Report.At(&metrics[i]), "there is no metric %s", metrics[i])
		if like, ok := config.Like(metrics[i], known); ok {
			f.Hintf("did you mean %s?", like)
		}
	}
	for _, b := range s.bindings {
		patterns := b.Telemetry().Metrics
		for i := range patterns {
			at := p.Report.At(&patterns[i])
			re, err := metricPattern(patterns[i])
			if err != nil {
				p.Report.Errorf(at, "%s is not a pattern of metric names: %v", patterns[i], err)
			} else if !slices.ContainsFunc(metrics, re.MatchString) {
				p.Report.Warnf(at, "%s matches no metric that the namespace lists under telemetry.metrics", patterns[i])
			}
		}
	}
}

// metricPattern is the pattern by which a binding selects metrics: a regular expression for the whole of a name.
func metricPattern(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

// selects tells which metrics a binding wants to be exported.
func selects(s *space, b *planned) func(metric string) bool {
	var patterns []*regexp.Regexp
	for _, pattern := range b.Telemetry().Metrics {
		if re, err := metricPattern(pattern); err == nil {
			patterns = append(patterns, re)
		}
	}
	return func(metric string) bool {
		return slices.Contains(s.config.Telemetry.Metrics, metric) &&
			slices.ContainsFunc(patterns, func(re *regexp.Regexp) bool { return re.MatchString(metric) })
	}
}

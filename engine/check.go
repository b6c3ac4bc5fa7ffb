package engine

import (
	"errors"
	"log/slog"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/stream"
	"gozilla/telemetry"
)

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
	b.refs = b.References()
	for _, ref := range b.refs {
		s, name := p.find(b, ref)
		switch ref.To {
		case "binding":
			if s == nil || s.config.Bindings[name] == nil {
				p.missing(ref, s, func(s *space) map[string]*config.Node { return s.config.Bindings })
			}
		case "guard":
			if s == nil || s.config.Guards[name] == nil {
				p.missing(ref, s, func(s *space) map[string]*config.Node { return s.config.Guards })
			}
		case "vault":
			if s == nil || s.config.Vaults[name] == nil {
				p.missing(ref, s, func(s *space) map[string]*config.Node { return s.config.Vaults })
			}
		}
	}
}

// find is the namespace that ref of b leads to, nil if there is no such namespace, and the name in it.
func (p *Plan) find(b *planned, ref binding.Reference) (s *space, name string) {
	namespace, name := ref.Name.Split(b.Namespace)
	if namespace == b.Namespace {
		return b.space, name // there may be others of that name, which is a fault
	}
	for _, have := range p.spaces {
		if have.name == namespace {
			s = have // the last one: the system namespace comes after all that take its name
		}
	}
	return s, name
}

// missing is the fault of a reference that leads nowhere.
func (p *Plan) missing(ref binding.Reference, s *space, section func(*space) map[string]*config.Node) {
	namespace, name := ref.Name.Split("")
	f := p.Report.Errorf(ref.Pos, "there is no %s %s", ref.To, ref.Name)
	if s == nil {
		f.Text = "there is no namespace " + namespace
		hint(f, namespace, p.namespaces(), ":"+name, "namespaces are %s")
		return
	}
	have := inOrder(section(s))
	if namespace != "" {
		name = string(ref.Name)
		for i := range have {
			have[i] = namespace + ":" + have[i]
		}
	}
	hint(f, name, have, "", "there is %s")
}

// hint tells the name that was probably meant, with what comes after it, or which there are if those are not many.
func hint(f *config.Fault, name string, have []string, after, all string) {
	if like, ok := config.Like(name, have); ok {
		f.Hintf("did you mean %s?", like+after)
	} else if len(have) > 0 && len(have) <= 8 {
		f.Hintf(all, config.Words(have))
	}
}

// namespaces are the names that references may begin with.
func (p *Plan) namespaces() (names []string) {
	for _, s := range p.spaces {
		if s.name != "" && !slices.Contains(names, s.name) {
			names = append(names, s.name)
		}
	}
	return names
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
		if to == nil || to == b { // a loop, which is told already
			continue
		}
		if face, ok := b.Form.FaceOf(protocol, to.Form); ok {
			p.arrive(to, face)
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
	if s, name := p.find(b, ref); s != nil {
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
	abroad := slices.ContainsFunc(path, func(b *planned) bool { return b.space != path[0].space })
	var names []string
	for _, b := range path {
		name := b.Name
		if abroad {
			name = b.Namespace + ":" + name
		}
		names = append(names, name)
	}
	f := p.Report.Errorf(ref.Pos, "streams would go round in a loop: %s", strings.Join(append(names, names[0]), " -> "))
	f.Note(path[0].Pos, "%s is declared here", names[0])
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
		p.checkAttributes(&b.Telemetry().Attributes)
		patterns := b.Telemetry().Metrics
		for i := range patterns {
			re, err := metricPattern(patterns[i])
			if err != nil {
				p.Report.Errorf(p.Report.At(&patterns[i]), "%s is not a pattern of metric names: %v", patterns[i], err)
			} else if !slices.ContainsFunc(metrics, re.MatchString) {
				p.Report.Warnf(p.Report.At(&patterns[i]), "%s matches no metric that the namespace lists under telemetry.metrics", patterns[i])
			}
		}
	}
}

// checkAttributes checks those of a binding's metrics.
func (p *Plan) checkAttributes(attributes *map[string]string) {
	var wrong *telemetry.AttributeError
	if _, err := telemetry.ParseAttributes(*attributes); errors.As(err, &wrong) {
		p.Report.Errorf(p.Report.AtKey(attributes, wrong.Label), "%v", wrong).Hintf("%s", wrong.Hint)
	}
}

// metricPattern is the pattern by which a binding selects metrics: a regular expression for the whole of a name.
func metricPattern(pattern string) (*regexp.Regexp, error) {
	if _, err := syntax.Parse(pattern, syntax.Perl); err != nil { // by itself, as the user knows it
		var wrong *syntax.Error
		if errors.As(err, &wrong) {
			err = errors.New(wrong.Code.String())
		}
		return nil, err
	}
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

// try builds the components, which does no IO, and lets them go again. So it tells what only their constructors know, what
// only bindings know that ask their exits, and of ports that two of them want.
func (p *Plan) try() {
	if p.Report.Err() != nil {
		return
	}
	host := stream.NewHost(stream.DefaultLimits(), telemetry.NewLog(nil, 1, false))
	d := New(host, nil, slog.New(slog.DiscardHandler)).draft(p)
	if p.Report.Err() == nil {
		link(d.instances)
		for _, in := range d.instances {
			if in.binding != nil {
				in.binding.Check(d.planned[in].faces)
			}
		}
	}
	d.collide()
	d.undo()
}

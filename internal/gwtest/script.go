package gwtest

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gozilla/engine"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

// RunScripts runs every conversation that the pattern names, such as testdata/*.txtar. Each is an archive of a
// zilla.yaml, a script, and the records and events that have to come of it:
//
//	-- zilla.yaml --
//	name: test                         the namespace
//	… port: 0                          a port that the system chooses
//	… port: ${{env.SERVER}}            the port of the script's server; CLOSED is one on which nothing listens
//	                                   and HANGING one that never answers; FREE1 to FREE3 are not in use
//	-- script --
//	# a comment
//	client 1 connects to north         the name of a binding; north[1] is its second listener
//	client 1 sends "hello" 3 times
//	server 1 accepts                   the first connection that the gateway has dialled
//	server 1 receives "hello" 3 times
//	server 1 ends                      its direction, in order
//	client 1 sees fin                  or rst; nothing else may come before it
//	client 1 aborts
//	server 1 closes
//	gateway waits for 1 record         connections have ended
//	gateway takes two.yaml             another file of the archive, which is in service from then on
//	gateway refuses three.yaml         or is not, since it is wrong
//	gateway leaves                     it is asked to end, and waits
//	gateway cuts                       the patience is over
//	-- records --
//	test:north exit > test:south  SERVER  received 15 sent 0  client: rst
//	-- events --
//	test:south binding.tcp.dns.failed Unable to resolve host dns for address (nowhere.invalid).
//	-- changes --
//	two.yaml: what the file has changed, or what is wrong with it
//
// Records stand in the order in which the connections ended, or sorted if the script has the line "records in any
// order". With -update, records and events become what came about.
func RunScripts(t *testing.T, pattern string, opts ...Option) {
	t.Helper()
	RunArchives(t, pattern, func(t *testing.T, a *Archive) {
		s := newScript(t, a, opts)
		for i, line := range strings.Split(a.Text("script"), "\n") {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				s.at = fmt.Sprintf("line %d of the script, %s", i+1, line)
				s.do(strings.Fields(line), line)
			}
		}
		s.finish(a)
	})
}

type script struct {
	t       *testing.T
	g       *Gateway
	at      string
	server  *Server
	names   map[string]string // of the ports that are known beforehand
	ends    map[string]*net.TCPConn
	reset   []string           // who was reset before it knew that it was connected
	cut     context.CancelFunc // not nil once the gateway leaves
	left    chan struct{}
	drained context.Context
	sorted  bool
	files   *Archive
	changes strings.Builder
}

func newScript(t *testing.T, a *Archive, opts []Option) *script {
	s := &script{t: t, ends: map[string]*net.TCPConn{}, names: map[string]string{}, files: a}
	yaml := a.Text("zilla.yaml")
	s.server = Listen(t, "")
	known := map[string]func() string{
		"SERVER": s.server.Port,
		"CLOSED": func() string { return ClosedPort(t) },
		"HANGING": func() string {
			_, port, _ := net.SplitHostPort(Hanging(t, "127.0.0.1"))
			return port
		},
	}
	for _, name := range []string{"FREE1", "FREE2", "FREE3"} {
		known[name] = func() string { return ClosedPort(t) }
	}
	for name, port := range known {
		if slices.ContainsFunc(a.Files, func(f File) bool { return strings.Contains(f.Text, "env."+name+"}") }) {
			p := port()
			s.names[p] = name
			opts = append(opts, Env(name, p))
		}
	}
	s.g = Start(t, yaml, opts...)
	return s
}

func (s *script) fail(format string, a ...any) {
	s.t.Helper()
	s.t.Fatalf("%s: %s", s.at, fmt.Sprintf(format, a...))
}

// do does what a line says.
func (s *script) do(words []string, line string) {
	s.t.Helper()
	switch {
	case line == "records in any order":
		s.sorted = true
	case words[0] == "gateway":
		s.gateway(words[1:])
	case len(words) >= 3 && (words[0] == "client" || words[0] == "server"):
		s.peer(words[0]+" "+words[1], words[2], strings.TrimSpace(strings.SplitN(line, words[2], 2)[1]))
	default:
		s.fail("nobody knows what that means")
	}
}

func (s *script) gateway(words []string) {
	s.t.Helper()
	switch words[0] {
	case "waits": // for N record(s)
		n, err := strconv.Atoi(words[2])
		if err != nil {
			s.fail("%v", err)
		}
		for range n {
			s.g.Record()
		}
	case "takes", "refuses":
		s.take(words[1], words[0] == "takes")
	case "leaves":
		s.leave()
	case "cuts":
		s.leave()
		s.cut()
		<-s.left
	case "cancels":
		s.g.Host.Scopes(func(sc *stream.Scope) { sc.Cancel(&stream.Cut{By: telemetry.Gateway, Why: "test"}) })
	default:
		s.fail("the gateway cannot do that")
	}
}

// take has the gateway run another file of the archive.
func (s *script) take(name string, wanted bool) {
	s.t.Helper()
	change, err := s.g.Take(name, s.files.Text(name))
	switch {
	case (err == nil) != wanted:
		s.fail("it has taken it or not: %v", err)
	case err != nil:
		fmt.Fprintf(&s.changes, "%s: nothing, since it is wrong\n  %s\n", name, s.nameAll(strings.ReplaceAll(err.Error(), "\n", "\n  ")))
	default:
		fmt.Fprintf(&s.changes, "%s:\n%s", name, s.nameAll(Story(change)))
	}
}

// Story tells a change in lines.
func Story(c *engine.Change) string {
	var b strings.Builder
	for _, x := range c.Components {
		fmt.Fprintf(&b, "  %s %s %s:%s", x.Category, x.Does, x.Namespace, x.Name)
		if x.Why != "" {
			fmt.Fprintf(&b, ": %s", x.Why)
		}
		if x.Connections > 0 {
			fmt.Fprintf(&b, " (%s)", strings.TrimSuffix(fmt.Sprintf("%d connections, %s", x.Connections, x.Streams), ", "))
		}
		b.WriteByte('\n')
	}
	for _, l := range c.Listeners {
		fmt.Fprintf(&b, "  port %s %s for %s\n", l.Does, l.Address, l.Binding)
	}
	if n := c.Connections; n.Keep+n.Drain+n.Close > 0 {
		fmt.Fprintf(&b, "  connections: keep %d, drain %d, close %d\n", n.Keep, n.Drain, n.Close)
	}
	return b.String()
}

// leave begins to stop the gateway, and returns once its listeners are closed.
func (s *script) leave() {
	if s.cut != nil {
		return
	}
	s.drained, s.cut = context.WithTimeout(context.Background(), Patience)
	s.left = make(chan struct{})
	go func() {
		defer close(s.left)
		s.g.Drain(s.drained)
	}()
}

func (s *script) peer(who, verb, rest string) {
	s.t.Helper()
	switch verb {
	case "connects":
		s.connect(who, strings.TrimPrefix(rest, "to "))
		return
	case "accepts":
		s.ends[who] = s.server.Next()
		return
	}
	c := s.ends[who]
	if c == nil && verb == "sees" && rest == "rst" && slices.Contains(s.reset, who) {
		return
	}
	if c == nil {
		s.fail("there is no %s", who)
	}
	switch verb {
	case "sends":
		c.SetWriteDeadline(time.Now().Add(Patience))
		if _, err := c.Write([]byte(s.text(rest))); err != nil {
			s.fail("%v", err)
		}
	case "receives":
		want := s.text(rest)
		if got := receive(c, len(want), Patience); got != want {
			s.fail("%s received %.80q", who, got)
		}
	case "sees":
		if got := next(c); got != rest {
			s.fail("%s saw %s", who, got)
		}
	case "ends":
		if err := c.CloseWrite(); err != nil {
			s.fail("%v", err)
		}
	case "closes":
		c.Close()
	case "aborts":
		conn.Abort(c)
	default:
		s.fail("a %s cannot do that", who)
	}
}

func (s *script) connect(who, to string) {
	s.t.Helper()
	name, index, _ := strings.Cut(strings.TrimSuffix(to, "]"), "[")
	i, _ := strconv.Atoi(index)
	if s.ends[who] = DialAny(s.t, s.g.Addr(name, i)); s.ends[who] == nil {
		s.reset = append(s.reset, who)
	}
}

// text is a text in quotes, perhaps several times.
func (s *script) text(rest string) string {
	s.t.Helper()
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		s.fail("%v", err)
	}
	text, _ := strconv.Unquote(quoted)
	n := 1
	if times := strings.Fields(rest[len(quoted):]); len(times) == 2 && times[1] == "times" {
		if n, err = strconv.Atoi(times[0]); err != nil {
			s.fail("%v", err)
		}
	}
	return strings.Repeat(text, n)
}

// finish compares what came about. The gateway is asked to leave if the script did not: its streams have ended, or end
// by that.
func (s *script) finish(a *Archive) {
	s.t.Helper()
	s.at = "the end of the script"
	if s.cut == nil {
		s.g.AwaitIdle()
		s.leave()
	}
	select {
	case <-s.left:
	case <-time.After(Patience):
		s.fail("the gateway does not stop")
	}
	s.cut()
	var records, events []string
	entries, _, _ := s.g.Host.Log.Since(0)
	for _, e := range entries {
		if e.Record != nil {
			records = append(records, s.record(e.Record)+"\n")
		}
		if e.Event != nil && e.Event.Namespace != "engine" {
			events = append(events, e.Event.Namespace+":"+e.Event.Name+" "+e.Event.ID+" "+s.nameAll(e.Event.Message)+"\n")
		}
	}
	if s.sorted {
		slices.Sort(records)
	}
	a.Expect(s.t, "records", strings.Join(records, ""))
	a.Expect(s.t, "events", strings.Join(events, ""))
	a.Expect(s.t, "changes", s.changes.String())
}

// record is what a record says that is the same every time.
func (s *script) record(r *telemetry.Record) string {
	var b strings.Builder
	for i, step := range r.Path {
		if i > 0 {
			b.WriteString(" > ")
		}
		b.WriteString(strings.TrimSpace(step.Binding + " " + step.Route))
	}
	if r.Target != "" {
		b.WriteString("  " + s.nameAll(r.Target))
	}
	fmt.Fprintf(&b, "  received %d sent %d  %s: %s", r.Received, r.Sent, r.By, r.Reason)
	if r.Err != "" {
		b.WriteString(" (" + s.nameAll(r.Err) + ")")
	}
	return b.String()
}

var endpoint = regexp.MustCompile(`(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\]):(\d+)`)

// nameAll replaces addresses by the names that their ports have, or by PORT.
func (s *script) nameAll(text string) string {
	return endpoint.ReplaceAllStringFunc(text, func(at string) string {
		i := strings.LastIndexByte(at, ':')
		if name, ok := s.names[at[i+1:]]; ok {
			return name
		}
		return at[:i] + ":PORT"
	})
}

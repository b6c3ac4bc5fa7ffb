package stream

import (
	"crypto/x509"
	"fmt"
)

// A Question is a stream that there is not: somebody wants to know where it would go. It is what a client would say, and
// what is known of it at the binding that it has come to. A binding changes what it passes on, as it would of a stream.
type Question struct {
	Face   string              // the protocol that it comes to the binding by; "" for one that listens
	About  *Info               // what the binding is told of it
	From   Addr                // who the client is, as a proxy in front would say it by the PROXY protocol
	To     Addr                // and whom it wants to reach
	SNI    string              // the name that the client asks for by TLS
	ALPN   []string            // the protocols that it offers by TLS
	Shows  []*x509.Certificate // what it shows when it is asked for a certificate, its own first
	Header []Field             // of its request; :method, :scheme, :authority and :path are among them
}

// A Field is one line of the header of a question.
type Field struct{ Name, Value string }

// A Trace is told why routes are taken, and why not, on behalf of the scope that it is attached to.
type Trace struct {
	Verdicts []Verdict // of the routes of one binding, as they were tried
	Known    *Question // by which it has tried them; nil: as it came
	Notes    []string  // what else there is to know
}

// A Verdict is what became of a route.
type Verdict struct {
	Route  int        // its index, or RouteExit
	To     *Node      // where it leads; nil: nowhere by name
	Taken  bool       // else
	Kept   *Refused   // a guard keeps the stream from it, or
	Missed [][]string // the keys that did not hold, for each condition in turn
}

// Note adds a verdict. Who tries the routes once more, such as a tls client that knows the protocol now, forgets first.
func (t *Trace) Note(v Verdict) { t.Verdicts = append(t.Verdicts, v) }

// Forget begins a look at the routes.
func (t *Trace) Forget() { t.Verdicts = t.Verdicts[:0] }

// Knew notes what a binding has learnt before it tried its routes.
func (t *Trace) Knew(q *Question) {
	known := *q
	t.Known = &known
}

// Notef adds a note.
func (t *Trace) Notef(format string, a ...any) { t.Notes = append(t.Notes, fmt.Sprintf(format, a...)) }

// To is where the route leads that was taken; nil if none was, or if it leads nowhere by name.
func (t *Trace) To() *Node {
	if n := len(t.Verdicts); n > 0 && t.Verdicts[n-1].Taken {
		return t.Verdicts[n-1].To
	}
	return nil
}

// Follow attaches a trace to the scope. It is called before anything is done on its behalf that is to be traced.
func (s *Scope) Follow(t *Trace) { s.trace = t }

// Trace is what was attached; nil for streams, of which nobody wants to know that much.
func (s *Scope) Trace() *Trace { return s.trace }

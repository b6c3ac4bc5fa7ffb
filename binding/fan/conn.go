package fan

import (
	"context"
	"slices"

	"gozilla/binding"
	"gozilla/stream"
	"gozilla/stream/conn"
	"gozilla/telemetry"
)

// piece is some bytes.
type piece []byte

func (p piece) size() int { return len(p) }

// bytesFan is the fan of streams of bytes.
type bytesFan struct {
	*group[piece]
	exit conn.Port
}

func newBytesFan(b *binding.Builder) *bytesFan {
	return &bytesFan{newGroup[piece](b), binding.ExitOf(b, conn.Protocol)}
}

// ServeConn makes c a member until it or the group ends.
func (f *bytesFan) ServeConn(ctx context.Context, c conn.Conn, _ *stream.Info) error {
	s := stream.From(ctx)
	p := &bytesParty{end: conn.Take(c, telemetry.Client), flow: s.Flow()}
	p.end.Stall = s.Limits().Stall
	m := &member[piece]{party: p}
	m.init(s.Limits(), p.stop)
	defer m.leaves()
	defer m.follow(ctx)()
	return f.serve(s, m, f.join(m, f.open))
}

// open opens the stream of the group.
func (f *bytesFan) open(s *stream.Scope) (line[piece], error) {
	c, _, err := f.exit.DialConn(s, &stream.Info{})
	if err != nil {
		return nil, err
	}
	return &bytesLine{bytesParty{end: conn.Take(c, telemetry.Server), flow: s.Flow(), group: true}}, nil
}

// bytesParty is one end of a stream of bytes.
type bytesParty struct {
	end   *conn.End
	flow  stream.Flow
	group bool // what is received comes back
	bytes [][]byte
}

func (p *bytesParty) recv() (piece, error) {
	b, err := p.end.Recv()
	if p.group {
		p.flow.Sent(len(b))
	} else {
		p.flow.Received(len(b))
	}
	return b, err
}

func (p *bytesParty) release() { p.end.Release() }

func (p *bytesParty) send(batch []piece) error {
	p.bytes = p.bytes[:0]
	n := 0
	for _, b := range batch {
		n += len(b)
		p.bytes = append(p.bytes, b)
	}
	err := p.end.SendAll(p.bytes)
	clear(p.bytes)
	switch {
	case err != nil:
	case p.group:
		p.flow.Received(n)
	default:
		p.flow.Sent(n)
	}
	return err
}

func (p *bytesParty) finish(error) error { return p.end.Finish() }
func (p *bytesParty) stop(error)         { p.end.Stop() }
func (p *bytesParty) stopRecv()          { p.end.StopRecv() }

// bytesLine is the group's.
type bytesLine struct{ bytesParty }

func (l *bytesLine) keep(b piece) piece { return slices.Clone(b) }

func (l *bytesLine) close(err error) {
	if err != nil {
		conn.Abort(l.end.Conn)
	} else {
		l.end.Close()
	}
}

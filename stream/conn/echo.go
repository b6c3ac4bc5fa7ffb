package conn

import (
	"context"
	"io"

	"gozilla/stream"
	"gozilla/telemetry"
)

// Echo sends back what c receives, and ends when it does. It holds no more than it has read: a peer that does not read
// is not read from.
func Echo(ctx context.Context, c Conn) error {
	s := stream.From(ctx)
	flow := s.Flow()
	e := Take(c, telemetry.Client)
	defer e.Leave()
	defer stream.AfterFunc(ctx, e.Stop)()
	for {
		b, err := e.Recv()
		if err == io.EOF {
			s.Closes(telemetry.Client, "fin")
			return e.Finish()
		}
		if err != nil {
			return stream.Ended(ctx, err)
		}
		n := len(b)
		flow.Received(n)
		err = e.Send(b)
		e.Release()
		if err != nil {
			return stream.Ended(ctx, err)
		}
		flow.Sent(n)
	}
}

package ws

import "errors"

// Echo sends back the messages that x receives, as they come, until its peer has taken its leave.
func Echo(x Socket) error {
	for {
		if !x.Pending() {
			if err := x.Flush(); err != nil {
				return err
			}
		}
		p, err := x.Receive()
		if errors.As(err, new(*Closed)) {
			return nil
		}
		if err == nil {
			err = x.Send(p)
		}
		if err != nil && !errors.Is(err, ErrLeft) { // else the gateway has taken leave, and waits for the answer
			return err
		}
	}
}

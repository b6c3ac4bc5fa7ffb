package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"gozilla/telemetry"
)

// ErrDrained ends what is still open at the deadline of a drain. It is a goodbye, not a fault: tls says close_notify
// and ends with FIN, raw TCP with RST.
var ErrDrained = errors.New("drained")

// Ended is how the stream that ctx is the life of has ended, err being what was returned by who served it: if it was cancelled
// then for the reason that was given, not for the deadline that brought it about. Who was told of that, was told.
func Ended(ctx context.Context, err error) error {
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case errors.As(err, new(*Told)):
		return &Told{Err: context.Cause(ctx)}
	}
	return context.Cause(ctx)
}

// Reason says why a binding did not take a stream. Each protocol has a table from reasons to its own answers.
type Reason string

// The reasons. Their texts stand in records.
const (
	NoRoute         Reason = "no route"        // nothing in the configuration leads on from here
	Unauthenticated Reason = "unauthenticated" // a guard knows of no session
	Forbidden       Reason = "forbidden"       // a session lacks a role
	Unavailable     Reason = "unavailable"     // what stands behind could not be reached
	Timeout         Reason = "timeout"         // what stands behind did not answer in time
	Limit           Reason = "limit"           // as much is going on as is allowed
	Invalid         Reason = "invalid"         // the peer broke the rules of its protocol
	Expired         Reason = "expired"         // the session is over
	Draining        Reason = "draining"        // we are about to leave
)

// Refused is the answer of a binding that does not take a stream.
type Refused struct {
	Reason     Reason
	Err        error         // the details; may be nil
	RetryAfter time.Duration // when it may be worth another try; 0: not known
}

func (r *Refused) Error() string {
	if r.Err == nil {
		return "refused: " + string(r.Reason)
	}
	return fmt.Sprintf("refused: %s: %v", r.Reason, r.Err)
}

func (r *Refused) Unwrap() error { return r.Err }

// Refuse makes a Refused with a formatted cause.
func Refuse(reason Reason, format string, a ...any) *Refused {
	return &Refused{Reason: reason, Err: fmt.Errorf(format, a...)}
}

// Cut is how a stream ended that did not end in order: by whom, and how in a few stable words.
type Cut struct {
	By  telemetry.Side
	Why string // "rst", "idle timeout", "slow reader": what a record shows as the reason
	Err error  // the details; may be nil
}

func (c *Cut) Error() string {
	if c.Err == nil {
		return fmt.Sprintf("cut by the %s: %s", c.By, c.Why)
	}
	return fmt.Sprintf("cut by the %s: %s: %v", c.By, c.Why, c.Err)
}

func (c *Cut) Unwrap() error { return c.Err }

// Told is how a stream ended whose peer needs no reset to know: a protocol above has said it in its own words, such as
// an alert or a close_notify. Where a TCP connection would be reset, it is closed in order.
type Told struct{ Err error }

func (t *Told) Error() string { return t.Err.Error() }

func (t *Told) Unwrap() error { return t.Err }

// verdict translates the error that a stream ended with into the words of its record.
func verdict(err error) (by telemetry.Side, reason, details string) {
	if err == nil {
		return telemetry.Client, "fin", ""
	}
	return verdictOf(err) // which allocates
}

func verdictOf(err error) (by telemetry.Side, reason, details string) {
	var cut *Cut
	var refused *Refused
	var cancel *cancelled
	switch {
	case errors.As(err, &cut):
		return cut.By, cut.Why, text(cut.Err)
	case errors.As(err, &refused):
		return telemetry.Gateway, string(refused.Reason), text(refused.Err)
	case errors.Is(err, ErrDrained):
		return telemetry.Gateway, "drain", ""
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return telemetry.Gateway, "timeout", err.Error()
	case errors.As(err, &cancel) && !errors.Is(cancel.cause, context.Canceled):
		return telemetry.Gateway, "closed", cancel.cause.Error()
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return telemetry.Gateway, "closed", ""
	case errors.Is(err, io.ErrUnexpectedEOF):
		return telemetry.Client, "truncated", err.Error()
	}
	return telemetry.Gateway, "error", err.Error()
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

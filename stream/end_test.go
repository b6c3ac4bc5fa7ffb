package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"gozilla/stream"
	"gozilla/telemetry"
)

func TestVerdictOfEveryEnd(t *testing.T) {
	f := func(err error, by telemetry.Side, reason, details string) {
		t.Helper()
		for _, err := range []error{err, wrap(err)} {
			r := newRig(t)
			r.arrive().End(err)
			rec := r.last(t)
			if rec.By != by || rec.Reason != reason {
				t.Errorf("%v: the record says %s: %s, not %s: %s", err, rec.By, rec.Reason, by, reason)
			}
			if rec.Err != details && rec.Err != "wrapped: "+details {
				t.Errorf("%v: the details are %q, not %q", err, rec.Err, details)
			}
		}
	}
	f(nil, telemetry.Client, "fin", "")
	f(&stream.Cut{By: telemetry.Server, Why: "rst"}, telemetry.Server, "rst", "")
	f(&stream.Cut{By: telemetry.Client, Why: "slow reader", Err: errEnough}, telemetry.Client, "slow reader", "enough")
	for _, reason := range []stream.Reason{stream.NoRoute, stream.Unauthenticated, stream.Forbidden, stream.Unavailable,
		stream.Timeout, stream.Limit, stream.Invalid, stream.Expired, stream.Draining} {
		f(&stream.Refused{Reason: reason}, telemetry.Gateway, string(reason), "")
	}
	f(stream.Refuse(stream.Limit, "%d are open", 7), telemetry.Gateway, "limit", "7 are open")
	f(&stream.Refused{Reason: stream.Unavailable, Err: &stream.Cut{By: telemetry.Server, Why: "dial failed", Err: errEnough}},
		telemetry.Server, "dial failed", "enough")
	f(stream.ErrDrained, telemetry.Gateway, "drain", "")
	f(os.ErrDeadlineExceeded, telemetry.Gateway, "timeout", os.ErrDeadlineExceeded.Error())
	f(context.DeadlineExceeded, telemetry.Gateway, "timeout", context.DeadlineExceeded.Error())
	f(context.Canceled, telemetry.Gateway, "closed", "")
	f(net.ErrClosed, telemetry.Gateway, "closed", "")
	f(io.ErrUnexpectedEOF, telemetry.Client, "truncated", io.ErrUnexpectedEOF.Error())
	f(errEnough, telemetry.Gateway, "error", "enough")
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("wrapped: %w", err)
}

// TestVerdictOfACancel is what the record says of a stream that was cancelled: why, not that it was.
func TestVerdictOfACancel(t *testing.T) {
	f := func(cause error, reason, details string) {
		t.Helper()
		r := newRig(t)
		s := r.arrive()
		s.Cancel(cause)
		s.End(context.Cause(s))
		if rec := r.last(t); rec.By != telemetry.Gateway || rec.Reason != reason || rec.Err != details {
			t.Errorf("%v: the record says %s: %s (%s)", cause, rec.By, rec.Reason, rec.Err)
		}
	}
	f(stream.ErrDrained, "drain", "")
	f(&stream.Cut{By: telemetry.Gateway, Why: "session expired"}, "session expired", "")
	f(&stream.Refused{Reason: stream.Expired}, "expired", "")
	f(context.Canceled, "closed", "")
}

func TestRefused(t *testing.T) {
	err := wrap(stream.Refuse(stream.Timeout, "no answer: %w", errEnough))
	var refused *stream.Refused
	if !errors.As(err, &refused) || refused.Reason != stream.Timeout || !errors.Is(err, errEnough) {
		t.Errorf("%v is not what it was made of", err)
	}
	if got := refused.Error(); got != "refused: timeout: no answer: enough" {
		t.Errorf("the text is %q", got)
	}
	bare := &stream.Refused{Reason: stream.Draining, RetryAfter: time.Second}
	if got := bare.Error(); got != "refused: draining" || errors.Unwrap(bare) != nil {
		t.Errorf("the text is %q", got)
	}
}

func TestCut(t *testing.T) {
	err := wrap(&stream.Cut{By: telemetry.Server, Why: "rst", Err: errEnough})
	var cut *stream.Cut
	if !errors.As(err, &cut) || cut.By != telemetry.Server || !errors.Is(err, errEnough) {
		t.Errorf("%v is not what it was made of", err)
	}
	if got := cut.Error(); got != "cut by the server: rst: enough" {
		t.Errorf("the text is %q", got)
	}
	if got := (&stream.Cut{By: telemetry.Client, Why: "fin"}).Error(); got != "cut by the client: fin" {
		t.Errorf("the text is %q", got)
	}
}

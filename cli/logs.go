package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gozilla/admin"
	"gozilla/telemetry"
)

// logsOptions are the flags of gozilla logs.
type logsOptions struct {
	follow  bool   // go on with what comes
	json    bool   // a JSON object a line, else text
	access  string // the form of an access log, of HTTP exchanges only; "" for everything as above
	events  bool   // only events
	records bool   // only records
}

// runLogs shows the events and records of the gateway in dir: what it keeps, and with follow what comes, until ctx
// ends.
func runLogs(ctx context.Context, env *Env, dir string, o logsOptions) error {
	if o.events && o.records {
		return fmt.Errorf("only events and only records cannot be asked for together")
	}
	if o.access != "" && o.events {
		return fmt.Errorf("the format %s has no form for events", o.access)
	}
	err := inTime(ctx, env, 0, func() {}, func() error {
		return admin.Dial(dir).Logs(ctx, 0, o.follow, func(e admin.Entry) error { return o.show(env, e) })
	})
	if o.follow && errors.Is(err, context.Canceled) {
		return nil // that is how it ends
	}
	return err
}

// show writes one entry as one line.
func (o logsOptions) show(env *Env, e admin.Entry) error {
	var err error
	switch {
	case e.Lost:
		_, err = fmt.Fprintln(env.Stderr, "gozilla: some entries were lost, because too many came at once")
	case o.access != "":
		if e.Record != nil && e.Record.HTTP != (telemetry.HTTP{}) {
			_, err = fmt.Fprintf(env.Stdout, "%s\n", telemetry.AppendAccess(nil, o.access, e.Record))
		}
	case e.Event != nil && !o.records:
		err = o.line(env, e.Event)
	case e.Record != nil && !o.events:
		err = o.line(env, e.Record)
	}
	if err != nil {
		return fmt.Errorf("cannot write the logs: %w", err)
	}
	return nil
}

// line writes one thing that has both forms.
func (o logsOptions) line(env *Env, v interface {
	json.Marshaler
	Text() string
}) error {
	text := v.Text()
	if o.json {
		b, err := v.MarshalJSON()
		if err != nil {
			return err
		}
		text = string(b)
	}
	_, err := fmt.Fprintln(env.Stdout, text)
	return err
}

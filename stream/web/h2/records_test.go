package h2_test

import (
	"context"

	"gozilla/telemetry"
)

// record waits for the record of an exchange.
func (r *rig) record() telemetry.Record {
	r.Helper()
	return r.recordOf(func(rec *telemetry.Record) bool { return rec.Connection != 0 })
}

// connection waits for the record of a connection that began at the node of that name.
func (r *rig) connection(at string) telemetry.Record {
	r.Helper()
	return r.recordOf(func(rec *telemetry.Record) bool {
		return rec.Connection == 0 && rec.Path[0].Binding == node(at).String()
	})
}

func (r *rig) recordOf(is func(*telemetry.Record) bool) telemetry.Record {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for seq := uint64(0); ; {
		entries, next, _ := r.host.Log.Since(seq)
		for _, e := range entries {
			if e.Record != nil && is(e.Record) {
				return *e.Record
			}
		}
		if seq = next; r.host.Log.Wait(ctx, seq) != nil {
			r.Fatal("there is no record")
		}
	}
}

package ws_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"gozilla/internal/gwtest"
	"gozilla/telemetry"
)

// TestTrail is what the server of a ws client is told of who is in front: what the gateway says, and nothing of what the client does.
func TestTrail(t *testing.T) {
	back := gwtest.Listen(t, "")
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	said := []string{"Cookie: c", "Authorization: Basic eDp5", "Origin: http://a", "User-Agent: u", "X-Forwarded-For: 192.0.2.1",
		"Forwarded: for=192.0.2.1", "Via: 1.0 before", "Traceparent: " + trace, "Tracestate: s=1"}
	for _, c := range []struct{ options, want string }{
		{"", "traceparent " + trace + "|tracestate s=1|via 1.0 before"},
		{"options: { forwarded: both, via: gw }, ", "forwarded for=127.0.0.1;proto=http;host=a|traceparent " + trace +
			"|tracestate s=1|via 1.0 before,1.1 gw|x-forwarded-for 127.0.0.1|x-forwarded-host a|x-forwarded-port PORT|x-forwarded-proto http"},
		{"options: { forwarded: x-forwarded, trusted: [ 127.0.0.0/8 ] }, ", "forwarded for=192.0.2.1|traceparent " + trace +
			"|tracestate s=1|via 1.0 before|x-forwarded-for 192.0.2.1, 127.0.0.1|x-forwarded-host a|x-forwarded-port PORT|x-forwarded-proto http"},
	} {
		g := gwtest.Start(t, strings.Replace(leading, "http: { type: http, kind: server, ", "http: { type: http, kind: server, "+c.options, 1), gwtest.Env("BACK", back.Port()))
		asks(t, g.Dial("north"), "/plain", said...)
		far := back.Next()
		r, err := http.ReadRequest(bufio.NewReader(far))
		if err != nil {
			t.Fatal(err)
		}
		far.Close()
		_, port, _ := strings.Cut(g.Addr("north"), ":")
		var got []string
		for _, name := range []string{"authorization", "cookie", "forwarded", "origin", "traceparent", "tracestate", "user-agent", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto"} {
			if values := r.Header.Values(name); values != nil {
				got = append(got, name+" "+strings.ReplaceAll(strings.Join(values, ","), port, "PORT"))
			}
		}
		if got := strings.Join(got, "|"); got != c.want {
			t.Errorf("%sthe server sees %s", c.options, got)
		}
		if rec := g.RecordOf(func(r *telemetry.Record) bool { return r.HTTP.Status != 0 }); rec.HTTP.Trace != trace {
			t.Errorf("the record is %s", rec.Text())
		}
	}
}

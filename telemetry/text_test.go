package telemetry_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"gozilla/telemetry"
)

// hostile are texts that want to begin a new line, to move the cursor or to be read backwards.
var hostile = []string{
	"a\nb", "a\r\nb", "a\x00b", "a\x1b[2Jb", "a\u0085b", "a\u009b2Jb", "a\u2028b", "a\u2029b", "a\u202eb", "a\x7fb",
	"a\xffb", "a\xed\xa0\x80b", "\ufeff", "\U000e0001", "a\vb\fc\tb",
}

// checkLine fails if text could be more than one line, or something that a terminal obeys.
func checkLine(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("not valid UTF-8: %q", text)
	}
	for _, r := range text {
		if !strconv.IsPrint(r) {
			t.Errorf("%U stands in %q", r, text)
		}
	}
}

func fullRecord() *telemetry.Record {
	return &telemetry.Record{
		ID: 7, Start: time.Date(2026, 8, 1, 12, 0, 0, 123_000_000, time.UTC),
		Source: netip.MustParseAddrPort("10.0.0.1:5555"), Dest: netip.MustParseAddrPort("[::1]:80"),
		Target:   "10.0.0.9:8080",
		Path:     []telemetry.Step{{Binding: "default:north", Route: "routes[0]"}, {Binding: "default:south", Route: "exit"}},
		Received: 12, Sent: 34,
		Dial: 1250 * time.Microsecond, FirstByte: 3500 * time.Microsecond, Duration: time.Minute + time.Second,
		By: telemetry.Server, Reason: "rst", Err: "connection reset by peer",
		RTT: 250 * time.Microsecond, Retransmits: 2,
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                   "",
		"plain text = \\ \"": "plain text = \\ \"",
		"größe 日本 🙂":         "größe 日本 🙂",
		"a\nb\tc":            `a\nb\tc`,
		"\x1b[31m":           `\x1b[31m`,
		"\u0085\u2028\u202e": `\u0085\u2028\u202e`,
		"\xff\xfe":           `\xff\xfe`,
		"\ufffd":             "\ufffd",
		"\U000e0001":         `\U000e0001`,
	} {
		if got := telemetry.OneLine(in); got != want {
			t.Errorf("OneLine(%q) = %q, want %q", in, got, want)
		}
	}
	for _, s := range hostile {
		checkLine(t, telemetry.OneLine(s))
	}
}

func TestEventText(t *testing.T) {
	e := &telemetry.Event{
		Time:      time.Date(2026, 8, 1, 14, 5, 6, 0, time.FixedZone("", 2*3600)),
		Namespace: "default", Name: "south", ID: "binding.tcp.dns.failed", Message: "no such host", Scope: 0x2a,
	}
	if got, want := e.Text(), "default:south [01/Aug/2026:14:05:06 +0200] [000000000000002a] binding.tcp.dns.failed no such host"; got != want {
		t.Errorf("Text:\n%s\nwant\n%s", got, want)
	}
	if got, want := e.UpperText(), "default:south [01/Aug/2026:14:05:06 +0200] [000000000000002a] BINDING_TCP_DNS_FAILED no such host"; got != want {
		t.Errorf("UpperText:\n%s\nwant\n%s", got, want)
	}
	b, err := json.Marshal(e)
	want := `{"namespace":"default:south","timestamp":1785585906000,"traceId":"000000000000002a","event":"binding.tcp.dns.failed","message":"no such host"}`
	if err != nil || string(b) != want {
		t.Errorf("JSON: %v\n%s\nwant\n%s", err, b, want)
	}
	for _, s := range hostile {
		e := &telemetry.Event{Namespace: s, Name: s, ID: s, Message: s}
		checkLine(t, e.Text())
		checkLine(t, e.UpperText())
		b, err := e.MarshalJSON()
		if err != nil {
			t.Error(err)
		}
		checkLine(t, string(b))
	}
}

func TestEventFromJSON(t *testing.T) {
	e := &telemetry.Event{Time: time.UnixMilli(1785585906123), Namespace: "a:b", Name: "c", ID: "x.y", Message: "m\n\u0085\U000e0001", Scope: 1 << 63}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var got telemetry.Event
	if err := json.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(&got, e) {
		t.Errorf("%v: got %+v, want %+v", err, got, *e)
	}
	for _, bad := range []string{`[]`, `{}`, `{"traceId":"x"}`} {
		if json.Unmarshal([]byte(bad), &got) == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestRecordText(t *testing.T) {
	for _, test := range []struct {
		record *telemetry.Record
		want   string
	}{
		{fullRecord(), "2026-08-01 12:00:00.123 #7 10.0.0.1:5555 -> [::1]:80 -> 10.0.0.9:8080 " +
			"default:north routes[0] > default:south exit received 12 sent 34 dial 1.25ms first 3.5ms total 1m1s " +
			"server: rst (connection reset by peer)"},
		{&telemetry.Record{ID: 1, Path: []telemetry.Step{{Binding: "a:b"}}, By: telemetry.Client, Reason: "fin"},
			"0001-01-01 00:00:00.000 #1 - a:b received 0 sent 0 total 0s client: fin"},
		{fullExchange(), "2026-08-01 12:00:00.123 #8 of #7 GET  /items?a=b                       200 10.0.0.1:5555 -> [::1]:80 -> 10.0.0.9:8080 " +
			"default:north routes[0] > default:south exit received 12 sent 34 authority example.com identity alice trace 00-1-2-01 " +
			"dial 1.25ms first 3.5ms total 1m1s server: fin"},
		{&telemetry.Record{ID: 9, Connection: 7, By: telemetry.Client, Reason: "invalid", HTTP: telemetry.HTTP{Status: 400}},
			"0001-01-01 00:00:00.000 #9 of #7 -    -                                400 - received 0 sent 0 total 0s client: invalid"},
		{&telemetry.Record{ID: 9, Connection: 7, By: telemetry.Client, Reason: "rst", HTTP: telemetry.HTTP{Method: "OPTIONS", Path: "/" + strings.Repeat("ä", 40)}},
			"0001-01-01 00:00:00.000 #9 of #7 OPTIONS /" + strings.Repeat("ä", 40) + "   - - received 0 sent 0 total 0s client: rst"},
		{&telemetry.Record{ID: 9, WS: telemetry.WS{Received: 2, Sent: 3, By: telemetry.Client, Code: 1000, Reason: "that is all"}, By: telemetry.Client, Reason: "fin"},
			"0001-01-01 00:00:00.000 #9 - received 0 sent 0 messages received 2 sent 3 goodbye client 1000 (that is all) total 0s client: fin"},
		{&telemetry.Record{ID: 9, WS: telemetry.WS{By: telemetry.Server}}, "0001-01-01 00:00:00.000 #9 - received 0 sent 0 messages received 0 sent 0 goodbye server total 0s : "},
		{&telemetry.Record{ID: 9, WS: telemetry.WS{Sent: 1}}, "0001-01-01 00:00:00.000 #9 - received 0 sent 0 messages received 0 sent 1 total 0s : "},
		{&telemetry.Record{ID: 9, By: telemetry.Client, Reason: "gone", SSE: telemetry.SSE{Events: 12, LastID: "a b"}},
			"0001-01-01 00:00:00.000 #9 - received 0 sent 0 events 12 last-id a b total 0s client: gone"},
	} {
		if got := test.record.Text(); got != test.want {
			t.Errorf("got\n%s\nwant\n%s", got, test.want)
		}
	}
	for _, s := range hostile {
		r := hostileRecord(s)
		checkLine(t, r.Text())
		b, err := r.MarshalJSON()
		if err != nil {
			t.Error(err)
		}
		checkLine(t, string(b))
	}
}

func fullExchange() *telemetry.Record {
	r := fullRecord()
	r.ID, r.Connection = 8, 7
	r.Reason, r.Err, r.RTT, r.Retransmits = "fin", "", 0, 0
	r.Authority, r.Identity = "example.com", "alice"
	r.HTTP = telemetry.HTTP{
		Method: "GET", Scheme: "https", Path: "/items?a=b", Version: "HTTP/2", Status: 200,
		Referer: "https://example.com/", Agent: "curl/8.0", Trace: "00-1-2-01",
	}
	return r
}

func hostileRecord(s string) *telemetry.Record {
	return &telemetry.Record{
		Source: netip.AddrPortFrom(netip.MustParseAddr("fe80::1").WithZone(s), 1),
		Target: s, Path: []telemetry.Step{{Binding: s, Route: s}}, By: telemetry.Side(s), Reason: s, Err: s,
		Connection: 1, Authority: s, Identity: s,
		HTTP: telemetry.HTTP{Method: s, Scheme: s, Path: s, Version: s, Status: 200, Referer: s, Agent: s, Trace: s},
		WS:   telemetry.WS{By: telemetry.Side(s), Code: 1000, Reason: s},
		SSE:  telemetry.SSE{Events: 1, LastID: s},
	}
}

func TestRecordDurationsAreShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 999: "999ns", 123_456: "123µs", 1_234_567: "1.23ms", 12_345_678: "12.3ms", 123_456_789: "123ms",
		1_234_567_890: "1.23s", 12_345_678_901: "12.3s", 123 * time.Second: "2m3s",
		time.Hour + 1234*time.Millisecond: "1h0m1s",
	} {
		if got := (&telemetry.Record{Duration: d}).Text(); !strings.Contains(got, " total "+want+" ") {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}

func TestRecordJSON(t *testing.T) {
	full := fullRecord()
	for _, test := range []struct {
		record *telemetry.Record
		want   string
	}{
		{full, `{"id":7,"start":"2026-08-01T12:00:00.123Z","source":"10.0.0.1:5555","dest":"[::1]:80","target":"10.0.0.9:8080",` +
			`"path":[{"binding":"default:north","route":"routes[0]"},{"binding":"default:south","route":"exit"}],` +
			`"received":12,"sent":34,"dial_ms":1.25,"first_byte_ms":3.5,"duration_ms":61000,"by":"server","reason":"rst",` +
			`"error":"connection reset by peer","rtt_ms":0.25,"retransmits":2}`},
		{&telemetry.Record{ID: 8, Start: full.Start}, `{"id":8,"start":"2026-08-01T12:00:00.123Z","received":0,"sent":0,"duration_ms":0}`},
		{fullExchange(), `{"id":8,"connection":7,"start":"2026-08-01T12:00:00.123Z","source":"10.0.0.1:5555","dest":"[::1]:80","target":"10.0.0.9:8080",` +
			`"http":{"method":"GET","scheme":"https","path":"/items?a=b","version":"HTTP/2","status":200,` +
			`"referer":"https://example.com/","agent":"curl/8.0","trace":"00-1-2-01"},` +
			`"path":[{"binding":"default:north","route":"routes[0]"},{"binding":"default:south","route":"exit"}],` +
			`"received":12,"sent":34,"authority":"example.com","identity":"alice",` +
			`"dial_ms":1.25,"first_byte_ms":3.5,"duration_ms":61000,"by":"server","reason":"fin"}`},
		{&telemetry.Record{ID: 9, Start: full.Start, Connection: 7, HTTP: telemetry.HTTP{Status: 400}},
			`{"id":9,"connection":7,"start":"2026-08-01T12:00:00.123Z","http":{"status":400},"received":0,"sent":0,"duration_ms":0}`},
		{&telemetry.Record{ID: 9, Start: full.Start, WS: telemetry.WS{Received: 2, Sent: 3, By: telemetry.Client, Code: 1000, Reason: "bye"}},
			`{"id":9,"start":"2026-08-01T12:00:00.123Z","ws":{"received":2,"sent":3,"by":"client","code":1000,"reason":"bye"},"received":0,"sent":0,"duration_ms":0}`},
		{&telemetry.Record{ID: 9, Start: full.Start, WS: telemetry.WS{By: telemetry.Server}},
			`{"id":9,"start":"2026-08-01T12:00:00.123Z","ws":{"received":0,"sent":0,"by":"server"},"received":0,"sent":0,"duration_ms":0}`},
		{&telemetry.Record{ID: 9, Start: full.Start, SSE: telemetry.SSE{Events: 3, LastID: "a\nb"}},
			`{"id":9,"start":"2026-08-01T12:00:00.123Z","sse":{"events":3,"last_id":"a\nb"},"received":0,"sent":0,"duration_ms":0}`},
	} {
		b, err := json.Marshal(test.record)
		if err != nil || string(b) != test.want {
			t.Errorf("%v: got\n%s\nwant\n%s", err, b, test.want)
		}
		var back telemetry.Record
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		back.Start = back.Start.UTC()
		if !reflect.DeepEqual(&back, test.record) {
			t.Errorf("came back as %+v, was %+v", back, *test.record)
		}
	}
	for _, bad := range []string{`[]`, `{}`, `{"start":"now"}`,
		`{"start":"2026-08-01T12:00:00Z","source":"x"}`, `{"start":"2026-08-01T12:00:00Z","dest":"x"}`} {
		var r telemetry.Record
		if json.Unmarshal([]byte(bad), &r) == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func FuzzEventText(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, "name", s, s, uint64(7))
	}
	f.Fuzz(func(t *testing.T, namespace, name, id, message string, scope uint64) {
		e := &telemetry.Event{Namespace: namespace, Name: name, ID: id, Message: message, Scope: scope}
		b, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{e.Text(), e.UpperText(), string(b), hostileRecord(message).Text()} {
			checkLine(t, text)
			if strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("a control character stands in %q", text)
			}
		}
		var back telemetry.Event
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if utf8.ValidString(message) && back.Message != message {
			t.Errorf("%q came back as %q", message, back.Message)
		}
	})
}

package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"gozilla/telemetry"
)

// record is a slog record at a known time.
func record(level slog.Level, message string, attrs ...slog.Attr) slog.Record {
	r := slog.NewRecord(time.Date(2026, 8, 1, 12, 34, 56, 789_000_000, time.UTC), level, message, 0)
	r.AddAttrs(attrs...)
	return r
}

type panics struct{}

func (panics) Error() string { panic("no") }

func TestTextHandler(t *testing.T) {
	var out bytes.Buffer
	h := telemetry.NewHandler(&out, "text", slog.LevelDebug, false)
	handle := func(h slog.Handler, r slog.Record) {
		if err := h.Handle(context.Background(), r); err != nil {
			t.Error(err)
		}
	}
	handle(h, record(slog.LevelInfo, "Engine Started.", slog.String("event", "engine.started"), slog.String("component", "engine:events")))
	handle(h, record(slog.LevelWarn, "größe", slog.String("a", "two words"), slog.Int("n", -1), slog.Duration("took", 1234567)))
	handle(h, record(slog.LevelError, "a message that is longer than most of them are", slog.Any("err", errors.New("x=y")), slog.Bool("b", true)))
	handle(h, record(slog.LevelDebug, "no attributes"))
	handle(h, record(slog.LevelInfo+1, "odd", slog.Any("list", []int{1, 2}), slog.String("empty", ""), slog.Time("at", time.Unix(0, 0).UTC()), slog.Any("nil", nil), slog.Any("p", panics{})))
	with := h.WithAttrs([]slog.Attr{slog.String("component", "default:south")}).WithGroup("tls").WithAttrs([]slog.Attr{slog.Uint64("v", 3)})
	handle(with, record(slog.LevelInfo, "groups", slog.Group("peer", slog.String("cn", "x")), slog.Group("none")))
	want := strings.TrimPrefix(`
12:34:56.789 INFO  Engine Started.                       event=engine.started component=engine:events
12:34:56.789 WARN  größe                                 a="two words" n=-1 took=1.23ms
12:34:56.789 ERROR a message that is longer than most of them are  err="x=y" b=true
12:34:56.789 DEBUG no attributes
12:34:56.789 INFO+1 odd                                   list="[1 2]" empty="" at=1970-01-01T00:00:00Z nil=<nil> p="!panic in telemetry_test.panics"
12:34:56.789 INFO  groups                                component=default:south tls.v=3 tls.peer.cn=x
`, "\n")
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestTextHandlerColor(t *testing.T) {
	var out bytes.Buffer
	h := telemetry.NewHandler(&out, "text", nil, true)
	if h.Enabled(context.Background(), slog.LevelDebug) {
		t.Error("without a level, debug is shown")
	}
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if err := h.Handle(context.Background(), record(level, "m", slog.Int("n", 1))); err != nil {
			t.Error(err)
		}
	}
	pad := strings.Repeat(" ", 35)
	want := "12:34:56.789 \x1b[2mDEBUG\x1b[0m m" + pad + "  \x1b[2mn=\x1b[0m1\n" +
		"12:34:56.789 \x1b[32mINFO\x1b[0m  m" + pad + "  \x1b[2mn=\x1b[0m1\n" +
		"12:34:56.789 \x1b[33mWARN\x1b[0m  m" + pad + "  \x1b[2mn=\x1b[0m1\n" +
		"12:34:56.789 \x1b[31mERROR\x1b[0m m" + pad + "  \x1b[2mn=\x1b[0m1\n"
	if got := out.String(); got != want {
		t.Errorf("got:\n%q\nwant:\n%q", got, want)
	}
}

func TestHandlersWriteOneLine(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		for _, s := range hostile {
			var out bytes.Buffer
			l := slog.New(telemetry.NewHandler(&out, format, slog.LevelInfo, false))
			l.With(s, s).WithGroup(s).Info(s, s, s, slog.Any("err", errors.New(s)), slog.Any("raw", json.RawMessage(`"x"`)),
				slog.Group(s, slog.Any("b", []string{s})))
			line, ok := strings.CutSuffix(out.String(), "\n")
			if !ok {
				t.Errorf("%s: no line break at the end of %q", format, out.String())
			}
			checkLine(t, line)
			if format == "json" && !json.Valid([]byte(line)) {
				t.Errorf("not JSON: %s", line)
			}
		}
	}
}

func TestJSONHandlerKeepsValues(t *testing.T) {
	for _, s := range append([]string{"größe 日本 🙂 <&>"}, hostile...) {
		var out bytes.Buffer
		slog.New(telemetry.NewHandler(&out, "json", nil, false)).Info("m", "value", s, "took", 1250*time.Microsecond)
		var got struct {
			Value string
			Took  float64 `json:"took_ms"`
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); strings.Trim(got.Value, "\ufffd") != strings.Trim(want, "\ufffd") && !strings.Contains(want, "\ufffd") || got.Took != 1.25 {
			t.Errorf("%q came out as %+v", s, got)
		}
	}
}

func TestHandlersFollowSlog(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			slogtest.Run(t, func(*testing.T) slog.Handler {
				out.Reset()
				return telemetry.NewHandler(&out, format, nil, false)
			}, func(t *testing.T) map[string]any {
				if format == "text" {
					return parseText(out.String())
				}
				var m map[string]any
				if err := json.Unmarshal(out.Bytes(), &m); err != nil {
					t.Fatal(err)
				}
				return m
			})
		})
	}
}

// parseText reads a line of the text handler, whose messages and values are one word here.
func parseText(line string) map[string]any {
	words := strings.Fields(line)
	m := map[string]any{}
	if strings.Contains(words[0], ":") {
		m[slog.TimeKey], words = words[0], words[1:]
	}
	m[slog.LevelKey], m[slog.MessageKey] = words[0], words[1]
	for _, w := range words[2:] {
		key, value, _ := strings.Cut(w, "=")
		in, path := m, strings.Split(key, ".")
		for _, group := range path[:len(path)-1] {
			next, ok := in[group].(map[string]any)
			if !ok {
				next = map[string]any{}
				in[group] = next
			}
			in = next
		}
		in[path[len(path)-1]] = value
	}
	return m
}

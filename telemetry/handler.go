package telemetry

import (
	"context"
	"encoding"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// NewHandler makes the handler behind the process's log: one line a record on w. format is "json" for a JSON object,
// and else a text for people:
//
//	15:04:05.000 WARN  the name cannot be resolved           event=binding.tcp.dns.failed component=default:south
//
// No message and no value can begin a new line or reach the terminal, whatever is in it.
func NewHandler(w io.Writer, format string, level slog.Leveler, color bool) slog.Handler {
	if level == nil {
		level = slog.LevelInfo
	}
	if format == "json" {
		return slog.NewJSONHandler(jsonWriter{w}, &slog.HandlerOptions{Level: level, ReplaceAttr: durationsAsMillis})
	}
	return &textHandler{level: level, color: color, out: &output{w: w}}
}

// durationsAsMillis gives durations the form that records have in JSON.
func durationsAsMillis(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.Float64(a.Key+"_ms", millis(a.Value.Duration()))
	}
	return a
}

// output is what a handler and those made from it share.
type output struct {
	mu sync.Mutex // one line at a time
	w  io.Writer
}

type textHandler struct {
	level  slog.Leveler
	color  bool
	out    *output
	prefix string // of keys: the groups that are open, "request.tls."
	attrs  []byte // those that every record has
}

// Enabled is part of slog.Handler.
func (h *textHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// WithAttrs is part of slog.Handler.
func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = slices.Clone(h.attrs)
	for _, a := range attrs {
		c.attrs = h.appendAttr(c.attrs, h.prefix, a)
	}
	return &c
}

// WithGroup is part of slog.Handler.
func (h *textHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	c := *h
	c.prefix += name + "."
	return &c
}

// messageWidth is how far messages are padded, so that what follows lines up.
const messageWidth = 36

// Handle is part of slog.Handler.
func (h *textHandler) Handle(_ context.Context, r slog.Record) error {
	line := make([]byte, 0, 256)
	if !r.Time.IsZero() {
		line = r.Time.AppendFormat(line, "15:04:05.000 ")
	}
	line = h.appendLevel(line, r.Level)
	line = append(line, ' ')
	from := len(line)
	line = appendOneLine(line, r.Message)
	message := line[from:]
	attrs := slices.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = h.appendAttr(attrs, h.prefix, a)
		return true
	})
	if len(attrs) > 0 {
		for n := utf8.RuneCount(message); n < messageWidth; n++ {
			line = append(line, ' ')
		}
		line = append(append(line, ' '), attrs...)
	}
	line = append(line, '\n')
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	_, err := h.out.w.Write(line)
	return err
}

func (h *textHandler) appendLevel(line []byte, level slog.Level) []byte {
	name := level.String()
	switch {
	case !h.color:
	case level >= slog.LevelError:
		line = append(line, "\x1b[31m"...)
	case level >= slog.LevelWarn:
		line = append(line, "\x1b[33m"...)
	case level < slog.LevelInfo:
		line = append(line, "\x1b[2m"...)
	default:
		line = append(line, "\x1b[32m"...)
	}
	line = append(line, name...)
	if h.color {
		line = append(line, "\x1b[0m"...)
	}
	for n := len(name); n < len("ERROR"); n++ {
		line = append(line, ' ')
	}
	return line
}

// appendAttr appends " key=value", or what is in a group.
func (h *textHandler) appendAttr(dst []byte, prefix string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	switch {
	case a.Equal(slog.Attr{}):
		return dst
	case v.Kind() == slog.KindGroup:
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, in := range v.Group() {
			dst = h.appendAttr(dst, prefix, in)
		}
		return dst
	}
	dst = append(dst, ' ')
	if h.color {
		dst = append(dst, "\x1b[2m"...)
	}
	dst = appendValue(dst, prefix+a.Key)
	dst = append(dst, '=')
	if h.color {
		dst = append(dst, "\x1b[0m"...)
	}
	return appendAttrValue(dst, v)
}

func appendAttrValue(dst []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindString:
		return appendValue(dst, v.String())
	case slog.KindInt64:
		return strconv.AppendInt(dst, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(dst, v.Uint64(), 10)
	case slog.KindDuration:
		return append(dst, short(v.Duration())...)
	case slog.KindTime:
		return v.Time().AppendFormat(dst, time.RFC3339Nano)
	case slog.KindAny:
		return appendValue(dst, anyText(v.Any()))
	}
	return appendValue(dst, v.String())
}

// anyText is the text of a value in the words of its own, if it has them. slog has caught a panic of LogValue, but
// those of Error and String would reach who logs, so that they are caught here.
func anyText(v any) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprintf("!panic in %T", v)
		}
	}()
	switch v := v.(type) {
	case error:
		return v.Error()
	case encoding.TextMarshaler:
		if b, err := v.MarshalText(); err == nil {
			return string(b)
		}
	}
	return fmt.Sprintf("%+v", v)
}

package telemetry

import (
	"log/slog"
	"strconv"
)

type wsJSON struct {
	Received int64  `json:"received"`
	Sent     int64  `json:"sent"`
	By       Side   `json:"by,omitempty"`
	Code     uint16 `json:"code,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// appendText appends the messages that have moved, and the goodbye:
//
//	messages received 2 sent 3 goodbye client 1000 (that is all)
func (w *WS) appendText(b []byte) []byte {
	b = strconv.AppendInt(append(b, " messages received "...), w.Received, 10)
	b = strconv.AppendInt(append(b, " sent "...), w.Sent, 10)
	if w.By == "" {
		return b
	}
	b = appendOneLine(append(b, " goodbye "...), string(w.By))
	if w.Code != 0 {
		b = strconv.AppendUint(append(b, ' '), uint64(w.Code), 10)
	}
	if w.Reason != "" {
		b = append(appendOneLine(append(b, " ("...), w.Reason), ')')
	}
	return b
}

// attr is what is known of the WebSocket, under the keys that records have in JSON.
func (w *WS) attr() slog.Attr {
	attrs := append(make([]any, 0, 5), slog.Int64("received", w.Received), slog.Int64("sent", w.Sent))
	if w.By != "" {
		attrs = append(attrs, slog.String("by", string(w.By)))
	}
	if w.Code != 0 {
		attrs = append(attrs, slog.Int("code", int(w.Code)))
	}
	if w.Reason != "" {
		attrs = append(attrs, slog.String("reason", w.Reason))
	}
	return slog.Group("ws", attrs...)
}

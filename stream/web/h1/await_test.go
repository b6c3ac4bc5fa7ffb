package h1_test

import (
	"context"
	"strconv"
	"time"

	"gozilla/stream"
)

// patience bounds everything that must happen, however slow the machine.
const patience = 30 * time.Second

// await waits until no scope is open.
func await(h *stream.Host) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return h.AwaitIdle(ctx) == nil
}

func itoa(n int) string { return strconv.Itoa(n) }

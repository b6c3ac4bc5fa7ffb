package tls

import (
	"runtime"

	"gozilla/stream/conn"
)

// deeps are where records are encrypted and decrypted: as many as can be at work at a time.
var deeps = conn.NewDeeps(runtime.NumCPU())

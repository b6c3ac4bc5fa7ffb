//go:build !linux

package systemd

import "time"

// monotonic is not known: where there is no systemd, nobody asks for it.
func monotonic() time.Duration { return 0 }

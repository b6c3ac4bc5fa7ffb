//go:build !linux

package engine

import (
	"net"
	"time"

	"gozilla/component"
)

// inheriting makes a listener whose connections are probed as l says.
func inheriting(l component.Listener) *net.ListenConfig {
	if l.KeepAlive <= 0 {
		return &net.ListenConfig{KeepAlive: -1}
	}
	return &net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: l.KeepAlive, Interval: max(time.Second, l.KeepAlive/4), Count: 4,
	}}
}

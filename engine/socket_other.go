//go:build !linux

package engine

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"gozilla/component"
)

// inheriting makes a listener whose connections are probed as l says.
func inheriting(l component.Listener, _ bool) *net.ListenConfig {
	if l.KeepAlive <= 0 {
		return &net.ListenConfig{KeepAlive: -1}
	}
	return &net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: l.KeepAlive, Interval: max(time.Second, l.KeepAlive/4), Count: 4,
	}}
}

// setInherited does nothing: connections of this system have these options from the net.ListenConfig.
func setInherited(*net.TCPListener, component.Listener) error { return nil }

func setReusePort(*net.TCPListener, bool) error { return errors.ErrUnsupported }

// probe tells whether an address can be listened on.
func probe(ctx context.Context, at netip.AddrPort, _ bool) error {
	tcp, err := open(ctx, component.Listener{}, at, false)
	if err != nil {
		return err
	}
	return tcp.Close()
}

//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strconv"
)

// reverse is what a Go program gets without effort: httputil.ReverseProxy, run by this program. It shows what the
// gateway's own codec is for.
func reverse(name, base string) *proxy {
	return &proxy{
		name: name, base: base, about: "net/http/httputil, keep-alive to the backend",
		locate: func(context.Context, *options) (string, error) { return runtime.Version(), nil },
		command: func(t task) ([]string, error) {
			if t.mode != modeHTTP && !t.mode.streams() {
				return nil, t.unknown(name)
			}
			return []string{self(), "reverse", strconv.Itoa(t.listen), strconv.Itoa(t.backend), string(t.mode)}, nil
		},
	}
}

// runReverse serves until it is killed.
func runReverse(listen, backend string, m mode) error {
	p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "127.0.0.1:" + backend})
	to := &http.Transport{MaxIdleConnsPerHost: 2048, DisableCompression: true, Protocols: new(http.Protocols)}
	to.Protocols.SetHTTP1(m != modeH2H2)
	to.Protocols.SetUnencryptedHTTP2(m == modeH2H2)
	p.Transport = to
	s := stdServer(p)
	s.Addr = "127.0.0.1:" + listen
	if err := s.ListenAndServe(); err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	return nil
}

//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
)

const haproxyConfig = `global
	nbthread 2
	maxconn 4096
%sdefaults
	mode tcp
	timeout connect 5s
	timeout client 1m
	timeout server 1m
`

// haproxyRoute chooses by the name in the client's hello, as HAProxy's manual has it (req.ssl_sni).
const haproxyRoute = `	tcp-request inspect-delay 5s
	tcp-request content accept if { req.ssl_hello_type 1 }
	use_backend behind if { req.ssl_sni -i ` + serverName + ` }
`

// noTickets is a configuration of OpenSSL. HAProxy has no option of its own against the tickets of TLS 1.3: with
// no-tls-tickets it sends two whose sessions it would have to remember, also to clients that never resume.
const noTickets = `openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = tls
[tls]
NumTickets = 0
`

// haproxy with two threads; bufsize 0 leaves tune.bufsize at its default of 16 KiB.
func haproxy(name, base string, bufsize int) *proxy {
	var path, tune string
	about := "mode tcp, nbthread 2, defaults"
	if bufsize > 0 {
		tune = fmt.Sprintf("\ttune.bufsize %d\n", bufsize)
		about = fmt.Sprintf("mode tcp, nbthread 2, tune.bufsize %d", bufsize)
	}
	return &proxy{
		name: name, base: base, about: about, tuned: bufsize > 0,
		locate: func(ctx context.Context, _ *options) (v string, err error) {
			if path, err = find("haproxy", "haproxy"); err != nil {
				return "", err
			}
			return version(ctx, path, "-v")
		},
		command: func(t task) ([]string, error) {
			text, err := haproxyText(t, tune)
			if err != nil {
				return nil, err
			}
			file, err := t.write("haproxy.cfg", text)
			argv := []string{path, "-db", "-f", file}
			if err != nil || !t.mode.secure() || t.mode.tickets() {
				return argv, err
			}
			conf, err := t.write("openssl.cnf", noTickets)
			return append([]string{"env", "OPENSSL_CONF=" + conf}, argv...), err
		},
	}
}

func haproxyText(t task, tune string) (string, error) {
	var b strings.Builder
	bind := fmt.Sprintf("\tbind 127.0.0.1:%d\n", t.listen)
	server := fmt.Sprintf("\tserver backend 127.0.0.1:%d\n", t.backend)
	switch t.mode {
	case modeTCP:
		fmt.Fprintf(&b, haproxyConfig, tune)
		b.WriteString("listen bench\n" + bind + server)
	case modeTLS, modeRSA, modeTicket, modeResume:
		tune += "\tssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256\n\tssl-default-bind-options ssl-min-ver TLSv1.3"
		if !t.mode.tickets() {
			tune += " no-tls-tickets\n\ttune.ssl.cachesize 0"
		}
		fmt.Fprintf(&b, haproxyConfig, tune+"\n")
		bind = fmt.Sprintf("\tbind 127.0.0.1:%d ssl crt %s\n", t.listen, keyFile(t.keys, t.mode, ".pem"))
		b.WriteString("listen bench\n" + bind + server)
	case modeHTTP, modeH2, modeH2H2:
		if t.mode.streams() {
			bind = strings.TrimSuffix(bind, "\n") + " proto h2\n"
		}
		if t.mode == modeH2H2 {
			server = strings.TrimSuffix(server, "\n") + " proto h2\n"
		}
		fmt.Fprintf(&b, strings.Replace(haproxyConfig, "mode tcp", "mode http\n\thttp-reuse always\n\ttimeout http-request 10s", 1), tune)
		b.WriteString("listen bench\n" + bind + server)
	case modeSNI:
		fmt.Fprintf(&b, haproxyConfig, tune)
		b.WriteString("frontend bench\n" + bind + haproxyRoute + "backend behind\n" + server)
	default:
		return "", t.unknown("haproxy")
	}
	return b.String(), nil
}

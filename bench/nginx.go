//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
)

const nginxModule = "/usr/lib/nginx/modules/ngx_stream_module.so"

const nginxConfig = `load_module %s;
daemon off;
worker_processes 2;
pid %s;
error_log stderr;
events { worker_connections 8192; }
stream {
%s	server {
		listen 127.0.0.1:%d%s reuseport backlog=4096;
%s	}
}
`

// nginxSecure is what all modes have in common that end TLS.
const nginxSecure = `		ssl_certificate %[1]s;
		ssl_certificate_key %[1]s;
		ssl_protocols TLSv1.3;
		ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
`

// nginxNoTickets: switched off by nginx alone, OpenSSL still sends two tickets whose sessions nobody remembers.
const nginxNoTickets = `		ssl_session_cache off;
		ssl_session_tickets off;
		ssl_conf_command NumTickets 0;
`

const nginxRoute = `	map $ssl_preread_server_name $exit { ` + serverName + ` behind; }
	upstream behind { server 127.0.0.1:%d; }
`

// nginxHTTP keeps connections to the backend, for as many requests as come.
const nginxHTTP = `daemon off;
worker_processes 2;
pid %[1]s;
error_log stderr;
events { worker_connections 8192; }
http {
	access_log off;
	client_body_temp_path %[2]s;
	proxy_temp_path %[2]s;
	fastcgi_temp_path %[2]s;
	uwsgi_temp_path %[2]s;
	scgi_temp_path %[2]s;
	keepalive_requests 1000000000;
	upstream behind {
		server 127.0.0.1:%[3]d;
		keepalive 2048;
		keepalive_requests 1000000000;
	}
	server {
		listen 127.0.0.1:%[4]d%[5]s reuseport backlog=4096;
		location / {
%[6]s		}
	}
}
`

const nginxPass = `			proxy_pass http://behind;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
`

// nginxStreams has bodies of any size flow through, as the others do: nginx would write large ones into files.
const nginxStreams = `			client_max_body_size 0;
			proxy_request_buffering off;
			proxy_max_temp_file_size 0;
`

const nginxFiles = `			root %s;
			sendfile on;
			tcp_nopush on;
`

// nginx stream with two workers; bufsize 0 leaves proxy_buffer_size at its default of 16 KiB.
func nginx(name, base string, bufsize int) *proxy {
	var path, tune string
	about := "stream, 2 workers, reuseport, defaults"
	if bufsize > 0 {
		tune = fmt.Sprintf("\t\tproxy_buffer_size %d;\n", bufsize)
		about = fmt.Sprintf("stream, 2 workers, reuseport, proxy_buffer_size %d", bufsize)
	}
	return &proxy{
		name: name, base: base, about: about, tuned: bufsize > 0,
		locate: func(ctx context.Context, _ *options) (v string, err error) {
			if path, err = find("nginx", "nginx-light"); err != nil {
				return "", err
			}
			if _, err := os.Stat(nginxModule); err != nil {
				return "", fmt.Errorf("nginx has no stream module: install the package libnginx-mod-stream, or run bench/setup.sh: %w", err)
			}
			return version(ctx, path, "-v")
		},
		command: func(t task) ([]string, error) {
			text, err := nginxText(t, tune)
			if err != nil {
				return nil, err
			}
			file, err := t.write("nginx.conf", text)
			return []string{path, "-p", t.dir, "-c", file, "-e", "stderr"}, err
		},
	}
}

func nginxText(t task, tune string) (string, error) {
	var listen, location string
	switch t.mode {
	case modeHTTP:
		location = nginxPass
	case modeH2:
		listen, location = " http2", nginxPass+nginxStreams
	case modeFile:
		location = fmt.Sprintf(nginxFiles, t.path("files"))
	}
	if location != "" {
		return fmt.Sprintf(nginxHTTP, t.path("nginx.pid"), t.path("temp"), t.backend, t.listen, listen, location), nil
	}
	var before, ssl string
	server := fmt.Sprintf("\t\tproxy_pass 127.0.0.1:%d;\n", t.backend) + tune
	switch t.mode {
	case modeTCP:
	case modeTLS, modeRSA, modeTicket, modeResume:
		ssl = " ssl"
		server += fmt.Sprintf(nginxSecure, keyFile(t.keys, t.mode, ".pem"))
		if !t.mode.tickets() {
			server += nginxNoTickets
		}
	case modeSNI:
		before = fmt.Sprintf(nginxRoute, t.backend)
		server = "\t\tssl_preread on;\n\t\tproxy_pass $exit;\n" + tune
	default:
		return "", t.unknown("nginx")
	}
	return fmt.Sprintf(nginxConfig, nginxModule, t.path("nginx.pid"), before, t.listen, ssl, server), nil
}

#!/bin/sh
# Installs what the tests need and do not find: real peers, and a C compiler for the race detector (Debian and Ubuntu).
# Needs root only if something is missing.
set -eu

missing=
want() { # want COMMAND PACKAGE
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
want gcc "gcc libc6-dev"
want git git
want curl curl
want socat socat
want strace strace
want haproxy haproxy
want nginx nginx
want openssl openssl
want sslscan sslscan
want h2load nghttp2-client
want nghttpd nghttp2-server
# testssl asks for the other three.
want testssl testssl.sh
want hexdump bsdextrautils
want dig dnsutils
want ps procps
want python3 python3
want node nodejs
[ -e /usr/share/nodejs/ws ] || missing="$missing node-ws"
[ -e /usr/lib/python3/dist-packages/websockets ] || missing="$missing python3-websockets"
want slowhttptest slowhttptest
want systemd-analyze systemd
want tshark tshark
# Any Chromium will do; Ubuntu has none among its packages.
command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ||
	want chromium-headless-shell chromium-headless-shell
[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || missing="$missing libnginx-mod-stream"
# Of the two netcats of Debian the tests are written for the one of OpenBSD.
nc -h 2>&1 | grep -q OpenBSD || missing="$missing netcat-openbsd"
# shellcheck disable=SC2086 # a list
exec "$(dirname "$0")/install.sh" $missing

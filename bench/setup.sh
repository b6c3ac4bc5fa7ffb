#!/bin/sh
# Installs the proxies that bench compares gozilla with, and the load and backend of HTTP/2 (Debian and Ubuntu). Needs root only if something is missing.
set -eu

missing=
for package in haproxy nginx-light libnginx-mod-stream nghttp2-client nghttp2-server; do
	status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
	[ "$status" = "install ok installed" ] || missing="$missing $package"
done
# shellcheck disable=SC2086 # a list
exec "$(dirname "$0")/../test/install.sh" $missing

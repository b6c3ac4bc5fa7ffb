#!/bin/sh
# Installs the proxies that bench compares gozilla with (Debian and Ubuntu). Needs root only if something is missing.
set -eu

missing=
for package in haproxy nginx-light libnginx-mod-stream; do
	status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
	[ "$status" = "install ok installed" ] || missing="$missing $package"
done
# shellcheck disable=SC2086 # a list
exec "$(dirname "$0")/../test/install.sh" $missing

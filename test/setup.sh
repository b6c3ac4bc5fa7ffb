#!/bin/sh
# Installs what the tests need and do not find: real peers, and a C compiler for the race detector (Debian and Ubuntu).
# Needs root only if something is missing. No service is started: tests run their own processes on their own ports.
set -eu

missing=
want() { # want COMMAND PACKAGE
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
want gcc gcc
want git git
want curl curl
want socat socat
want strace strace
want haproxy haproxy
# Of the two netcats of Debian the tests are written for the one of OpenBSD.
nc -h 2>&1 | grep -q OpenBSD || missing="$missing netcat-openbsd"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
	echo "test/setup.sh: missing packages:$missing (as root on Debian: apt-get install$missing)" >&2
	exit 1
fi

# Debian starts a service when it is installed, unless this policy forbids it. One that is there already is left as it is.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi
apt-get update -q
# shellcheck disable=SC2086 # a list
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 $missing

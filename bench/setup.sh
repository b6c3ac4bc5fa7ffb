#!/bin/sh
# Installs the proxies that bench compares gozilla with (Debian and Ubuntu). Needs root only if
# something is missing. Neither service is started: bench runs its own processes on its own ports.
set -eu

missing=
for package in haproxy nginx-light libnginx-mod-stream; do
	status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
	[ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "bench: missing packages:$missing (run as root: apt-get install$missing)" >&2
	exit 1
fi

# Debian starts a service when it is installed, unless this policy forbids it. One that is there
# already is left as it is.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi
apt-get update -q
# shellcheck disable=SC2086 # a list
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 $missing

#!/bin/sh
# Installs the Debian packages that it is given, as root. No service is started: tests and benchmarks run their own
# processes on their own ports.
set -eu
[ $# -gt 0 ] || exit 0
if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
	echo "missing packages: $* (as root on Debian: apt-get install $*)" >&2
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
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"

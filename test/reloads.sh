#!/usr/bin/env bash
# A thousand changes of the file under load: 2,000 connections a second, requests over connections that stay, and 500
# connections that are open all the time. It takes about five minutes and fails if anything of that does.
set -euo pipefail
cd "$(dirname "$0")"
GOZILLA_RELOADS=${1:-1000} GOZILLA_RELOAD_RATE=${2:-2000} GOZILLA_RELOAD_LONG=${3:-500} \
	go test -run '^TestReloads$' -count=1 -timeout 60m -v .

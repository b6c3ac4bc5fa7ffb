#!/usr/bin/env bash
# What CI checks besides the tests, in order of cost. Each fault is said; the first that is found ends it. Nothing here
# depends on how soon it is done: CI runs it beside the tests, in the time that they leave.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$1"; }

step 'format'
unformatted=$(git ls-files '*.go' | xargs gofmt -l)
[ -z "$unformatted" ] || { echo "gofmt these: $unformatted"; exit 1; }

step 'vet, here and for darwin'
go vet ./...
(cd test && go vet ./...)
(cd bench/peers && go vet ./...)
GOOS=darwin go vet ./...

step 'modules are tidy'
for module in . test tools bench/peers; do (cd "$module" && go mod tidy -diff); done

step 'generated files are fresh'
go run ./internal/gen -check
go run ./internal/gen/pages -check

step 'staticcheck'
go tool -modfile=tools/go.mod staticcheck ./...
(cd test && go tool -modfile=../tools/go.mod staticcheck ./...)
(cd bench/peers && go tool -modfile=../../tools/go.mod staticcheck ./...)

step 'fuzzing, 500 inputs a target'
git grep -E '^func Fuzz' -- '*_test.go' ':!test' | sed -E 's/^(.*)\/[^/]*:func (Fuzz[^(]*).*/\1 \2/' | while read -r package target; do
	echo "$package $target"
	go test -run '^$' -fuzz "^$target\$" -fuzztime 500x -fuzzminimizetime 5x "./$package"
done

step 'benchmarks: do they run, and what do they allocate'
go test -run '^$' -bench . -benchtime 100x -benchmem ./stream/... ./binding/... ./telemetry/... | grep -E '^(Benchmark|ok)'

step 'what the binary is linked with'
go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}' ./cmd/gozilla | sort -u

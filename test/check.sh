#!/usr/bin/env bash
# What CI checks besides the tests, in order of cost. Each fault is said; the first that is found ends it.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$1"; }

step 'format'
unformatted=$(git ls-files '*.go' | xargs gofmt -l)
[ -z "$unformatted" ] || { echo "gofmt these: $unformatted"; exit 1; }

step 'vet, here and for darwin'
go vet ./...
(cd test && go vet ./...)
GOOS=darwin go vet ./...

step 'modules are tidy'
for module in . test tools; do (cd "$module" && go mod tidy -diff); done

step 'generated files are fresh'
go run ./internal/gen -check
go run ./internal/gen/pages -check

step 'staticcheck'
go tool -modfile=tools/go.mod staticcheck ./...
(cd test && go tool -modfile=../tools/go.mod staticcheck ./...)

step 'the portable data path'
go test -tags portable ./stream/...

step 'fuzzing, 500 inputs a target'
go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | while read -r package; do
	go test -list '^Fuzz' "$package" | { grep '^Fuzz' || true; } | while read -r target; do
		echo "$package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime 500x -fuzzminimizetime 5x "$package"
	done
done

step 'benchmarks: do they run, and what do they allocate'
go test -run '^$' -bench . -benchtime 100x -benchmem ./stream/... ./binding/... ./telemetry/... | grep -E '^(Benchmark|ok)'

step 'what the binary is linked with'
go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}' ./cmd/gozilla | sort -u

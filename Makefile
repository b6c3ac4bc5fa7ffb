# make run    build the gateway and run the echo example: then, in another terminal, nc localhost 12345
# make test   all tests, with what they need installed first
# make check  what CI checks besides: formats, vet, generated files, staticcheck, fuzzing, benchmarks
# make bench  gozilla beside HAProxy and nginx, about half an hour

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo develop)
CONFIG  ?= examples/tcp.echo/zilla.yaml

# Many tests wait, so more of them run at once than there are cores. The race detector need not wait at the end of each.
tests := GORACE=atexit_sleep_ms=0 go test -race

.PHONY: all build run test check bench generate clean

all: build

build:
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X gozilla/cli.Version=$(VERSION)' -o bin/gozilla ./cmd/gozilla

run: build
	bin/gozilla start -v --records -c $(CONFIG)

test:
	test/setup.sh
	$(tests) -p 4 ./...
	cd test && $(tests) -parallel 8 ./...

check:
	test/check.sh

bench:
	bench/setup.sh
	go run ./bench

generate:
	go generate ./...

clean:
	rm -rf bin

# make run    build the gateway and run the echo example: then, in another terminal, nc localhost 12345
# make test   all tests, with what they need installed first
# make check  what CI checks besides: formats, vet, generated files, staticcheck, fuzzing, benchmarks, the portable data path
# make bench  gozilla beside HAProxy, nginx, and servers of Go for WebSockets and events, about 40 minutes

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo develop)
CONFIG  ?= examples/tcp.echo/zilla.yaml

# How often a test that failed may run again by itself, if no more than twenty did. CI, whose machine may stand still for
# seconds, says 1: a test that passes then is listed as failed all the same, and what races or hangs fails at once.
RETRIES ?= 0
gotestsum = GORACE=atexit_sleep_ms=0 go tool -modfile=$(1) gotestsum --format standard-quiet \
	--rerun-fails=$(RETRIES) --rerun-fails-max-failures=20 --rerun-fails-abort-on-data-race --packages $(2) --
# Many tests wait, so more of them run at once than there are cores. The race detector need not wait at the end of each.
race := -race -timeout 15m

.PHONY: all build run test check static variants portable corpus bench generate clean

all: build

build:
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X gozilla/cli.Version=$(VERSION)' -o bin/gozilla ./cmd/gozilla

run: build
	bin/gozilla start -v --records -c $(CONFIG)

test:
	test/setup.sh
	$(call gotestsum,tools/go.mod,./...) $(race) -p 4
	cd test && $(call gotestsum,../tools/go.mod,./...) $(race) -parallel 8

check: static variants

# What compiles, and takes as long as it takes.
static:
	test/check.sh

# Tests as they are not where races are looked for.
variants:
	$(MAKE) -j 2 -O portable corpus

portable:
	$(call gotestsum,tools/go.mod,"./stream/... ./binding/filesystem") -p 4 -tags portable

corpus:
	cd test && $(call gotestsum,../tools/go.mod,.) -run '^(TestCorpus.*|TestHugeConfigurations)$$'

bench:
	bench/setup.sh
	go run ./bench

generate:
	go generate ./...

clean:
	rm -rf bin

//go:build linux

package main

import (
	"strings"
	"testing"
	"time"
)

// timed is what h2load of nghttp2 1.52 says in a window, and counted of a number of requests.
const (
	timed = `starting benchmark...
spawning thread #0: 8 total client(s). Timing-based test with 0.3s of warm-up time and 1s of main duration for measurements.
Warm-up started for thread #0.
progress: 100% of clients started
Application protocol: h2c
Warm-up phase is over for thread #0.
Main benchmark duration is started for thread #0.
Main benchmark duration is over for thread #0. Stopping all clients.
Stopped all clients for thread #0

finished in 1.30s, 295168.00 req/s, 11.54MB/s
requests: 295168 total, 295168 started, 295168 done, 295168 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 295168 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 11.54MB (12102072) total, 4.10MB (4298688) headers (space savings 93.51%), 5.33MB (5587296) data
                     min         max         mean         sd        +/- sd
time for request:      110us      3.44ms       842us       205us    81.19%
time for connect:        0us         0us         0us         0us     0.00%
`
	counted = `starting benchmark...
spawning thread #0: 1 total client(s). 1 total requests

finished in 1.10s, 0.91 req/s, 934.85MB/s
requests: 1 total, 1 started, 1 done, 1 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 1 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 1.00GB (1074397184) total, 92B (92) headers (space savings 0.00%), 1.00GB (1074331648) data
                     min         max         mean         sd        +/- sd
time for request:      1.10s       1.10s       1.10s         0us   100.00%
`
)

func TestH2Load(t *testing.T) {
	h := &h2load{}
	if err := h.listen(strings.NewReader(timed), windowOpens, windowCloses); err != nil {
		t.Fatal(err)
	}
	if n, mean, most, err := h.result(); err != nil || n != 295168 || mean != 842*time.Microsecond || most != 3440*time.Microsecond {
		t.Errorf("%v requests, %v, %v, %v", n, mean, most, err)
	}
	h = &h2load{}
	if err := h.listen(strings.NewReader(counted), "starting benchmark", "finished in"); err != nil {
		t.Fatal(err)
	}
	if n, _, _, err := h.result(); err != nil || n != 1 {
		t.Errorf("%v requests, %v", n, err)
	}
	if err := h.took(gib); err != nil {
		t.Error(err)
	}
	if err := h.took(2 * gib); err == nil {
		t.Error("half of it is enough")
	}
	if err := (&h2load{}).listen(strings.NewReader(counted), windowOpens, windowCloses); err == nil {
		t.Error("there is no window, and no error")
	}
	for _, said := range []string{
		strings.Replace(timed, "295168 succeeded, 0 failed", "295167 succeeded, 1 failed", 1), strings.Replace(timed, "0 errored", "1 errored", 1),
		strings.ReplaceAll(counted, "1 succeeded", "0 succeeded"), strings.Replace(timed, "time for request", "times", 1), "",
	} {
		h := &h2load{}
		h.said.WriteString(said)
		if _, _, _, err := h.result(); err == nil {
			t.Errorf("no error:\n%s", said)
		}
	}
}

// A pattern of any length is the beginning of the endless one.
func TestPatternOf(t *testing.T) {
	b := patternOf(1 << 20)
	if len(b) != 1<<20 || !isPattern(b[:bulkSize], 0) || !isPattern(b[1<<19:][:bulkSize], 1<<19) || !isPattern(b[1<<20-100:], 1<<20-100) {
		t.Errorf("%d bytes, or others", len(b))
	}
}

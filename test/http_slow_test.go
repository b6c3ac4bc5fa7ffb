//go:build linux

package test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestSlowHTTPTest has slowhttptest keep as many connections as it can. All of them are cut in time, others are served
// meanwhile, and it costs little memory.
func TestSlowHTTPTest(t *testing.T) {
	tool := need(t, "slowhttptest", "slowhttptest")
	const connections = 300
	for _, c := range []struct {
		name   string
		args   string
		record string
	}{
		{"head", "-H -i 1 -t GET", `"slow head"`},
		{"body", "-B -i 1 -s 8192 -t POST", `"slow body"`},
		{"reader", "-X -w 1 -y 2 -z 1 -n 3 -k 1 -t GET", `"slow reader"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				if r.URL.Path == "/big" {
					w.Write(make([]byte, 8<<20))
				}
				io.WriteString(w, "hello")
			})
			port := freePort(t)
			g := start(t, hosting(port, b.port, "exit: out"), append(limit("headtime", "1s"), append(limit("body", "1s"), append(limit("idle", "1s"), limit("records", 10000)...)...)...)...)
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			args := append(strings.Fields(c.args), "-c", fmt.Sprint(connections), "-r", "300", "-l", "6", "-p", "3", "-u", fmt.Sprintf("http://%s/big", address(port)))
			attack := exec.CommandContext(ctx, tool, args...)
			out := newOutput()
			attack.Stdout, attack.Stderr = out, out
			if err := attack.Start(); err != nil {
				t.Fatal(err)
			}
			over := make(chan error, 1)
			go func() { over <- attack.Wait() }()
			served, slowest := 0, time.Duration(0)
			for done := false; !done; {
				began := time.Now()
				if r, body := fetch(t, request(t, "GET", port, "/small", "")); r.StatusCode != 200 || body != "hello" {
					t.Errorf("an honest client gets %s, %q", r.Status, body)
				}
				served++
				slowest = max(slowest, time.Since(began))
				select {
				case <-over:
					done = true
				case <-time.After(20 * time.Millisecond): // so that it does not take the processor from the attack
				}
			}
			if served < 50 || slowest > 2*time.Second {
				t.Errorf("%d honest clients were served, one of them after %v", served, slowest)
			}
			if strings.Contains(out.String(), "service available:   NO") {
				t.Errorf("it was not available:\n%s", out)
			}
			last := regexp.MustCompile(`(?s).*closed:\s+(\d+)`).FindStringSubmatch(plainText(out.String()))
			if last == nil || atoi(t, last[1]) < connections {
				t.Errorf("not all were closed:\n%s", plainText(out.String()))
			}
			g.took(t, 0, 100)
			_, records, _ := run(t, g.dir, "logs", "--records", "--json")
			if n := strings.Count(records, `"reason":`+c.record); n < connections/2 {
				t.Errorf("only %d records have the reason %s", n, c.record)
			}
			g.terminate()
		})
	}
}

// plainText is what a program has written without colours.
func plainText(s string) string {
	return regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]").ReplaceAllString(s, "")
}

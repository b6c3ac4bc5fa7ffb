//go:build linux

package test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestSlowHTTPTest has slowhttptest keep as many connections as it can. All of them are cut in time, others are served
// meanwhile, and it costs little memory.
func TestSlowHTTPTest(t *testing.T) {
	tool := need(t, "slowhttptest", "slowhttptest")
	const connections = 100
	for _, c := range []struct{ name, args, record string }{
		{"head", "-H -i 1 -t GET", `"slow head"`},
		{"body", "-B -i 5 -s 8192 -t POST", `"slow body"`},
		{"reader", "-X -w 1 -y 2 -z 1 -n 5 -k 1 -t GET", `"slow reader"`},
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
			g := start(t, hosting(port, b.port, "exit: out"), append(limit("headtime", "1s"), append(limit("body", "1s"), limit("records", 10000)...)...)...)
			server(t, tool, append(strings.Fields(c.args), "-c", fmt.Sprint(connections), "-r", fmt.Sprint(connections), "-l", "60", "-p", "5",
				"-u", fmt.Sprintf("http://%s/big", address(port)))...)
			slowest := time.Duration(0)
			eventually(t, "all slow connections are cut", func() bool {
				began := time.Now()
				if r, body := fetch(t, request(t, "GET", port, "/small", "")); r.StatusCode != 200 || body != "hello" {
					t.Fatalf("an honest client gets %s, %q", r.Status, body)
				}
				slowest = max(slowest, time.Since(began))
				_, records, _ := run(t, g.dir, "logs", "--records", "--json")
				cut := map[string]bool{} // connections, by their number
				for _, m := range regexp.MustCompile(`"connection":(\d+),.*"reason":`+c.record).FindAllStringSubmatch(records, -1) {
					cut[m[1]] = true
				}
				return len(cut) >= connections-5 // some may have ended otherwise
			})
			if slowest > lenient(3*time.Second) {
				t.Errorf("an honest client was served after %v", slowest)
			}
			g.took(t, 0, 100)
			g.terminate()
		})
	}
}

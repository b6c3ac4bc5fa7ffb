package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestHTTPTooMuchSaid has servers that say more than the answer, at once or when nobody asks. None of it gets to the next
// client.
func TestHTTPTooMuchSaid(t *testing.T) {
	const evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
	said := map[string]string{
		"/two":         "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok" + evil,
		"/garbage":     "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok, and more",
		"/chunks":      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + evil,
		"/no-content":  "HTTP/1.1 204 No Content\r\n\r\n" + evil,
		"/not-changed": "HTTP/1.1 304 Not Modified\r\ncontent-length: 4\r\n\r\n" + evil,
		"/head":        "HTTP/1.1 200 OK\r\ncontent-length: " + fmt.Sprint(len(evil)) + "\r\n\r\n" + evil,
		"/later":       "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
		"/newlines":    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok\r\n\r\n",
	}
	later := make(chan bool, 10)
	end, port := freePort(t), freePort(t)
	serving(t, end, func(c *net.TCPConn) {
		defer c.Close()
		for r := bufio.NewReader(c); ; {
			request, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.Copy(io.Discard, request.Body)
			answer := said[request.URL.Path]
			if answer == "" {
				answer = fmt.Sprintf("HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s", len(request.URL.Path), request.URL.Path)
			}
			io.WriteString(c, answer)
			if request.URL.Path == "/later" {
				time.Sleep(20 * time.Millisecond) // once the answer is taken
				io.WriteString(c, evil)
				later <- true
			}
		}
	})
	g := start(t, hosting(port, end, "exit: out"), "--records")
	for path := range said {
		t.Run(path[1:], func(t *testing.T) {
			for range 3 {
				method := "GET"
				if path == "/head" {
					method = "HEAD"
				}
				c := call(t, port).says(method + " " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
				if r, body := c.hears(method); r.StatusCode >= 400 || strings.Contains(body, "evil") {
					t.Errorf("it gets %s, %q", r.Status, body)
				}
				if path == "/later" {
					<-later
				}
				for i, c := range []*caller{c, call(t, port)} {
					want := fmt.Sprintf("/next/%d", i)
					if r, body := c.says("GET " + want + " HTTP/1.1\r\nHost: a\r\n\r\n").hears("GET"); r.StatusCode != 200 || body != want {
						t.Errorf("the next one gets %s, %q", r.Status, body)
					}
				}
			}
		})
	}
	g.terminate()
}

// A server that never comes to the point is not listened to for longer than one that says nothing.
func TestHTTPEndlessInterim(t *testing.T) {
	end, port := freePort(t), freePort(t)
	serving(t, end, func(c *net.TCPConn) {
		defer c.Close()
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		for {
			if _, err := io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	g := start(t, hosting(port, end, "exit: out"), append(limit("answer", "2s"), "--records")...)
	c := call(t, port).says(plainGet)
	within(t, "the end", 8*time.Second, func() {
		for {
			r, _ := c.hears("GET")
			if r.StatusCode >= 200 {
				if r.StatusCode != http.StatusBadGateway {
					t.Errorf("it gets %s", r.Status)
				}
				return
			}
		}
	})
	g.terminate()
}

// Who asks for many hosts does not take all connections away from others.
func TestHTTPManyAuthorities(t *testing.T) {
	b := newBackend(t, tells)
	port := freePort(t)
	g := start(t, hosting(port, b.port, "exit: out"), limit("connections", 100)...)
	c := call(t, port)
	for i := range 200 {
		c.asks(fmt.Sprintf("GET / HTTP/1.1\r\nHost: h%d.example\r\n\r\n", i), 200)
	}
	call(t, port).asks(plainGet, 200)
	g.terminate()
}

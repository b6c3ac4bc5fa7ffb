//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// requestSpec says what a load asks for, and how.
type requestSpec struct {
	Path string // of the backend's answers: see answers
	Body int    // bytes of the request's body; 0 is a GET
	Rich bool   // the header is that of a browser
}

// browserFields are what a browser sends, besides host.
const browserFields = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n" +
	"Cookie: sid=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=1\r\n" +
	"Referer: https://www.example.com/some/where/else?x=1\r\n" +
	"Sec-Ch-Ua: \"Chromium\";v=\"126\", \"Not.A/Brand\";v=\"24\"\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Sec-Fetch-Mode: navigate\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"Cache-Control: max-age=0\r\n"

// text is the request, which is always the same.
func (s *requestSpec) text(port int) []byte {
	var b strings.Builder
	method := "GET"
	if s.Body > 0 {
		method = "POST"
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n", method, s.Path, port)
	if s.Rich {
		b.WriteString(browserFields)
	}
	if s.Body > 0 {
		fmt.Fprintf(&b, "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n", s.Body)
	}
	b.WriteString("\r\n")
	b.Write(patternAt(0, s.Body))
	return []byte(b.String())
}

// fileName is the path of the file that is served in modeFile. No backend has it.
const fileName = "/1m"

// answer is what the backend has under a path.
type answer struct {
	body int  // bytes
	rich bool // the header has ten fields in place of four
}

var answers = map[string]answer{"/small": {13, false}, "/16k": {16 << 10, false}, "/rich": {13, true}, fileName: {1 << 20, false}}

// richFields are those that a rich answer has besides.
const richFields = "Vary: Accept-Encoding\r\n" +
	"Cache-Control: public, max-age=3600\r\n" +
	"ETag: \"5f2b-61a7c0e4d8f40\"\r\n" +
	"Last-Modified: Sun, 31 Dec 2023 10:00:00 GMT\r\n" +
	"X-Request-Id: 7f9c2ba4-e88f-4a7d-9c1b-2f3a4b5c6d7e\r\n" +
	"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"

func (a answer) text() []byte {
	more := ""
	if a.rich {
		more = richFields
	}
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/plain\r\n%sContent-Length: %d\r\n\r\n%s",
		more, a.body, patternOf(a.body))
}

var (
	headEnd   = []byte("\r\n\r\n")
	lengthKey = []byte("\r\ncontent-length:")
	errAnswer = errors.New("what came is not the backend's answer")
)

// lengthOf is the content-length of a head.
func lengthOf(head []byte) int {
	i := bytes.Index(bytes.ToLower(head), lengthKey)
	if i < 0 {
		return 0
	}
	line, _, _ := bytes.Cut(head[i+len(lengthKey):], []byte("\r\n"))
	n, err := strconv.Atoi(string(bytes.TrimSpace(line)))
	if err != nil {
		return 0
	}
	return n
}

// response is reply for HTTP: it takes what has come of an answer, and compares its body.
func (l *loader) response(i int, now int64) (bool, error) {
	c := &l.conns[i]
	for {
		n, e := recv(c.fd, l.buf)
		switch {
		case e == syscall.EAGAIN:
			return false, nil
		case e != 0:
			return false, fmt.Errorf("cannot receive: %w", e)
		case n == 0:
			return false, errClosed
		case !c.waiting:
			return false, errMore
		}
		done, err := l.part(c, l.buf[:n], now)
		if done || err != nil || n < len(l.buf) { // else there may be more, of which nothing is told
			return done, err
		}
	}
}

// part is a part of an answer, whether it is the last one.
func (l *loader) part(c *conn, b []byte, now int64) (bool, error) {
	if c.body < 0 { // in the head
		c.in = append(c.in, b...)
		end := bytes.Index(c.in, headEnd)
		if end < 0 {
			return false, nil
		}
		if !bytes.HasPrefix(c.in, []byte("HTTP/1.1 200 ")) || lengthOf(c.in[:end+2]) != l.want {
			return false, fmt.Errorf("%w: %q", errAnswer, c.in[:end])
		}
		b = c.in[end+len(headEnd):]
		c.in, c.body = c.in[:0], 0
	}
	if c.body+len(b) > l.want {
		return false, errMore
	}
	if !bytes.Equal(b, patternAt(c.body, len(b))) {
		return false, errOther
	}
	if c.body += len(b); c.body < l.want {
		return false, nil
	}
	c.waiting = false
	l.ops++
	l.bytes += int64(l.want)
	l.hist.add(now - c.sent)
	return true, nil
}

// asks makes a connection one that asks by HTTP.
func (l *loader) asks(c *conn) {
	if s := l.spec.Request; s != nil {
		c.out, c.fixed, c.body = s.text(l.spec.Port), true, -1
		l.want = answers[s.Path].body
	}
}

// httpBackend answers requests. It is the smallest server that can be told from a good one only by bad requests.
func (b *backend) http(p *peer, _ uint32) bool {
	n, e := recv(p.fd, b.buf)
	if e != 0 || n == 0 {
		return e == syscall.EAGAIN
	}
	in := b.buf[:n]
	if len(p.pending) > 0 {
		in = append(p.pending, in...)
	}
	for len(in) > 0 {
		if p.skip > 0 {
			k := min(p.skip, len(in))
			if p.skip, in = p.skip-k, in[k:]; p.skip > 0 {
				break
			}
			if !b.answer(p) {
				return false
			}
			continue
		}
		end := bytes.Index(in, headEnd)
		if end < 0 {
			break
		}
		_, path, _ := bytes.Cut(in[:end], []byte(" "))
		path, _, _ = bytes.Cut(path, []byte(" "))
		p.answer = b.answers[string(path)]
		if p.skip = 0; in[0] == 'P' {
			p.skip = lengthOf(in[:end+2])
		}
		in = in[end+len(headEnd):]
		if p.skip == 0 && !b.answer(p) {
			return false
		}
	}
	p.pending = append(p.pending[:0], in...)
	return true
}

// answer sends an answer, for which a socket whose last one was taken has room.
func (b *backend) answer(p *peer) bool {
	n, e := send(p.fd, p.answer)
	return e == 0 && n == len(p.answer) && n > 0
}

// asksOnce is nil when a request makes the way through the proxy and back.
func (r *rig) asksOnce() error {
	t := &http.Transport{Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP1(!r.mode.streams())
	t.Protocols.SetUnencryptedHTTP2(r.mode.streams())
	defer t.CloseIdleConnections()
	c := http.Client{Transport: t, Timeout: 5 * time.Second}
	resp, err := c.Get(r.url("/small"))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !bytes.Equal(body, patternAt(0, answers["/small"].body)) {
		return fmt.Errorf("%w: %s", errAnswer, resp.Status)
	}
	return nil
}

package http1

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the verdicts into testdata/smuggling.txt")

// TestSmuggling gives the messages of testdata/smuggling.txt their verdicts. The file explains itself.
func TestSmuggling(t *testing.T) {
	const file = "testdata/smuggling.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	message, entries, at := "", 0, 0
	for i, line := range strings.SplitAfter(string(text), "\n") {
		quoted := strings.TrimSpace(line)
		if part, err := strconv.Unquote(quoted); err == nil {
			if message == "" {
				at = i + 1
			}
			message += part
		} else if message != "" {
			got := verdict(message)
			out.WriteString("\t" + got + "\n")
			if strings.HasPrefix(line, "\t") {
				line = ""
				if !*update && quoted != got {
					t.Errorf("%s:%d: the verdict is %s", file, at, got)
				}
			} else if !*update {
				t.Errorf("%s:%d: there is no verdict", file, at)
			}
			message = ""
			entries++
		}
		out.WriteString(line)
	}
	if entries < 60 {
		t.Errorf("there are %d entries", entries)
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// verdict is what a server makes of bytes: all the requests that it sees in them, each with its body, up to a fault.
// Those that begin with HTTP/ are responses to GET.
func verdict(in string) string {
	b := []byte(in)
	if strings.HasPrefix(in, "HTTP/") {
		return verdictOfResponse(b)
	}
	var said []string
	for {
		b = b[Lead(b):]
		if len(b) == 0 {
			return strings.Join(said, " | ")
		}
		n, err := End(b, 0, nil)
		var r Request
		if err == nil && n > 0 {
			err = ParseRequest(b[:n], &r, nil)
		}
		if err == nil && n == 0 {
			return strings.Join(append(said, "more bytes are needed"), " | ")
		}
		if err != nil {
			return strings.Join(append(said, faultText(err)), " | ")
		}
		s := fmt.Sprintf("%s %s%s", r.Method, r.Authority, r.Path)
		body, rest, err := bodyOf(&r.Message, b[n:])
		if s += fieldText(r.Fields) + body; err != nil {
			return strings.Join(append(said, s+" "+faultText(err)), " | ")
		}
		said, b = append(said, s), rest
	}
}

func verdictOfResponse(b []byte) string {
	n, err := End(b, 0, nil)
	var r Response
	if err == nil {
		err = ParseResponse(b[:n], &r, "GET", nil)
	}
	if err != nil {
		return faultText(err)
	}
	body, rest, err := bodyOf(&r.Message, b[n:])
	s := fmt.Sprintf("%d%s%s", r.Status, fieldText(r.Fields), body)
	if r.Close {
		s += " close"
	}
	if err != nil {
		return s + " " + faultText(err)
	}
	if len(rest) > 0 {
		s += fmt.Sprintf(" rest %q", rest)
	}
	return s
}

func bodyOf(m *Message, b []byte) (body string, rest []byte, err error) {
	switch {
	case m.Chunked:
		var c Chunks
		data, rest, err := c.read(b, 1<<20, 1<<20, nil)
		return fmt.Sprintf(" chunked %q%s", data, fieldText(c.Trailer())), rest, err
	case m.Length > int64(len(b)):
		return fmt.Sprintf(" length %d", m.Length), nil, errMore
	case m.Length < 0:
		return fmt.Sprintf(" until close %q", b), nil, nil
	case m.Length > 0:
		return fmt.Sprintf(" length %q", b[:m.Length]), b[m.Length:], nil
	}
	return "", b, nil
}

func fieldText(fields []Field) (s string) {
	for _, f := range fields {
		s += fmt.Sprintf(" {%s: %q}", f.Name, f.Value)
	}
	return s
}

func faultText(err error) string {
	if f, ok := err.(*Fault); ok {
		return fmt.Sprintf("%d %s", f.Status, f.Text)
	}
	return err.Error()
}

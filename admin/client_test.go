package admin

import (
	"io"
	"strings"
	"testing"
)

// A body is an answer that tells when all of it was read.
type body struct {
	io.Reader
	done chan struct{}
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil {
		close(b.done)
	}
	return n, err
}

// A client that reads slowly does not make the gateway wait: it keeps what it can, and says what it cannot.
func TestSlowReaderLosesEntries(t *testing.T) {
	const line = `{"seq":1,"event":{"traceId":"0"}}` + "\n"
	b := &body{strings.NewReader(strings.Repeat(line, 20_000)), make(chan struct{})}
	var seen, lost int
	err := Dial("x").followed(t.Context(), b, func(e Entry) error {
		<-b.done
		seen++
		if e.Lost {
			lost++
		}
		return nil
	})
	if err != nil || seen < ahead-1 || seen > ahead+1 || lost != 1 {
		t.Errorf("%v, %d entries, %d times lost", err, seen, lost)
	}
}

func TestRubbishAnswer(t *testing.T) {
	for _, text := range []string{"x\n", "{}\n[]\n", strings.Repeat("x", lineBytes+1)} {
		b := &body{strings.NewReader(text), make(chan struct{})}
		err := Dial("x").followed(t.Context(), b, func(Entry) error { return nil })
		if err == nil || !strings.HasPrefix(err.Error(), "cannot read the logs of the gozilla in x: ") {
			t.Errorf("%.10q: %v", text, err)
		}
	}
}

package test

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// Who has agreed on HTTP/2 with a tls server, before an http server that does not speak it, is told in its words to take
// HTTP/1.1, by which browsers try again; the operator is told what to mend.
func TestHTTPAgreedOnHTTP2(t *testing.T) {
	s := newStage(t)
	port := freePort(t)
	g := s.gateway(t, secured(port, keys(""), "options: { keys: [ localhost ] }\nexit: web")+"  web: { type: http, kind: server, options: { versions: [ http/1.1 ] }, exit: echo }\n")
	config := s.config()
	config.NextProtos = []string{"h2", "http/1.1"}
	c, err := secure(t, port, config)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+strings.Repeat("\x00", 3)+"\x04"+strings.Repeat("\x00", 5))
	said := make([]byte, 26)
	if _, err := io.ReadFull(c, said); err != nil {
		t.Fatal(err)
	}
	const goAway, http11Required = 7, 13 // RFC 9113, sections 6.8 and 7
	if said[3] != 4 || said[12] != goAway || said[25] != http11Required {
		t.Errorf("it says %q", said)
	}
	c.Close()
	eventually(t, "the operator is told", func() bool { return slices.Contains(g.events(), "binding.http.request.malformed") })
	g.terminate()
}

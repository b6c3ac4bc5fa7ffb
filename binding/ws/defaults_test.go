package ws_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"gozilla/internal/gwtest"
)

// TestDefaults is what a server is asked for by a ws client that has defaults, for sockets that say all but their protocol, and
// what the client in front is answered: never a protocol that it has not offered (RFC 6455, section 4.2.2).
func TestDefaults(t *testing.T) {
	back := gwtest.Listen(t, "")
	defaults := "options: { defaults: { protocol: given, scheme: https, authority: default.example, path: /default } }, exit: web }"
	g := gwtest.Start(t, strings.Replace(leading, "plain: { type: ws, kind: client, exit: web }", "plain: { type: ws, kind: client, "+defaults, 1), gwtest.Env("BACK", back.Port()))
	for _, c := range []struct{ offers, asked, chosen, speaks string }{
		{offers: "", asked: "given", chosen: "given", speaks: ""},
		{offers: "", asked: "given", chosen: "", speaks: ""},
		{offers: "one, two", asked: "one, two", chosen: "two", speaks: "two"},
		{offers: "one, two", asked: "one, two", chosen: "", speaks: ""},
		{offers: "given", asked: "given", chosen: "given", speaks: "given"},
	} {
		t.Run(c.offers+" "+c.chosen, func(t *testing.T) {
			var offers, chosen []string
			if c.offers != "" {
				offers = []string{"Sec-WebSocket-Protocol: " + c.offers}
			}
			if c.chosen != "" {
				chosen = []string{"Sec-WebSocket-Protocol: " + c.chosen}
			}
			conn := g.Dial("north")
			asks(t, conn, "/asked?a=b", offers...)
			far, r := accepts(t, back.Next(), chosen...)
			if r.Host != "a" || r.URL.String() != "/asked?a=b" || r.Header.Get("Sec-WebSocket-Protocol") != c.asked {
				t.Errorf("it is asked for %s%s, %v", r.Host, r.URL, r.Header)
			}
			in := bufio.NewReader(conn)
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if lines := resp.Header.Values("Sec-WebSocket-Protocol"); resp.StatusCode != 101 || strings.Join(lines, ", ") != c.speaks || (len(lines) > 0) != (c.speaks != "") {
				t.Errorf("%s, %q", resp.Status, lines)
			}
			far.say(0, frame{op: bye, data: closing(1000, "")})
			newPeer(t, tcpEnd{in, conn}, conn.CloseWrite, true, false).leaves(1000)
		})
	}
}

// TestDefaultsAreNoOverrides is sockets that all go to one authority and path: the http client behind says so.
func TestDefaultsAreNoOverrides(t *testing.T) {
	back := gwtest.Listen(t, "")
	g := gwtest.Start(t, strings.Replace(leading, "kind: client, exit: out", `kind: client, options: { overrides: { ":authority": chat.internal, ":path": /chat } }, exit: out`, 1), gwtest.Env("BACK", back.Port()))
	conn := g.Dial("north")
	asks(t, conn, "/asked?a=b")
	if _, r := accepts(t, back.Next()); r.Host != "chat.internal" || r.URL.String() != "/chat" {
		t.Errorf("it is asked for %s%s", r.Host, r.URL)
	}
	answered(t, conn)
}

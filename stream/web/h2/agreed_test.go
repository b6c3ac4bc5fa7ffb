package h2_test

import (
	"testing"

	"gozilla/stream/web"
	wire "gozilla/wire/h2"
)

// TestAgreementRetried is requests for another protocol, or for a tunnel, that were not looked at.
func TestAgreementRetried(t *testing.T) {
	chat := request("GET", "/chat")
	chat.Protocol = "websocket"
	refused := func(h *hand) { h.say(reset(1, wire.RefusedStream)) }
	away := func(h *hand) { h.say(wire.AppendGoAway(nil, 0, wire.NoError, "")) }
	for _, c := range []struct {
		name string
		q    *web.Request
		said string // before there was an answer
		ends func(h *hand)
		on   uint32 // which stream the request comes again; 0: it does not
	}{
		{"websocket refused", chat, "", refused, 3},
		{"websocket behind goaway", chat, "", away, 1},
		{"tunnel refused", &web.Request{Method: "CONNECT", Authority: "x:1"}, "", refused, 3},
		{"tunnel behind goaway", &web.Request{Method: "CONNECT", Authority: "x:1"}, "", away, 1},
		{"websocket that has begun", chat, "early", away, 0},
		{"websocket closed", chat, "", func(h *hand) { h.Close() }, 0},
		{"websocket reset for another reason", chat, "", func(h *hand) { h.say(reset(1, wire.Cancel)) }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, b *backend) {
				takes := wire.Setting{ID: wire.EnableConnect, Value: 1}
				came := b.asks(c.q, c.said)
				h := b.accept(takes)
				h.await(wire.Headers)
				if c.said != "" {
					h.await(wire.Data)
				}
				c.ends(h)
				switch c.on {
				case 0:
					b.comes(came, "refused: unavailable")
					return
				case 1:
					h = b.accept(takes)
				}
				if f := h.await(wire.Headers); f.Stream != c.on || f.Flags&wire.EndStream != 0 {
					t.Errorf("the request comes again on %d with flags %v", f.Stream, f.Flags)
				}
				h.say(heads(c.on, 0, fields(":status", "200")), last(c.on, "raw"))
				want := "200|raw"
				if c.q.Protocol != "" {
					want = "101|raw"
				}
				b.comes(came, want)
			})
		})
	}
}

// TestRefusedBeforeFlush is a request for another protocol that the server has refused before it was flushed: the error is
// for who waits for the answer, and there is none.
func TestRefusedBeforeFlush(t *testing.T) {
	both(t, func(t *testing.T, b *backend) {
		s := b.rig.begin()
		defer s.End(nil)
		one := b.asks(request("GET", "/"), "")
		h := b.accept(wire.Setting{ID: wire.EnableConnect, Value: 1})
		h.answers(1, "/")
		b.comes(one, "204")
		q := request("GET", "/chat")
		q.Protocol = "websocket"
		y, err := b.OpenExchange(s, q)
		if err != nil {
			t.Fatal(err)
		}
		defer y.Close()
		h.say(wire.AppendGoAway(nil, 1, wire.NoError, ""), ping("settled?"))
		h.await(wire.Ping)
		if err := y.Flush(); err != nil {
			t.Errorf("Flush gives %v", err)
		}
		answered := make(chan error, 1)
		go func() { // ends with the answer
			_, err := y.Response()
			answered <- err
		}()
		other := b.accept(wire.Setting{ID: wire.EnableConnect, Value: 1})
		other.await(wire.Headers)
		other.say(answer("200"))
		if err := <-answered; err != nil {
			t.Errorf("there came %v", err)
		}
	})
}

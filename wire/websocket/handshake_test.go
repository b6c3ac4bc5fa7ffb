package websocket

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

func TestValidKey(t *testing.T) {
	for key, want := range map[string]bool{
		"dGhlIHNhbXBsZSBub25jZQ==": true, "AQIDBAUGBwgJCgsMDQ4PEA==": true, "AAAAAAAAAAAAAAAAAAAAAA==": true, "/+++++++++++++++++++/w==": true,
		"": false, "dGhlIHNhbXBsZSBub25jZQ": false, "dGhlIHNhbXBsZSBub25jZQ=": false, "dGhlIHNhbXBsZSBub25jZQ== ": false,
		" dGhlIHNhbXBsZSBub25jZQ=": false, "dGhlIHNhbXBsZSBub25jZTE=": false, "dGhlIHNhbXBsZSBub25jZTEx": false, "dGhlIHNhbXBsZSBub25jZ-==": false,
		"dGhlIHNhbXBsZSBub25j!Q==": false, "dGhlIHNhbXBsZSBub25\n\nQ==": false, "========================": false,
		base64.StdEncoding.EncodeToString(make([]byte, 15)): false, base64.StdEncoding.EncodeToString(make([]byte, 17)): false,
	} {
		if got := ValidKey(key); got != want {
			t.Errorf("%q: %v", key, got)
		}
	}
}

func TestProtocols(t *testing.T) {
	f := func(value string, want ...string) {
		t.Helper()
		if got, err := Protocols(value); !slices.Equal(got, want) || err != nil {
			t.Errorf("%q is %q, %v", value, got, err)
		}
	}
	f("")
	f(" ,\t, ")
	f("chat", "chat")
	f("chat, superchat", "chat", "superchat")
	f(",v12.stomp ,\tmqtt,,graphql-transport-ws,", "v12.stomp", "mqtt", "graphql-transport-ws")
	f("Chat,chat", "Chat", "chat")
	for _, bad := range []string{"a b", "a, b c", `"a"`, "a;b", "a/b", "ä", "a\x00", "\x7f", "a\nb", "a=b", "a, (b)"} {
		if got, err := Protocols(bad); got != nil || err != error(errProtocols) {
			t.Errorf("%q is %q, %v", bad, got, err)
		}
	}
}

func TestParseExtensions(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		list, err := parseExtensions(value)
		if got := plain(list); got != want || err != nil {
			t.Errorf("%q is %q, %v", value, got, err)
		}
		if again, err := parseExtensions(want); plain(again) != want || err != nil {
			t.Errorf("%q is %q, %v", want, plain(again), err)
		}
	}
	f("", "")
	f(" , ,\t", "")
	f("foo", "foo")
	f("foo, bar; baz=2", "foo, bar; baz=2") // section 9.1
	f(`deflate-stream,mux; max-channels = "4" ;flow-control ,`, "deflate-stream, mux; max-channels=4; flow-control")
	f(`a;b="\c\d"`, "a; b=cd")
	f("a;b=c;b=d,a", "a; b=c; b=d, a")
	for _, bad := range []string{
		";", "a;", "a; ;b", "a;b=", "a; b= ,", "a=b", "a b", "a;b c", "a;=c", `a;b="`, `a;b="c`, `a;b="c\`, `a;b="c\"`, `a;b=""`, `a;b="c d"`,
		`a;b="c"d`, `a;"b"=c`, `"a"`, `a;b="c,d"`, `a;b="\ "`, `a;b="\""`, "a,;b", "ä", "a;b=ä", "a\x00", "a/b",
	} {
		if list, err := parseExtensions(bad); list != nil || err != error(errExtensions) {
			t.Errorf("%q is %q, %v", bad, plain(list), err)
		}
	}
}

// plain writes a list in its shortest form.
func plain(list []extension) string {
	var all []string
	for _, e := range list {
		one := e.name
		for _, p := range e.params {
			if one += "; " + p.name; p.value != "" {
				one += "=" + p.value
			}
		}
		all = append(all, one)
	}
	return strings.Join(all, ", ")
}

// offers are taken (with window bits in the answer, or without), or declined.
var offers = []struct {
	offers string
	ok     bool
	more   string
}{
	{"", false, ""},
	{"permessage-deflate", true, ""},
	{"permessage-deflate; client_max_window_bits", true, ""}, // of browsers
	{"permessage-deflate; client_max_window_bits=8", true, ""},
	{`permessage-deflate;client_max_window_bits="15"`, true, ""},
	{"permessage-deflate; client_no_context_takeover; server_no_context_takeover", true, ""},
	{OfferDeflate, true, ""},
	{"permessage-deflate; server_max_window_bits=15", true, "; server_max_window_bits=15"},
	{"permessage-deflate; server_max_window_bits=10, permessage-deflate", true, ""}, // RFC 7692, 7.1.3
	{"permessage-deflate; server_max_window_bits=10, permessage-deflate; server_max_window_bits=15", true, "; server_max_window_bits=15"},
	{"x-webkit-deflate-frame, mux; a=b, permessage-deflate", true, ""},
	{", permessage-deflate ,", true, ""},
	{"permessage-deflate; server_max_window_bits=10", false, ""},
	{"permessage-deflate; server_max_window_bits=8", false, ""},
	{"permessage-deflate; server_max_window_bits", false, ""},
	{"permessage-deflate; server_max_window_bits=7", false, ""},
	{"permessage-deflate; server_max_window_bits=16", false, ""},
	{"permessage-deflate; server_max_window_bits=015", false, ""},
	{"permessage-deflate; server_max_window_bits=15; server_max_window_bits=15", false, ""},
	{"permessage-deflate; client_max_window_bits=7", false, ""},
	{"permessage-deflate; client_max_window_bits=16", false, ""},
	{"permessage-deflate; client_max_window_bits=08", false, ""},
	{"permessage-deflate; client_max_window_bits=100", false, ""},
	{"permessage-deflate; client_max_window_bits=1a", false, ""},
	{"permessage-deflate; client_max_window_bits; client_max_window_bits=9", false, ""},
	{"permessage-deflate; server_no_context_takeover=1", false, ""},
	{"permessage-deflate; server_no_context_takeover; server_no_context_takeover", false, ""},
	{"permessage-deflate; client_no_context_takeover=x", false, ""},
	{"permessage-deflate; client_no_context_takeover; client_no_context_takeover", false, ""},
	{"permessage-deflate; unknown", false, ""},
	{"permessage-deflate; Server_No_Context_Takeover", false, ""},
	{"permessage-bzip2", false, ""},
}

// malformed are no lists of extensions.
var malformed = []string{
	";;;", ";", "=", "a b", "a;", "a;;b", "a; =b", "a; b=", "a; b=c d", `a; b=""`, `a; b="c d"`, `a; b="c`, `"a"`, "a, (b)", "permessage-deflate, a;",
	"permessage-deflate; client_max_window_bits=", `permessage-deflate; client_max_window_bits=""`,
}

func TestAcceptDeflate(t *testing.T) {
	for _, c := range offers {
		want := ""
		if c.ok {
			want = OfferDeflate + c.more
		}
		if answer, err := AcceptDeflate(c.offers); answer != want || err != nil {
			t.Errorf("%q: %q, %v", c.offers, answer, err)
		}
	}
	for _, offers := range malformed {
		if answer, err := AcceptDeflate(offers); answer != "" || err != error(errExtensions) {
			t.Errorf("%q: %q, %v", offers, answer, err)
		}
	}
}

var answers = []struct {
	answer string
	on     bool
	want   *Fault
}{
	{"", false, nil},
	{" , ", false, nil},
	{OfferDeflate, true, nil},
	{"permessage-deflate;server_no_context_takeover", true, nil},
	{"permessage-deflate; server_no_context_takeover; server_max_window_bits=9", true, nil},
	{`permessage-deflate; server_max_window_bits="15"; client_no_context_takeover; server_no_context_takeover`, true, nil},
	{"permessage-deflate", false, errTakeover},
	{"permessage-deflate; client_no_context_takeover", false, errTakeover},
	{"permessage-deflate; server_no_context_takeover; client_max_window_bits=15", false, errParameter},
	{"permessage-deflate; server_no_context_takeover; client_max_window_bits", false, errParameter},
	{"permessage-deflate; server_no_context_takeover; server_max_window_bits", false, errParameter},
	{"permessage-deflate; server_no_context_takeover; server_max_window_bits=16", false, errParameter},
	{"permessage-deflate; server_no_context_takeover; server_no_context_takeover", false, errParameter},
	{"permessage-deflate; server_no_context_takeover=yes", false, errParameter},
	{"permessage-deflate; server_no_context_takeover; unknown", false, errParameter},
	{"x-webkit-deflate-frame", false, errUnasked},
	{"mux, " + OfferDeflate, false, errUnasked},
	{OfferDeflate + ", mux", false, errMany},
	{OfferDeflate + ", " + OfferDeflate, false, errMany},
	{OfferDeflate + ";", false, errExtensions},
	{"permessage-deflate server_no_context_takeover", false, errExtensions},
}

func TestCheckDeflate(t *testing.T) {
	for _, c := range answers {
		on, err := CheckDeflate(c.answer)
		if on != c.on || c.want == nil && err != nil || c.want != nil && err != error(c.want) {
			t.Errorf("%q: %v, %v", c.answer, on, err)
		}
	}
}

// FuzzExtensions: what is read is written plainly, and read as the same; what a server takes, its client does.
func FuzzExtensions(f *testing.F) {
	for _, c := range offers {
		f.Add(c.offers)
	}
	for _, c := range answers {
		f.Add(c.answer)
	}
	for _, offers := range malformed {
		f.Add(offers)
	}
	f.Add(`a; b = "\c" ,, d`)
	f.Fuzz(func(t *testing.T, value string) {
		list, err := parseExtensions(value)
		again, againErr := parseExtensions(plain(list))
		if againErr != nil || plain(again) != plain(list) {
			t.Fatalf("%q is read as %q, and that as %q, %v", value, plain(list), plain(again), againErr)
		}
		answer, acceptErr := AcceptDeflate(value)
		if plainly, plainErr := AcceptDeflate(plain(list)); plainly != answer || plainErr != nil {
			t.Fatalf("%q is answered by %q, and written plainly by %q, %v", value, answer, plainly, plainErr)
		}
		if on, err := CheckDeflate(answer); on != (answer != "") || err != nil {
			t.Fatalf("%q is answered by %q, which is %v, %v", value, answer, on, err)
		}
		if on, checkErr := CheckDeflate(value); acceptErr != err || err != nil && (answer != "" || checkErr != err) || on && checkErr != nil {
			t.Fatalf("%q is malformed, and taken: %q, %v, %v, %v", value, answer, acceptErr, on, checkErr)
		}
	})
}

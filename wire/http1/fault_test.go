package http1

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// badRequests are heads that are refused. Those of known attacks are in testdata/smuggling.txt besides.
var badRequests = []struct {
	head  string
	fault *Fault
}{
	// The request line.
	{" GET / HTTP/1.1\r\n\r\n", errBegin},
	{"\r\n\r\n", errBegin},
	{"(GET) / HTTP/1.1\r\n\r\n", errBegin},
	{"GET\r\nHost: a\r\n\r\n", errLine},
	{"GET \r\nHost: a\r\n\r\n", errLine},
	{"GET HTTP/1.1\r\nHost: a\r\n\r\n", errLine},
	{"GET  HTTP/1.1\r\nHost: a\r\n\r\n", errLine},
	{"GET /\r\nHost: a\r\n\r\n", errLine},
	{"GET / \r\nHost: a\r\n\r\n", errLine},
	{asked("GET / HTTP/1.1 "), errLine},
	{asked("GET / HTTP/1.10"), errLine},
	{asked("GET / HTTP/1.x"), errLine},
	{asked("GET / HTTP/x.1"), errLine},
	{asked("GET / HTTP/1,1"), errLine},
	{asked("GET / http/1.1"), errLine},
	{asked("GET / HTTP/11"), errLine},
	{asked("GET / HTTP/.11"), errLine},
	{asked("GET /\tHTTP/1.1"), errLine},
	{asked("GET\t/ HTTP/1.1"), errMethod},
	{asked("GE(T / HTTP/1.1"), errMethod},
	{asked("G\x00T / HTTP/1.1"), errMethod},
	{asked("G\xc3\xa9T / HTTP/1.1"), errMethod},
	{"GET / HTTP/1.1\rHost: a\r\n\r\n", &ruleCR.request},
	{asked("GET / HTTP/0.9"), ErrVersion},
	{asked("GET / HTTP/2.0"), ErrVersion},
	{"PRI * HTTP/2.0\r\n\r\n", ErrVersion}, // the preface of HTTP/2 (RFC 9113, 3.4), up to what follows this head

	// Targets.
	{asked("GET  / HTTP/1.1"), errChars},
	{asked("GET /  HTTP/1.1"), errChars},
	{asked("GET /a b HTTP/1.1"), errChars},
	{asked("GET /a\tb HTTP/1.1"), errChars},
	{asked("GET /a\nb HTTP/1.1"), errChars},
	{asked("GET /a\x00 HTTP/1.1"), errChars},
	{asked("GET /a\x7f HTTP/1.1"), errChars},
	{asked("GET /a\x80 HTTP/1.1"), errChars},
	{asked("GET /a\xff HTTP/1.1"), errChars},
	{asked("GET /\u2028 HTTP/1.1"), errChars},
	{asked("GET * HTTP/1.1"), errForm},
	{asked("OPTIONS *a HTTP/1.1"), errForm},
	{asked("GET a HTTP/1.1"), errForm},
	{asked("GET a.example:80 HTTP/1.1"), errForm},
	{asked("GET ?a HTTP/1.1"), errForm},
	{asked("GET #a HTTP/1.1"), errForm},
	{asked("GET http:/a HTTP/1.1"), errForm},
	{asked("GET mailto:a@b HTTP/1.1"), errForm},
	{asked("GET ://a HTTP/1.1"), errForm},
	{asked("GET 1http://a HTTP/1.1"), errForm},
	{asked("GET ht_tp://a HTTP/1.1"), errForm},
	{asked("GET \\\\a\\b HTTP/1.1"), errForm},
	{asked("CONNECT / HTTP/1.1"), errForm},
	{asked("CONNECT http://a:80 HTTP/1.1"), errForm},
	{asked("GET http://u@a/ HTTP/1.1"), errUserinfo},
	{asked("GET http://u:p@a/ HTTP/1.1"), errUserinfo},
	{asked("GET http://@a/ HTTP/1.1"), errUserinfo},
	{asked("CONNECT u@a:443 HTTP/1.1"), errUserinfo},
	{asked("GET http:// HTTP/1.1"), errAuthority},
	{asked("GET http:///a HTTP/1.1"), errAuthority},
	{asked("GET http://?a HTTP/1.1"), errAuthority},
	{asked("GET http://a:b/ HTTP/1.1"), errAuthority},
	{asked("GET http://a\\b/ HTTP/1.1"), errAuthority},
	{asked("CONNECT a HTTP/1.1"), errAuthority},
	{asked("CONNECT a: HTTP/1.1"), errAuthority},
	{asked("CONNECT :443 HTTP/1.1"), errAuthority},
	{asked("CONNECT * HTTP/1.1"), errAuthority},
	{asked("CONNECT a:443/ HTTP/1.1"), errAuthority},
	{asked("CONNECT a:443", "content-length: 1") + "", errLine},
	{asked("CONNECT a:443 HTTP/1.1", "content-length: 1"), errConnect},
	{asked("CONNECT a:443 HTTP/1.1", "transfer-encoding: chunked"), errConnect},

	// Host.
	{"GET / HTTP/1.1\r\n\r\n", errNoHost},
	{"GET http://a/ HTTP/1.1\r\n\r\n", errNoHost},
	{"CONNECT a:1 HTTP/1.1\r\n\r\n", errNoHost},
	{get("Host: a.example"), errHosts},
	{get("host: b"), errHosts},
	{asked("GET / HTTP/1.0", "HOST: b"), errHosts},
	{asked("GET http://a.example/ HTTP/1.1", "Host: a.example"), errHosts},
	{"GET / HTTP/1.1\r\nHost:\r\n\r\n", errHost},
	{"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", errHost},
	{"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", errHost},
	{"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", errHost},
	{"GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", errHost},
	{"GET / HTTP/1.1\r\nHost: a:http\r\n\r\n", errHost},
	{"GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n", errHost},
	{"GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", errHost},
	{"GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n", errHost}, // section 3.2, though it would not count

	// Lines.
	{"GET / HTTP/1.1\r\nHost: a\r\n", &ruleEnd.request},
	{"GET / HTTP/1.1\r\n\r\nHost: a\r\n\r\n", &ruleEnd.request},
	{"GET / HTTP/1.1\r\nHost: a\r\n\rx: y\r\n\r\n", &ruleEnd.request},
	{"", &ruleEnd.request},
	{get("a: b\x00"), &ruleControl.request},
	{get("a: \x00"), &ruleControl.request},
	{get("a: b\x01c"), &ruleControl.request},
	{get("a: b\x0bc"), &ruleControl.request},
	{get("a: b\x1fc"), &ruleControl.request},
	{get("a: b\x7f"), &ruleControl.request},
	{get("a: b\rc"), &ruleCR.request},
	{get("a: b\r"), &ruleCR.request},
	{get("a: b\r\r"), &ruleCR.request},
	{get("a: b\nc: d"), &ruleLF.request},
	{get("a: b\n"), &ruleLF.request},
	{get(": b"), &ruleName.request},
	{get("a(b: c"), &ruleName.request},
	{get("a\x00b: c"), &ruleName.request},
	{get("a\x80: c"), &ruleName.request},
	{get("\"a\": c"), &ruleName.request},
	{get("\na: b"), &ruleName.request},
	{get("a\nb: c"), &ruleName.request},
	{get("a"), &ruleColon.request},
	{get("content-length"), &ruleColon.request},
	{get("a : b"), errSpace},
	{get("a\t: b"), errSpace},
	{get("a b: c"), errSpace},
	{get("a: b", " c"), &ruleFold.request},
	{get("a: b", "\tc: d"), &ruleFold.request},
	{get("a:", " "), &ruleFold.request},
	{"GET / HTTP/1.1\r\n Host: a\r\n\r\n", &ruleFold.request},
	{"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n", &ruleFold.request},
	{get("connection: " + strings.Repeat("a,", mostNamed+1)), &ruleOptions.request},

	// Framing.
	{get("content-length:"), &ruleLength.request},
	{get("content-length: +1"), &ruleLength.request},
	{get("content-length: -1"), &ruleLength.request},
	{get("content-length: 1 2"), &ruleLength.request},
	{get("content-length: 0x1"), &ruleLength.request},
	{get("content-length: 1a"), &ruleLength.request},
	{get("content-length: 1.0"), &ruleLength.request},
	{get("content-length: 1_0"), &ruleLength.request},
	{get("content-length: \"1\""), &ruleLength.request},
	{get("content-length: \xb2"), &ruleLength.request},
	{get("content-length: 5, 5"), &ruleLength.request},
	{get("content-length: 5,"), &ruleLength.request},
	{get("content-length: 9223372036854775808"), &ruleLength.request},
	{get("content-length: 18446744073709551621"), &ruleLength.request},
	{get("content-length: " + strings.Repeat("9", 400)), &ruleLength.request},
	{get("content-length: 5", "content-length: 5"), &ruleLengths.request},
	{get("content-length: 5", "content-length: 6"), &ruleLengths.request},
	{get("content-length: 0", "Content-length: 0"), &ruleLengths.request},
	{get("content_length: 5"), errUnderline},
	{get("Transfer_Encoding: chunked"), errUnderline},
	{get("transfer-encoding: chunked", "content-length: 5"), errBoth},
	{get("content-length: 0", "transfer-encoding: chunked"), errBoth},
	{asked("GET / HTTP/1.0", "transfer-encoding: chunked"), &ruleCodingMinor.request},
	{get("transfer-encoding:"), &ruleCoding.request},
	{get("transfer-encoding: ,chunked"), &ruleCoding.request},
	{get("transfer-encoding: chunked,"), &ruleCoding.request},
	{get("transfer-encoding: chunked;a=b"), &ruleCoding.request},
	{get("transfer-encoding: \"chunked\""), &ruleCoding.request},
	{get("transfer-encoding: chunked chunked"), &ruleCoding.request},
	{get("transfer-encoding: \x80chunked"), &ruleCoding.request},
	{get("transfer-encoding: chunked, chunked"), &ruleChunked.request},
	{get("transfer-encoding: chunked", "transfer-encoding: chunked"), &ruleChunked.request},
	{get("transfer-encoding: chunked", "transfer-encoding: identity"), &ruleChunked.request},
	{get("transfer-encoding: chunked, gzip"), &ruleChunked.request},
	{get("transfer-encoding: chunked, identity"), &ruleChunked.request},
	{get("transfer-encoding: gzip, chunked"), ErrCoding},
	{get("transfer-encoding: identity"), ErrCoding},
	{get("transfer-encoding: xchunked"), ErrCoding},
	{get("transfer-encoding: gzip", "transfer-encoding: chunked"), ErrCoding},
	{get("expect: 100-continued"), ErrExpect},
	{get("expect:"), ErrExpect},
	{get("expect: 100-continue, 100-continue"), ErrExpect},

	// Limits, those of tight.
	{asked("GET /" + strings.Repeat("a", tight.Target-len("GET / HTTP/1.1")+1) + " HTTP/1.1"), ErrTarget},
	{get("a: " + strings.Repeat("b", tight.Head-len(get("a: "))+1)), ErrHead},
	{get(strings.Split(strings.Repeat("a: b\r\n", tight.Fields), "\r\n")[:tight.Fields]...), ErrFields},
}

// tight are limits that are easily reached, though by no other request of the tables.
var tight = Limits{Head: 700, Target: 60, Fields: 8, Trailer: 100}

// seenFaults are those that a test has got.
var seenFaults = map[*Fault]bool{}

func sameFault(t *testing.T, about string, err error, want *Fault) {
	t.Helper()
	seenFaults[want] = true
	if err != error(want) {
		t.Errorf("%q: got %v, want %d %s", about, err, want.Status, want.Text)
	}
}

func TestFaultsOfRequests(t *testing.T) {
	for _, c := range badRequests {
		var r Request
		sameFault(t, c.head, ParseRequest([]byte(c.head), &r, &tight), c.fault)
	}
}

// TestFaults looks whether the tables of the other tests have all faults that there are.
func TestFaults(t *testing.T) {
	TestFaultsOfRequests(t)
	TestFaultsOfResponses(t)
	TestFaultsOfChunks(t)
	source, err := os.ReadFile("fault.go")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for f := range seenFaults {
		texts[f.Text] = true
	}
	for _, m := range regexp.MustCompile(`(?:both\(|&Fault\{\d+, )"(.*)"`).FindAllSubmatch(source, -1) {
		if !texts[string(m[1])] {
			t.Errorf("no test has the fault %q", m[1])
		}
	}
	for f := range seenFaults {
		if f.Error() != f.Text || strings.ToLower(f.Text[:1]) != f.Text[:1] && !strings.Contains("CALH", f.Text[:1]) || strings.HasSuffix(f.Text, ".") {
			t.Errorf("%q is not the text of a fault", f.Text)
		}
	}
}

package http1

import (
	"reflect"
	"strings"
	"testing"
)

// answer is a response with a status of 200.
func answer(fields ...string) string {
	return "HTTP/1.1 200 OK\r\n" + strings.Join(append(fields, "", ""), "\r\n")
}

func said(f func(*Response)) Response {
	r := Response{Message: Message{Minor: 1}, Status: 200}
	f(&r)
	return r
}

var untilClose = said(func(r *Response) { r.Length, r.Close = -1, true })

var responses = []struct {
	name, method, head string
	want               Response
}{
	{"length", "GET", answer("Content-Length: 5"), said(func(r *Response) { r.Length = 5 })},
	{"no body", "GET", answer("Content-Length: 0"), said(func(r *Response) {})},
	{"until close", "GET", answer(), untilClose},
	{"chunked", "GET", answer("Transfer-Encoding: Chunked"), said(func(r *Response) { r.Length, r.Chunked = -1, true })},
	{"no reason", "GET", "HTTP/1.1 200 \r\n\r\n", untilClose},
	{"not even the space before it", "GET", "HTTP/1.1 200\r\n\r\n", untilClose},
	{"a reason of anything", "GET", "HTTP/1.1 200 \t\xc3\xa9 : (x)\r\n\r\n", untilClose},
	{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", said(func(r *Response) { r.Minor, r.Close, r.Length = 0, true, 5 })},
	{"HTTP/1.0 keeps alive", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", said(func(r *Response) { r.Minor, r.Length = 0, 5 })},
	{"close", "GET", answer("Connection: close", "Content-Length: 5"), said(func(r *Response) { r.Close, r.Length = true, 5 })},
	{"fields", "GET", answer("Set-Cookie: a", "Set-Cookie: b", "Host: c", "Expect: d", "Connection: x-y", "X-Y: z", "Content-Length: 1", "content_length: 2"),
		said(func(r *Response) {
			r.Length, r.Fields = 1, fieldsOf("set-cookie", "a", "set-cookie", "b", "expect", "d", "content_length", "2")
		})},

	// Responses without a body.
	{"switching", "GET", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: a\r\n\r\n", said(func(r *Response) { r.Status, r.NoBody, r.Upgrade = 101, true, "a" })},
	{"interim with a length", "GET", "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n", said(func(r *Response) { r.Status, r.NoBody = 103, true })},
	{"204 with a length", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", said(func(r *Response) { r.Status, r.NoBody = 204, true })},
	{"204 that is chunked", "GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", said(func(r *Response) { r.Status, r.NoBody = 204, true })},
	{"304 with a length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", said(func(r *Response) { r.Status, r.NoBody, r.Length = 304, true, 5 })},
	{"304", "GET", "HTTP/1.1 304 Not Modified\r\n\r\n", said(func(r *Response) { r.Status, r.NoBody, r.Length = 304, true, -1 })},
	{"to HEAD with a length", "HEAD", answer("Content-Length: 5"), said(func(r *Response) { r.NoBody, r.Length = true, 5 })},
	{"to HEAD", "HEAD", answer("Transfer-Encoding: chunked"), said(func(r *Response) { r.NoBody, r.Length = true, -1 })},
	{"to HEAD with a status of 204", "HEAD", "HTTP/1.1 204\r\nContent-Length: 5\r\n\r\n", said(func(r *Response) { r.Status, r.NoBody = 204, true })},
	{"head is no HEAD", "head", answer("Content-Length: 5"), said(func(r *Response) { r.Length = 5 })},
	{"to CONNECT", "CONNECT", answer("Content-Length: 5"), untilClose},
	{"to CONNECT and chunked", "CONNECT", answer("Transfer-Encoding: chunked"), untilClose},
	{"to CONNECT, refused", "CONNECT", "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n", said(func(r *Response) { r.Status, r.Length = 403, 5 })},
	{"upgrade required", "GET", "HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
		said(func(r *Response) { r.Status, r.Upgrade = 426, "h2c" })},

	// What is repaired.
	{"length twice", "GET", answer("Content-Length: 5", "Content-Length: 5"), said(func(r *Response) { r.Length = 5 })},
	{"length as a list", "GET", answer("Content-Length: 5,5 ,\t5"), said(func(r *Response) { r.Length = 5 })},
	{"length and chunked", "GET", answer("Content-Length: 5", "Transfer-Encoding: chunked"), said(func(r *Response) { r.Length, r.Chunked, r.Close = -1, true, true })},
	{"to HEAD, length and chunked", "HEAD", answer("Content-Length: 5", "Transfer-Encoding: chunked"), said(func(r *Response) { r.NoBody, r.Length, r.Close = true, -1, true })},
	{"space before the colon", "GET", answer("Server : a", "Content-Length \t: 5"), said(func(r *Response) { r.Length, r.Fields = 5, fieldsOf("server", "a") })},
	{"fold", "GET", answer("a: b", " c", "\t d", "e: f", "Content-Length:", " 5"), said(func(r *Response) {
		r.Length, r.Fields = 5, fieldsOf("a", "b   c  \t d", "e", "f")
	})},
	{"fold of nothing", "GET", answer("a:", " ", "b:", " c:d", "Content-Length: 0"), said(func(r *Response) { r.Fields = fieldsOf("a", "", "b", "c:d") })},
}

func TestParseResponse(t *testing.T) {
	r := Response{Message: Message{Fields: fieldsOf("of", "before")}}
	for _, c := range responses {
		in := []byte(c.head)
		if err := ParseResponse(in, &r, c.method, &tight); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if string(in) != c.head {
			t.Errorf("%s: the bytes are written to", c.name)
		}
		clear(in)
		got := r
		if len(got.Fields) == 0 {
			got.Fields = nil
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

var badResponses = []struct {
	head  string
	fault *Fault
}{
	{"HTTP/1.1 20 OK\r\n\r\n", errStatusLine},
	{"HTTP/1.1 2000 OK\r\n\r\n", errStatusLine},
	{"HTTP/1.1 2x0 OK\r\n\r\n", errStatusLine},
	{"HTTP/1.1  200 OK\r\n\r\n", errStatusLine},
	{"HTTP/1.1\r\n\r\n", errStatusLine},
	{"HTTP/1.1 200\tOK\r\n\r\n", errStatusLine},
	{"HTTP/1.1 +20 OK\r\n\r\n", errStatusLine},
	{"HTTP/1.x 200 OK\r\n\r\n", errStatusLine},
	{"http/1.1 200 OK\r\n\r\n", errStatusLine},
	{"ICY 200 OK\r\n\r\n", errStatusLine},
	{"200 OK\r\n\r\n", errStatusLine}, // response.version.missing
	{"\r\n\r\n", errStatusLine},
	{"HTTP/1.1 200 " + strings.Repeat("a", 48) + "\r\n\r\n", errStatusLong},
	{"HTTP/1.1 099 \r\n\r\n", errStatus},
	{"HTTP/1.1 600 \r\n\r\n", errStatus},
	{"HTTP/1.1 000 \r\n\r\n", errStatus},
	{"HTTP/2.0 200 OK\r\n\r\n", errAnswerMajor},
	{"HTTP/0.9 200 OK\r\n\r\n", errAnswerMajor},
	{"HTTP/1.1 200 O\rK\r\n\r\n", &ruleCR.response},
	{"HTTP/1.1 200 OK\nA: b\r\n\r\n", &ruleLF.response},
	{"HTTP/1.1 200 O\x00K\r\n\r\n", &ruleControl.response},
	{"HTTP/1.1 200 OK\r\n", &ruleEnd.response},
	{answer() + "a", &ruleEnd.response},
	{answer() + answer(), &ruleEnd.response},
	{answer("a: b\x00"), &ruleControl.response},
	{answer("a: b\nc: d"), &ruleLF.response},
	{answer("a: b\rc: d"), &ruleCR.response},
	{answer("a: b", " c\nd"), &ruleLF.response},
	{answer(": b"), &ruleName.response},
	{answer("a b: c"), &ruleName.response},
	{answer("a "), &ruleName.response},
	{answer("a\x80: c"), &ruleName.response},
	{answer("a"), &ruleColon.response},
	{answer(" a: b"), &ruleFold.response}, // there is nothing before it that it could continue (section 2.2)
	{answer("connection: " + strings.Repeat("a,", mostNamed+1)), &ruleOptions.response},
	{answer("content-length: 5, 6"), &ruleLengths.response},
	{answer("content-length: 5", "content-length: 6"), &ruleLengths.response},
	{answer("content-length: 5,"), &ruleLength.response},
	{answer("content-length: -1"), &ruleLength.response},
	{answer("content-length: 1", " 2"), &ruleLength.response},
	{answer("content-length:"), &ruleLength.response},
	{answer("transfer-encoding: "), &ruleCoding.response},
	{answer("transfer-encoding: chunked", "transfer-encoding: chunked"), &ruleChunked.response},
	{answer("transfer-encoding: chunked, gzip"), &ruleChunked.response},
	{answer("transfer-encoding: gzip, chunked"), errAnswerCoding},
	{answer("transfer-encoding: identity"), errAnswerCoding},
	{"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &ruleCodingMinor.response},
	{answer("a: " + strings.Repeat("b", tight.Head)), errAnswerHead},
	{answer(strings.Split(strings.Repeat("a: b|", tight.Fields+1), "|")[:tight.Fields+1]...), errAnswerFields},
}

func TestFaultsOfResponses(t *testing.T) {
	for _, c := range badResponses {
		var r Response
		sameFault(t, c.head, ParseResponse([]byte(c.head), &r, "GET", &tight), c.fault)
		if c.fault.Status != 502 {
			t.Errorf("%q: the status is %d", c.head, c.fault.Status)
		}
	}
	for _, s := range []string{
		"HTTP/1.1 200 " + strings.Repeat("a", 47) + "\r\n\r\n",
		answer(strings.Split(strings.Repeat("a: b|", tight.Fields), "|")[:tight.Fields]...),
		answer("a: " + strings.Repeat("b", tight.Head-len(answer("a: ")))),
	} {
		var r Response
		if err := ParseResponse([]byte(s), &r, "GET", &tight); err != nil {
			t.Errorf("%q is at the limit: %v", s, err)
		}
	}
}

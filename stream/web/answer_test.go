package web_test

import (
	"reflect"
	"testing"

	"gozilla/stream"
	"gozilla/stream/web"
)

// TestRequired is that a status goes on with the header that it must have, and with no other.
func TestRequired(t *testing.T) {
	all := web.Fields("www-authenticate", "a", "allow", "b", "www-authenticate", "c", "proxy-authenticate", "d", "retry-after", "5")
	for status, want := range map[int]web.Header{
		200: nil, 403: nil, 404: nil, 503: nil,
		401: web.Fields("www-authenticate", "a", "www-authenticate", "c"),
		405: web.Fields("allow", "b"),
		407: web.Fields("proxy-authenticate", "d"),
	} {
		if got := (&web.Response{Status: status, Header: all}).Required(); !reflect.DeepEqual(got, want) {
			t.Errorf("%d must have %v, not %v", status, got, want)
		}
		if got := (&web.Response{Status: status}).Required(); got != nil {
			t.Errorf("%d without any has %v", status, got)
		}
	}
}

// TestReasonOf is that what a server refuses for is told on by the status that it has given.
func TestReasonOf(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 503, 504} {
		if got := web.Answer(&stream.Refused{Reason: web.ReasonOf(status)}).Status; got != status {
			t.Errorf("%d is told on as %d", status, got)
		}
	}
	for status, want := range map[int]stream.Reason{407: stream.Unauthenticated, 410: stream.NoRoute, 429: stream.Limit, 405: stream.Unavailable, 418: stream.Unavailable, 500: stream.Unavailable} {
		if got := web.ReasonOf(status); got != want {
			t.Errorf("%d is %s", status, got)
		}
	}
}

package web_test

import (
	"slices"
	"testing"

	"gozilla/stream/web"
)

// TestTrail is what is said on of a request that ends here.
func TestTrail(t *testing.T) {
	r := web.Request{Header: web.Fields("via", "1.1 a", "cookie", "c", "x-forwarded-for", "192.0.2.1", "forwarded", "for=192.0.2.1",
		"authorization", "Bearer x", "x-forwarded", "x", "traceparent", "00-t", "via", "2 b", "tracestate", "s", "x-forwarded-proto", "https")}
	for _, c := range []struct {
		vouched bool
		want    web.Header
	}{
		{false, web.Fields("via", "1.1 a", "traceparent", "00-t", "via", "2 b", "tracestate", "s")},
		{true, web.Fields("via", "1.1 a", "x-forwarded-for", "192.0.2.1", "forwarded", "for=192.0.2.1", "traceparent", "00-t", "via", "2 b",
			"tracestate", "s", "x-forwarded-proto", "https")},
	} {
		r.Vouched = c.vouched
		if got := r.Trail(); !slices.Equal(got, c.want) {
			t.Errorf("%v: the trail is %v", c.vouched, got)
		}
	}
	if got := (&web.Request{Header: web.Fields("a", "b")}).Trail(); got != nil {
		t.Errorf("there is the trail %v", got)
	}
}

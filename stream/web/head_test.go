package web_test

import (
	"errors"
	"reflect"
	"testing"

	"gozilla/stream"
	"gozilla/stream/web"
)

func TestHeader(t *testing.T) {
	h := web.Fields("A", "1", "b", "2", "a", "3", "c", "4")
	if h.Get("a") != "1" || h.Get("c") != "4" || h.Get("d") != "" || !h.Has("b") || h.Has("B") {
		t.Errorf("got %v", h)
	}
	h.Add("D-D", "5")
	h.Set("A", "6")
	h.Set("e", "7")
	if want := web.Fields("a", "6", "b", "2", "c", "4", "d-d", "5", "e", "7"); !reflect.DeepEqual(h, want) {
		t.Errorf("got %v", h)
	}
	h.Del("b")
	h.Del("nothing")
	if want := web.Fields("a", "6", "c", "4", "d-d", "5", "e", "7"); !reflect.DeepEqual(h, want) {
		t.Errorf("got %v", h)
	}
}

func TestRequest(t *testing.T) {
	r := &web.Request{Method: "GET", Scheme: "http", Authority: "a", Path: "/p", Protocol: "x", Length: 5, Header: web.Fields("h", "1")}
	for name, want := range map[string]string{":method": "GET", ":scheme": "http", ":authority": "a", ":path": "/p", "upgrade": "x", "content-length": "5", "h": "1", "i": ""} {
		if got := r.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	c := r.Clone()
	for _, name := range []string{":method", ":scheme", ":authority", ":path", "upgrade", "content-length", "h", "i"} {
		c.Set(name, "new")
		want := "new"
		if name == "content-length" {
			want = "5"
		}
		if got := c.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if r.Method != "GET" || r.Get("h") != "1" {
		t.Error("a clone changes what it is one of")
	}
}

func TestSwitches(t *testing.T) {
	for _, c := range []struct {
		method, protocol string
		status           int
		want             bool
	}{
		{"GET", "x", 101, true}, {"GET", "x", 200, false}, {"CONNECT", "", 200, true}, {"CONNECT", "", 204, true}, {"CONNECT", "", 407, false},
		{"CONNECT", "websocket", 200, false}, {"GET", "", 200, false},
	} {
		r := &web.Response{Status: c.status}
		if r.Switches(&web.Request{Method: c.method, Protocol: c.protocol}) != c.want {
			t.Errorf("%+v", c)
		}
	}
	for status, want := range map[int]bool{100: false, 101: true, 103: false, 200: true, 500: true} {
		if r := (&web.Response{Status: status}); r.Final() != want {
			t.Errorf("%d", status)
		}
	}
}

func TestError(t *testing.T) {
	cause := errors.New("the cause")
	if e := (&web.Error{Status: 404, Err: cause}); e.Error() != "the cause" || !errors.Is(e, cause) {
		t.Errorf("got %v", e)
	}
	if e := (&web.Error{Status: 404}); e.Error() != "status 404" {
		t.Errorf("got %v", e)
	}
	if r := web.Answer(stream.Refuse(stream.Draining, "x")); r.Status != 503 || r.Header.Get("retry-after") == "" || r.Length != 0 {
		t.Errorf("got %+v", r)
	}
}

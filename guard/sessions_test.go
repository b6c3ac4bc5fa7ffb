package guard_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/guard"
	"gozilla/stream"
)

// alice is what there is to say of her; made counts how often it was.
func alice(made *int, expires time.Time) func() (guard.Claims, error) {
	return func() (guard.Claims, error) {
		*made++
		return guard.Claims{Identity: "alice", Attributes: map[string]string{"city": "Bern"}, Roles: []string{"admin", "reader"}, Expires: expires}, nil
	}
}

func TestSessionsAreShared(t *testing.T) {
	var sessions guard.Sessions
	var made int
	var held []stream.Session
	for range 3 {
		s, err := sessions.Share("key", alice(&made, time.Time{}))
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, s)
	}
	if made != 1 || sessions.Len() != 1 {
		t.Errorf("made %d times, %d are held", made, sessions.Len())
	}
	for i, s := range held {
		if sessions.Len() != 1 {
			t.Errorf("gone before release %d", i)
		}
		s.Release()
	}
	if sessions.Len() != 0 {
		t.Errorf("%d are held", sessions.Len())
	}
	s, err := sessions.Share("key", alice(&made, time.Time{}))
	if err != nil || made != 2 {
		t.Fatalf("made %d times, %v", made, err)
	}
	s.Release()
}

func TestSession(t *testing.T) {
	var sessions guard.Sessions
	var made int
	s, err := sessions.Share("key", alice(&made, time.Time{}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	if s.Identity() != "alice" || !s.Expires().IsZero() {
		t.Errorf("%s, until %v", s.Identity(), s.Expires())
	}
	if city, ok := s.Attribute("city"); city != "Bern" || !ok {
		t.Errorf("the city is %q, %v", city, ok)
	}
	if _, ok := s.Attribute("street"); ok {
		t.Error("there is a street")
	}
	for _, test := range []struct {
		roles []string
		want  bool
	}{
		{nil, true}, {[]string{"admin"}, true}, {[]string{"reader", "admin"}, true}, {[]string{"admin", "writer"}, false}, {[]string{""}, false},
	} {
		if got := s.Verify(test.roles); got != test.want {
			t.Errorf("%q: %v", test.roles, got)
		}
	}
}

// reason is why a session was refused.
func reason(err error) stream.Reason {
	var refused *stream.Refused
	if !errors.As(err, &refused) {
		return ""
	}
	return refused.Reason
}

func TestSessionsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sessions guard.Sessions
		var made int
		share := func() (stream.Session, error) {
			return sessions.Share("key", alice(&made, time.Now().Add(time.Minute)))
		}
		s, err := share()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		if again, err := share(); err != nil {
			t.Error(err)
		} else {
			again.Release()
		}
		time.Sleep(time.Nanosecond)
		if _, err := share(); reason(err) != stream.Expired || made != 1 {
			t.Errorf("%v, made %d times", err, made)
		}
		s.Release()
		if _, err := sessions.Share("key", alice(&made, time.Now())); reason(err) != stream.Expired || sessions.Len() != 0 {
			t.Errorf("%v, %d are held", err, sessions.Len())
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	sessions := guard.Sessions{Most: 2}
	var made int
	var held []stream.Session
	for i, want := range []stream.Reason{"", "", stream.Limit} {
		s, err := sessions.Share(fmt.Sprint(i), alice(&made, time.Time{}))
		if reason(err) != want {
			t.Errorf("%d: %v", i, err)
		}
		held = append(held, s)
	}
	s, err := sessions.Share("0", alice(&made, time.Time{})) // which is held already
	if err != nil {
		t.Fatal(err)
	}
	s.Release()
	held[1].Release()
	if held[2], err = sessions.Share("2", alice(&made, time.Time{})); err != nil {
		t.Error(err)
	}
}

func TestSessionsOfNobody(t *testing.T) {
	var sessions guard.Sessions
	wrong := errors.New("wrong")
	if s, err := sessions.Share("key", func() (guard.Claims, error) { return guard.Claims{}, wrong }); s != nil || err != wrong || sessions.Len() != 0 {
		t.Errorf("%v, %v, %d are held", s, err, sessions.Len())
	}
}

// TestSessionsAtOnce has many come and go with the same credentials.
func TestSessionsAtOnce(t *testing.T) {
	var sessions guard.Sessions
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				s, err := sessions.Share("key", func() (guard.Claims, error) { return guard.Claims{Identity: "alice"}, nil })
				if err != nil || s.Identity() != "alice" {
					t.Error(err)
					return
				}
				s.Release()
			}
		})
	}
	all.Wait()
	if sessions.Len() != 0 {
		t.Errorf("%d are held", sessions.Len())
	}
}

package guard_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gozilla/guard"
	"gozilla/stream"
)

// join joins the session of alice with these roles, which ends after some minutes; 0: never.
func join(t *testing.T, in *guard.Sessions, minutes int, roles ...string) stream.Session {
	t.Helper()
	c := &guard.Claims{Identity: "alice", Roles: roles}
	if minutes != 0 {
		c.Expires = epoch.Add(time.Duration(minutes) * time.Minute)
	}
	s, err := in.Join("alice", c, fmt.Sprint(roles, " for ", minutes))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// epoch is when time begins in a bubble of synctest.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// ends tells when sessions end, in minutes; 0: never.
func ends(sessions ...stream.Session) string {
	var all []string
	for _, s := range sessions {
		minutes := 0.0
		if at := s.Expires(); !at.IsZero() {
			minutes = at.Sub(epoch).Minutes()
		}
		all = append(all, fmt.Sprint(minutes))
	}
	return strings.Join(all, " ")
}

func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			minutes int
			roles   []string
			want    string // when the first session and the second end
			len     int
		}{
			"later":              {20, []string{"reader"}, "20 20", 1},
			"earlier":            {5, []string{"reader"}, "10 10", 1},
			"the same":           {10, []string{"reader"}, "10 10", 1},
			"never":              {0, []string{"reader"}, "0 0", 1},
			"later and broader":  {20, []string{"admin", "reader"}, "20 20", 2},
			"earlier, broader":   {5, []string{"admin", "reader"}, "10 5", 2},
			"later and narrower": {20, nil, "10 20", 2},
			"later, other roles": {20, []string{"writer"}, "10 20", 2},
		} {
			var sessions guard.Sessions
			first := join(t, &sessions, 10, "reader")
			second := join(t, &sessions, test.minutes, test.roles...)
			if got := ends(first, second); got != test.want || sessions.Len() != test.len {
				t.Errorf("%s: they end at %s, not %s; there are %d", name, got, test.want, sessions.Len())
			}
			if first.Verify([]string{"admin"}) || first.Verify([]string{"writer"}) || !first.Verify([]string{"reader"}) {
				t.Errorf("%s: the roles of the first session have changed", name)
			}
			if !second.Verify(test.roles) || !slices.Contains(test.roles, "reader") && second.Verify([]string{"reader"}) {
				t.Errorf("%s: the second session has other roles", name)
			}
			first.Release()
			first.Release() // counts once
			if sessions.Len() == 0 {
				t.Errorf("%s: forgotten too early", name)
			}
			second.Release()
			if sessions.Len() != 0 {
				t.Errorf("%s: %d are held", name, sessions.Len())
			}
		}
	})
}

func TestJoinExtendsAllThatAreCovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sessions guard.Sessions
		none, a, b, ab := join(t, &sessions, 10), join(t, &sessions, 11, "a"), join(t, &sessions, 12, "b"), join(t, &sessions, 13, "a", "b")
		for _, step := range []struct {
			minutes int
			roles   []string
			want    string
		}{
			{20, []string{"a"}, "20 20 13 13"},
			{30, []string{"a", "b", "c"}, "30 30 30 30"},
			{40, []string{"b", "c"}, "40 30 40 30"},
			{0, []string{"b"}, "0 30 0 30"},
			{50, []string{"a", "b"}, "0 50 0 50"},
		} {
			join(t, &sessions, step.minutes, step.roles...).Release()
			if got := ends(none, a, b, ab); got != step.want {
				t.Errorf("after %d %v: %s, not %s", step.minutes, step.roles, got, step.want)
			}
		}
		for _, s := range []stream.Session{none, a, b, ab} {
			s.Release()
		}
		if sessions.Len() != 0 {
			t.Errorf("%d are held", sessions.Len())
		}
	})
}

func TestJoinOthers(t *testing.T) {
	var sessions guard.Sessions
	alice := join(t, &sessions, 0)
	bob, err := sessions.Join("bob", &guard.Claims{Identity: "bob", Expires: time.Now().Add(time.Hour)}, "")
	if err != nil || sessions.Len() != 2 || bob.Identity() != "bob" || alice.Identity() != "alice" || bob.Expires().IsZero() {
		t.Errorf("%v, %d are held", err, sessions.Len())
	}
	if _, err := sessions.Join("bob", &guard.Claims{Identity: "bob", Expires: time.Now()}, ""); reason(err) != stream.Expired {
		t.Errorf("a session that is over: %v", err)
	}
	bounded := guard.Sessions{Most: 1}
	join(t, &bounded, 0, "a")
	join(t, &bounded, 0, "a")
	if _, err := bounded.Join("alice", &guard.Claims{Identity: "alice"}, ""); reason(err) != stream.Limit {
		t.Errorf("one too many: %v", err)
	}
}

func TestCredentials(t *testing.T) {
	var sessions, other guard.Sessions
	first, second := join(t, &sessions, 0, "a"), join(t, &sessions, 0, "a")
	third, err := sessions.Join("alice", &guard.Claims{Identity: "alice", Roles: []string{"a"}}, "token")
	if err != nil || sessions.Len() != 1 {
		t.Fatal(err, sessions.Len())
	}
	for s, want := range map[stream.Session]string{first: "[a] for 0", second: "[a] for 0", third: "token"} {
		if got, ok := sessions.Credentials(s); got != want || !ok { // each holder has its own
			t.Errorf("%q, %v, not %q", got, ok, want)
		}
		if _, ok := other.Credentials(s); ok {
			t.Error("the session is not of the others")
		}
	}
	if _, ok := sessions.Credentials(nil); ok {
		t.Error("no session has credentials")
	}
}

func TestChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions := guard.Sessions{Ahead: 3 * time.Minute}
		s := join(t, &sessions, 10).(guard.Challenger)
		other := join(t, &sessions, 10).(guard.Challenger)
		expect := func(what string, c guard.Challenger, want bool) {
			t.Helper()
			if got := c.Challenge(); got != want {
				t.Errorf("%s: %v", what, got)
			}
		}
		if at := s.ChallengeAt(); !at.Equal(epoch.Add(7 * time.Minute)) {
			t.Errorf("it is at %v", at)
		}
		expect("before", s, false)
		time.Sleep(7*time.Minute - 1)
		expect("just before", s, false)
		time.Sleep(time.Nanosecond)
		expect("inside", s, true)
		expect("once more", s, false)
		time.Sleep(time.Minute)
		expect("another holder", other, true)
		join(t, &sessions, 20).Release()
		expect("extended", s, false)
		if at := s.ChallengeAt(); !at.Equal(epoch.Add(17 * time.Minute)) {
			t.Errorf("it is at %v", at)
		}
		time.Sleep(9 * time.Minute)
		expect("in the new window", s, true)
		expect("once more", s, false)
		time.Sleep(3 * time.Minute)
		expect("after the end", other, false)
	})
}

func TestNoChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var never guard.Sessions
		ahead := guard.Sessions{Ahead: time.Hour}
		nobody, err := ahead.Join("", &guard.Claims{Expires: epoch.Add(time.Minute)}, "")
		if err != nil {
			t.Fatal(err)
		}
		for what, s := range map[string]stream.Session{"not wanted": join(t, &never, 1), "without an end": join(t, &ahead, 0), "without an identity": nobody} {
			if c := s.(guard.Challenger); !c.ChallengeAt().IsZero() || c.Challenge() {
				t.Errorf("%s: there is a challenge at %v", what, c.ChallengeAt())
			}
		}
	})
}

// TestJoinAtOnce has many come, extend, ask and go.
func TestJoinAtOnce(t *testing.T) {
	sessions := guard.Sessions{Ahead: time.Minute}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 300 {
				c := &guard.Claims{Identity: "alice", Roles: []string{"a", "b"}[:(i+j)%3], Expires: time.Now().Add(time.Duration(i*j+60) * time.Second)}
				s, err := sessions.Join("alice", c, "")
				if err != nil || s.Expires().Before(c.Expires) || !s.Verify(c.Roles) {
					t.Errorf("%v", err)
					return
				}
				s.(guard.Challenger).Challenge()
				s.Release()
			}
		})
	}
	all.Wait()
	if sessions.Len() != 0 {
		t.Errorf("%d are held", sessions.Len())
	}
}

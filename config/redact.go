package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// minSecret is the length from which a value of the environment is looked for inside other text. Shorter ones
// are replaced only where they are the whole of what is shown, or messages would be full of holes.
const minSecret = 4

// A secret is a value that came from the environment, wholly or in part, and how it was written.
type secret struct {
	value   string
	written string
}

// secrets are ordered by length, the longest first, so that a part is not replaced inside the whole.
type secrets []secret

func (s *secrets) add(value, written string) {
	if strings.TrimSpace(value) == "" || slices.Contains(*s, secret{value, written}) {
		return
	}
	x := secret{value, written}
	i, _ := slices.BinarySearchFunc(*s, x, func(a, b secret) int { return cmp.Compare(len(b.value), len(a.value)) })
	*s = slices.Insert(*s, i, x)
}

// hide replaces every value by what was written.
func (s secrets) hide(text string) string {
	for _, x := range s {
		if text == x.value {
			return x.written
		}
		if len(x.value) >= minSecret {
			text = strings.ReplaceAll(text, x.value, x.written)
		}
	}
	return text
}

// shown is text that may be shown as it is, whatever verb it is formatted with.
type shown string

// Format writes the text, in quotes for %q.
func (s shown) Format(f fmt.State, verb rune) {
	text := string(s)
	if verb == 'q' {
		text = quote(text)
	}
	fmt.Fprint(f, text)
}

// sprintf formats a message; arguments that hold a value of the environment show how it was written instead.
func (r *Report) sprintf(format string, a []any) string {
	if r == nil || len(r.hidden) == 0 {
		return fmt.Sprintf(format, a...)
	}
	safe := make([]any, len(a))
	for i, x := range a {
		safe[i] = x
		if _, ok := x.(shown); ok {
			continue
		}
		plain := fmt.Sprint(x)
		if hidden := r.hidden.hide(plain); hidden != plain {
			safe[i] = shown(hidden)
		}
	}
	return fmt.Sprintf(format, safe...)
}

package config

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// language are the words of zilla.yaml. Where one of them is not accepted it was not mistyped: it is not taken here.
var language = []string{"type", "kind", "entry", "vault", "catalog", "options", "routes", "exit", "telemetry",
	"when", "with", "guarded", "store"}

// Words puts names into a sentence: "a, b or c".
func Words[S ~string](names []S) string {
	var b strings.Builder
	for i, name := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(name))
	}
	return b.String()
}

// Like finds the name that was probably meant by a word: one that differs in case, hyphens and underscores only, or
// in a letter or two.
func Like(word string, names []string) (string, bool) {
	const longest = 64
	if utf8.RuneCountInString(word) > longest {
		return "", false
	}
	best, found := "", false
	least := 1 + max(0, utf8.RuneCountInString(word)-2)/4
	for _, name := range names {
		if fold(name) == fold(word) {
			return name, true
		}
		if d := distance([]rune(fold(word)), []rune(fold(name))); d <= least && d < utf8.RuneCountInString(name) {
			if d < least || !found {
				best, found = name, true
			}
			least = d
		}
	}
	return best, found
}

func fold(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '-' || c == '_' || c == ' ' {
			return -1
		}
		return c
	}, strings.ToLower(s))
}

// distance counts the letters to insert, delete, change, or swap with the next, to turn a into b.
func distance(a, b []rune) int {
	var before []int
	last, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, make([]int, len(b)+1)
	}
	return last[len(b)]
}

// inside is what a field is called: "the options of a tcp server".
func inside(key, what string) string { return "the " + key + " of " + what }

// member is what an item of a list is called: "a route of a tcp server".
func member(key, what string) string {
	if key == "when" {
		return "a condition of " + what
	}
	return A(singular(key)) + " of " + what
}

// named is what a value of a map is called: "the exporter stdout of a namespace".
func named(key, name, what string) string { return "the " + singular(key) + " " + name + " of " + what }

func singular(key string) string {
	switch {
	case key == "guarded":
		return "guard"
	case key == "tls":
		return key
	case strings.HasSuffix(key, "ies"):
		return strings.TrimSuffix(key, "ies") + "y"
	case strings.HasSuffix(key, "ss"), strings.HasSuffix(key, "us"), strings.HasSuffix(key, "is"):
		return key
	}
	return strings.TrimSuffix(key, "s")
}

// A puts the article before a noun: "an echo server".
func A(noun string) string {
	if strings.ContainsRune("aeio", rune(noun[0])) || strings.HasPrefix(noun, "http") || strings.HasPrefix(noun, "sse") {
		return "an " + noun
	}
	return "a " + noun
}

// verb puts a verb after what: one binding needs, its options need.
func verb(what, plural string) string {
	noun, _, _ := strings.Cut(what, " of ")
	if strings.HasPrefix(noun, "the ") && !strings.Contains(noun[4:], " ") && singular(noun) != noun {
		return plural
	}
	return plural + "s"
}

// unknownKey reports a key that a struct does not take, and gives the one that was probably meant.
func unknownKey(r *Report, key *Node, what string, keys []string) (meant string) {
	if slices.Contains(language, key.Value) {
		r.Errorf(key.Pos, "%s %s no %s", shown(what), shown(verb(what, "take")), key.name())
		return ""
	}
	in := "in " + what
	f := r.Errorf(key.Pos, "unknown key %s %s", shown(key.quoted()), shown(in))
	like, ok := Like(key.Value, keys)
	switch {
	case ok && !key.substituted:
		f.Hintf("did you mean %q?", shown(like))
		return like
	case len(keys) == 0:
		f.Hintf("it takes no keys")
	case len(keys) <= 8:
		f.Hintf("the keys are %s", shown(strings.Join(keys, ", ")))
	}
	return ""
}

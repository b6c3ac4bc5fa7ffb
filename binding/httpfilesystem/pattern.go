package httpfilesystem

import "strings"

// Pattern is what a path must look like.
type Pattern string

// Words says what a pattern is.
func (Pattern) Words() string {
	return "a path in which * stands for any run of characters and {name} for one that is not empty"
}

// A pattern is a Pattern made ready: parts and gaps in turn. Patterns of the http binding mean the same.
type pattern struct {
	parts []string // one more than gaps
	gaps  []string // the names, "" for *
}

func (p Pattern) compile() (m pattern) {
	rest, from := string(p), 0
	for i := 0; i < len(rest); i++ {
		name, n := gapAt(rest[i:])
		if n == 0 {
			continue
		}
		m.parts, m.gaps = append(m.parts, rest[from:i]), append(m.gaps, name)
		from = i + n
		i = from - 1
	}
	m.parts = append(m.parts, rest[from:])
	return m
}

// nameLetters are those of the names of gaps.
const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

// gapAt is the gap at the beginning of s, and how long it is written; 0 if there is none.
func gapAt(s string) (name string, n int) {
	switch {
	case s[0] == '*':
		return "", 1
	case s[0] != '{':
		return "", 0
	}
	end := strings.IndexByte(s, '}')
	if end < 2 || strings.Trim(s[1:end], nameLetters) != "" {
		return "", 0
	}
	return s[1:end], end + 1
}

// least is how long a gap of that name is at least.
func least(name string) int {
	if name == "" {
		return 0
	}
	return 1
}

// match reports whether the pattern matches a path, and puts what the gaps stand for into found if that is not nil. Each
// is as long as it can be, the first one above all: so the parts between them are sought from the right.
func (p *pattern) match(s string, found []string) bool {
	n := len(p.gaps)
	if n == 0 {
		return s == p.parts[0]
	}
	first, last := p.parts[0], p.parts[n]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for i := n - 1; i >= 0; i-- {
		at, from := 0, 0
		if i > 0 {
			latest := len(s) - least(p.gaps[i])
			if latest < 0 {
				return false
			}
			if at = strings.LastIndex(s[:latest], p.parts[i]); at < 0 {
				return false
			}
			from = at + len(p.parts[i])
		}
		if len(s)-from < least(p.gaps[i]) {
			return false
		}
		if found != nil {
			found[i] = s[from:]
		}
		s = s[:at]
	}
	return true
}

// param is what a name stands for in a path that matches; "" if it is none of the pattern's.
func (p *pattern) param(path, name string) string {
	found := make([]string, len(p.gaps))
	if !p.match(path, found) {
		return ""
	}
	for i, gap := range p.gaps {
		if gap == name && name != "" {
			return found[i]
		}
	}
	return ""
}

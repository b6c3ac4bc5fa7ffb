package coremodel

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
)

// compile makes a pattern ready that a whole text must match. Patterns were written for Java: where RE2 has no word for
// what one says, or another meaning, it is told.
func compile(pattern string) (re *regexp.Regexp, wrong, hint string) {
	j := java{rest: pattern}
	j.translate()
	if j.found != "" {
		return nil, "the pattern has " + j.found + ", which only Java's regular expressions know", j.instead
	}
	_, err := regexp.Compile(j.out.String()) // by itself, so that what is told has nothing of ours in it
	if err == nil {
		re, err = regexp.Compile(`\A(?:` + j.out.String() + `)\z`)
	}
	if err == nil {
		return re, "", ""
	}
	wrong = "the pattern is no regular expression"
	if why, ok := errors.AsType[*syntax.Error](err); ok {
		if wrong += ": " + why.Code.String(); why.Expr != "" {
			wrong += ": " + why.Expr
		}
	}
	return nil, wrong, "regular expressions are those of RE2, without lookahead and backreferences"
}

// java reads a pattern as Java does, as far as it differs from RE2.
type java struct {
	rest    string
	out     strings.Builder // in the words of RE2
	found   string          // that RE2 does not know
	instead string
}

// take moves the first n bytes on.
func (j *java) take(n int) {
	j.out.WriteString(j.rest[:n])
	j.rest = j.rest[n:]
}

func (j *java) finds(what, instead string) { j.found, j.instead = what, instead }

func (j *java) translate() {
	quantified := false // what stands before is a quantifier
	for j.rest != "" && j.found == "" {
		c, again := j.rest[0], false
		switch c {
		case '\\':
			j.escape(false)
		case '[':
			j.class()
		case '(':
			j.group()
		case '*', '+', '?':
			if quantified && c == '+' {
				j.finds("a possessive quantifier, "+j.last()+"+", "leave out the second sign: the same texts match, or more")
				return
			}
			again = !quantified // a second one makes it reluctant
			j.take(1)
		case '{':
			again = true
			if end := strings.IndexByte(j.rest, '}'); end > 0 && strings.Trim(j.rest[1:end], "0123456789,") == "" {
				j.take(end + 1)
			} else {
				j.take(1)
				again = false
			}
		default:
			j.take(1)
		}
		quantified = again
	}
}

// last is the quantifier that was read last.
func (j *java) last() string {
	s := j.out.String()
	if i := strings.LastIndexByte(s, '{'); i >= 0 && s[len(s)-1] == '}' {
		return s[i:]
	}
	return s[len(s)-1:]
}

// escape reads what begins with a backslash.
func (j *java) escape(inClass bool) {
	if len(j.rest) == 1 {
		j.take(1)
		return
	}
	switch c := j.rest[1]; {
	case c == 'Q':
		end := strings.Index(j.rest, `\E`)
		if end < 0 {
			j.take(len(j.rest))
			j.out.WriteString(`\E`)
			return
		}
		j.take(end + 2)
	case c == 'u' && len(j.rest) >= 6 && strings.Trim(j.rest[2:6], "0123456789abcdefABCDEF") == "":
		j.out.WriteString(`\x{` + j.rest[2:6] + "}")
		j.rest = j.rest[6:]
	case c >= '1' && c <= '9' && !inClass, c == 'k' && !inClass:
		j.finds(`a backreference, \`+string(c), "say it without; models cannot compare one part of a text with another")
	case strings.IndexByte("ZGRXhHeN", c) >= 0:
		j.finds(`the escape \`+string(c), "say it by a class of characters")
	default:
		j.take(2)
	}
}

// class reads a class of characters, [a-z].
func (j *java) class() {
	j.take(1)
	if strings.HasPrefix(j.rest, "^") {
		j.take(1)
	}
	for first := true; j.rest != "" && j.found == ""; first = false {
		switch {
		case j.rest[0] == '\\':
			j.escape(true)
		case j.rest[0] == '[':
			j.finds("a class within a class, [[", `write \[ for the character`)
		case strings.HasPrefix(j.rest, "&&"):
			j.finds("an intersection of classes, &&", "say it by one class of characters")
		case j.rest[0] == ']' && !first:
			j.take(1)
			return
		default:
			j.take(1)
		}
	}
}

// group reads the beginning of a group.
func (j *java) group() {
	const without = "say it without, or check it behind the gateway"
	switch s := j.rest; {
	case strings.HasPrefix(s, "(?="), strings.HasPrefix(s, "(?!"):
		j.finds("a lookahead, "+s[:3], without)
	case strings.HasPrefix(s, "(?<="), strings.HasPrefix(s, "(?<!"):
		j.finds("a lookbehind, "+s[:4], without)
	case strings.HasPrefix(s, "(?>"):
		j.finds("an atomic group, (?>", "write (?: instead: the same texts match, or more")
	case strings.HasPrefix(s, "(?"):
		if flag := foreignFlag(s[2:]); flag != "" {
			j.finds("the flag "+flag, "say it without")
			return
		}
		j.take(2)
	default:
		j.take(1)
	}
}

// foreignFlag is the flag that RE2 does not know, or knows as another one, among those that a group begins with.
func foreignFlag(s string) string {
	end := strings.IndexAny(s, ":)")
	if end < 0 || strings.Trim(s[:end], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return ""
	}
	if i := strings.IndexAny(s[:end], "dxuU"); i >= 0 {
		return s[i : i+1]
	}
	return ""
}

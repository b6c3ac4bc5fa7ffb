package config

import (
	"errors"
	"iter"
	"strconv"
	"strings"
)

// errWords is an error of a text type for which its words say all: the message is "X must be <words>, not …".
var errWords = errors.New("not of that form")

// PortRange is a port, or all ports from one to another. In the file it is a number, or text such as 8000-8010.
type PortRange struct {
	From, To uint16
}

// Pattern is what a port or a range looks like as text.
func (PortRange) Pattern() string { return `^\d+(-\d+)?$` }

// Words says what a port is.
func (PortRange) Words() string { return "a number, a range like 8000-8010" }

// TakesNumber lets a port be given as a number.
func (PortRange) TakesNumber() bool { return true }

// Bounds are those of a port that is given as a number.
func (PortRange) Bounds() (lo, hi int64) { return 0, 65535 }

// UnmarshalText reads a port or a range.
func (p *PortRange) UnmarshalText(text []byte) error {
	from, to, ranged := strings.Cut(string(text), "-")
	a, err := parsePort(from)
	if err != nil {
		return err
	}
	b := a
	if ranged {
		if b, err = parsePort(to); err != nil {
			return err
		}
	}
	if b < a {
		return errors.New("a range of ports goes from the lower one to the higher one")
	}
	*p = PortRange{a, b}
	return nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	switch {
	case isRange(err):
		return 0, errors.New("the highest port is 65535")
	case err != nil:
		return 0, errWords
	}
	return uint16(n), nil
}

func isRange(err error) bool { return errors.Is(err, strconv.ErrRange) }

// String is the range as in the file.
func (p PortRange) String() string {
	if p.From == p.To {
		return strconv.Itoa(int(p.From))
	}
	return strconv.Itoa(int(p.From)) + "-" + strconv.Itoa(int(p.To))
}

// Has reports whether a port is in the range.
func (p PortRange) Has(port uint16) bool { return p.From <= port && port <= p.To }

// Ports is one or many ports and ranges.
type Ports []PortRange

func (Ports) oneOrMany() {}

// Has reports whether a port is among them.
func (p Ports) Has(port uint16) bool {
	for _, x := range p {
		if x.Has(port) {
			return true
		}
	}
	return false
}

// First is the port that the file names first; false if there is none.
func (p Ports) First() (uint16, bool) {
	if len(p) == 0 {
		return 0, false
	}
	return p[0].From, true
}

// All gives every port once, in the order of the file.
func (p Ports) All() iter.Seq[uint16] {
	return func(yield func(uint16) bool) {
		for i, x := range p {
			for n := int(x.From); n <= int(x.To); n++ {
				if !p[:i].Has(uint16(n)) && !yield(uint16(n)) {
					return
				}
			}
		}
	}
}

// String is the list as in the file.
func (p Ports) String() string {
	all := make([]string, len(p))
	for i, x := range p {
		all[i] = x.String()
	}
	return strings.Join(all, ", ")
}

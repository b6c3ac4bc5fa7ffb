package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// isoDuration is the part of ISO 8601 whose units are always the same length: days to seconds.
var isoDuration = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,9})?)S)?)?$`)

// parseISO reads a duration such as PT1H30M or P2D.
func parseISO(s string) (time.Duration, error) {
	m := isoDuration.FindStringSubmatch(strings.ToUpper(s))
	if m == nil || m[1]+m[2]+m[3]+m[4] == "" {
		return 0, fmt.Errorf("cannot read the duration %q", s)
	}
	var sum time.Duration
	for i, unit := range []string{"h", "h", "m", "s"} {
		if m[i+1] == "" {
			continue
		}
		d, err := time.ParseDuration(m[i+1] + unit)
		if err != nil {
			return 0, fmt.Errorf("cannot read the duration %q: %w", s, err)
		}
		if i == 0 {
			d *= 24
			if d/24/time.Hour*time.Hour*24 != d {
				return 0, fmt.Errorf("cannot read the duration %q: it is too long", s)
			}
		}
		if sum += d; sum < d {
			return 0, fmt.Errorf("cannot read the duration %q: it is too long", s)
		}
	}
	return sum, nil
}

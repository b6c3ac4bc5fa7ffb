package cli

// The colours of what is shown on terminals. Those of faults are those of package config.
const (
	bold  = "\x1b[1m"
	faint = "\x1b[2m"
	red   = "\x1b[1;31m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	plain = "\x1b[0m"
)

// paint is text in a colour, "" for none.
func paint(color, text string) string {
	if color == "" {
		return text
	}
	return color + text + plain
}

package filesystem

import (
	"fmt"

	"gozilla/config"
)

// A finding is something that is wrong with a file, or looks wrong. It is told at the field that names the file when the
// configuration is read; when the files are read again, the configuration is no longer at hand.
type finding struct {
	field   any // a pointer to it
	warning bool
	format  string
	args    []any
	hint    string
}

// findings is what was found, in order.
type findings []finding

func (f *findings) errorf(field any, format string, args ...any) *finding {
	*f = append(*f, finding{field: field, format: format, args: args})
	return &(*f)[len(*f)-1]
}

func (f *findings) warnf(field any, format string, args ...any) *finding {
	*f = append(*f, finding{field: field, warning: true, format: format, args: args})
	return &(*f)[len(*f)-1]
}

// err is the first finding that is no warning.
func (f findings) err() error {
	for _, x := range f {
		if !x.warning {
			return fmt.Errorf(x.format, x.args...)
		}
	}
	return nil
}

// tell adds the findings to the faults of the configuration.
func (f findings) tell(r *config.Report) {
	for _, x := range f {
		add := r.Errorf
		if x.warning {
			add = r.Warnf
		}
		if fault := add(r.At(x.field), x.format, x.args...); x.hint != "" {
			fault.Hintf("%s", x.hint)
		}
	}
}

package cli

import "io"

// Env is what a command sees of the process that it runs in.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	LookupEnv      func(string) (string, bool)
	IsTerminal     func(io.Writer) bool
}

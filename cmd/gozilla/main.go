// Gozilla is a gateway that runs a zilla.yaml.
package main

import (
	"context"
	"io"
	"os"

	"gozilla/cli"
	_ "gozilla/internal/all"
)

func main() {
	env := &cli.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv, IsTerminal: isTerminal}
	os.Exit(cli.Run(context.Background(), env, os.Args[1:]))
}

// isTerminal reports whether a person reads what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

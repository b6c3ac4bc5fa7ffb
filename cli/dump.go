package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"gozilla/admin"
)

var dumpCommand = &command{
	name: "dump", short: "show what the running gateway carries",
	long: "Shows what crosses the exits of bindings in the gateway that runs in this directory, as it comes, until " +
		"interrupted: a line for each piece of a stream, with the time, the ids of the connection and of the exchange that " +
		"records have too, the bindings that it goes from and to, the direction, and what it is. HTTP is shown decoded, at " +
		"bindings that speak it; other bytes as they are. What a stream carries may be secret.\n" +
		"Only streams that begin to cross an exit after the command has begun are seen: a connection that was there is " +
		"not, but requests that come on an old connection from then on are. The gateway does not wait for the command: " +
		"what that is too slow for is lost, and counted.",
	flags: func(fs *flag.FlagSet) func(context.Context, *Env, []string) error {
		var o dumpOptions
		var source, bytes string
		p := &propertyFlags{}
		fs.StringVar(&o.Binding, "binding", "", "Show only streams that go from or to this binding: its `NAME`, or NAMESPACE:NAME.")
		fs.StringVar(&source, "source", "", "Show only streams that were opened from this network, a `CIDR`, or address.")
		fs.DurationVar(&o.For, "for", 0, "End after this `DURATION`.")
		fs.StringVar(&bytes, "bytes", "", "End after this many `BYTES` of data, such as 10MB or 512KiB.")
		fs.StringVar(&o.file, "pcapng", "", "Write packets into this `FILE` for Wireshark, - for standard output, in place of lines: "+
			"each stream as a TCP connection between the addresses that it knows, and HTTP as HTTP/1.1.")
		fs.BoolVar(&o.json, "json", false, "Show a JSON object a line, with all of the data.")
		p.declare(fs)
		return func(ctx context.Context, env *Env, args []string) error {
			if len(args) > 0 {
				return usagef("it takes no arguments, but --binding %s", args[0])
			}
			if err := o.read(source, bytes); err != nil {
				return err
			}
			if o.file == "-" && env.IsTerminal(env.Stdout) {
				return usagef("packets are not for a terminal: name a file, or have another program read them")
			}
			dir, err := directoryOf(p)
			if err != nil {
				return err
			}
			ctx, stop := untilInterrupted(ctx)
			defer stop()
			return runDump(ctx, env, dir, o)
		}
	},
	examples: []string{
		"gozilla dump", "gozilla dump --binding north_http_server --for 30s", "gozilla dump --source 10.0.0.0/8 --pcapng gozilla.pcapng --bytes 10MB",
		"gozilla dump --pcapng - | wireshark -k -i -", "gozilla dump --json | jq -r 'select(.kind == \"head\").lines[0]'",
	},
}

// dumpOptions are the flags of gozilla dump.
type dumpOptions struct {
	admin.Dump
	file string // packets go there; "" for lines
	json bool
}

// read takes what flags give as text.
func (o *dumpOptions) read(source, bytes string) (err error) {
	if o.json && o.file != "" {
		return usagef("packets and JSON cannot be asked for together")
	}
	if o.For < 0 {
		return usagef("the duration cannot be negative")
	}
	if source != "" {
		if o.Source, err = admin.ParseSource(source); err != nil {
			return usagef("the source must be %w", err)
		}
	}
	if bytes != "" {
		var ok bool
		if o.Bytes, ok = parseBytes(bytes); !ok {
			return usagef("the bytes must be a number of at least 1, such as 1000, 10MB or 512KiB, not %q", bytes)
		}
	}
	return nil
}

// byteUnits are what numbers of bytes may be in.
var byteUnits = []struct {
	name string
	size int64
}{{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"b", 1}, {"", 1}}

// parseBytes reads a number of bytes, of at least one.
func parseBytes(s string) (int64, bool) {
	s = strings.ToLower(s)
	for _, u := range byteUnits {
		if digits, ok := strings.CutSuffix(s, u.name); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
			return n * u.size, err == nil && n > 0 && n <= math.MaxInt64/u.size
		}
	}
	return 0, false
}

// dumpTo takes the lines of a dump.
type dumpTo interface {
	write(*admin.DumpLine) error
}

// runDump shows what crosses the edges of the gateway in dir, until ctx ends or a bound is reached.
func runDump(ctx context.Context, env *Env, dir string, o dumpOptions) error {
	d, err := admin.Dial(dir).Dump(ctx, o.Dump)
	if err != nil {
		return err
	}
	defer d.Close()
	return inTime(ctx, env, o.For, d.Close, func() error { return o.show(env, d) })
}

// show shows a dump to its end.
func (o *dumpOptions) show(env *Env, d *admin.Dumping) error {
	to, closing, err := o.open(env)
	if err != nil {
		return err
	}
	fmt.Fprintln(env.Stderr, "gozilla: watching")
	var chunks, bytes, lost int64
	err = d.Each(func(l *admin.DumpLine) error {
		if l.Lost > 0 {
			lost += l.Lost
			fmt.Fprintf(env.Stderr, "gozilla: %s lost here, because more came than could be taken\n", were(l.Lost))
		} else {
			chunks++
			bytes += l.Size()
		}
		return to.write(l)
	})
	if failed := closing(); err == nil {
		err = dumpError(failed)
	}
	fmt.Fprintf(env.Stderr, "gozilla: %s, %s of data, %d lost\n", counted(chunks, "chunk"), counted(bytes, "byte"), lost)
	if errors.Is(err, context.Canceled) {
		return nil // that is how it ends
	}
	return err
}

func were(n int64) string {
	if n == 1 {
		return "1 chunk was"
	}
	return counted(n, "chunk") + " were"
}

func counted(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.FormatInt(n, 10) + " " + what
}

// open is where the lines go.
func (o *dumpOptions) open(env *Env) (to dumpTo, closing func() error, err error) {
	closing = func() error { return nil }
	switch {
	case o.json:
		return jsonDump{env.Stdout}, closing, nil
	case o.file == "":
		return &textDump{out: env.Stdout, color: env.IsTerminal(env.Stdout)}, closing, nil
	}
	out := env.Stdout
	if o.file != "-" {
		f, err := os.OpenFile(o.file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // what is in it may be secret
		if err != nil {
			return nil, nil, fmt.Errorf("cannot write packets: %w", err)
		}
		out, closing = f, f.Close
	}
	to, err = newPacketDump(out)
	if err != nil {
		return nil, nil, errors.Join(err, closing())
	}
	return to, closing, nil
}

// jsonDump writes lines as they are.
type jsonDump struct{ out io.Writer }

func (d jsonDump) write(l *admin.DumpLine) error {
	b, err := json.Marshal(l)
	if err == nil {
		_, err = d.out.Write(append(b, '\n'))
	}
	return dumpError(err)
}

func dumpError(err error) error {
	if err != nil {
		return fmt.Errorf("cannot write the dump: %w", err)
	}
	return nil
}

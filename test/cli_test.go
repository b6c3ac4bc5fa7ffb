package test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs what is in cli/testdata/script. Besides the usual commands, scripts have
//
//	status N PROGRAM ARG...   run a program, which must end with status N
//	port NAME...              set variables to ports that nobody uses
//	listen NAME               set a variable to a port that somebody uses
//	await FILE                wait until a file is there
//	term                      send SIGTERM to what runs in the background
//	plain FROM TO             copy a file, or stdout or stderr, with all that differs from run to run replaced
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../cli/testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC")
			env.Setenv("GORACE", noSleep)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("there is no condition %s", cond)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status": statusCmd, "port": portCmd, "listen": listenCmd, "await": awaitCmd, "term": termCmd, "plain": plainCmd,
		},
	})
}

func statusCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("status %d, want %d", got, want)
	}
}

func portCmd(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		ts.Setenv(name, strconv.Itoa(freePort(tb{ts})))
	}
}

func listenCmd(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

func awaitCmd(ts *testscript.TestScript, _ bool, args []string) {
	eventually(tb{ts}, args[0]+" is there", func() bool {
		_, err := os.Stat(ts.MkAbs(args[0]))
		return err == nil
	})
}

func termCmd(ts *testscript.TestScript, _ bool, _ []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}

// varying is what differs from run to run in what gozilla shows.
var varying = []struct {
	form *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \([0-9a-z]+ ago\)`), "DATE (AGE)"},
	{regexp.MustCompile(`"(time|started|loaded)": "[^"]*"`), `"$1": "DATE"`},
	{regexp.MustCompile(`(?m)^pid +\d+$`), "pid           PID"},
	{regexp.MustCompile(`"pid": \d+`), `"pid": 0`},
	{regexp.MustCompile(`"digest": "[0-9a-f]+"`), `"digest": "DIGEST"`},
	{regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3} `), "TIME "},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}`), "DATE"},
	{regexp.MustCompile(`\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [-+]\d{4}`), "DATE"},
	{regexp.MustCompile(`"time":"[^"]*"`), `"time":"TIME"`},
	{regexp.MustCompile(`"timestamp":\d+`), `"timestamp":0`},
	{regexp.MustCompile(`pid \d+`), "pid PID"},
	{regexp.MustCompile(`#[0-9a-f]{8}\n`), "#DIGEST\n"},
}

// plainCmd replaces ports by the names of their variables, and times by words.
func plainCmd(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	for _, name := range []string{"PORT", "PORT1", "PORT2", "PORT3", "USED"} {
		if port := ts.Getenv(name); port != "" {
			text = regexp.MustCompile(`\b`+port+`\b`).ReplaceAllString(text, name)
		}
	}
	text = strings.ReplaceAll(text, ts.MkAbs("."), "WORK")
	for _, v := range varying {
		text = v.form.ReplaceAllString(text, v.as)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

// tb is as much of a test as a script is for what this package's helpers need.
type tb struct{ *testscript.TestScript }

func (tb) Helper() {}

func (t tb) Fatal(a ...any) { t.Fatalf("%s", strings.TrimSuffix(fmt.Sprintln(a...), "\n")) }

// Command ossrefresh is the operator's tool: it tries an event on the real
// function, writes, explains and checks the mapping table, prepares the deployment,
// forecasts what a site spends of the quota, refreshes by hand, and tells whether
// visitors have what OSS holds.
//
//	ossrefresh invoke events/oss-put-object.json
//	ossrefresh explain my-site www/docs/index.html
//	ossrefresh check
//
// Nothing that costs quota or changes a cloud resource happens without --live.
// The tool keeps no state.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun"
)

func main() {
	log.SetOutput(aliyun.FilterLog(os.Stderr))
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}

const description = `Try, explain and check what an object of OSS refreshes on Alibaba Cloud DCDN, CDN and ESA.

Exit status: 0 done, 1 something failed, 2 wrong usage.`

type commandLine struct {
	JSON    bool             `name:"json" help:"Print one JSON document."`
	Version kong.VersionFlag `help:"Print the version."`

	Invoke   invokeCommand   `cmd:"" help:"Run the function on an event and show what became of it."`
	Explain  explainCommand  `cmd:"" help:"Show what an object refreshes, or which objects a URL shows."`
	Init     initCommand     `cmd:"" help:"Write the mapping table from the account's domains."`
	Check    checkCommand    `cmd:"" help:"Validate the mapping table and show samples."`
	Forecast forecastCommand `cmd:"" help:"Tell what a publishing history would have cost of the quota."`
	Setup    setupCommand    `cmd:"" help:"Show what a deployment needs beside the function, and bring it about."`
	Policy   policyCommand   `cmd:"" help:"Print the least RAM policy of the function, or of who deploys it."`
	Refresh  refreshCommand  `cmd:"" help:"Refresh URLs by hand."`
	Preload  preloadCommand  `cmd:"" help:"Load URLs into the caches."`
	Verify   verifyCommand   `cmd:"" help:"Tell whether a node of the CDN serves what OSS holds."`
	Replay   replayCommand   `cmd:"" help:"Refresh what dead letters list as failed."`
	Probe    probeCommand    `cmd:"" help:"Settle by experiment what no document says of a domain."`
	Quota    quotaCommand    `cmd:"" help:"Show what is left of the day's quota."`
	Tasks    tasksCommand    `cmd:"" help:"Show the progress of refresh tasks."`
	Emulate  emulateCommand  `cmd:"" help:"Serve the refresh APIs on this machine, for any client."`
}

// run runs a command line and returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	var line commandLine
	helped := false
	parser := kong.Must(&line,
		kong.Name("ossrefresh"),
		kong.Description(description),
		kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{
			Compact: true, NoExpandSubcommands: true, WrapUpperBound: 80,
		}),
		kong.Vars{"version": "ossrefresh " + handler.Version()},
		kong.KindMapper(reflect.String, kong.MapperFunc(bytesAsGiven)),
		kong.Exit(func(int) { helped = true }),
	)
	if len(args) > 0 && args[0] == "help" { // "help refresh" is "refresh --help"
		isHelp := func(arg string) bool { return arg == "help" }
		args = append(slices.DeleteFunc(slices.Clone(args), isHelp), "--help")
	}
	parsed, err := parser.Parse(args)
	if helped {
		return 0
	}
	c := newConsole(stdin, stdout, stderr, getenv)
	c.json = line.JSON
	if err != nil {
		c.json = slices.Contains(args, "--json") // it may stand behind what did not parse
		return c.report(misuse(err, "run "+helpFor(err)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt kills
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(c)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("interrupted: %w", err)
	}
	return c.report(err)
}

// endings are the signals that end a command, which then puts its things away: a
// terminal that is closed sends SIGHUP, unless the tool runs under nohup.
func endings() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// bytesAsGiven keeps what is not UTF-8, which kong's own mapper replaces.
func bytesAsGiven(ctx *kong.DecodeContext, targetView reflect.Value) error {
	token, err := ctx.Scan.PopValue("string")
	if err != nil {
		return err
	}
	targetView.SetString(token.String())
	return nil
}

// helpFor returns the command that explains the one that was misspelt.
func helpFor(err error) string {
	var wrong *kong.ParseError
	if errors.As(err, &wrong) && wrong.Context != nil && wrong.Context.Selected() != nil {
		return "ossrefresh " + wrong.Context.Selected().Name + " --help"
	}
	return "ossrefresh --help"
}

// A hinted error says what to do about it.
type hinted struct {
	error
	hint  string
	usage bool // the command line is at fault
}

func (e *hinted) Unwrap() error { return e.error }

func hint(err error, text string) error { return &hinted{error: err, hint: text} }

// checkTimeout refuses a timeout that is over before anything is done.
func checkTimeout(timeout time.Duration) error {
	if timeout > 0 {
		return nil
	}
	return misuse(fmt.Errorf("--timeout is %v, and must be above zero", timeout),
		"give one such as 30s")
}

func misuse(err error, text string) error { return &hinted{error: err, hint: text, usage: true} }

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"oss-cdn-refresh/events"
	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/handler/runtimetest"
	"oss-cdn-refresh/mapping"
)

type invokeCommand struct {
	tableFlag
	Function string        `placeholder:"BINARY" help:"The function, built for this machine. Default: fc beside ossrefresh, else dist/fc/main."`
	Live     bool          `help:"Call the real API, with the ALIBABA_CLOUD_… credentials of the environment: this refreshes."`
	Timeout  time.Duration `default:"60s" help:"The function's timeout."`
	Event    string        `arg:"" help:"The event's file, or - for standard input."`
}

func (*invokeCommand) Help() string {
	return `The function runs under a runtime API on this machine and calls a refresh API on this machine: nothing is refreshed without --live. A file may hold several events, and each may be in the envelope of a queue.

Examples:

    ossrefresh invoke events/oss-put-object.json
    ossrefresh invoke --mapping staging.yaml --json - <event.json
    ossrefresh invoke --live event.json`
}

// Run shows what became of an event, step by step: its records, targets and
// URLs as the function's own packages see them, its requests as the function's
// log tells them.
func (cmd *invokeCommand) Run(ctx context.Context, c *console) error {
	if err := checkTimeout(cmd.Timeout); err != nil {
		return err
	}
	table, err := cmd.load()
	if err != nil {
		return err
	}
	data, err := c.read(ctx, "the event", cmd.Event)
	if err != nil {
		return err
	}
	payload, n := eventOf(data)
	if n > 1 {
		c.hint(manyEvents(cmd.Event, n))
	}
	doc := invocation{Event: cmd.Event, Mapping: cmd.file(), Live: cmd.Live}
	if doc.Function, err = cmd.binary(); err != nil {
		return err
	}
	batch, unreadable := events.Decode(payload)
	doc.story = tell(table, doc.Mapping, batch)
	doc.unreadable, doc.sweeps = unreadable != nil, batch.Sweep
	failure := cmd.invoke(ctx, c, payload, table, &doc)
	if !doc.started {
		return failure
	}
	if t := doc.Totals; t != nil && !doc.sweeps &&
		(t.Targets != doc.Targets || t.Records != len(doc.Records)) {
		c.hint("the function and this tool count differently: build both from the same source")
	}
	return errors.Join(c.show(doc), failure)
}

// binary finds the function.
func (cmd *invokeCommand) binary() (string, error) {
	candidates := []string{cmd.Function}
	if cmd.Function == "" {
		self, _ := os.Executable()
		candidates = []string{
			filepath.Join(filepath.Dir(self), "fc"),
			filepath.Join("dist", "fc", "main"),
		}
	}
	for _, name := range candidates {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			return name, nil
		}
	}
	return "", hint(fmt.Errorf("there is no function at %s", strings.Join(candidates, " or ")),
		"build it with scripts/build, or name it with --function")
}

// An access is where the function calls the API, and with what.
type access struct {
	name        string // for people
	env         []string
	credentials aliyun.Credentials
	close       func()
}

// access opens the real API, or one on this machine that takes as many URLs of
// a domain as the table says: how many the real one takes, its references do
// not agree on. The table's other limits are at most those of the API.
//
// For a sweep, that API has tasks which have failed.
func (cmd *invokeCommand) access(ctx context.Context, c *console, table *mapping.Table, sweeps bool) (access, error) {
	if cmd.Live {
		return liveAccess(c.getenv)
	}
	server := &aliyuntest.Server{Limits: aliyuntest.Limits{URLsPerDomain: table.Refresh.Limits.URLsPerDomain}}
	var samples []refresh.Call
	if sweeps {
		samples = sampleCalls(table)
		failSamples(server, len(samples))
	}
	if err := server.Start(); err != nil {
		return access{}, fmt.Errorf("starting a refresh API on this machine: %w", err)
	}
	test := aliyuntest.TestCredential
	credentials := aliyun.Credentials{
		AccessKeyID:     test.AccessKeyID,
		AccessKeySecret: test.AccessKeySecret,
		SecurityToken:   test.SecurityToken,
	}
	caller := aliyun.NewClient(aliyun.Endpoint(server.URL)).With(credentials)
	if err := submitSamples(ctx, caller, samples); err != nil {
		server.Close()
		return access{}, err
	}
	return access{
		"a refresh API on this machine: nothing is refreshed",
		[]string{"REFRESH_ENDPOINT=" + server.URL},
		credentials, server.Close,
	}, nil
}

// liveAccess takes the caller's credentials, and of the environment just what
// leads to the API.
func liveAccess(getenv func(string) string) (access, error) {
	credentials, err := credentialsFrom(getenv, "")
	if err != nil {
		return access{}, err
	}
	env := variables(getenv, "REFRESH_ENDPOINT", "HTTPS_PROXY", "https_proxy", "NO_PROXY",
		"no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")
	name := cmp.Or(getenv("REFRESH_ENDPOINT"), "the public refresh API")
	return access{name, env, credentials, func() {}}, nil
}

// invoke runs the function on the payload and notes in doc what it did.
func (cmd *invokeCommand) invoke(
	ctx context.Context, c *console, payload []byte, table *mapping.Table, doc *invocation,
) error {
	api, err := cmd.access(ctx, c, table, doc.sweeps)
	if err != nil {
		return err
	}
	defer api.close()
	doc.api = api.name
	file, noTable := filepath.Abs(doc.Mapping)
	function, noFunction := filepath.Abs(doc.Function) // a bare name would be looked up in PATH
	if err := errors.Join(noTable, noFunction); err != nil {
		return fmt.Errorf("finding the working directory: %w", err)
	}
	env := append(variables(c.getenv, "PATH", "HOME", "TMPDIR", "SYSTEMROOT"),
		"MAPPING_FILE="+file, "LOG_LEVEL=debug")
	process, err := runtimetest.StartFunctionCompute(ctx,
		runtimetest.Program{Path: function, Env: append(env, api.env...)})
	if err != nil {
		return hint(fmt.Errorf("starting the function: %w", err),
			"the function must be built for this machine: go build ./handler/cmd/fc")
	}
	defer process.Close()
	doc.started = true
	start := time.Now()
	result, err := process.Invoke(ctx, runtimetest.Invocation{
		Payload:     payload,
		Timeout:     cmd.Timeout,
		Credentials: runtimetest.Credentials(api.credentials),
	})
	doc.DurationMS = float64(time.Since(start).Microseconds()) / 1000
	doc.callLog = readLog(process.Output())
	inOrder(doc.Requests, doc.Failed, ranks(doc.targets()))
	if result.Err == nil && err != nil {
		return doc.noteNoAnswer(ctx, err)
	}
	doc.note(result)
	return errors.Join(doc.failure(), err)
}

// variables returns those that are set, as exec.Cmd has them.
func variables(getenv func(string) string, names ...string) []string {
	var set []string
	for _, name := range names {
		if value := getenv(name); value != "" {
			set = append(set, name+"="+value)
		}
	}
	return set
}

// An invocation is what became of an event.
type invocation struct {
	Event    string `json:"event"`
	Mapping  string `json:"mapping"`
	Function string `json:"function"`
	Live     bool   `json:"live"`
	story
	callLog
	DurationMS float64     `json:"duration_ms"` // of the whole invocation
	Error      *errorReply `json:"error"`       // null: the invocation succeeded

	api                 string // for people
	started, unreadable bool
	sweeps              bool // the event is a timer's that asks for a sweep
	unsettled           bool // the real API may have accepted more than is known
}

// targets are those of the items.
func (s story) targets() []targetView {
	all := make([]targetView, len(s.Items))
	for i, it := range s.Items {
		all[i] = it.targetView
	}
	return all
}

// nearby returns a file's path from the working directory, where it lies below.
func nearby(file string) string {
	dir, err := os.Getwd()
	if err != nil {
		return file
	}
	if rel, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return file
}

// An errorReply is the function's answer when an invocation fails, or why there
// is not a proper one: Interrupted, NoAnswer, ProtocolError.
type errorReply struct {
	Type    string `json:"type"`
	Message string `json:"message"` // of RefreshIncomplete: its first line
}

func (doc *invocation) note(result runtimetest.Result) {
	if result.Err == nil {
		return
	}
	message, _, _ := strings.Cut(result.Err.Message, "\n")
	if result.Err.Type != "RefreshIncomplete" {
		message = result.Err.Message
	}
	doc.Error = &errorReply{result.Err.Type, message}
}

// noteNoAnswer notes why the function has not answered, or not as the runtime
// API demands, and returns that.
func (doc *invocation) noteNoAnswer(ctx context.Context, err error) error {
	switch {
	case interrupted(ctx, err):
		doc.Error = &errorReply{"Interrupted", "the function had not answered"}
	case errors.As(err, new(*runtimetest.ExitError)),
		errors.As(err, new(*runtimetest.TimeoutError)):
		doc.Error = &errorReply{"NoAnswer", err.Error()}
	default:
		doc.Error = &errorReply{"ProtocolError", err.Error()}
	}
	if doc.Live {
		doc.unsettled = true
		doc.Error.Message = unsettled + ": " + doc.Error.Message
	}
	return errors.New(doc.Error.Message)
}

// interrupted reports whether ctx is why the function has not answered. A
// Ctrl-C reaches the function too, whose end may be noticed first.
func interrupted(ctx context.Context, err error) bool {
	var exit *runtimetest.ExitError
	if errors.As(err, &exit) && exit.Status == "signal: interrupt" {
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return ctx.Err() != nil
}

const unsettled = "what was sent may have been accepted"

func (doc *invocation) failure() error {
	if doc.Error == nil {
		return nil
	}
	return fmt.Errorf("the function answered with %s: %s", doc.Error.Type, doc.Error.Message)
}

func (doc invocation) text(p *page) {
	p.title("%s, by %s", shown(doc.Event), shown(nearby(doc.Function)))
	p.line("  calling %s", doc.api)
	switch {
	case doc.sweeps:
		doc.callLog.sweepText(p)
	case !doc.unreadable:
		doc.story.text(p, doc.numbers())
	}
	doc.callLog.text(p, doc.Items)
	p.title("TOTAL: %s", milliseconds(doc.DurationMS))
	if doc.unsettled {
		p.line("  %s", unsettled)
	}
	if t := doc.Totals; t != nil {
		p.line("  %s: %d mapped, %d ignored, %d unmatched, %d invalid", plural(t.Records, "record"),
			t.Mapped, t.Ignored, t.Unmatched, t.Invalid)
		p.line("  %s: %s", plural(t.Targets, "target"), merged(t.Debounced, t.Folded))
		p.line("  %s: %s refreshed, %d failed", plural(t.Requests, "request"),
			plural(t.Refreshed, "URL"), t.Failed)
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/deployment/deploymenttest"
	"oss-cdn-refresh/handler/runtimetest"
)

// A suite builds the function before the tests, and only then: the test binary
// is also what the scripts run as ossrefresh.
type suite struct{ m *testing.M }

func (s suite) Run() int {
	if !fuzzing() {
		_ = flag.Set("test.parallel", "16") // they wait more than they compute; -parallel wins
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // as in ./handler
	}
	dir, err := os.MkdirTemp("", "ossrefresh")
	if err == nil {
		defer os.RemoveAll(dir)
		function, err = runtimetest.Build(context.Background(), "oss-cdn-refresh/handler/cmd/fc", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return s.m.Run()
}

// fuzzing reports whether a target is fuzzed, of which -parallel says how many
// processes do so. It is asked before the flags are parsed.
func fuzzing() bool {
	return slices.ContainsFunc(os.Args, func(arg string) bool {
		return strings.HasPrefix(arg, "-test.fuzz=")
	})
}

// function is the real one's binary.
var function string

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){"ossrefresh": func() {
		stdout, stderr := masked{os.Stdout}, masked{os.Stderr}
		os.Exit(run(os.Args[1:], os.Stdin, stdout, stderr, os.Getenv))
	}})
}

// masked replaces what differs from run to run: times, ports and
// the ids in JSON.
type masked struct{ io.Writer }

var passing = regexp.MustCompile(`\d+(\.\d+)?( ms)|("duration_ms": )[\d.]+|("(?:created|task_id|request_id)": )"[^"]*"|(127\.0\.0\.1:)\d+`)

func (m masked) Write(text []byte) (int, error) {
	_, err := m.Writer.Write(passing.ReplaceAll(text, []byte(`${3}${4}${5}N$2`)))
	return len(text), err
}

// update rewrites the scripts with what the tool prints now.
var update = flag.Bool("update", false, "rewrite testdata")

func TestScripts(t *testing.T) {
	t.Parallel()
	params := scripts(t)
	params.Dir, params.UpdateScripts = "testdata", *update
	testscript.Run(t, params)
}

// scripts returns what every script has: servers that it may start, the function's
// binary as fc, and the folder of the samples as EVENTS.
func scripts(t *testing.T) testscript.Params {
	events, err := filepath.Abs("../../../events")
	if err != nil {
		t.Fatal(err)
	}
	return testscript.Params{
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			if err := os.Symlink(function, filepath.Join(env.WorkDir, "fc")); err != nil {
				return err
			}
			env.Setenv("EVENTS", events)
			env.Setenv("GOMAXPROCS", "1")             // commands are short, and many run beside each other
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else each command takes a second more
			env.Values[apiKey{}] = &aliyuntest.Server{TaskTime: 400 * time.Millisecond}
			env.Values[cloudKey{}] = new(deploymenttest.Server)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"api": startAPI, "accepted": accepted, "status": status, "cloud": startCloud,
			"bucket": startBucket, "ran": ran, "holds": holds, "web": startWeb, "zeros": zeros,
		},
	}
}

// apiKey leads to a script's refresh API.
type apiKey struct{}

// startAPI is the script command "api [quota=N] [forbidden=DOMAIN] [account=FILE]
// [site=ID:NAME]…": it starts a refresh API that ossrefresh finds in the environment.
// The file has the account's domains.
func startAPI(ts *testscript.TestScript, _ bool, args []string) {
	api := ts.Value(apiKey{}).(*aliyuntest.Server)
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "quota":
			n, err := strconv.Atoi(value)
			ts.Check(err)
			api.Quota.URLs = n
		case "forbidden":
			api.Forbidden = []string{value}
		case "account":
			ts.Check(json.Unmarshal([]byte(ts.ReadFile(value)), &api.Account))
		case "site":
			id, name, _ := strings.Cut(value, ":")
			n, err := strconv.ParseInt(id, 10, 64)
			ts.Check(err)
			if api.Sites == nil {
				api.Sites = map[int64]string{}
			}
			api.Sites[n] = name
		default:
			ts.Fatalf("usage: api [quota=N] [forbidden=DOMAIN] [account=FILE] [site=ID:NAME]…")
		}
	}
	ts.Check(api.Start())
	ts.Defer(api.Close)
	credential := aliyuntest.TestCredential
	ts.Setenv("REFRESH_ENDPOINT", api.URL)
	ts.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", credential.AccessKeyID)
	ts.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", credential.AccessKeySecret)
	ts.Setenv("ALIBABA_CLOUD_SECURITY_TOKEN", credential.SecurityToken)
}

// accepted is the script command that prints what the API has accepted.
func accepted(ts *testscript.TestScript, _ bool, _ []string) {
	for _, a := range ts.Value(apiKey{}).(*aliyuntest.Server).Accepted() {
		force := ""
		if a.Force {
			force = " force"
		}
		fmt.Fprintf(ts.Stdout(), "%s %s %s%s\n", a.Product, a.Type, a.URL, force)
	}
}

// zeros is the script command "zeros FILE…": in the files, \0 becomes a zero byte.
func zeros(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := strings.ReplaceAll(strings.TrimSpace(ts.ReadFile(name)), `\0`, "\x00")
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// status is the script command "status N ARG…": ossrefresh ends with status N.
func status(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("ossrefresh", args[1:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || strconv.Itoa(exit.ExitCode()) != args[0] {
		ts.Fatalf("ossrefresh %s: %v, want exit status %s", strings.Join(args[1:], " "), err, args[0])
	}
}

package runtimetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var fcEcho, lambdaEcho string // binaries of testdata

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "runtimetest")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	var building sync.WaitGroup
	var fcErr, lambdaErr error
	building.Go(func() { fcEcho, fcErr = Build(context.Background(), "./testdata/fc-echo", dir) })
	building.Go(func() { lambdaEcho, lambdaErr = Build(context.Background(), "./testdata/lambda-echo", dir) })
	building.Wait()
	if err := errors.Join(fcErr, lambdaErr); err != nil {
		return 0, err
	}
	if !fuzzing() {
		_ = flag.Set("test.parallel", "8") // they wait more than they compute; -parallel wins
	}
	return m.Run(), nil
}

// fuzzing reports whether a target is fuzzed, of which -parallel says how many
// processes do so. It is asked before the flags are parsed.
func fuzzing() bool {
	return slices.ContainsFunc(os.Args, func(arg string) bool {
		return strings.HasPrefix(arg, "-test.fuzz=")
	})
}

// invoke fails the test unless there was an answer, be it an error.
func invoke(t *testing.T, p *Process, payload string) Result {
	t.Helper()
	result, err := p.Invoke(t.Context(), Invocation{Payload: []byte(payload)})
	if err != nil {
		t.Fatalf("invoking with %q: %v", payload, err)
	}
	return result
}

func TestAnswers(t *testing.T) {
	fc := NewTestFunctionCompute(t, Program{Path: fcEcho})
	aws := NewTestLambda(t, Program{Path: lambdaEcho})
	tests := []struct {
		name     string
		process  *Process
		payload  string
		response string // not compared when there is an error
		fails    string
	}{
		{"fc echo", fc, "echo\nx", `"eA=="`, ""},
		{"fc error", fc, "fail\n2 of 3 failed", "", "RefreshIncomplete: 2 of 3 failed"},
		{"fc panic", fc, "panic\nboom", "", "string: boom"},
		{"fc after a panic", fc, "echo\ny", `"eQ=="`, ""},
		{"lambda echo", aws, `{"do":"echo","text":"x"}`, `"x"`, ""},
		{"lambda error", aws, `{"do":"fail","text":"2 of 3 failed"}`, "", "RefreshIncomplete: 2 of 3 failed"},
		{"lambda broken stream", aws, `{"do":"stream","text":"half"}`, "", "errorString: origin gone"},
		{"lambda payload", aws, `{`, "", "errorString: unexpected EOF"},
		{"lambda panic", aws, `{"do":"panic","text":"boom"}`, "", "string: boom"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result := invoke(t, test.process, test.payload)
			var fails string
			if result.Err != nil {
				fails = result.Err.Error()
			}
			if fails != test.fails {
				t.Errorf("got error %q, want %q", fails, test.fails)
			}
			if test.fails == "" && string(result.Response) != test.response {
				t.Errorf("got response %s, want %s", result.Response, test.response)
			}
			if result.Duration <= 0 {
				t.Errorf("got duration %v", result.Duration)
			}
		})
	}
}

func TestPanicHasStack(t *testing.T) {
	result := invoke(t, NewTestFunctionCompute(t, Program{Path: fcEcho}), "panic\nboom")
	if !bytes.Contains(result.Err.StackTrace, []byte(`"label":`)) {
		t.Errorf("got stack trace %s", result.Err.StackTrace)
	}
}

func TestFunctionComputeContext(t *testing.T) {
	p := NewTestFunctionCompute(t, Program{Path: fcEcho})
	result, err := p.Invoke(t.Context(), Invocation{
		RequestID:   "1-abc",
		Payload:     []byte("context"),
		Timeout:     1500 * time.Millisecond,
		Credentials: Credentials{"STS.id", "secret", "token"},
		RetryCount:  2,
	})
	if err != nil {
		t.Fatal(err)
	}
	type function struct {
		Name, Handler, Memory string
		Timeout               int
	}
	type fcContext struct {
		RequestID   string
		Credentials Credentials // the SDK's JSON differs in case only
		Function    function
		Region      string
		RetryCount  int
	}
	var got fcContext
	if err := json.Unmarshal(result.Response, &got); err != nil {
		t.Fatal(err)
	}
	want := fcContext{
		RequestID:   "1-abc",
		Credentials: Credentials{"STS.id", "secret", "token"},
		Function:    function{"fc-echo", "fc-echo", "128", 2},
		Region:      "cn-hangzhou",
		RetryCount:  2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
}

func TestDeadline(t *testing.T) {
	p := NewTestFunctionCompute(t, Program{Path: fcEcho})
	before := time.Now().Truncate(time.Millisecond) // as the header is
	result := invoke(t, p, "deadline")
	after := time.Now()
	var deadline time.Time
	if err := json.Unmarshal(result.Response, &deadline); err != nil {
		t.Fatal(err)
	}
	if deadline.Before(before.Add(defaultTimeout)) || deadline.After(after.Add(defaultTimeout)) {
		t.Errorf("got deadline %v for an invocation between %v and %v", deadline, before, after)
	}
}

func TestLambdaContext(t *testing.T) {
	p := NewTestLambda(t, Program{Path: lambdaEcho})
	result, err := p.Invoke(t.Context(), Invocation{RequestID: "8476a536", Payload: []byte(`{"do":"context"}`)})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ AwsRequestID, InvokedFunctionArn string }
	if err := json.Unmarshal(result.Response, &got); err != nil {
		t.Fatal(err)
	}
	if got.AwsRequestID != "8476a536" || !strings.HasSuffix(got.InvokedFunctionArn, ":function:lambda-echo") {
		t.Errorf("got context %+v", got)
	}
}

func TestTwoAtOnce(t *testing.T) {
	p := NewTestFunctionCompute(t, Program{Path: fcEcho})
	other := make(chan error, 1)
	go func() {
		_, err := p.Invoke(t.Context(), Invocation{Payload: []byte("meet")})
		other <- err
	}()
	invoke(t, p, "meet")
	if err := <-other; err != nil {
		t.Error(err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "parents-secret")
	tests := []struct {
		name string
		env  []string
		want []string // names, in any order
	}{
		{"default", nil, []string{"FC_RUNTIME_API", "HOME", "PATH"}},
		{"given", []string{"LOG_LEVEL=debug"}, []string{"FC_RUNTIME_API", "LOG_LEVEL"}},
		{"empty", []string{}, []string{"FC_RUNTIME_API"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("HOME", t.TempDir())
			t.Setenv("TMPDIR", "") // as HOME, restored
			os.Unsetenv("TMPDIR")
			result := invoke(t, NewTestFunctionCompute(t, Program{Path: fcEcho, Env: test.env}), "environment")
			got := make(map[string]bool)
			var env []string
			if err := json.Unmarshal(result.Response, &env); err != nil {
				t.Fatal(err)
			}
			for _, variable := range env {
				name, _, _ := strings.Cut(variable, "=")
				got[name] = true
			}
			want := make(map[string]bool)
			for _, name := range test.want {
				want[name] = true
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOutputIsCompleteAtTheAnswer(t *testing.T) {
	var tee bytes.Buffer
	p := NewTestFunctionCompute(t, Program{Path: fcEcho, Output: &tee})
	lines := strings.Repeat("msg=refreshed\n", 20_000) // more than a pipe holds
	invoke(t, p, "print\n"+lines)
	if !strings.Contains(tee.String(), lines) {
		t.Errorf("Program.Output has %d bytes, of %d printed", tee.Len(), len(lines))
	}
	if p.Output() != tee.String() {
		t.Error("Process.Output and Program.Output differ")
	}
}

func TestDeathDuringInvocation(t *testing.T) {
	p := NewTestFunctionCompute(t, Program{Path: fcEcho})
	for range 2 { // the second one finds it dead
		_, err := p.Invoke(t.Context(), Invocation{Payload: []byte("exit\nmapping.yaml: no such file")})
		var exit *ExitError
		if !errors.As(err, &exit) {
			t.Fatalf("got error %v", err)
		}
		if exit.Status != "exit status 3" || !strings.HasSuffix(exit.Tail, "mapping.yaml: no such file") {
			t.Errorf("got %+v", exit)
		}
	}
	if p.CPUTime() <= 0 {
		t.Errorf("got CPU time %v", p.CPUTime())
	}
}

func TestLambdaExitsAfterPanic(t *testing.T) {
	p := NewTestLambda(t, Program{Path: lambdaEcho})
	invoke(t, p, `{"do":"panic","text":"boom"}`)
	_, err := p.Invoke(t.Context(), Invocation{Payload: []byte(`{"do":"echo"}`)})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Status != "exit status 1" {
		t.Errorf("got error %v", err)
	}
}

func TestKill(t *testing.T) {
	p := NewTestFunctionCompute(t, Program{Path: fcEcho})
	invoke(t, p, "echo")
	p.Kill()
	_, err := p.Invoke(t.Context(), Invocation{})
	var exit *ExitError
	if !errors.As(err, &exit) {
		t.Errorf("got error %v", err)
	}
}

func TestNoAnswerInTime(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		args  []string
		taken bool
		tail  string
	}{
		{"hangs", nil, true, "hanging"},
		{"never polls", []string{"on"}, false, "dozing on"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := NewTestFunctionCompute(t, Program{Path: fcEcho, Args: test.args})
			_, err := p.Invoke(t.Context(), Invocation{Payload: []byte("hang"), Timeout: time.Second})
			var timeout *TimeoutError
			if !errors.As(err, &timeout) || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got error %v", err)
			}
			if timeout.Taken != test.taken || !strings.HasSuffix(timeout.Tail, test.tail) {
				t.Errorf("got %+v", timeout)
			}
		})
	}
}

func TestCancelledInvocation(t *testing.T) {
	p := NewTestFunctionCompute(t, Program{Path: fcEcho})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := p.Invoke(ctx, Invocation{RequestID: "slow", Payload: []byte("hang")})
	if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*TimeoutError)) {
		t.Errorf("got error %v", err)
	}
	if status := invoke(t, p, "answer\nslow").Response; string(status) != "200" {
		t.Errorf("got status %s for a late answer", status)
	}
}

func TestViolations(t *testing.T) {
	tests := []struct{ name, id, want string }{
		{"unknown", "nobody", `function answered request id "nobody", which it was not given`},
		{"twice", "first", `function answered request id "first" twice`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := NewTestFunctionCompute(t, Program{Path: fcEcho})
			if _, err := p.Invoke(t.Context(), Invocation{RequestID: "first", Payload: []byte("echo")}); err != nil {
				t.Fatal(err)
			}
			result, err := p.Invoke(t.Context(), Invocation{Payload: []byte("answer\n" + test.id)})
			if err == nil || err.Error() != test.want {
				t.Errorf("got error %v, want %v", err, test.want)
			}
			if string(result.Response) != "404" {
				t.Errorf("got status %s", result.Response)
			}
		})
	}
}

func TestCloseReportsInitError(t *testing.T) {
	p, err := start(t.Context(), Program{Path: lambdaEcho, Args: []string{"no table"}}, lambda)
	if err != nil {
		t.Fatal(err)
	}
	<-p.done
	const want = "function reported that its initialization failed: ConfigError: no table"
	if err := p.Close(); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %v", err, want)
	}
	if err := p.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func TestInvokeRefuses(t *testing.T) {
	p := NewTestFunctionCompute(t, Program{Path: fcEcho})
	if _, err := p.Invoke(t.Context(), Invocation{RequestID: "a/b"}); err == nil {
		t.Error("took a request id that needs escaping")
	}
	if err := p.expect("same", make(chan Result, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Invoke(t.Context(), Invocation{RequestID: "same"}); err == nil {
		t.Error("took a request id that is in flight")
	}
}

func TestMissingBinary(t *testing.T) {
	_, err := StartFunctionCompute(t.Context(), Program{Path: t.TempDir() + "/main"})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v", err)
	}
}

func TestStartContextKills(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := StartFunctionCompute(ctx, Program{Path: fcEcho})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-p.done
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestBuildReportsCompiler(t *testing.T) {
	_, err := Build(t.Context(), "./testdata/missing", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("got error %v", err)
	}
}

func TestMeasurements(t *testing.T) {
	p := NewTestFunctionCompute(t, Program{Path: fcEcho})
	invoke(t, p, "echo")
	if p.FirstPoll() <= 0 {
		t.Errorf("got first poll %v", p.FirstPoll())
	}
	// A Go program that has served a request holds more than 1 MB.
	if runtime.GOOS == "linux" && p.PeakMemory() < 1<<20 {
		t.Errorf("got peak memory %d", p.PeakMemory())
	}
	p.Kill()
	if p.PeakMemory() != 0 {
		t.Errorf("got peak memory %d of a process that is gone", p.PeakMemory())
	}
}

func FuzzEcho(f *testing.F) {
	p := NewTestFunctionCompute(f, Program{Path: fcEcho})
	for _, seed := range []string{"", "\x00\xff", "{}\r\n\r\n", strings.Repeat("图", 100_000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var got []byte
		if err := json.Unmarshal(invoke(t, p, "echo\n"+string(payload)).Response, &got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, payload) {
			t.Errorf("sent %d bytes, got %d others", len(payload), len(got))
		}
	})
}

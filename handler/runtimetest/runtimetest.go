// Package runtimetest runs a function's real binary under the runtime API of
// Function Compute (runtime go1) or AWS Lambda, served on loopback. Like
// net/http/httptest, it is for programs and for tests:
//
//	process, err := runtimetest.StartFunctionCompute(ctx, runtimetest.Program{Path: "./main"})
//	if err != nil {
//		return err
//	}
//	defer process.Close()
//	result, err := process.Invoke(ctx, runtimetest.Invocation{Payload: payload})
//
// Tests call [NewTestFunctionCompute] or [NewTestLambda], and [Build] for the
// binary. What the function printed before its answer is complete when Invoke
// returns: a mark that goes through the function's own output pipe shows that
// everything before it has been read.
//
// The package does not limit memory or the size of payloads, does not retry, and
// does not freeze the process between invocations unless [Process.Freeze] is
// called. The process has the whole machine unless [Process.Share] is called. The API
// does not authenticate: whatever runs on this machine can reach it while the process
// runs.
package runtimetest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// defaultTimeout is generous: a function that works takes a few seconds at most.
const defaultTimeout = 60 * time.Second

// Credentials are the temporary credentials of the function's role.
type Credentials struct {
	AccessKeyID     string
	AccessKeySecret string
	SecurityToken   string
}

// An Invocation is what the function is asked to do. The zero value is an
// empty payload.
type Invocation struct {
	RequestID   string        // must not need escaping in a URL; made up, and unique, when empty
	Payload     []byte        // as the trigger would send it
	Timeout     time.Duration // from the moment the function takes the invocation; 60 s when zero
	Credentials Credentials   // Function Compute only
	RetryCount  int           // of an asynchronous invocation; Function Compute only
}

// A Result is what the function answered.
type Result struct {
	Response []byte         // the body of the answer, also when Err is set
	Err      *FunctionError // nil if the invocation succeeded
	Duration time.Duration  // from handing over the invocation to its answer
}

// A Process is a running function. Its methods may be called concurrently.
type Process struct {
	program  Program
	protocol protocol
	cmd      *exec.Cmd
	server   *http.Server
	output   *output
	started  time.Time
	queue    chan Invocation // from Invoke to a poll
	done     chan struct{}   // closed when the process has ended and all it printed is read

	mu        sync.Mutex
	firstPoll time.Duration
	open      map[string]chan<- Result // by request id, for the invocations that are waited for
	answered  map[string]bool          // by request id, for those that no longer are
	faults    []error                  // violations of the protocol that were not reported yet
	group     string                   // the control group of Share; "": none
}

// StartFunctionCompute starts p under the runtime API of Function Compute. When
// ctx ends, the process is killed. The caller must call Close.
func StartFunctionCompute(ctx context.Context, p Program) (*Process, error) {
	return start(ctx, p, functionCompute)
}

func start(ctx context.Context, program Program, api protocol) (*Process, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the runtime API: %w", err)
	}
	out, err := newOutput(program.Output)
	if err != nil {
		err = fmt.Errorf("making a pipe for the function's output: %w", err)
		return nil, errors.Join(err, listener.Close())
	}
	p := &Process{
		program:  program,
		protocol: api,
		cmd:      program.command(ctx, api.variable+"="+listener.Addr().String(), out.pipe),
		output:   out,
		started:  time.Now(),
		queue:    make(chan Invocation),
		done:     make(chan struct{}),
		open:     make(map[string]chan<- Result),
		answered: make(map[string]bool),
	}
	p.server = &http.Server{Handler: p.routes()}
	if err := p.cmd.Start(); err != nil {
		out.close()
		err = fmt.Errorf("starting function %q: %w", program.Path, err)
		return nil, errors.Join(err, listener.Close())
	}
	go func() { _ = p.server.Serve(listener) }() // until Close
	go p.wait()
	return p, nil
}

func (p *Process) wait() {
	_ = p.cmd.Wait() // ProcessState tells more
	p.output.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.group != "" {
		_ = os.Remove(p.group) // it is empty now
	}
	close(p.done)
}

// Invoke sends the invocation to the function and waits for the answer. An error
// that the function answers with is in [Result.Err]. If no answer comes, the
// error is an [*ExitError], as soon as the process ends, a [*TimeoutError], or
// that of ctx. After a timeout the process goes on.
//
// The error also lists violations of the protocol that were not reported
// before, even if there is a result.
func (p *Process) Invoke(ctx context.Context, in Invocation) (Result, error) {
	in.RequestID = cmp.Or(in.RequestID, newRequestID())
	in.Timeout = cmp.Or(in.Timeout, defaultTimeout)
	if url.PathEscape(in.RequestID) != in.RequestID {
		return Result{}, fmt.Errorf("invoking %q: a request id must not need escaping in a URL",
			in.RequestID)
	}
	answer := make(chan Result, 1)
	if err := p.expect(in.RequestID, answer); err != nil {
		return Result{}, err
	}
	defer p.abandon(in.RequestID)
	result, err := p.exchange(ctx, in, answer)
	return result, errors.Join(err, p.takeFaults())
}

// exchange waits until a poll takes the invocation and the answer comes. It
// flushes the output before it returns, so that Program.Output has what was
// printed before the answer.
func (p *Process) exchange(
	ctx context.Context, in Invocation, answer <-chan Result,
) (Result, error) {
	defer p.output.flush()
	timer := time.NewTimer(in.Timeout)
	defer timer.Stop()
	var taken time.Time
	queue := p.queue
	for {
		select {
		case queue <- in:
			queue = nil // a nil channel is never ready
			taken = time.Now()
			timer.Reset(in.Timeout)
		case result := <-answer:
			result.Duration = time.Since(taken)
			return result, nil
		case <-p.done:
			if len(answer) == 0 { // else the next round takes the answer
				return Result{}, &ExitError{Status: p.cmd.ProcessState.String(), Tail: p.output.tail()}
			}
		case <-timer.C:
			return Result{}, &TimeoutError{Taken: queue == nil, Timeout: in.Timeout, Tail: p.output.tail()}
		case <-ctx.Done():
			return Result{}, fmt.Errorf("waiting for the answer to %q: %w", in.RequestID, ctx.Err())
		}
	}
}

// newRequestID has the form of AWS Lambda's.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never returns an error
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Output returns all that the process has printed so far to standard output and
// standard error, in the order written. What was printed before an answer is in
// it when Invoke returns.
func (p *Process) Output() string {
	p.output.flush()
	return p.output.String()
}

// FirstPoll returns the time from the start of the process to its first request
// for an invocation: the function's own share of a cold start. It is 0 until the
// first request.
func (p *Process) FirstPoll() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.firstPoll
}

// PeakMemory returns the largest resident set so far, in bytes; 0 once the
// process has ended and on systems other than Linux. It is VmHWM of proc(5): the
// ru_maxrss of getrusage(2) outlives execve(2), and so is never less than the
// memory of the process that started this one.
func (p *Process) PeakMemory() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil || p.ended() {
		return 0
	}
	_, value, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes int64
	_, _ = fmt.Sscan(value, &kilobytes) // absent from a process that has just ended
	return kilobytes << 10
}

// CPUTime returns the user and system time the process has used; 0 while it
// runs.
func (p *Process) CPUTime() time.Duration {
	if !p.ended() {
		return 0
	}
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Kill ends the process with SIGKILL, as a crash of the instance would, and
// waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // fails only when it is gone
	<-p.done
}

// Close kills the process, as the platforms do, and removes the listener. The
// error lists violations of the protocol that were not reported before. Whether
// the process had already exited is reported by Invoke, not here.
func (p *Process) Close() error {
	p.Kill()
	return errors.Join(p.server.Close(), p.takeFaults())
}

package runtimetest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// A FunctionError is the error with which the function answered an invocation,
// in the JSON form of both platforms.
type FunctionError struct {
	Type       string          `json:"errorType"` // empty if the function gave none
	Message    string          `json:"errorMessage"`
	StackTrace json.RawMessage `json:"stackTrace,omitempty"` // of a panic
}

func (e *FunctionError) Error() string {
	if e.Type == "" {
		return e.Message
	}
	return e.Type + ": " + e.Message
}

// An ExitError says that the process ended before it answered.
type ExitError struct {
	Status string // such as "exit status 2" or "signal: killed"
	Tail   string // the last lines it printed
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("function ended without an answer (%s)%s", e.Status, printed(e.Tail))
}

// A TimeoutError says that the process runs, but did not answer in time. It
// unwraps to [context.DeadlineExceeded].
type TimeoutError struct {
	Taken   bool          // whether the process had taken the invocation
	Timeout time.Duration // of the invocation
	Tail    string        // the last lines the process printed
}

func (e *TimeoutError) Error() string {
	if !e.Taken {
		return fmt.Sprintf("function did not ask for an invocation within %v%s",
			e.Timeout, printed(e.Tail))
	}
	return fmt.Sprintf("function did not answer within %v%s", e.Timeout, printed(e.Tail))
}

func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

func printed(tail string) string {
	if tail == "" {
		return "; it printed nothing"
	}
	return "; its last output:\n" + tail
}

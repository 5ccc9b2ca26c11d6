package runtimetest

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// NewTestFunctionCompute is [StartFunctionCompute] for a test: it fails the test
// if the process does not start, or has violated the protocol by its end, and
// logs what the process printed if the test failed.
func NewTestFunctionCompute(tb testing.TB, p Program) *Process {
	tb.Helper()
	return newTest(tb, p, functionCompute)
}

// NewTestLambda is to [StartLambda] what [NewTestFunctionCompute] is to
// [StartFunctionCompute].
func NewTestLambda(tb testing.TB, p Program) *Process {
	tb.Helper()
	return newTest(tb, p, lambda)
}

func newTest(tb testing.TB, program Program, api protocol) *Process {
	tb.Helper()
	p, err := start(context.Background(), program, api) // tb.Context ends before the cleanup
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Errorf("closing %q: %v", program.Path, err)
		}
		if tb.Failed() {
			tb.Logf("%q printed:\n%s", program.Path, p.Output())
		}
	})
	return p
}

// Main is for a TestMain: it builds the main package pkg, as Build does, sets
// *binary to its path, runs the tests and ends the process.
func Main(m *testing.M, pkg string, binary *string) {
	os.Exit(runTests(m, pkg, binary))
}

func runTests(m *testing.M, pkg string, binary *string) int {
	dir, err := os.MkdirTemp("", "runtimetest")
	if err == nil {
		defer os.RemoveAll(dir)
		*binary, err = Build(context.Background(), pkg, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

package runtimetest

import (
	"context"
	"fmt"
	"os"
)

// A TB is what this package needs of testing.TB. Package testing itself is not
// imported, since programs that use [StartFunctionCompute] would link it.
type TB interface {
	Helper()
	Cleanup(func())
	Failed() bool
	Fatal(args ...any)
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
}

// NewTestFunctionCompute is [StartFunctionCompute] for a test: it fails the test
// if the process does not start, or has violated the protocol by its end, and
// logs what the process printed if the test failed.
func NewTestFunctionCompute(tb TB, p Program) *Process {
	tb.Helper()
	return newTest(tb, p, functionCompute)
}

// NewTestLambda is [NewTestFunctionCompute] with the runtime API of AWS Lambda.
func NewTestLambda(tb TB, p Program) *Process {
	tb.Helper()
	return newTest(tb, p, lambda)
}

func newTest(tb TB, program Program, api protocol) *Process {
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

// Main is for a TestMain: it builds the main package pkg, as [Build] does, sets
// *binary to its path, runs the tests of m, a *testing.M, and ends the process.
func Main(m interface{ Run() int }, pkg string, binary *string) {
	os.Exit(runTests(m, pkg, binary))
}

func runTests(m interface{ Run() int }, pkg string, binary *string) int {
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

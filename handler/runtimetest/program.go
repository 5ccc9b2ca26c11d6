package runtimetest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// A Program says how to start a function.
type Program struct {
	Path string   // of the binary; as in exec.Cmd, relative to Dir
	Args []string // without the program's name
	Dir  string   // working directory; the current one when empty

	// Env is the function's environment, in the form key=value. The variable
	// that names the runtime API is added. If it is nil, the function gets
	// PATH, HOME and TMPDIR, and so none of the credentials in the environment
	// of this process.
	Env []string

	// Output, unless nil, gets what the function prints, at once. Invoke waits
	// for its Write, which must not call methods of the Process.
	Output io.Writer
}

func (p Program) command(ctx context.Context, variable string, output *os.File) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Path, p.Args...)
	cmd.Dir = p.Dir
	cmd.Env = append(p.environment(), variable)
	cmd.Stdout = output
	cmd.Stderr = output
	return cmd
}

func (p Program) environment() []string {
	if p.Env != nil {
		return slices.Clone(p.Env)
	}
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// name returns the function's name: that of the binary without .exe.
func (p Program) name() string {
	return strings.TrimSuffix(filepath.Base(p.Path), ".exe")
}

// Build compiles the main package pkg, an import path or a directory that
// begins with a dot, into dir and returns the binary's path. The flags are those
// of a deployment; the binary is for this machine. The error holds what the
// compiler printed.
//
// Unlike go build, go run keeps the binary in Go's cache. That saves half a second of
// CPU in each package that tests the same function. The program that -exec names is
// run with the binary's path, and copies it.
func Build(ctx context.Context, pkg, dir string) (string, error) {
	source, err := filepath.Abs(pkg) // so that "." has a name too
	if err != nil {
		return "", fmt.Errorf("building %q: %w", pkg, err)
	}
	binary := filepath.Join(dir, filepath.Base(source))
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	flags := []string{"-trimpath", "-ldflags", "-s -w"}
	args := slices.Concat([]string{"run"}, flags, []string{"-exec", "cp", pkg, binary})
	if runtime.GOOS == "windows" {
		args = slices.Concat([]string{"build"}, flags, []string{"-o", binary, pkg})
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	if printed, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %q: %w\n%s", pkg, err, printed)
	}
	return binary, nil
}

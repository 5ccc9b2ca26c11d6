package handler

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// The process has one processor and a small heap, unless the environment says
// otherwise. It is another process, because the settings are a process's own.
func TestFitInstance(t *testing.T) {
	const child = "TEST_FIT_INSTANCE_CHILD"
	if os.Getenv(child) != "" {
		FitInstance()
		fmt.Printf("processors %d, percent %d\n", runtime.GOMAXPROCS(0), debug.SetGCPercent(100))
		return
	}
	for _, tt := range []struct {
		env  []string
		want string
	}{
		{nil, "processors 1, percent 50"},
		{[]string{"GOMAXPROCS=3", "GOGC=70"}, "processors 3, percent 70"},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFitInstance$")
		cmd.Env = append(tt.env, child+"=1")
		output, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(output), tt.want) {
			t.Errorf("with %v the process says %q, %v; want %q", tt.env, output, err, tt.want)
		}
	}
}

package runtimetest

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestFreeze(t *testing.T) {
	t.Parallel()
	p := NewTestFunctionCompute(t, Program{Path: fcEcho})
	for range 2 {
		invoke(t, p, "echo")
		if err := p.Freeze(); err != nil {
			t.Fatal(err)
		}
		_, err := p.Invoke(t.Context(), Invocation{Payload: []byte("echo"), Timeout: 100 * time.Millisecond})
		if !errors.As(err, new(*TimeoutError)) {
			t.Errorf("got error %v from a frozen process", err)
		}
		if err := p.Thaw(); err != nil {
			t.Fatal(err)
		}
	}
	invoke(t, p, "echo")
	p.Kill()
	if err := p.Freeze(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("got error %v from freezing a process that is gone", err)
	}
}

func TestCloseKillsFrozen(t *testing.T) {
	p := NewTestFunctionCompute(t, Program{Path: fcEcho})
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
}

// A busy process uses no more than its share, whichever way the machine has.
func TestShare(t *testing.T) {
	t.Parallel()
	for name, share := range map[string]func(*testing.T, *Process) error{
		"of this machine": func(t *testing.T, p *Process) error {
			way, err := p.Share(0.1)
			t.Logf("by %s", way)
			return err
		},
		"by signals": func(_ *testing.T, p *Process) error {
			go p.byTurns(0.1)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := NewTestFunctionCompute(t, Program{Path: fcEcho})
			invoke(t, p, "echo")
			if err := share(t, p); err != nil {
				t.Fatal(err)
			}
			invoke(t, p, "spin\n800ms")
			p.Kill()
			if used := p.CPUTime(); used > 400*time.Millisecond {
				t.Errorf("of 800 ms, a tenth of a core was used for %v", used)
			}
			if _, err := os.Stat(p.group); p.group != "" && err == nil {
				t.Errorf("the control group %s is left", p.group)
			}
		})
	}
	p := NewTestFunctionCompute(t, Program{Path: fcEcho})
	if _, err := p.Share(5); err == nil {
		t.Error("five cores were taken for a share")
	}
}

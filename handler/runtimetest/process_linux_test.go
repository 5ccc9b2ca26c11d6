package runtimetest

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestFreeze(t *testing.T) {
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

package handler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOutputEscapes(t *testing.T) {
	for text, want := range map[string]string{
		"plain":          `"plain"`,
		"图 é":            `"图 é"`,
		"\u009b31m":      `"\u009b31m"`,
		"\u202e\u0085":   `"\u202e\u0085"`,
		"a\u200bb":       `"a\u200bb"`,
		"a\x7fb":         `"a\u007fb"`,
		"\U000e0001 tag": `"\udb40\udc01 tag"`,
		"\ue000":         `"\ue000"`,
	} {
		quoted, _ := json.Marshal(text)
		got := appendEscaped(nil, quoted)
		var back string
		if err := json.Unmarshal(got, &back); err != nil || back != text || string(got) != want {
			t.Errorf("%q is written as %s, want %s; %v", text, got, want, err)
		}
	}
}

// The order stays, whoever writes how much.
func TestOutputKeepsTheOrder(t *testing.T) {
	var out, want bytes.Buffer
	o := &output{w: &out}
	for i := range 1000 {
		line := []byte(strings.Repeat("x", i) + "\n")
		want.Write(line)
		if _, err := o.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.flush(t.Context()); err != nil || !bytes.Equal(out.Bytes(), want.Bytes()) {
		t.Errorf("%d bytes were written of %d, or in another order; %v", out.Len(), want.Len(), err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestOutputReportsAnErrorOnce(t *testing.T) {
	o := &output{w: failing{}}
	_, _ = o.Write([]byte("{}\n"))
	if err := o.flush(t.Context()); err == nil {
		t.Error("a line that could not be written is no error")
	}
	if err := o.flush(t.Context()); err != nil {
		t.Errorf("the next invocation gets the error too: %v", err)
	}
}

func TestOutputDoesNotWaitForAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pipe := io.Pipe()
		o := &output{w: pipe}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for range 200 {
			_, _ = o.Write(bytes.Repeat([]byte("x"), 100<<10))
		}
		if err := o.flush(ctx); err == nil || ctx.Err() != nil {
			t.Errorf("flush returned %v at %v", err, ctx.Err())
		}
		if len(o.pending) > maxPending {
			t.Errorf("%d bytes are kept", len(o.pending))
		}
		pipe.Close() // ends the goroutine
	})
}

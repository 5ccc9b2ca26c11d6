package runtimetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// However the text, with a mark in it, is divided into reads: nothing is lost
// once close has sent the last mark, and each mark is seen.
func FuzzCut(f *testing.F) {
	mark := []byte("\x00MARK")
	f.Add([]byte("a line\n"), 3, 1)
	f.Add([]byte("\x00MAR\x00"), 4, 2)
	f.Add([]byte("\x00MAR\x00"), 5, 100)
	f.Fuzz(func(t *testing.T, text []byte, at, size int) {
		if bytes.Contains(text, mark) || at < 0 || at > len(text) || size < 1 {
			t.Skip()
		}
		reads := slices.Collect(slices.Chunk(slices.Concat(text[:at], mark, text[at:]), size))
		var got, rest []byte
		marks := 0
		for _, read := range append(reads, mark) {
			out, tail, marked := cut(slices.Concat(rest, read), mark)
			got, rest = append(got, out...), tail
			if marked {
				marks++
			}
		}
		if !bytes.Equal(got, text) || len(rest) > 0 || marks != 2 {
			t.Errorf("got %q, %q and %d marks, want %q and 2", got, rest, marks, text)
		}
	})
}

func TestTail(t *testing.T) {
	tests := []struct{ printed, want string }{
		{"", ""},
		{"\n\n", ""},
		{"one\ntwo\n", "one\ntwo"},
		{"cut\n" + strings.Repeat("line\n", tailLines), strings.Repeat("line\n", tailLines-1) + "line"},
	}
	for _, test := range tests {
		o, err := newOutput(nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(o.pipe, test.printed)
		if got := o.tail(); got != test.want {
			t.Errorf("printed %q: got tail %q, want %q", test.printed, got, test.want)
		}
		o.close()
	}
}

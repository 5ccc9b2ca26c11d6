package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// The command line is bytes: none is lost, and where they are no name they are
// refused.
func TestBytes(t *testing.T) {
	tests := []struct {
		args   string
		status int
		want   string
	}{
		{"refresh www.example.com/a\xff\xfe,b", 0, `https://www.example.com/a%FF%FE,b  ("a\xff\xfe,b")` + "\n"},
		{"explain --mapping TABLE b a\xff", 2, `key "a\xff": a name of OSS is valid UTF-8`},
		{"explain --mapping TABLE oss://b/a\xff", 2, `key "a\xff": a name of OSS is valid UTF-8`},
		{"explain --mapping TABLE https://www.example.com/a\xff", 2, "is valid UTF-8"},
		{"explain --mapping TABLE https://www.example.com/a%ff", 2, "is valid UTF-8"},
	}
	for _, tt := range tests {
		var output bytes.Buffer
		args := strings.Fields(strings.ReplaceAll(tt.args, "TABLE", tableOfB(t)))
		if status := run(args, nil, &output, &output, os.Getenv); status != tt.status || !strings.Contains(output.String(), tt.want) {
			t.Errorf("%q: status %d, want %d and %q:\n%s", tt.args, status, tt.status, tt.want, output.String())
		}
	}
}

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

// invokeLetter invokes the function, unless args name another one.
func invokeLetter(getenv func(string) string, letter string, args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	args = append([]string{"invoke", "--function", function}, args...)
	status = run(append(args, "-"), strings.NewReader(letter), &out, &err, getenv)
	return status, out.String(), err.String()
}

// The refresh API on this machine takes what the table says that the API takes.
func TestInvokeLimits(t *testing.T) {
	table := filepath.Join(t.TempDir(), "table.yaml")
	text := "rules: [{bucket: b, targets: [{domain: www.example.com}]}]\nrefresh: {limits: {urls_per_domain: 150}}"
	if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := invokeLetter(os.Getenv, deadLetter(0, 300), "--mapping", table)
	if status != 0 || !strings.Contains(stdout, "\n  2 requests: 300 URLs refreshed, 0 failed\n") {
		t.Errorf("status %d, %q, %s; want 0 and 2 requests", status, stderr, stdout)
	}
}

// script writes a function that is a shell script.
func script(t *testing.T, text string) (file string) {
	file = filepath.Join(t.TempDir(), "function")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

// An invocation without an answer has not succeeded; and of one that is live,
// nobody knows what was accepted.
func TestInvokeNoAnswer(t *testing.T) {
	impatient := func(c aliyuntest.Call) aliyuntest.Fault { return interruptAt(c.N)(c) }
	tests := map[string]struct {
		args    []string
		fault   func(aliyuntest.Call) aliyuntest.Fault
		want    string
		unknown bool
	}{
		"crash":      {[]string{"--function", script(t, "exit 1")}, nil, "NoAnswer", false},
		"live crash": {[]string{"--live", "--function", script(t, "exit 1")}, nil, "NoAnswer", true},
		"impatience": {[]string{"--live"}, impatient, "Interrupted", true},
		"Ctrl-C":     {[]string{"--function", script(t, "(sleep 0.1; kill -INT $PPID) & kill -INT $$")}, nil, "Interrupted", false},
	}
	for name, tt := range tests {
		api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Fault: tt.fault})
		args := append(tt.args, "--mapping", tableOfB(t))
		_, text, _ := invokeLetter(environment(api), deadLetter(0, 1), args...)
		status, stdout, stderr := invokeLetter(environment(api), deadLetter(0, 1), append(args, "--json")...)
		var got invocation
		if err := json.Unmarshal([]byte(stdout), &got); err != nil {
			t.Fatalf("%s: %v: %s%s", name, err, stdout, stderr)
		}
		reply := *cmp.Or(got.Error, new(errorReply))
		if status != 1 || reply.Type != tt.want || reply.Message == "" {
			t.Errorf("%s: status %d, error %+v; want 1 and %s", name, status, reply, tt.want)
		}
		for what, text := range map[string]string{"text": text, "JSON": reply.Message, "error": stderr} {
			if strings.Contains(text, unsettled) != tt.unknown {
				t.Errorf("%s: the %s is %q; want it to say that %s: %t", name, what, text, unsettled, tt.unknown)
			}
		}
	}
}

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// The emulator prints what a client needs, and a line a call, and ends in peace.
func TestEmulate(t *testing.T) {
	for name, want := range map[string][]string{
		"text":       {"  esa  PurgeCaches  site 7  file  1 URL  200\n"},
		"everywhere": {"  esa  PurgeCaches  site 7  file  1 URL  200\n"},
		"json":       {`"Product":"esa"`, `"Site":7`, `"Status":200`},
	} {
		t.Run(name, func(t *testing.T) {
			reader, writer := io.Pipe()
			c := newConsole(nil, writer, io.Discard, os.Getenv)
			c.json = name == "json"
			addr := "127.0.0.1:0"
			if name == "everywhere" { // where the tool can still call it
				addr = ":0"
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				err := (&emulateCommand{Addr: addr, TaskTime: time.Minute}).Run(ctx, c)
				writer.Close()
				ended <- err
			}()
			output := bufio.NewReader(reader)
			env := readEmulation(t, output, c.json)
			var toolOutput bytes.Buffer
			status := make(chan int, 1)
			go func() {
				args := []string{"refresh", "--live", "--product", "esa", "--site", "7", "www.example.com/a"}
				status <- run(args, nil, &toolOutput, &toolOutput, func(name string) string { return env[name] })
			}()
			line := readLine(t, output)
			for _, text := range want {
				if !strings.Contains(line, text) {
					t.Errorf("the line %q has no %q", line, text)
				}
			}
			if code := <-status; code != 0 {
				t.Errorf("the tool ended with %d: %s", code, &toolOutput)
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// readEmulation returns the environment that the emulator asks for: of its two keys
// the one with a token.
func readEmulation(t *testing.T, output *bufio.Reader, asJSON bool) map[string]string {
	t.Helper()
	env := map[string]string{}
	if asJSON {
		var doc emulation
		if err := json.Unmarshal([]byte(readLine(t, output)), &doc); err != nil {
			t.Fatal(err)
		}
		env["REFRESH_ENDPOINT"] = doc.URL
		env["ALIBABA_CLOUD_ACCESS_KEY_ID"] = doc.Credentials[0].AccessKeyID
		env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] = doc.Credentials[0].AccessKeySecret
		return env
	}
	for line := ""; line != "CALLS\n"; line = readLine(t, output) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if ok {
			env[name] = strings.Trim(value, "'")
		}
	}
	return env
}

func readLine(t *testing.T, output *bufio.Reader) string {
	t.Helper()
	line, err := output.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestEmulateWhereNothingListens(t *testing.T) {
	var stderr bytes.Buffer
	if status := run([]string{"emulate", "--addr", "127.0.0.1:nowhere"}, nil, io.Discard, &stderr, os.Getenv); status != 1 ||
		!strings.Contains(stderr.String(), "--addr") {
		t.Errorf("status %d, %s", status, &stderr)
	}
}

// Who listens on every interface is told so, and calls loopback.
func TestReachable(t *testing.T) {
	for url, want := range map[string]string{
		"http://[::]:19290":      "http://127.0.0.1:19290",
		"http://0.0.0.0:19290":   "http://127.0.0.1:19290",
		"http://127.0.0.1:19290": "",
		"http://[::1]:19290":     "",
		"http://10.0.0.1:19290":  "",
	} {
		local, open := reachable(url)
		var p page
		emulation{URL: local, open: open}.text(&p)
		told := strings.Contains(p.String(), "every interface of this machine is open")
		if wantOpen := want != ""; open != wantOpen || told != wantOpen || local != cmp.Or(want, url) {
			t.Errorf("%s: %s, open %t, told %t", url, local, open, told)
		}
	}
}

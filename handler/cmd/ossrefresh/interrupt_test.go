package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

// interrupt is what Ctrl-C does. It is safe while run runs a command, and once.
func interrupt() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Signal(os.Interrupt)
	}
}

// A terminal on which nobody types anything but Ctrl-C.
type terminalInput struct{}

func (terminalInput) Read([]byte) (int, error) {
	interrupt()
	select {}
}

func TestInterruptedReading(t *testing.T) {
	for _, command := range []string{"refresh", "replay", "invoke"} {
		var stdout, stderr bytes.Buffer
		status := run([]string{command, "--mapping", tableOfB(t), "-"}, terminalInput{}, &stdout, &stderr, os.Getenv)
		if want := "ossrefresh: error: interrupted: nothing was done\n"; status != 1 || stderr.String() != want || stdout.Len() > 0 {
			t.Errorf("%s: status %d, stdout %q, stderr %q; want 1, nothing and %q", command, status, stdout.String(), stderr.String(), want)
		}
	}
}

// The second interrupt ends a tool that the first does not get through to: here
// nobody reads what it prints.
func TestSecondInterrupt(t *testing.T) {
	tool := exec.Command("ossrefresh", "refresh", "-")
	tool.Stdin = strings.NewReader("www.example.com/" + strings.Repeat("a", 1<<17) + "\n")
	output, err := tool.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tool.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := output.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_, _ = tool.Process.Wait()
		close(ended)
	}()
	for {
		_ = tool.Process.Signal(os.Interrupt)
		select {
		case <-ended:
			return
		case <-time.After(10 * time.Millisecond): // signals that come at once are one
		}
	}
}

// interruptAt answers nothing to call n: the user loses patience.
func interruptAt(n int) func(aliyuntest.Call) aliyuntest.Fault {
	return func(c aliyuntest.Call) aliyuntest.Fault {
		if c.N != n {
			return aliyuntest.Fault{}
		}
		interrupt()
		return aliyuntest.Fault{Hang: true}
	}
}

// A question has no outcome that could be unknown.
func TestInterruptedQuestion(t *testing.T) {
	for _, args := range [][]string{{"quota"}, {"tasks", "7"}} {
		api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Fault: interruptAt(0)})
		var stdout, stderr bytes.Buffer
		status := run(args, nil, &stdout, &stderr, environment(api))
		got := stderr.String()
		if status != 1 || !strings.HasPrefix(got, "ossrefresh: error: interrupted: asking for ") || !strings.HasSuffix(got, ": no answer in time\n") {
			t.Errorf("%s: status %d, stderr %q", args[0], status, got)
		}
	}
}

// What the API told last is shown.
func TestInterruptedWaiting(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Fault: interruptAt(2)})
	var stdout, stderr bytes.Buffer
	if status := run([]string{"refresh", "--live", "www.example.com/a"}, nil, &stdout, &stderr, environment(api)); status != 0 {
		t.Fatalf("status %d, stderr %q", status, stderr.String())
	}
	id := api.Accepted()[0].TaskID
	stdout.Reset()
	status := run([]string{"tasks", "--wait", "--json", id}, nil, &stdout, &stderr, environment(api))
	var got tasks
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || status != 1 || len(got.Tasks) != 1 || got.Tasks[0].Status != "Pending" {
		t.Errorf("status %d, %v, %+v; want 1 and a pending task", status, err, got)
	}
	if !strings.HasPrefix(stderr.String(), "ossrefresh: error: interrupted: ") {
		t.Errorf("stderr %q does not say that it was interrupted", stderr.String())
	}
}

// The letters that are done are told of.
func TestInterruptedReplay(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Fault: interruptAt(5)})
	removals := strings.ReplaceAll(deadLetter(0, 100), "Created:PutObject", "Removed:DeleteObject") // sent first
	letters := removals + deadLetter(100, 1000)
	var stdout, stderr bytes.Buffer
	status := run([]string{"replay", "--live", "--json", "--mapping", tableOfB(t), "-"}, strings.NewReader(letters), &stdout, &stderr, environment(api))
	var got replay
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || status != 1 || len(got.Letters) != 2 {
		t.Fatalf("status %d, %v, stderr %q; want 1 and two letters", status, err, stderr.String())
	}
	if got.Letters[0].State != "done" || got.Letters[1].State != "failed" {
		t.Errorf("the letters are %s and %s, want done and failed", got.Letters[0].State, got.Letters[1].State)
	}
	if !strings.HasPrefix(stderr.String(), "ossrefresh: error: interrupted: 1 of 2 letters not done: ") {
		t.Errorf("stderr is %q", stderr.String())
	}
}

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

// A task that ends without a refresh is a failure, whatever the API calls it.
func TestTasksThatDidNotRefresh(t *testing.T) {
	ends := map[string]string{
		"https://www.example.com/failed":   aliyuntest.Failed,
		"https://www.example.com/late":     aliyuntest.Timeout,
		"https://www.example.com/canceled": aliyuntest.Canceled,
	}
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
		TaskTime: time.Nanosecond,
		TaskEnd:  func(a aliyuntest.Accepted) string { return ends[a.URL] },
	})
	var stdout, stderr bytes.Buffer
	tool := func(args ...string) int {
		stdout.Reset()
		stderr.Reset()
		return run(args, nil, &stdout, &stderr, environment(api))
	}
	if status := tool("refresh", "--live", "www.example.com/good", "www.example.com/failed",
		"www.example.com/late", "www.example.com/canceled"); status != 0 {
		t.Fatalf("refresh: status %d, stderr %q", status, stderr.String())
	}
	status := tool("tasks", "--wait", api.Accepted()[0].TaskID)
	const want = "\nossrefresh: error: 3 tasks failed, timed out or were canceled\n" +
		"ossrefresh: hint: refresh their URLs again\n"
	if status != 1 || stderr.String() != want {
		t.Errorf("status %d, stderr %q; want 1 and %q", status, stderr.String(), want)
	}
	for _, text := range []string{
		"dcdn: 1 of 4 tasks complete", "Timeout", "Canceled", "https://www.example.com/failed  (Internal Error)",
	} {
		if !strings.Contains(stdout.String(), text) {
			t.Errorf("%q is not in\n%s", text, stdout.String())
		}
	}
}

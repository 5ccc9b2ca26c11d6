package main

import (
	"bytes"
	"os"
	"path/filepath"
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

// A service that does not answer hides nothing of the others, and matters only to ids
// that none of these knows.
func TestServicesInTrouble(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
		TaskTime: time.Nanosecond,
		Fault: func(c aliyuntest.Call) aliyuntest.Fault {
			if c.Product == "cdn" {
				return aliyuntest.Fault{Status: 403, Code: "Forbidden.RAM"}
			}
			return aliyuntest.Fault{}
		},
	})
	table := filepath.Join(t.TempDir(), "mapping.yaml")
	if err := os.WriteFile(table, []byte("rules: [{bucket: b, targets: ["+
		"{domain: c.example.com, product: cdn}, {domain: e.example.com, product: esa, site: 7}]}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args           string
		status         int
		stdout, stderr string
	}{
		{"refresh --live e.example.com/a", 0, "esa, site 7  File  1 URL  task 95248880", ""},
		{"tasks 95248880", 0, "esa, site 7: 1 of 1 task complete", ""},
		{"tasks --wait 95248880 5", 1, "esa, site 7: 1 of 1 task complete", "asking for the tasks of cdn: DescribeRefreshTaskById: Forbidden.RAM"},
		{"quota", 1, "esa, site 7: left of today's quota", "asking for the quota of cdn: DescribeRefreshQuota: Forbidden.RAM"},
		{"quota --product cdn", 1, "", "asking for the quota of cdn: DescribeRefreshQuota: Forbidden.RAM"},
		{"tasks --product cdn 5", 1, "", "asking for the tasks of cdn: DescribeRefreshTaskById: Forbidden.RAM"},
	} {
		var stdout, stderr bytes.Buffer
		status := run(append(strings.Fields(tt.args), "--mapping", table), nil, &stdout, &stderr, environment(api))
		if status != tt.status || !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
			t.Errorf("%s: status %d\n%s%s", tt.args, status, &stdout, &stderr)
		}
	}
}

// What preload prints of ESA is found too. Who may not list preloads is told so, where it
// matters.
func TestTasksOfPreloads(t *testing.T) {
	forbidden := false
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
		TaskTime: time.Nanosecond,
		Fault: func(c aliyuntest.Call) aliyuntest.Fault {
			if c.Action == "DescribePreloadTasks" && forbidden {
				return aliyuntest.Fault{Status: 403, Code: "Forbidden.RAM"}
			}
			return aliyuntest.Fault{}
		},
	})
	var stdout, stderr bytes.Buffer
	tool := func(args string) int {
		stdout.Reset()
		stderr.Reset()
		args += " --product esa --site 7"
		return run(strings.Fields(args), nil, &stdout, &stderr, environment(api))
	}
	tool("refresh --live e.example.com/a")
	tool("preload --live e.example.com/b")
	refreshed, preloaded := api.Accepted()[0].TaskID, api.Accepted()[1].TaskID
	status := tool("tasks --wait " + preloaded + " " + refreshed)
	if want := "preload  https://e.example.com/b"; status != 0 || !strings.Contains(stdout.String(), want) {
		t.Errorf("status %d, %q is not in\n%s%s", status, want, &stdout, &stderr)
	}
	forbidden = true
	if status := tool("tasks " + refreshed); status != 0 || stderr.Len() > 0 {
		t.Errorf("of a refresh: status %d\n%s", status, &stderr)
	}
	status = tool("tasks " + refreshed + " " + preloaded)
	if want := "DescribePreloadTasks: Forbidden.RAM"; status != 1 || !strings.Contains(stderr.String(), want) || !strings.Contains(stdout.String(), "/a\n") {
		t.Errorf("status %d, %q is not in\n%s%s", status, want, &stdout, &stderr)
	}
}

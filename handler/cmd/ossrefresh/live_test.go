package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

// All letters of a replay are one submission: what the API has said of one it is
// not asked again for the others, and all URLs are reported.
func TestReplayAsksOnce(t *testing.T) {
	tests := map[string]struct {
		server *aliyuntest.Server
		calls  int
		failed int
		code   string
	}{
		"quota":       {&aliyuntest.Server{Quota: aliyuntest.Quota{URLs: -1}}, 13, 600, "QuotaExceeded.Refresh"},
		"credentials": {&aliyuntest.Server{Fault: refuseAll("InvalidAccessKeyId.NotFound")}, 6, 600, "InvalidAccessKeyId.NotFound"},
		"nothing":     {&aliyuntest.Server{}, 6, 0, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			api := aliyuntest.NewTestServer(t, tt.server)
			letters := deadLetter(0, 200) + deadLetter(200, 200) + deadLetter(400, 200)
			var stdout, stderr bytes.Buffer
			run([]string{"replay", "--live", "--json", "--mapping", tableOfB(t), "-"},
				strings.NewReader(letters), &stdout, &stderr, environment(api))
			var got replay
			if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
				t.Fatalf("%v: %s", err, stderr.String())
			}
			failed, refreshed := 0, 0
			for _, g := range got.Failed {
				failed += len(g.URLs)
				if g.Code != tt.code {
					t.Errorf("%d URLs failed with %s, want %s", len(g.URLs), g.Code, tt.code)
				}
			}
			for _, r := range got.Requests {
				refreshed += r.Count
			}
			if failed != tt.failed || failed+refreshed != 600 {
				t.Errorf("%d failed and %d were refreshed, want %d failed of 600", failed, refreshed, tt.failed)
			}
			if n := len(api.Calls()); n > tt.calls {
				t.Errorf("%d calls, want at most %d", n, tt.calls)
			}
		})
	}
}

func refuseAll(code string) func(aliyuntest.Call) aliyuntest.Fault {
	return func(aliyuntest.Call) aliyuntest.Fault { return aliyuntest.Fault{Status: 403, Code: code} }
}

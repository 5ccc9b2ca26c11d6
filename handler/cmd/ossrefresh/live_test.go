package main

import (
	"fmt"
	"testing"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/mapping"
)

// What one batch has found refused is not asked again for the next, and is
// reported all the same.
func TestSenderRemembers(t *testing.T) {
	table, err := tableOf(tableFlag{})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		server *aliyuntest.Server
		code   string
		calls  int // of the second batch
	}{
		"quota":       {&aliyuntest.Server{Quota: aliyuntest.Quota{URLs: 1}}, "QuotaExceeded.Refresh", 2},
		"product":     {&aliyuntest.Server{Fault: refuseDCDN("DcdnServiceNotFound")}, "DcdnServiceNotFound", 1},
		"credentials": {&aliyuntest.Server{Fault: refuseDCDN("InvalidAccessKeyId.NotFound")}, "InvalidAccessKeyId.NotFound", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			api := aliyuntest.NewTestServer(t, tt.server)
			s, err := newSender(&console{getenv: environment(api)}, true, table.Refresh)
			if err != nil {
				t.Fatal(err)
			}
			s.send(t.Context(), targetsOf("a", mapping.DCDN))
			before := len(api.Calls())
			doc := newSubmission(true)
			doc.add(s.send(t.Context(), append(targetsOf("b", mapping.DCDN), targetsOf("b", mapping.CDN)[0])).Outcomes)
			if n := len(api.Calls()) - before; n != tt.calls {
				t.Errorf("the second batch made %d calls, want %d", n, tt.calls)
			}
			for _, g := range doc.Failed {
				if g.Product == "dcdn" && g.Code != tt.code {
					t.Errorf("%v failed with %s, want %s", g.URLs, g.Code, tt.code)
				}
			}
			reported := 0
			for _, g := range doc.Failed {
				reported += len(g.URLs)
			}
			for _, r := range doc.Requests {
				reported += r.Count
			}
			if reported != 4 {
				t.Errorf("%d URLs are reported, want 4", reported)
			}
		})
	}
}

// targetsOf are two files and a directory.
func targetsOf(name string, product mapping.Product) []mapping.Target {
	var targets []mapping.Target
	for i := range 2 {
		targets = append(targets, urlTarget(product, mapping.File, fmt.Sprintf("https://www.example.com/%s/%d", name, i), "www.example.com"))
	}
	return append(targets, urlTarget(product, mapping.Directory, "https://www.example.com/"+name+"/", "www.example.com"))
}

func refuseDCDN(code string) func(aliyuntest.Call) aliyuntest.Fault {
	return func(c aliyuntest.Call) aliyuntest.Fault {
		if c.Product != "dcdn" {
			return aliyuntest.Fault{}
		}
		return aliyuntest.Fault{Status: 403, Code: code}
	}
}

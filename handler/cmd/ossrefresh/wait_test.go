package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

// What did not come to a good end is not preloaded, however the API spells it, and the
// command fails. A question that is not answered is asked again.
func TestWaitPreloadsOnlyWhatIsComplete(t *testing.T) {
	t.Parallel()
	const good, bad = "https://www.example.com/%E5%9B%BE.png", "https://www.example.com/b.png"
	for name, path := range map[string]func(string) string{
		"as sent": nil, "without scheme": aliyuntest.WithoutScheme, "decoded": aliyuntest.Decoded,
	} {
		for _, product := range []string{"dcdn", "cdn", "esa"} {
			t.Run(product+" "+name, func(t *testing.T) {
				t.Parallel()
				asked := 0
				api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
					TaskTime: time.Nanosecond, TaskPath: path,
					TaskEnd: func(a aliyuntest.Accepted) string {
						return map[string]string{bad: aliyuntest.Failed}[a.URL]
					},
					Fault: func(c aliyuntest.Call) aliyuntest.Fault {
						if !strings.HasPrefix(c.Action, "Describe") {
							return aliyuntest.Fault{}
						}
						if asked++; asked == 1 {
							return aliyuntest.Fault{Status: 503}
						}
						return aliyuntest.Fault{}
					},
				})
				args := []string{
					"refresh", "--live", "--wait", "--preload", "--product", product, "--mapping", tableOfB(t), good, bad,
				}
				if product == "esa" {
					args = append(args, "--site", "7")
				}
				var stdout, stderr bytes.Buffer
				status := run(args, nil, &stdout, &stderr, environment(api))
				if status != 1 || !strings.Contains(stderr.String(), "1 task failed") {
					t.Errorf("status %d, %s%s", status, &stdout, &stderr)
				}
				var preloaded []string
				for _, a := range api.Accepted() {
					if a.Type == "Preload" {
						preloaded = append(preloaded, a.Product+" "+a.URL)
					}
				}
				if want := []string{product + " " + good}; !slices.Equal(preloaded, want) {
					t.Errorf("preloaded %q, want %q", preloaded, want)
				}
			})
		}
	}
}

package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/mapping"
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

// refreshed sends n URLs of a site in virtual time, and waits for them.
func refreshed(t *testing.T, api *aliyuntest.Server, n int) (refreshment, error) {
	t.Helper()
	table, err := mapping.Parse("t", []byte("rules: [{bucket: b, targets: [{domain: www.example.com, product: esa, site: 7}]}]"))
	if err != nil {
		t.Fatal(err)
	}
	c := newConsole(nil, new(bytes.Buffer), new(bytes.Buffer), func(string) string { return "" })
	s, err := newSender(c, false, table.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	caller := virtualCaller(t, api)
	defer api.Close()
	s.api = caller
	targets := make([]mapping.Target, n)
	for i := range targets {
		targets[i] = urlTarget(mapping.ESA, mapping.File, fmt.Sprintf("https://www.example.com/%d", i), "www.example.com")
		targets[i].Site = 7
	}
	doc := refreshment{sendResult: newSendResult(true)}
	start := time.Now()
	s.send(t.Context(), &doc.sendResult, targets, nil)
	if err := doc.failure(); err != nil {
		t.Fatal(err)
	}
	return doc, doc.wait(t.Context(), c, caller, start)
}

// throttled refuses what is more than five questions in a second.
func throttled() func(aliyuntest.Call) aliyuntest.Fault {
	var asked []time.Time
	return func(c aliyuntest.Call) aliyuntest.Fault {
		if !strings.HasPrefix(c.Action, "Describe") {
			return aliyuntest.Fault{}
		}
		asked = append(asked, c.Time)
		if n := len(asked); n > 5 && c.Time.Sub(asked[n-6]) < time.Second {
			return aliyuntest.Fault{Status: 400, Code: "Throttling.User"}
		}
		return aliyuntest.Fault{}
	}
}

// The pages of a site's tasks are asked for no faster than the API answers, all of them.
func TestWaitReadsAllPagesAtTheirPace(t *testing.T) {
	t.Parallel()
	for _, n := range []int{700, 5500} {
		synctest.Test(t, func(t *testing.T) {
			api := &aliyuntest.Server{Quota: aliyuntest.Quota{URLs: n}, TaskTime: 10 * time.Second, Fault: throttled()}
			doc, err := refreshed(t, api, n)
			if err != nil || len(doc.Tasks) != 1 || len(doc.Tasks[0].Tasks) != n {
				t.Fatalf("%d URLs: %v, %d lists", n, err, len(doc.Tasks))
			}
			for _, c := range api.Calls() {
				if c.Code != "" {
					t.Fatalf("%d URLs: call %d, %s: %s", n, c.N, c.Action, c.Code)
				}
			}
		})
	}
}

// Others use up the calls of the account: a page is asked for again until there is room,
// and only that page.
func TestWaitThroughThrottling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		api := &aliyuntest.Server{Fault: func(c aliyuntest.Call) aliyuntest.Fault {
			if strings.HasPrefix(c.Action, "Describe") {
				if asked++; 3 <= asked && asked < 20 {
					return aliyuntest.Fault{Status: 400, Code: "Throttling.User"}
				}
			}
			return aliyuntest.Fault{}
		}}
		doc, err := refreshed(t, api, 150)
		if err != nil || len(doc.Tasks[0].Tasks) != 150 {
			t.Fatalf("%v, %d tasks", err, len(doc.Tasks[0].Tasks))
		}
		if asked%3 != 17%3 {
			t.Errorf("%d questions: a page was asked for again that had been answered", asked)
		}
	})
}

// What has no task is not complete, whether the API lists fewer than it took or there are
// more pages than anybody reads: it is named, and the command fails.
func TestWaitMissesURLs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		total, pages int
	}{"not listed": {2, 1}, "not read": {1_000_000, maxSitePages}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				id, asked := "", 0
				api := &aliyuntest.Server{}
				api.Answered = func(c aliyuntest.Call) { asked++ }
				api.Fault = func(c aliyuntest.Call) aliyuntest.Fault {
					if !strings.HasPrefix(c.Action, "Describe") {
						return aliyuntest.Fault{}
					}
					var list []string
					for i := range 2 {
						list = append(list, fmt.Sprintf(`{"TaskId":%q,"Content":"https://www.example.com/%d","Status":"Complete"}`, id, i))
					}
					return aliyuntest.Fault{Body: fmt.Sprintf(`{"RequestId":"%d","TotalCount":%d,"Tasks":[%s]}`, c.N, tt.total, strings.Join(list, ","))}
				}
				id = "95248880" // the server's first
				doc, err := refreshed(t, api, 3)
				if id = doc.Requests[0].TaskID; id != "95248880" {
					t.Fatalf("the id is %s", id)
				}
				list := doc.Tasks[0]
				if err == nil || !strings.Contains(err.Error(), "95248880: 1 of 3 URLs have no task") {
					t.Fatalf("error %v", err)
				}
				if len(list.Tasks) != 2 || len(list.Missing) != 1 || !slices.Equal(list.Missing[0].URLs, []string{"https://www.example.com/2"}) {
					t.Errorf("%d tasks, missing %+v", len(list.Tasks), list.Missing)
				}
				if unread := strings.Contains(err.Error(), "more, which were not read"); unread != (tt.pages > 1) {
					t.Errorf("unread: %t, %v", unread, err)
				}
				if len(doc.complete(targetsOf(doc.Requests))) != 2 {
					t.Errorf("complete: %v", doc.complete(targetsOf(doc.Requests)))
				}
				var p page
				doc.text(&p)
				for _, text := range []string{"2 of 3 tasks complete", "95248880: 1 of 3 URLs have no task\n       https://www.example.com/2\n"} {
					if !strings.Contains(p.String(), text) {
						t.Errorf("%q is not in\n%s", text, p.String())
					}
				}
			})
		})
	}
}

func targetsOf(requests []callView) (targets []mapping.Target) {
	for _, r := range requests {
		for _, url := range r.URLs {
			t := urlTarget(mapping.ESA, mapping.File, url, "www.example.com")
			t.Site = r.Site
			targets = append(targets, t)
		}
	}
	return targets
}

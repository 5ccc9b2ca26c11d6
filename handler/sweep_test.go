package handler_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
)

const (
	sweepTable = `
rules:
  - bucket: site
    targets:
      - {domain: w0.example.com, index: [index.html]}
      - {domain: c0.example.com, product: cdn}
  - bucket: dirs
    targets: [{domain: w1.example.com, type: directory}]
`
	// What the campaign's table adds.
	sweepOfSite = `
  - bucket: esa
    targets: [{domain: e0.example.com, product: esa, site: 7}]
`
	timer = `{"triggerTime":"2026-11-25T03:30:00Z","triggerName":"sweep","payload":"sweep"}`
)

// sweepLine is what the log says of a sweep.
type sweepLine struct {
	Msg, URL string
	Again    bool
	Tries    int
}

func (l *lab) sweep(t *testing.T) (*handler.Report, []sweepLine) {
	t.Helper()
	l.log.take()
	report, err := l.handle(t, []byte(timer), time.Minute)
	if err != nil || report.Sweep == nil {
		t.Fatalf("a sweep: %+v, %v", report, err)
	}
	return report, decode[sweepLine](t, l.log.take(), "task_failed")
}

// One accepted URL in ten fails later. In the end each URL is fresh, or the log says
// that it was given up; none is sent more than three times in a day.
func TestSweepCampaign(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]func(string) string{
		"as sent": nil, "without scheme": aliyuntest.WithoutScheme, "decoded": aliyuntest.Decoded,
	} {
		for seed := range max(1, *campaignRounds/30) {
			t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { sweepCampaign(t, path, seed) })
			})
		}
	}
}

func sweepCampaign(t *testing.T, path func(string) string, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 16))
	last := map[string]string{} // of each URL: how its last task ends
	ends := func(a aliyuntest.Accepted) string {
		end := "Complete"
		switch {
		case strings.Contains(a.URL, "canceled"):
			end = "Canceled"
		case strings.Contains(a.URL, "never"), r.IntN(10) == 0:
			end = []string{"Failed", "Timeout"}[r.IntN(2)]
		}
		last[a.Product+" "+a.URL] = end
		return end
	}
	l := newLab(t, &aliyuntest.Server{
		InMemory: true, TaskEnd: ends, TaskPath: path, TaskTime: 4 * time.Minute,
		Quota: aliyuntest.Quota{URLs: 10_000, Directories: 100},
	}, sweepTable+sweepOfSite)
	var records []string
	for i := range 60 {
		records = append(records, record("site", fmt.Sprintf("docs/%d (1).png", i)))
	}
	for _, key := range []string{"docs/index.html", "never.png", "canceled.png", "a+b.png"} {
		records = append(records, record("site", key))
	}
	for i := range 20 {
		records = append(records, record("esa", fmt.Sprintf("docs/%d (1).png", i)))
	}
	records = append(records, record("dirs", "x/1.png"))
	if _, err := l.handle(t, put(0, records...), time.Minute); err != nil {
		t.Fatal(err)
	}
	foreign := l.platform.API(t.Context())
	for _, url := range []string{"https://other.example.com/never", "https://w0.example.org/never"} {
		if _, err := foreign.Refresh(t.Context(), refresh.Call{Product: "dcdn", Type: "File", URLs: []string{url}}); err != nil {
			t.Fatal(err)
		}
	}
	listed := func(productURL string) string { // as the API lists the URL
		_, url, _ := strings.Cut(productURL, " ")
		if path != nil {
			url = path(url)
		}
		return url
	}
	givenUp := map[string]bool{}
	for sweep := range 30 {
		time.Sleep(10 * time.Minute)
		report, failed := l.sweep(t)
		for _, line := range failed {
			if !line.Again {
				givenUp[line.URL] = true
			}
		}
		if report.Sweep.Foreign != 2 {
			t.Fatalf("sweep %d: %+v, want two foreign URLs", sweep, report.Sweep)
		}
		if sweep != 2 { // two repetitions, and the time that the second one takes
			continue
		}
		for url, end := range last {
			ours := !strings.Contains(url, "other.") && !strings.Contains(url, ".org")
			if ours && (end == "Failed" || end == "Timeout") && !givenUp[listed(url)] {
				t.Errorf("the last task of %s is %s, and no line says that it was given up", url, end)
			}
		}
	}
	sent := map[string]int{}
	for _, a := range l.api.Accepted() {
		sent[a.Product+" "+a.URL]++
	}
	for url, n := range sent {
		once := strings.Contains(url, "canceled") || strings.Contains(url, "other.") || strings.Contains(url, ".org")
		if n > 3 || once && n > 1 {
			t.Errorf("%s was sent %d times in a day", url, n)
		}
		if end := last[url]; end != "Complete" && !once && n < 3 {
			t.Errorf("%s was sent %d times, and its last task is %s", url, n, end)
		}
	}
	if n := sent["dcdn https://w0.example.com/never.png"]; n != 3 || len(givenUp) == 0 {
		t.Errorf("a URL that always fails was sent %d times, want 3; given up: %v", n, givenUp)
	}
}

// An account with more tasks than a sweep can list is swept within its calls, and
// the report says how many it did not see.
func TestSweepOfALargeAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, &aliyuntest.Server{
			InMemory: true, TaskTime: 4 * time.Minute, Quota: aliyuntest.Quota{URLs: 1 << 30},
			Limits: aliyuntest.Limits{URLsPerDomain: 1000},
			TaskEnd: func(a aliyuntest.Accepted) string {
				if strings.Contains(a.URL, "/bad") {
					return "Failed"
				}
				return "Complete"
			},
		}, strings.Replace(sweepTable, "      - {domain: c0.example.com, product: cdn}\n", "", 1))
		api := l.platform.API(t.Context())
		for call := range 30 {
			urls := make([]string, 1000)
			for i := range urls {
				urls[i] = fmt.Sprintf("https://w0.example.com/%d-%d.png", call, i)
			}
			if call == 29 {
				urls[0] = "https://w0.example.com/bad.png"
			}
			if _, err := api.Refresh(t.Context(), refresh.Call{Product: "dcdn", Type: "File", URLs: urls}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(14 * time.Minute)
		}
		before := len(l.api.Calls())
		begin := time.Now()
		report, failed := l.sweep(t)
		if calls := len(l.api.Calls()) - before; calls > 41 || time.Since(begin) > 30*time.Second {
			t.Errorf("%d calls in %v", calls, time.Since(begin))
		}
		if s := report.Sweep; s.Unseen < 20_000 || s.Unseen+s.Tasks < 30_000 {
			t.Errorf("the sweep is %+v, and does not say what it has not seen", s)
		}
		if report.Sweep.Again != 1 || len(failed) != 1 {
			t.Errorf("the sweep is %+v, with the lines %+v; want the failed URL again", report.Sweep, failed)
		}
	})
}

// A role that may not list tasks gets one clear line, and no failed invocation. A
// dry run asks and sends nothing.
func TestSweepWithoutPermission(t *testing.T) {
	for _, code := range []string{"Forbidden.RAM", "NoPermission"} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { sweepWithoutPermission(t, code) })
		})
	}
}

func sweepWithoutPermission(t *testing.T, code string) {
	l := newLab(t, &aliyuntest.Server{InMemory: true, Fault: func(c aliyuntest.Call) aliyuntest.Fault {
		return aliyuntest.Fault{Status: 403, Code: code}
	}}, siteTable)
	report, _ := l.sweep(t)
	if report.Sweep.Tasks != 0 || report.Requests != 0 {
		t.Errorf("the report is %+v", report)
	}
	l.log.take()
	if _, err := l.handle(t, []byte(timer), time.Minute); err != nil {
		t.Fatal(err)
	}
	log := string(l.log.take())
	if n := strings.Count(log, `"msg":"sweep_failed"`); n != 1 || !strings.Contains(log, "ossrefresh policy --account ID prints") {
		t.Errorf("%d lines say so:\n%s", n, log)
	}
}

func TestSweepDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, &aliyuntest.Server{
			InMemory: true, TaskTime: time.Minute,
			TaskEnd: func(aliyuntest.Accepted) string { return "Failed" },
		}, siteTable)
		if _, err := l.handle(t, put(3), time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		h := l.with(t, handler.Settings{DryRun: true})
		report, err := h.Handle(t.Context(), []byte(timer))
		if err != nil || report.Sweep.Again != 3 || len(l.api.Accepted()) != 3 || !report.DryRun {
			t.Errorf("%+v, %v; %d URLs were accepted", report, err, len(l.api.Accepted()))
		}
	})
}

// Where nothing lists tasks, a sweep is a report without tasks.
func TestSweepWithoutLists(t *testing.T) {
	l := newLab(t, &aliyuntest.Server{}, siteTable)
	l.platform.Tasks = nil
	report, err := l.with(t, handler.Settings{}).Handle(context.Background(), []byte(timer))
	if err != nil || report.Sweep == nil || report.Records != 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

var _ refresh.TaskLister = (*aliyun.Caller)(nil)

// fileTable is of one product, whose sweep may make all 40 calls.
const fileTable = `
rules: [{bucket: site, targets: [{domain: w0.example.com, index: [index.html]}]}]
`

// lists reports whether a call lists tasks.
func lists(c aliyuntest.Call) bool { return strings.HasPrefix(c.Action, "Describe") }

// A list of tasks that never comes does not keep the sweep from answering in time.
func TestSweepAnswersInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, &aliyuntest.Server{InMemory: true, Fault: func(c aliyuntest.Call) aliyuntest.Fault {
			return aliyuntest.Fault{Hang: lists(c)}
		}}, sweepTable)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		report, err := l.Handle(ctx, []byte(timer))
		if ctx.Err() != nil || err != nil || report.Sweep == nil {
			t.Errorf("%+v, %v; in time: %t", report, err, ctx.Err() == nil)
		}
		if n := len(decode[sweepLine](t, l.log.take(), "sweep_failed")); n != 2 {
			t.Errorf("%d products' lists are said to be missing, want 2", n)
		}
	})
}

// What only a part of the lists shows is no ground to refresh a URL again: the rest
// may have its refresh that was carried out.
func TestSweepOfUnreadPages(t *testing.T) {
	for name, fault := range map[string]func(list int) aliyuntest.Fault{
		"an error in between": func(list int) aliyuntest.Fault {
			if list >= 2 {
				return aliyuntest.Fault{Status: 400, Code: "OperationDenied"}
			}
			return aliyuntest.Fault{}
		},
		"tries that use the calls up": func(list int) aliyuntest.Fault {
			if list%2 == 0 {
				return aliyuntest.Fault{Status: 503}
			}
			return aliyuntest.Fault{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				count := 0
				l := newLab(t, &aliyuntest.Server{
					InMemory: true, TaskTime: time.Minute, Quota: aliyuntest.Quota{URLs: 1 << 20},
					Limits: aliyuntest.Limits{URLsPerDomain: 1000},
					TaskEnd: func(a aliyuntest.Accepted) string {
						if strings.Contains(a.URL, "/bad") {
							return "Failed"
						}
						return "Complete"
					},
					Fault: func(c aliyuntest.Call) aliyuntest.Fault {
						if !lists(c) {
							return aliyuntest.Fault{}
						}
						count++
						return fault(count)
					},
				}, fileTable)
				api := l.platform.API(t.Context())
				for call := range 4 { // the bad one fails each time, far apart in the lists
					urls := []string{"https://w0.example.com/bad.png"}
					for i := range 399 {
						urls = append(urls, fmt.Sprintf("https://w0.example.com/%d-%d.png", call, i))
					}
					if _, err := api.Refresh(t.Context(), refresh.Call{Product: "dcdn", Type: "File", URLs: urls}); err != nil {
						t.Fatal(err)
					}
					time.Sleep(5 * time.Minute)
				}
				report, _ := l.sweep(t)
				if report.Sweep.Again != 0 || report.Sweep.Unseen == 0 {
					t.Errorf("the sweep is %+v; want nothing again, and tasks that were not seen", *report.Sweep)
				}
			})
		})
	}
}

// In an account with more tasks than a sweep can list, what always times out is
// sent no more often than elsewhere.
func TestSweepOfALargeAccountCountsTimeouts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, &aliyuntest.Server{
			InMemory: true, TaskTime: 4 * time.Minute, Quota: aliyuntest.Quota{URLs: 1 << 30},
			Limits: aliyuntest.Limits{URLsPerDomain: 1000},
			TaskEnd: func(a aliyuntest.Accepted) string {
				if strings.Contains(a.URL, "/bad") {
					return "Timeout"
				}
				return "Complete"
			},
		}, fileTable)
		api := l.platform.API(t.Context())
		send := func(urls ...string) {
			if _, err := api.Refresh(t.Context(), refresh.Call{Product: "dcdn", Type: "File", URLs: urls}); err != nil {
				t.Fatal(err)
			}
		}
		for round := range 27 {
			if round == 20 {
				send("https://w0.example.com/bad.png")
			}
			urls := make([]string, 1000)
			for i := range urls {
				urls[i] = fmt.Sprintf("https://w0.example.com/%d-%d.png", round, i)
			}
			send(urls...)
			time.Sleep(10 * time.Minute)
			if round >= 20 {
				l.sweep(t)
			}
		}
		sent := 0
		for _, a := range l.api.Accepted() {
			if strings.Contains(a.URL, "/bad") {
				sent++
			}
		}
		if sent < 2 || sent > 3 {
			t.Errorf("a URL that always times out was sent %d times in an hour, want 2 or 3", sent)
		}
	})
}

// Over the quota, a sweep makes no directories in place of files: nothing would
// tell the next sweep that it need not.
func TestSweepOverTheQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, &aliyuntest.Server{
			InMemory: true, TaskTime: time.Minute, Quota: aliyuntest.Quota{URLs: 3, Directories: 100},
			TaskEnd: func(aliyuntest.Accepted) string { return "Failed" },
		}, fileTable+"refresh: {on_quota_exceeded: directory}\n")
		if _, err := l.handle(t, put(0, record("site", "x/1.png"), record("site", "x/2.png"), record("site", "y/3.png")), time.Minute); err != nil {
			t.Fatal(err)
		}
		for range 6 {
			time.Sleep(10 * time.Minute)
			l.sweep(t)
		}
		if n := len(l.api.Accepted()); n != 3 {
			t.Errorf("%d URLs were accepted, the last of which are %v; want the 3 files alone", n, l.api.Accepted()[3:])
		}
	})
}

// A directory that the table never refreshes, such as a domain's root that somebody
// refreshed by hand, is not the table's.
func TestSweepLeavesRootsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, &aliyuntest.Server{
			InMemory: true, TaskTime: time.Minute,
			TaskEnd: func(aliyuntest.Accepted) string { return "Failed" },
		}, `
rules:
  - bucket: site
    targets: [{domain: w0.example.com, index: [index.html]}, {domain: w1.example.com, path: /docs/, index: [index.html]}]
  - bucket: dirs
    targets: [{domain: w2.example.com, type: directory}]
`)
		api := l.platform.API(t.Context())
		roots := []string{"https://w0.example.com/", "https://w1.example.com/docs/", "https://w1.example.com/"}
		own := []string{"https://w0.example.com/x/", "https://w2.example.com/"}
		if _, err := api.Refresh(t.Context(), refresh.Call{Product: "dcdn", Type: "Directory", URLs: append(roots, own...)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		report, _ := l.sweep(t)
		if s := report.Sweep; s.Foreign != 3 || s.Again != 2 {
			t.Errorf("the sweep is %+v and refreshed %+v; want 3 foreign and 2 again", *s, report.Refreshed)
		}
	})
}

// Where the API's lists decode paths, they list all spellings of a name alike. One
// that failed is not hidden by another one, sent seconds later, that did not.
func TestSweepOfSpellingsListedAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := map[string]int{}
		l := newLab(t, &aliyuntest.Server{
			InMemory: true, TaskTime: time.Minute, TaskPath: aliyuntest.Decoded,
			TaskEnd: func(a aliyuntest.Accepted) string {
				if sent[a.URL]++; strings.HasSuffix(a.URL, "/a%20(1).png") && sent[a.URL] == 1 {
					return "Failed"
				}
				return "Complete"
			},
		}, fileTable)
		api := l.platform.API(t.Context())
		for _, path := range []string{"a%20(1).png", "a%20%281%29.png"} {
			call := refresh.Call{Product: "dcdn", Type: "File", URLs: []string{"https://w0.example.com/" + path}}
			if _, err := api.Refresh(t.Context(), call); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		for range 3 {
			time.Sleep(10 * time.Minute)
			l.sweep(t)
		}
		if n := sent["https://w0.example.com/a%20(1).png"]; n != 2 {
			t.Errorf("the spelling that failed was sent %d times, want 2", n)
		}
	})
}

// However long it goes on, what always fails is sent at most three times in any 24
// hours.
func TestSweepOfWhatAlwaysFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sent []time.Time
		l := newLab(t, &aliyuntest.Server{
			InMemory: true, TaskTime: time.Minute, Quota: aliyuntest.Quota{URLs: 1 << 20},
			TaskEnd: func(aliyuntest.Accepted) string {
				sent = append(sent, time.Now())
				return "Failed"
			},
		}, fileTable)
		if _, err := l.handle(t, put(0, record("site", "a.png")), time.Minute); err != nil {
			t.Fatal(err)
		}
		for range 60 * 6 {
			time.Sleep(10 * time.Minute)
			l.sweep(t)
		}
		if len(sent) < 6 {
			t.Errorf("it was sent %d times in 60 hours", len(sent))
		}
		for i := range sent[3:] {
			if between := sent[i+3].Sub(sent[i]); between < 24*time.Hour {
				t.Errorf("it was sent four times in %v", between)
			}
		}
	})
}

// Services without tasks take no calls from those that have many: what failed hours
// ago is found as it is without them.
func TestSweepBesideIdleSites(t *testing.T) {
	t.Parallel()
	for _, sites := range []int{0, 3, 9} {
		t.Run(fmt.Sprint(sites), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table := "rules:\n  - bucket: site\n    targets:\n      - {domain: w0.example.com}\n"
				for i := range sites {
					table += fmt.Sprintf("      - {domain: e%d.example.com, product: esa, site: %d}\n", i, i+1)
				}
				l := newLab(t, &aliyuntest.Server{
					InMemory: true, TaskTime: 4 * time.Minute,
					TaskEnd: func(a aliyuntest.Accepted) string {
						if strings.HasSuffix(a.URL, "bad.png") {
							return "Failed"
						}
						return "Complete"
					},
				}, table)
				api := l.platform.API(t.Context())
				for call := range 12 { // 1,200 tasks over 12 hours: 24 pages
					urls := []string{"https://w0.example.com/bad.png"}
					for i := range 100 {
						urls = append(urls, fmt.Sprintf("https://w0.example.com/%d-%d.png", call, i))
					}
					if call > 0 {
						urls = urls[1:]
					}
					if _, err := api.Refresh(t.Context(), refresh.Call{Product: "dcdn", Type: "File", URLs: urls[:min(100, len(urls))]}); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Hour)
				}
				before := len(l.api.Calls())
				report, _ := l.sweep(t)
				if s := report.Sweep; s.Again != 1 || s.Unseen != 0 || s.Tasks != 1200 {
					t.Errorf("the sweep is %+v, want the failed URL again", s)
				}
				if calls := len(l.api.Calls()) - before; calls > 41 {
					t.Errorf("%d calls", calls)
				}
			})
		})
	}
}

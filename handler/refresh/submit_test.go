package refresh

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/mapping"
)

// A script is an API whose answers a test writes. Its calls are kept in the
// order in which they were answered.
type script struct {
	answer  func(n int, call Call) error // n counts the calls from 0
	latency time.Duration

	mu    sync.Mutex
	begun int
	calls []answered
}

type answered struct {
	Call
	start, end time.Time
	err        error
}

func (s *script) Refresh(ctx context.Context, call Call) (Receipt, error) {
	s.mu.Lock()
	n := s.begun
	s.begun++
	s.mu.Unlock()
	start := time.Now()
	if err := sleep(ctx, s.latency); err != nil {
		return Receipt{}, &Error{Code: "NoAnswer", Class: Again, Err: err}
	}
	var err error
	if s.answer != nil {
		err = s.answer(n, call)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, answered{call, start, time.Now(), err})
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{TaskID: fmt.Sprint("task ", n), RequestID: fmt.Sprint("request ", n)}, nil
}

// accepted lists what the script accepted, as type and URL.
func (s *script) accepted() map[Key]bool {
	keys := map[Key]bool{}
	for _, c := range s.calls {
		if c.err == nil {
			for _, url := range c.URLs {
				keys[keyOf(c.Call, url)] = true
			}
		}
	}
	return keys
}

func refusal(class Class) *Error { return &Error{Code: "Code" + class.String(), Class: class} }

// refuse answers calls with a URL that has the text.
func refuse(class Class, text string) func(int, Call) error {
	return func(_ int, call Call) error {
		if slices.ContainsFunc(call.URLs, func(url string) bool { return strings.Contains(url, text) }) {
			return refusal(class)
		}
		return nil
	}
}

// keyOf returns the key of an item that a call submits.
func keyOf(call Call, url string) Key {
	kind := Kind{mapping.Product(call.Product), call.Site, mapping.Type(call.Type), call.Force}
	return Key{kind, url}
}

func fileKey(url string) Key {
	return Key{Kind{Product: mapping.DCDN, Type: mapping.File}, url}
}

// records gives each target a record of its own, its index.
func records(targets []mapping.Target) []Target {
	list := make([]Target, len(targets))
	for i, t := range targets {
		list[i] = Target{t, i}
	}
	return list
}

// send takes targets all the way; accepted is what an earlier try had accepted.
func send(
	ctx context.Context, s *Submitter, api Refresher, targets []mapping.Target, accepted map[Key]Acceptance,
) Result {
	requests := Plan(Debounce(records(targets)), s.Limits)
	return s.Submit(ctx, Job{API: api, Requests: requests, Accepted: accepted})
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func submitter() *Submitter {
	return &Submitter{Limits: defaults, CallsPerSecond: map[mapping.Product]int{
		mapping.DCDN: 30, mapping.CDN: 50, mapping.ESA: 10,
	}}
}

// submit runs a submission of a minute under the test's clock, and checks what
// holds for each: nothing lost, nothing claimed that was not accepted.
func submit(t *testing.T, s *Submitter, api *script, targets []mapping.Target) (Result, []Item) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	items := Debounce(records(targets))
	result := s.Submit(ctx, Job{API: api, Requests: Plan(items, s.Limits)})
	if ctx.Err() != nil {
		t.Error("the answer came after the deadline")
	}
	checkAccount(t, targets, result, api)
	sent := 0
	for _, c := range api.calls {
		if e, ok := c.err.(*Error); !ok || !e.Unsent {
			sent++
		}
	}
	if result.Calls < sent { // those that hung until the end are not in the script
		t.Errorf("%d calls are counted of %d", result.Calls, sent)
	}
	return result, items
}

func checkAccount(t *testing.T, targets []mapping.Target, result Result, api *script) {
	t.Helper()
	accepted := api.accepted()
	for _, o := range result.Outcomes {
		if o.Err == nil && !accepted[o.Item.Key()] {
			t.Errorf("%v is reported as refreshed and was not accepted", o.Item.Key())
		}
	}
	checkOutcomes(t, targets, result)
}

// failures lists the refused URLs with their codes.
func failures(result Result) []string {
	var list []string
	for _, o := range result.Outcomes {
		if o.Err != nil {
			list = append(list, fmt.Sprintf("%s %s %s", o.Item.Type, o.Item.URL, o.Err.Code))
		}
	}
	return list
}

// files makes n created files of the domain, and one for each extra path.
func files(domain string, n int, extra ...string) []mapping.Target {
	var targets []mapping.Target
	for i := range n {
		targets = append(targets, target(domain, fmt.Sprintf("/%d.png", i), mapping.Created))
	}
	for _, path := range extra {
		targets = append(targets, target(domain, path, mapping.Created))
	}
	return targets
}

func TestSubmitRetriesUntilAccepted(t *testing.T) {
	for _, class := range []Class{AgainNow, Again, AgainLater, Busy} {
		t.Run(class.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &script{answer: func(n int, _ Call) error {
					if n < 4 {
						return refusal(class)
					}
					return nil
				}}
				start := time.Now()
				result, _ := submit(t, submitter(), api, files("a.example.com", 3))
				if len(failures(result)) > 0 || result.Calls != 5 {
					t.Errorf("%d calls, refused %v; want 5 and none", result.Calls, failures(result))
				}
				if took := time.Since(start); class == AgainNow && took > time.Millisecond {
					t.Errorf("waited %v for a connection that was only gone", took)
				}
			})
		})
	}
}

// What the submitter was told nothing of goes out too, a call a second.
func TestSubmitAnotherProduct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := files("a.example.com", 250)
		for i := range targets[:150] {
			targets[i].Product = "other"
		}
		start := time.Now()
		api := &script{}
		result, _ := submit(t, submitter(), api, targets)
		if len(result.Outcomes) != 250 || len(failures(result)) > 0 || result.Calls != 3 {
			t.Errorf("%d outcomes, %d calls, refused %v; want 250, 3 and none", len(result.Outcomes), result.Calls, failures(result))
		}
		if took := time.Since(start); took < time.Second {
			t.Errorf("two calls took %v, want a second between them", took)
		}
	})
}

func TestSubmitBacksOffWithinTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &script{answer: func(int, Call) error { return refusal(Again) }}
		start := time.Now()
		result, _ := submit(t, submitter(), api, files("a.example.com", 2))
		if took := time.Since(start); took > 57*time.Second {
			t.Errorf("answered after %v, want 5 %% of a minute left", took)
		}
		if result.Calls < 10 || result.Calls > 100 {
			t.Errorf("%d calls in a minute", result.Calls)
		}
		for _, o := range result.Outcomes {
			if o.Err == nil || o.Err.Code != CodeDeadline || !o.Err.Class.Retryable() || !strings.Contains(o.Err.Text(), "Codeagain") {
				t.Errorf("outcome %+v, want a deadline with the last answer's code", o.Err)
			}
		}
	})
}

func TestSubmitLeavesTimeForOtherTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := new(hanging)
		hung.hang.Store(3)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		result := send(ctx, submitter(), hung, files("a.example.com", 1), nil)
		if len(failures(result)) > 0 || result.Calls != 4 {
			t.Errorf("%d calls, refused %v; want the fourth to succeed", result.Calls, failures(result))
		}
	})
}

// A hanging API answers nothing to its first calls.
type hanging struct{ hang atomic.Int64 }

func (h *hanging) Refresh(ctx context.Context, _ Call) (Receipt, error) {
	if h.hang.Add(-1) < 0 {
		return Receipt{}, nil
	}
	<-ctx.Done()
	return Receipt{}, &Error{Code: "NoAnswer", Class: Again, Err: ctx.Err()}
}

func TestSubmitAnswersWithinShortDeadlines(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Millisecond, 100 * time.Millisecond, time.Second, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			start := time.Now()
			hung := new(hanging)
			hung.hang.Store(1000)
			result := send(ctx, submitter(), hung, files("a.example.com", 200), nil)
			if took := time.Since(start); took > timeout {
				t.Errorf("answered after %v of %v", took, timeout)
			}
			if n := len(failures(result)); n != 200 {
				t.Errorf("%v: %d of 200 are reported", timeout, n)
			}
		})
	}
}

func TestSubmitSearchesForWrongURLs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &script{answer: refuse(Halve, "bad")}
		result, _ := submit(t, submitter(), api, files("a.example.com", 99, "/bad.png"))
		if diff := cmp.Diff([]string{"File https://a.example.com/bad.png Codehalve"}, failures(result)); diff != "" {
			t.Errorf("refused (-want +got)\n%s", diff)
		}
		if result.Calls > 1+2*7 { // 2·log₂ 100
			t.Errorf("%d calls for one bad URL of 100", result.Calls)
		}
	})
}

func TestSubmitForbiddenDomainCostsTheOthersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var targets []mapping.Target
		for d := range 5 {
			targets = append(targets, files(fmt.Sprintf("d%d.example.com", d), 250)...)
		}
		api := &script{answer: refuse(SplitDomains, "//d3.")}
		result, _ := submit(t, submitter(), api, targets)
		for _, f := range failures(result) {
			if !strings.Contains(f, "//d3.") {
				t.Errorf("refused: %s", f)
			}
		}
		if n := len(failures(result)); n != 250 {
			t.Errorf("%d are refused, want 250", n)
		}
		if result.Calls > 3+5+2 { // each request once, one of them split, the others without the domain
			t.Errorf("%d calls for one forbidden domain of five", result.Calls)
		}
	})
}

func TestSubmitStops(t *testing.T) {
	cdn := files("b.example.com", 300)
	for i := range cdn {
		cdn[i].Product = mapping.CDN
	}
	dir := directory("c.example.com", "/d/")
	targets := slices.Concat(files("a.example.com", 300), cdn, []mapping.Target{dir})
	tests := map[Class]struct{ refused, calls int }{
		Permanent:   {300, 7}, // each request by itself
		RefuseType:  {300, 7},
		StopProduct: {301, 7},
	}
	for class, want := range tests {
		t.Run(class.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &script{answer: refuse(class, "//a.")}
				result, _ := submit(t, submitter(), api, targets)
				if n := len(failures(result)); n != want.refused && !(class == StopProduct && n == 300) {
					t.Errorf("%d are refused, want %d", n, want.refused)
				}
				if result.Calls > want.calls {
					t.Errorf("%d calls, want at most %d", result.Calls, want.calls)
				}
			})
		})
	}
}

func TestSubmitStopsBetweenWaves(t *testing.T) {
	targets := append(files("a.example.com", 150), target("a.example.com", "/gone.png", mapping.Removed))
	for class, calls := range map[Class]int{StopAll: 1, StopProduct: 1, RefuseType: 1, Permanent: 2} {
		synctest.Test(t, func(t *testing.T) {
			api := &script{answer: func(int, Call) error { return refusal(class) }}
			result, _ := submit(t, submitter(), api, targets)
			if result.Calls != calls || len(failures(result)) != 151 {
				t.Errorf("%v: %d calls, %d refused; want %d and 151", class, result.Calls, len(failures(result)), calls)
			}
		})
	}
}

func TestSubmitSendsRemovalsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &script{latency: 100 * time.Millisecond}
		targets := publish(rand.New(rand.NewPCG(1, 9)), []int{400, 300, 20})
		submit(t, submitter(), api, targets)
		ranks := map[string]Rank{}
		for _, it := range Debounce(records(targets)) {
			ranks[it.URL] = it.Rank
		}
		rank := func(c answered) Rank {
			return slices.Min(slices.Collect(func(yield func(Rank) bool) {
				for _, url := range c.URLs {
					yield(ranks[url])
				}
			}))
		}
		for _, a := range api.calls {
			for _, b := range api.calls {
				if rank(a) < rank(b) && b.start.Before(a.end) {
					t.Fatalf("a request of rank %d was sent before one of rank %d was answered", rank(b), rank(a))
				}
			}
		}
	})
}

func TestSubmitDoesNotLetOneWaveStarveTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &script{answer: refuse(Again, "gone")}
		result, _ := submit(t, submitter(), api, append(files("a.example.com", 200), target("b.example.com", "/gone.png", mapping.Removed)))
		if n := len(failures(result)); n == 201 {
			t.Error("a removal that the API puts off kept everything else from being sent")
		}
	})
}

func TestSubmitKeepsTheCallsPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := submitter()
		s.CallsPerSecond[mapping.DCDN] = 7
		s.Limits.URLsPerDomain = 1
		api := &script{latency: 10 * time.Millisecond}
		var group sync.WaitGroup
		for i := range 3 { // three invocations at once
			group.Go(func() {
				send(t.Context(), s, api, files(fmt.Sprintf("d%d.example.com", i), 20), nil)
			})
		}
		group.Wait()
		for _, a := range api.calls {
			n := 0
			for _, b := range api.calls {
				if d := b.start.Sub(a.start); d >= 0 && d < time.Second {
					n++
				}
			}
			if n > 7 {
				t.Fatalf("%d calls started within a second, limit 7", n)
			}
		}
		if len(api.calls) != 60 {
			t.Errorf("%d calls, want 60", len(api.calls))
		}
	})
}

// quota answers like an API that has room for n more URLs.
func quota(n int, typ mapping.Type) func(int, Call) error {
	var mu sync.Mutex
	return func(_ int, call Call) error {
		mu.Lock()
		defer mu.Unlock()
		if call.Type != string(typ) {
			return nil
		}
		if len(call.URLs) > n {
			return refusal(Quota)
		}
		n -= len(call.URLs)
		return nil
	}
}

// What stands in for a removal that was refused has its place, before what was
// created.
func TestSubmitFollowsUpInTheOrderOfImportance(t *testing.T) {
	for _, typ := range []mapping.Type{mapping.Directory, mapping.IgnoreParams} {
		synctest.Test(t, func(t *testing.T) {
			targets := files("new.example.com", 10)
			for i := range 5 {
				gone := target("old.example.com", fmt.Sprintf("/x/%d.pdf", i), mapping.Removed)
				if typ == mapping.IgnoreParams {
					gone.Type, gone.Fallback = typ, []string{gone.URL}
				}
				targets = append(targets, gone)
			}
			if typ == mapping.Directory {
				targets = append(targets, directory("old.example.com", "/x/"))
			}
			short := quota(10, mapping.File)
			api := &script{answer: func(n int, call Call) error {
				switch call.Type {
				case string(mapping.Directory):
					return refusal(Quota)
				case string(mapping.IgnoreParams):
					return refusal(RefuseType)
				}
				return short(n, call)
			}}
			submit(t, submitter(), api, targets)
			for i := range 5 {
				if url := fmt.Sprintf("https://old.example.com/x/%d.pdf", i); !api.accepted()[fileKey(url)] {
					t.Errorf("%s: %s was not accepted, which a refused one covered or stood for", typ, url)
				}
			}
		})
	}
}

func TestSubmitSpendsAShortQuotaOnWhatMatters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := append(files("a.example.com", 90), target("a.example.com", "/gone.png", mapping.Removed), target("a.example.com", "/index.html", mapping.Created))
		api := &script{answer: quota(12, mapping.File)}
		result, _ := submit(t, submitter(), api, targets)
		if n := len(api.accepted()); n != 11 { // 92, 46, 23, 11
			t.Errorf("%d URLs were accepted, want 11", n)
		}
		for _, important := range []string{"/gone.png", "/index.html"} {
			if !api.accepted()[fileKey("https://a.example.com"+important)] {
				t.Errorf("%s was not refreshed", important)
			}
		}
		if result.Calls != 4 {
			t.Errorf("%d calls, want 4", result.Calls)
		}
	})
}

func TestSubmitTriesTheQuotaOnceForEachType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &script{answer: quota(0, mapping.File)}
		result, _ := submit(t, submitter(), api, append(files("a.example.com", 1000), directory("a.example.com", "/d/")))
		if result.Calls > 10+7+1 { // ten requests, one of them halved to one URL, and the directory
			t.Errorf("%d calls for a quota that is used up", result.Calls)
		}
		if n := len(failures(result)); n != 1000 {
			t.Errorf("%d are refused, want the 1000 files", n)
		}
	})
}

func TestSubmitFoldsWhatTheQuotaLeaves(t *testing.T) {
	targets := files("a.example.com", 1, "/x/1.png", "/x/2.png", "/x/3.png", "/y/1.png", "/base/1.png")
	targets = append(targets, target("a.example.com", "/y/headers.png", mapping.Modified))
	s := submitter()
	s.FoldOnQuota, s.Roots = true, map[string]bool{"https://a.example.com/base/": true}
	synctest.Test(t, func(t *testing.T) {
		api := &script{answer: quota(0, mapping.File)}
		result, _ := submit(t, s, api, targets)
		want := []string{
			"File https://a.example.com/0.png Codequota",
			"File https://a.example.com/base/1.png Codequota",
			"File https://a.example.com/y/headers.png Codequota",
		}
		if diff := cmp.Diff(want, failures(result)); diff != "" {
			t.Errorf("refused (-want +got)\n%s", diff)
		}
		for _, o := range result.Outcomes {
			if o.Item.URL == "https://a.example.com/x/" && len(o.Item.Covered) != 3 {
				t.Errorf("/x/ covers %d files, want 3", len(o.Item.Covered))
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		api := &script{answer: func(int, Call) error { return refusal(Quota) }}
		result, _ := submit(t, s, api, targets)
		if n := len(failures(result)); n != len(targets) {
			t.Errorf("%d are refused, want the files that they were: %v", n, failures(result))
		}
	})
}

func TestSubmitFoldsAtMostTenDirectories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var targets []mapping.Target
		for d := range 15 {
			for f := range d + 1 {
				targets = append(targets, target("a.example.com", fmt.Sprintf("/d%d/%d.png", d, f), mapping.Created))
			}
		}
		s := submitter()
		s.FoldOnQuota = true
		api := &script{answer: quota(0, mapping.File)}
		result, _ := submit(t, s, api, targets)
		if n := len(api.accepted()); n != 10 {
			t.Errorf("%d directories, want 10", n)
		}
		if n := len(failures(result)); n != 1+2+3+4+5 {
			t.Errorf("%d files are left, want those of the five emptiest directories", n)
		}
	})
}

func TestSubmitGivesBackWhatADirectoryCovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := append(files("a.example.com", 0, "/d/1.png", "/d/2.png", "/e/1.png"), directory("a.example.com", "/d/"), directory("a.example.com", "/e/"))
		api := &script{answer: refuse(Halve, "/d/")}
		api.answer = func(_ int, call Call) error {
			if call.Type == "Directory" && slices.Contains(call.URLs, "https://a.example.com/d/") {
				return refusal(Halve)
			}
			return nil
		}
		result, _ := submit(t, submitter(), api, targets)
		if diff := cmp.Diff([]string{"Directory https://a.example.com/d/ Codehalve"}, failures(result)); diff != "" {
			t.Errorf("refused (-want +got)\n%s", diff)
		}
		if n := len(result.Outcomes); n != 4 {
			t.Errorf("%d outcomes, want two directories and two files", n)
		}
	})
}

func TestSubmitFallsBackFromIgnoreParams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const url = "https://a.example.com/photo.jpg"
		photo := target("a.example.com", "/photo.jpg", mapping.Created)
		photo.Type, photo.Fallback = mapping.IgnoreParams, []string{url, url + "?w=1"}
		api := &script{answer: func(_ int, call Call) error {
			if call.Type == "IgnoreParams" {
				return refusal(RefuseType)
			}
			return nil
		}}
		result, _ := submit(t, submitter(), api, append(files("a.example.com", 0, "/photo.jpg"), photo))
		if diff := cmp.Diff([]string{"IgnoreParams " + url + " Coderefuse type"}, failures(result)); diff != "" {
			t.Errorf("refused (-want +got)\n%s", diff)
		}
		if !api.accepted()[fileKey(url+"?w=1")] || result.Calls != 3 {
			t.Errorf("%d calls, accepted %v", result.Calls, api.accepted())
		}
	})
}

func TestSubmitPacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &script{answer: func(_ int, call Call) error {
			if len(call.URLs) > 40 {
				return &Error{Code: "RequestLineTooLong", Class: Pack, Bytes: 1000, Unsent: true}
			}
			return nil
		}}
		result, _ := submit(t, submitter(), api, files("a.example.com", 100))
		if len(failures(result)) > 0 {
			t.Errorf("refused: %v", failures(result))
		}
		if result.Calls != len(api.calls)-1 {
			t.Errorf("%d calls are counted of %d, one of which was not sent", result.Calls, len(api.calls))
		}
	})
}

func TestSubmitReportsWhatWasAcceptedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &script{}
		targets := files("a.example.com", 2)
		earlier := Receipt{TaskID: "earlier"}
		accepted := map[Key]Acceptance{fileKey(targets[0].URL): {Receipt: earlier}}
		result := send(t.Context(), submitter(), api, targets, accepted)
		if result.Outcomes[0].Receipt != earlier || len(api.calls) != 1 || len(api.calls[0].URLs) != 1 {
			t.Errorf("outcomes %+v after the calls %+v", result.Outcomes, api.calls)
		}
	})
}

func TestSubmitBusyDomainCostsTheOthersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var targets []mapping.Target
		for d := range 10 {
			targets = append(targets, files(fmt.Sprintf("d%d.example.com", d), 20)...)
		}
		result, _ := submit(t, submitter(), &script{answer: refuse(Busy, "//d3.")}, targets)
		if n := len(failures(result)); n != 20 {
			t.Errorf("%d are refused, want the 20 of the busy domain", n)
		}
	})
}

func TestSubmitForbiddenAndBusyDomains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var targets []mapping.Target
		for d := range 14 {
			targets = append(targets, files(fmt.Sprintf("d%d.example.com", d), 300)...)
		}
		api := &script{answer: func(n int, call Call) error {
			if err := refuse(SplitDomains, "//d0.")(n, call); err != nil {
				return err
			}
			return refuse(Busy, "//d1.")(n, call)
		}}
		result, _ := submit(t, submitter(), api, targets)
		if n := len(failures(result)); n != 600 {
			t.Errorf("%d are refused, want the 600 of two domains", n)
		}
	})
}

func TestSubmitFollowUpsDoNotWaitForStragglers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := files("busy.example.com", 1)
		for i := range 500 {
			targets = append(targets, target("a.example.com", fmt.Sprintf("/d/%d.png", i), mapping.Created))
		}
		targets = append(targets, directory("a.example.com", "/d/"))
		api := &script{latency: 500 * time.Millisecond, answer: func(n int, call Call) error {
			if call.Type == "Directory" {
				return refusal(Quota)
			}
			return refuse(Again, "//busy.")(n, call)
		}}
		result, _ := submit(t, submitter(), api, targets)
		if n := len(failures(result)); n != 2 {
			t.Errorf("%d are refused, want the directory and the file of the busy domain", n)
		}
	})
}

func TestSubmitBeginsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := submitter()
		s.CallsPerSecond[mapping.DCDN] = 1
		api := &script{}
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		send(ctx, s, api, files("a.example.com", 4000), nil)
		for i, c := range api.calls {
			if want := fmt.Sprintf("https://a.example.com/%d.png", 100*i); c.URLs[0] != want {
				t.Fatalf("call %d begins with %s, want %s", i, c.URLs[0], want)
			}
		}
		if n := len(api.calls); n < 8 {
			t.Errorf("%d calls in 11 seconds at one a second", n)
		}
	})
}

func TestSubmitSpendsAShortQuotaOnTheMostImportantRequest(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			var targets []mapping.Target
			for i := range 200 {
				event := mapping.Removed
				if i > 100 {
					event = mapping.Created
				}
				targets = append(targets, target("a.example.com", fmt.Sprintf("/%d.png", i), event))
			}
			api := &script{answer: quota(60, mapping.File), latency: time.Duration(rand.N(20)) * time.Millisecond}
			submit(t, submitter(), api, targets)
			removals := 0
			for key := range api.accepted() {
				var i int
				if fmt.Sscanf(key.URL, "https://a.example.com/%d.png", &i); i <= 100 {
					removals++
				}
			}
			if removals != 50 {
				t.Fatalf("%d removals were accepted of a quota of 60, want 50", removals)
			}
		})
	}
}

func TestSubmitStopsWhatIsWaiting(t *testing.T) {
	for _, class := range []Class{StopAll, StopProduct, RefuseType, Quota} {
		synctest.Test(t, func(t *testing.T) {
			api := &script{latency: 50 * time.Millisecond, answer: func(int, Call) error { return refusal(class) }}
			result, _ := submit(t, submitter(), api, files("a.example.com", 5000))
			if result.Calls > inFlight+7 || len(failures(result)) != 5000 {
				t.Errorf("%v: %d calls of 50, %d refused", class, result.Calls, len(failures(result)))
			}
		})
	}
}

func TestSubmitGivesASlowAPIItsTime(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		timeout, latency time.Duration
		calls            int
	}{
		{3000 * ms, 1000 * ms, 1},
		{5000 * ms, 1400 * ms, 1},
		{10_000 * ms, 4000 * ms, 2},
		{30_000 * ms, 11_000 * ms, 2},
		{60_000 * ms, 9000 * ms, 1},
		{60_000 * ms, 25_000 * ms, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
			defer cancel()
			result := send(ctx, submitter(), &script{latency: tt.latency}, files("a.example.com", 1), nil)
			if len(failures(result)) > 0 || result.Calls != tt.calls {
				t.Errorf("an API that takes %v of %v: %d calls, want %d; refused %v", tt.latency, tt.timeout, result.Calls, tt.calls, failures(result))
			}
		})
	}
}

// That the API is slow is found out once, not by each request.
func TestSubmitLearnsThatTheAPIIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := append(files("a.example.com", 100), target("a.example.com", "/gone.png", mapping.Removed))
		for i := range 150 {
			targets = append(targets, target("a.example.com", fmt.Sprintf("/%d.html", i), mapping.Created))
		}
		result, _ := submit(t, submitter(), &script{latency: 11 * time.Second}, targets)
		if len(failures(result)) > 0 || result.Calls != 4 { // three requests, the first of them twice
			t.Errorf("%d calls, want 4; refused %v", result.Calls, failures(result))
		}
	})
}

// Calls that hang keep another product's not back, and of their own few.
func TestSubmitDespiteCallsThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var targets []mapping.Target
		for i := range 64 {
			gone := target("cdn.example.com", fmt.Sprintf("/gone-%d.png", i), mapping.Removed)
			gone.Product = mapping.CDN
			targets = append(targets, gone)
		}
		for i := range 10 {
			page := target("cdn.example.com", fmt.Sprintf("/%d.html", i), mapping.Created)
			page.Product = mapping.CDN
			targets = append(targets, page, target("a.example.com", fmt.Sprintf("/%d.png", i), mapping.Created), target("a.example.com", fmt.Sprintf("/%d.html", i), mapping.Removed))
		}
		s := submitter()
		s.Limits.URLsPerRequest = 1
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var last atomic.Int64 // call of the other product, since the start
		start := time.Now()
		api := selective(func(ctx context.Context, call Call) error {
			if strings.Contains(call.URLs[0], "gone") {
				<-ctx.Done()
				return &Error{Code: "NoAnswer", Class: Again, Err: ctx.Err()}
			}
			if call.Product == string(mapping.DCDN) {
				last.Store(int64(time.Since(start)))
			}
			return sleep(ctx, 500*time.Millisecond)
		})
		result := send(ctx, s, api, targets, nil)
		if n := len(failures(result)); n > 64+5 || strings.Contains(fmt.Sprint(failures(result)), "https://a.") {
			t.Errorf("%d are refused, want the 64 that hang and few more: %v", n, failures(result))
		}
		if took := time.Duration(last.Load()); took > 5*time.Second {
			t.Errorf("the other product's last call began after %v", took)
		}
	})
}

// A selective API answers each call in its own way and time.
type selective func(context.Context, Call) error

func (s selective) Refresh(ctx context.Context, call Call) (Receipt, error) {
	return Receipt{}, s(ctx, call)
}

// A later try of the same job submits neither what was accepted nor what a
// folded directory did for.
func TestSubmitAfterFolding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var targets []mapping.Target
		for d := range 15 {
			for f := range 8 {
				targets = append(targets, target("a.example.com", fmt.Sprintf("/d%d/%d.png", d, f), mapping.Created))
			}
		}
		s := submitter()
		s.FoldOnQuota = true
		api := &script{answer: quota(0, mapping.File)}
		first, _ := submit(t, s, api, targets)
		if n := len(failures(first)); n != 40 {
			t.Fatalf("%d files are left at first, want those of 5 directories", n)
		}
		before := len(api.calls)
		second := send(t.Context(), s, api, targets, first.Accepted())
		checkAccount(t, targets, second, api)
		if len(failures(second)) > 0 {
			t.Errorf("the second time, %v are left", failures(second))
		}
		for _, c := range api.calls[before:] {
			for _, url := range c.URLs {
				if _, ok := first.Accepted()[fileKey(url)]; ok {
					t.Errorf("%s was submitted again", url)
				}
			}
		}
	})
}

func TestSubmitProductsDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &script{latency: 200 * time.Millisecond, answer: func(_ int, call Call) error {
			if call.Product == "dcdn" {
				return refusal(Again)
			}
			return nil
		}}
		cdn := files("b.example.com", 100)
		for i := range cdn {
			cdn[i].Product = mapping.CDN
		}
		start := time.Now()
		result, _ := submit(t, submitter(), api, append(files("a.example.com", 4900), cdn...))
		if n := len(failures(result)); n != 4900 {
			t.Errorf("%d are refused, want those of the product that is throttled", n)
		}
		for _, c := range api.calls {
			if c.Product == "cdn" && c.start.Sub(start) > time.Millisecond {
				t.Errorf("the other product's call began after %v", c.start.Sub(start))
			}
		}
	})
}

func TestSubmitPlansWithoutWhatWasAcceptedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := files("a.example.com", 2000)
		accepted := map[Key]Acceptance{}
		for i, t := range targets {
			if i%100 != 0 {
				accepted[fileKey(t.URL)] = Acceptance{Receipt: Receipt{TaskID: "earlier"}}
			}
		}
		result := send(t.Context(), submitter(), &script{}, targets, accepted)
		if result.Calls != 1 || len(result.Outcomes) != 2000 {
			t.Errorf("%d calls for 20 URLs that are left, %d outcomes", result.Calls, len(result.Outcomes))
		}
	})
}

func TestSubmitFollowUpsWaitForAStragglerOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := []mapping.Target{target("busy.example.com", "/gone.png", mapping.Removed), directory("a.example.com", "/d/")}
		for i := range 50 {
			targets = append(targets, target("a.example.com", fmt.Sprintf("/d/%d.png", i), mapping.Created))
		}
		api := &script{answer: func(n int, call Call) error {
			if call.Type == "Directory" {
				return refusal(Permanent)
			}
			return refuse(Again, "//busy.")(n, call)
		}}
		start := time.Now()
		submit(t, submitter(), api, targets)
		for _, c := range api.calls {
			if len(c.URLs) == 50 && c.start.Sub(start) > 30*time.Second {
				t.Errorf("the directory's files were sent after %v of a minute", c.start.Sub(start))
			}
		}
	})
}

// noQuotaNorDirectories answers that files are beyond the quota, and refuses
// directories for good.
func noQuotaNorDirectories(_ int, call Call) error {
	if call.Type == "File" {
		return refusal(Quota)
	}
	return refusal(Permanent)
}

func TestSubmitReportsFoldedFilesAsTheyWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := submitter()
		s.FoldOnQuota = true
		api := &script{answer: noQuotaNorDirectories}
		result, _ := submit(t, s, api, files("a.example.com", 0, "/d/1.png", "/d/2.png"))
		want := []string{"File https://a.example.com/d/1.png Codequota", "File https://a.example.com/d/2.png Codequota"}
		if diff := cmp.Diff(want, failures(result)); diff != "" {
			t.Errorf("refused (-want +got)\n%s", diff)
		}
	})
}

func TestSubmitDoesNotFoldIntoARefusedDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := submitter()
		s.FoldOnQuota = true
		api := &script{answer: noQuotaNorDirectories}
		submit(t, s, api, append(files("a.example.com", 0, "/d/1.png"), directory("a.example.com", "/d/")))
		directories := 0
		for _, c := range api.calls {
			if c.Type == "Directory" {
				directories++
			}
		}
		if directories != 1 {
			t.Errorf("the directory was sent %d times, want once", directories)
		}
	})
}

func TestSubmitMakesNoCallThatHasNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := submitter()
		s.CallsPerSecond[mapping.DCDN] = 1
		s.Limits.URLsPerDomain = 1
		api := &script{}
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5200*time.Millisecond)
		defer cancel()
		send(ctx, s, api, files("a.example.com", 20), nil)
		for _, c := range api.calls {
			if left := 4200*time.Millisecond - c.start.Sub(start); left < minAttempt {
				t.Errorf("a call began with %v left", left)
			}
		}
	})
}

func TestSubmitTellsAnInterruption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		api := &script{answer: func(int, Call) error { return refusal(AgainLater) }}
		result := send(ctx, submitter(), api, files("a.example.com", 2), nil)
		for _, o := range result.Outcomes {
			if o.Err == nil || o.Err.Code != CodeCanceled || !strings.Contains(o.Err.Text(), "interrupted") {
				t.Errorf("outcome %+v, want an interruption", o.Err)
			}
		}
	})
}

// A code that nobody knows costs only the URL, or the domain, that it is about.
func TestSubmitSearchesForWhatAnUnknownCodeIsAbout(t *testing.T) {
	tests := map[string]struct {
		targets   []mapping.Target
		refuse    string // calls with a URL that has this text
		perDomain int
		failed    int
		calls     int // at most
		retryable bool
	}{
		"one URL of 1,000":               {files("a.example.com", 999, "/bad.png"), "bad", 100, 1, 40, false},
		"one URL of 1,000, in one call":  {files("a.example.com", 999, "/bad.png"), "bad", 1000, 1, 40, false},
		"one domain of five":             {domainsOf(5, 20), "//d3.", 100, 20, 40, true},
		"everything":                     {domainsOf(10, 20), "/", 100, 200, 41, true},
		"everything, of one domain":      {files("a.example.com", 500), "/", 100, 500, 45, true},
		"more bad URLs than can be told": {files("a.example.com", 500), "7.png", 100, -1, 45, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := submitter()
				s.Limits.URLsPerDomain = tt.perDomain
				result, _ := submit(t, s, &script{answer: refuse(Unknown, tt.refuse)}, tt.targets)
				if n := len(failures(result)); n != tt.failed && tt.failed >= 0 {
					t.Errorf("%d are refused, want %d", n, tt.failed)
				}
				if result.Calls > tt.calls {
					t.Errorf("%d calls, want at most %d", result.Calls, tt.calls)
				}
				retryable := false
				for _, o := range result.Outcomes {
					retryable = retryable || o.Err != nil && o.Err.Class.Retryable()
				}
				if retryable != tt.retryable {
					t.Errorf("some may be tried again: %t, want %t", retryable, tt.retryable)
				}
			})
		})
	}
}

// domainsOf are n files of each of some domains.
func domainsOf(domains, n int) []mapping.Target {
	var targets []mapping.Target
	for d := range domains {
		targets = append(targets, files(fmt.Sprintf("d%d.example.com", d), n)...)
	}
	return targets
}

// What may have been accepted is sent twice more, and then counts as accepted
// only with a request id and a task id.
func TestSubmitInDoubt(t *testing.T) {
	tests := map[string]struct {
		receipt  Receipt
		doubtful int // answers
		accepted bool
		doubt    string
		calls    int
	}{
		"both ids":               {Receipt{"5", "r"}, 9, true, "Doubtful: a Message beside the ids", 3},
		"no task id":             {Receipt{"", "r"}, 9, false, "", 3},
		"no request id":          {Receipt{"5", ""}, 9, false, "", 3},
		"certain the third time": {Receipt{"5", "r"}, 2, true, "", 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &script{answer: func(n int, _ Call) error {
					if n >= tt.doubtful {
						return nil
					}
					return &Error{Code: "Doubtful", Message: "a Message beside the ids", Class: Again, Doubt: &tt.receipt}
				}}
				result := send(t.Context(), submitter(), api, files("a.example.com", 1), nil)
				o := result.Outcomes[0]
				if (o.Err == nil) != tt.accepted || o.Doubt != tt.doubt || result.Calls != tt.calls {
					t.Errorf("outcome %+v after %d calls; want it accepted: %t, with the doubt %q, after %d", o, result.Calls, tt.accepted, tt.doubt, tt.calls)
				}
				if o.Err != nil && !o.Err.Class.Retryable() {
					t.Error("what is in doubt is not to be tried again")
				}
			})
		})
	}
}

// A spelling that the API does not take fails nothing, gives back what it covers,
// and is not sent again.
func TestSubmitRefusedSpellings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := files("a.example.com", 2, "/a%5B1%5D.png", "/a[1].png", "/d[1]/x.png", "/b|c.png")
		for i, target := range targets {
			targets[i].Respelt = strings.ContainsAny(target.URL, "[|")
		}
		dir := directory("a.example.com", "/d[1]/")
		dir.Respelt = true
		targets = append(targets, dir)
		api := &script{answer: refuse(Halve, "[")}
		s := submitter()
		for try, calls := range []int{9, 1} {
			before := len(api.calls)
			result := send(t.Context(), s, api, targets, nil)
			checkAccount(t, targets, result, api)
			refreshed, spellings := 0, 0
			for _, o := range result.Outcomes {
				switch {
				case o.Failed():
					t.Errorf("%s has failed", o.Item.URL)
				case o.Spelling:
					spellings++
				default:
					refreshed++
				}
			}
			if refreshed != 4 || spellings != 3 {
				t.Errorf("try %d: %d are refreshed and %d are refused spellings, want 4 and 3", try, refreshed, spellings)
			}
			if n := len(api.calls) - before; n > calls {
				t.Errorf("try %d: %d calls, want at most %d", try, n, calls)
			}
		}
	})
}

// Several sites share the calls a second of ESA's API: one that is throttled costs the
// others no URL.
func TestSubmitThrottledSiteStarvesNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := &script{latency: 200 * time.Millisecond, answer: func(_ int, call Call) error {
			if call.Site == 1 {
				return refusal(Again)
			}
			return nil
		}}
		targets := append(files("a.example.com", 40_000), files("b.example.com", 3000)...)
		for i := range targets {
			targets[i].Product, targets[i].Site = mapping.ESA, 1
			if targets[i].Domain == "b.example.com" {
				targets[i].Site = 2
			}
		}
		start := time.Now()
		result, _ := submit(t, submitter(), api, targets)
		if n := len(failures(result)); n != 40_000 {
			t.Errorf("%d are refused, want those of the site that is throttled", n)
		}
		for _, c := range api.calls {
			if took := c.start.Sub(start); c.Site == 2 && took > 2*time.Second {
				t.Errorf("a call of the other site began after %v", took)
			}
		}
	})
}

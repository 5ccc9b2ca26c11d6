package refresh

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/mapping"
)

// begin returns a submission of a minute at the time start.
func begin(s *Submitter, targets []mapping.Target, accepted map[Key]Acceptance) *submission {
	return beginFolded(s, targets, accepted, FoldRules{})
}

func beginFolded(s *Submitter, targets []mapping.Target, accepted map[Key]Acceptance, rules FoldRules) *submission {
	requests := Plan(Fold(Debounce(records(targets)), rules), s.Limits)
	job := Job{Requests: requests, Accepted: accepted}
	return newSubmission(s, job, start.Add(time.Minute), new(spent))
}

var start = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

// What each class of answer makes of a request of four URLs of two domains, and
// of a request of one URL.
func TestSettle(t *testing.T) {
	type state struct {
		Ready     []int // URLs of each ready task
		Waiting   int   // tasks
		Splitting int   // tasks
		OverQuota int   // requests
		Failed    int   // items
		Stopped   string
	}
	tests := []struct {
		class      Class
		four, one  state
		afterThree state // of four URLs
	}{
		{class: Permanent, four: state{Failed: 4}, one: state{Failed: 1}},
		{class: AgainNow, four: state{Waiting: 1}, one: state{Waiting: 1}, afterThree: state{Waiting: 1}},
		{class: Again, four: state{Waiting: 1}, one: state{Waiting: 1}, afterThree: state{Waiting: 1}},
		{class: AgainLater, four: state{Waiting: 1}, one: state{Waiting: 1}, afterThree: state{Waiting: 1}},
		{class: Busy, four: state{Waiting: 1}, one: state{Waiting: 1}, afterThree: state{Ready: []int{2, 2}}},
		{class: Pack, four: state{Ready: []int{1, 1, 1, 1}}, one: state{Failed: 1}},
		{class: Halve, four: state{Ready: []int{2, 2}}, one: state{Failed: 1}},
		{class: SplitDomains, four: state{Splitting: 1}, one: state{Failed: 1, Stopped: "a.example.com "}},
		{class: Quota, four: state{OverQuota: 1, Stopped: " File"}, one: state{OverQuota: 1, Stopped: " File"}},
		{class: RefuseType, four: state{Failed: 4, Stopped: " File"}, one: state{Failed: 1, Stopped: " File"}},
		{class: StopProduct, four: state{Failed: 4, Stopped: " "}, one: state{Failed: 1, Stopped: " "}},
		{class: StopAll, four: state{Failed: 4, Stopped: " "}, one: state{Failed: 1, Stopped: " "}},
		{class: Unknown, four: state{Ready: []int{2, 2}}, one: state{Failed: 1}},
		{class: Expired, four: state{Failed: 4}, one: state{Failed: 1}},
	}
	stateOf := func(q *submission) state {
		s := state{
			Waiting: len(q.waiting), Splitting: len(q.splitting),
			OverQuota: len(q.overQuota), Failed: len(q.result.Outcomes),
		}
		for _, task := range q.ready {
			s.Ready = append(s.Ready, len(task.Items))
		}
		for sc := range q.stopped {
			s.Stopped = sc.domain + " " + string(sc.typ)
		}
		return s
	}
	for _, tt := range tests {
		t.Run(tt.class.String(), func(t *testing.T) {
			err := &Error{Code: "Code", Class: tt.class, Bytes: 1}
			targets := append(files("a.example.com", 2), files("b.example.com", 2)...)

			four := begin(submitter(), targets, nil)
			first, _ := four.next(start)
			four.settle(answer{task: first, err: err}, start)
			if diff := cmp.Diff(tt.four, stateOf(four)); diff != "" {
				t.Errorf("four URLs (-want +got)\n%s", diff)
			}
			one := begin(submitter(), targets[:1], nil)
			only, _ := one.next(start)
			one.settle(answer{task: only, err: err}, start)
			if diff := cmp.Diff(tt.one, stateOf(one)); diff != "" {
				t.Errorf("one URL (-want +got)\n%s", diff)
			}
			if !tt.class.again() {
				return
			}
			now := start
			for range 2 {
				now = now.Add(10 * time.Second)
				again, _ := four.next(now)
				if again != first {
					t.Fatalf("the next task is %v, want the first again", again)
				}
				four.settle(answer{task: again, err: err}, now)
			}
			if diff := cmp.Diff(tt.afterThree, stateOf(four)); diff != "" {
				t.Errorf("after three answers (-want +got)\n%s", diff)
			}
		})
	}
}

// Exactly one part of a request goes on searching for the rest of the quota,
// however the request is divided.
func TestOnePartGoesOnSearching(t *testing.T) {
	for _, class := range []Class{Halve, Pack, SplitDomains} {
		t.Run(class.String(), func(t *testing.T) {
			targets := slices.Concat(files("a.example.com", 8), files("b.example.com", 8))
			q := begin(submitter(), targets, nil)
			first, _ := q.next(start)
			q.settle(answer{task: first, err: refusal(Quota)}, start)
			half, _ := q.next(start)
			if !half.searching || len(half.Items) != 8 {
				t.Fatalf("the next task has %d URLs, searching: %t; want the first 8", len(half.Items), half.searching)
			}
			half.Items = slices.Concat(half.Items[:4], first.Items[12:]) // of two domains
			q.settle(answer{task: half, err: &Error{Code: "Code", Class: class, Bytes: 100}}, start)
			q.wake(start)
			searching := 0
			for _, part := range q.ready {
				if part.searching {
					searching++
				}
			}
			if len(q.ready) < 2 || searching != 1 || !q.ready[0].searching {
				t.Errorf("%d of %d parts go on searching, want the first only", searching, len(q.ready))
			}
		})
	}
}

// What the item of a fallback asks for is sent once: not where it is an item of
// its own, and not for a second IgnoreParams.
func TestFallbacksAreSentOnce(t *testing.T) {
	const photo = "https://a.example.com/photo.jpg"
	targets := files("a.example.com", 0, "/photo.jpg")
	for _, query := range []string{"", "?w=1"} {
		target := target("a.example.com", "/photo.jpg"+query, mapping.Created)
		target.Type, target.Fallback = mapping.IgnoreParams, []string{photo, photo + "?w=1", photo + "?w=2"}
		targets = append(targets, target)
	}
	q := begin(submitter(), targets, nil)
	sent := map[string]int{}
	for range 20 {
		task, _ := q.next(start)
		if task == nil {
			break
		}
		var err *Error
		if task.Type == mapping.IgnoreParams {
			err = refusal(RefuseType)
		}
		for _, url := range task.URLs() {
			if task.Type == mapping.File {
				sent[url]++
			}
		}
		q.settle(answer{task: task, err: err}, start)
	}
	want := map[string]int{photo: 1, photo + "?w=1": 1, photo + "?w=2": 1}
	if diff := cmp.Diff(want, sent); diff != "" || !q.done() {
		t.Errorf("done: %t; sent (-want +got)\n%s", q.done(), diff)
	}
}

func TestRetryable(t *testing.T) {
	retryable := []Class{AgainNow, Again, AgainLater, Busy, Quota, StopAll, Unknown, Expired}
	for class := range Class(len(classNames)) {
		if got, want := class.Retryable(), slices.Contains(retryable, class); got != want {
			t.Errorf("%v: retryable is %t, want %t", class, got, want)
		}
	}
}

// Whatever the API answers, and in whatever order: while something is left and
// nothing is in flight, next has a task to send or a time to ask again, and in
// the end each target has one outcome.
func FuzzNextKnowsWhenToAskAgain(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 11))
		targets := randomTargets(r)
		for i := range targets {
			targets[i].Product = mapping.DCDN
		}
		s := submitter()
		s.FoldOnQuota = r.IntN(2) == 0
		s.Limits.URLsPerDomain = 1 + r.IntN(60)
		s.CallsPerSecond[mapping.DCDN] = 1 + r.IntN(30)
		rules := randomRules(r)
		s.Roots = rules.Roots
		var accepted map[Key]Acceptance
		for range 3 {
			result := drive(t, r, beginFolded(s, targets, accepted, rules))
			checkOutcomes(t, targets, result)
			accepted = result.Accepted()
			s.windows = nil // the next try begins at the same time
		}
	})
}

// drive answers a submission at random, in virtual time and without goroutines.
func drive(t *testing.T, r *rand.Rand, q *submission) Result {
	now := start
	classes := []Class{Permanent, AgainNow, Again, AgainLater, Busy, Pack, Halve, SplitDomains, Quota, RefuseType, StopProduct, StopAll, Unknown}
	classes = classes[:1+r.IntN(len(classes))]
	refused := r.Float64()
	interrupted := start.Add(time.Duration(r.IntN(120)) * time.Second)
	var flying []*task
	for steps := 0; ; steps++ {
		if steps > 100_000 {
			t.Fatal("the submission does not end")
		}
		if q.closed == nil && !now.Before(interrupted) {
			q.closed = context.Canceled
		}
		task, at := q.next(now)
		switch {
		case task != nil:
			flying = append(flying, task)
		case q.done():
			if len(flying) > 0 {
				t.Fatal("done while calls are in flight")
			}
			return q.result
		case at.IsZero() && len(flying) == 0:
			t.Fatalf("nothing is in flight and next never wants to be asked again: %+v", q)
		}
		if len(flying) > 0 && (at.IsZero() || r.IntN(2) == 0) {
			i := r.IntN(len(flying))
			a := answer{task: flying[i], receipt: Receipt{TaskID: "t", RequestID: fmt.Sprint(steps)}}
			flying = slices.Delete(flying, i, i+1)
			if r.Float64() < refused {
				a.err = &Error{Code: "Code", Class: classes[r.IntN(len(classes))], Bytes: 1 + r.IntN(2000)}
				if a.err.Class == Again && r.IntN(2) == 0 {
					a.err.Doubt = &Receipt{[]string{"", "t"}[r.IntN(2)], []string{"", "r"}[r.IntN(2)]}
				}
			}
			q.settle(a, now)
		} else if task == nil {
			if !at.After(now) {
				t.Fatalf("next wants to be asked again at %v, which is not after %v", at, now)
			}
			now = at
		}
		if r.IntN(4) == 0 {
			now = now.Add(time.Duration(r.IntN(1000)) * time.Millisecond)
		}
	}
}

func checkOutcomes(t *testing.T, targets []mapping.Target, result Result) {
	t.Helper()
	seen := make([]int, len(targets))
	for _, o := range result.Outcomes {
		if o.Item.Extra && o.Item.Type == mapping.File {
			continue // in place of an IgnoreParams that has an outcome of its own
		}
		for _, target := range o.Item.AllRecords() {
			seen[target]++
		}
	}
	for i, n := range seen {
		if n != 1 {
			t.Errorf("target %d, %s, is in %d outcomes", i, targets[i].URL, n)
		}
	}
}

// Submit changes nothing that it is given, and reports each outcome as it comes.
func TestSubmitLeavesItsJobAsItIs(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 5))
		s := submitter()
		s.FoldOnQuota = true
		requests := Plan(Fold(Debounce(records(randomTargets(r))), FoldRules{Cost: 5}), s.Limits)
		before := fmt.Sprintf("%+v", requests)
		var q *submission
		reported := 0
		job := Job{Requests: requests, Done: func(Outcome) { reported++ }}
		q = newSubmission(s, job, start.Add(time.Minute), new(spent))
		result := drive(t, r, q)
		if after := fmt.Sprintf("%+v", requests); after != before {
			t.Fatalf("seed %d: the requests were changed (-before +after)\n%s", seed, cmp.Diff(before, after))
		}
		if reported != len(result.Outcomes) {
			t.Fatalf("seed %d: %d of %d outcomes were reported", seed, reported, len(result.Outcomes))
		}
	}
}

// How long a request is does not depend on the code under test.
func TestFormSize(t *testing.T) {
	for c := range 256 {
		for _, s := range []string{string(byte(c)), "a" + string([]byte{byte(c)}) + "%", string(rune(c))} {
			if got, want := formSize(s), len(strings.ReplaceAll(url.QueryEscape(s), "+", "%20")); got != want {
				t.Errorf("the form has %d bytes for %q, want %d", got, s, want)
			}
		}
	}
}

func TestLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			timeout time.Duration
			items   int
			margin  time.Duration
		}{
			{60 * time.Second, 0, 3 * time.Second},
			{10 * time.Second, 0, time.Second},
			{60 * time.Second, 10_000, 4 * time.Second},
			{time.Second, 0, 500 * time.Millisecond},
			{4 * time.Second, 100_000, 2 * time.Second},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
			if got := time.Until(LastMoment(ctx, tt.items)); got != tt.timeout-tt.margin {
				t.Errorf("%v for %d items: the submission has %v, want %v", tt.timeout, tt.items, got, tt.timeout-tt.margin)
			}
			cancel()
		}
		if got := time.Until(LastMoment(context.Background(), 5)); got != 24*time.Hour {
			t.Errorf("without a deadline the submission has %v, want a day", got)
		}
	})
}

// Three domains of which single URLs are refused do not stop a product of which
// anything else is accepted; nor do three such URLs stop their domain.
func TestUnknownCodesDoNotStopWhatIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var targets []mapping.Target
		for d := range 4 {
			domain := fmt.Sprintf("d%d.example.com", d)
			targets = append(targets, files(domain, 30, "/bad1.png", "/bad2.png", "/bad3.png")...)
		}
		s := submitter()
		s.Limits.URLsPerRequest = 11 // so that something of each domain is accepted early
		result, _ := submit(t, s, &script{answer: refuse(Unknown, "bad")}, targets)
		failed := failures(result)
		for _, f := range failed {
			if !strings.Contains(f, "bad") {
				t.Errorf("refused: %s", f)
			}
		}
		if len(failed) != 12 {
			t.Errorf("%d are refused, want the 12 bad ones", len(failed))
		}
	})
}

// The 40 calls that search for what an unknown code is about are all made, and no
// more.
func TestUnknownCodesHaveABudget(t *testing.T) {
	q := begin(submitter(), files("a.example.com", 100), nil)
	calls := 0
	for {
		task, at := q.next(start.Add(time.Duration(calls) * time.Minute / 100))
		if task == nil {
			if at.IsZero() {
				break
			}
			t.Fatalf("next wants to be asked again at %v", at)
		}
		calls++
		err := refusal(Unknown)
		if len(task.Items) == 1 {
			err = nil // so that no domain is taken to be at fault
		}
		q.settle(answer{task: task, err: err}, start)
	}
	if calls != 1+maxUnknown || !q.done() {
		t.Errorf("%d calls, done: %t; want %d", calls, q.done(), 1+maxUnknown)
	}
}

// A call is a line of the debug log; one that was not sent is not.
func TestSubmitLogsItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := submitter()
		s.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		api := &script{answer: func(n int, _ Call) error {
			switch n {
			case 0:
				return &Error{Code: "Throttling", Class: Again}
			case 1:
				return &Error{Code: "Refused", Class: AgainNow, Unsent: true}
			}
			return nil
		}}
		send(t.Context(), s, api, files("a.example.com", 2), nil)
		var codes []string
		for line := range bytes.Lines(log.Bytes()) {
			var call struct{ Msg, Code, Class, Product, Type string }
			if err := json.Unmarshal(line, &call); err != nil || call.Msg != "call" || call.Type != "File" {
				t.Errorf("a line is %s, %v", line, err)
			}
			codes = append(codes, call.Code)
		}
		if !slices.Equal(codes, []string{"Throttling", ""}) {
			t.Errorf("the calls in the log have the codes %q, want one refusal and one acceptance", codes)
		}
	})
}

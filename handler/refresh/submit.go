package refresh

import (
	"context"
	"errors"
	"log/slog"
	"sort"
	"sync"
	"time"

	"oss-cdn-refresh/mapping"
)

// A Submitter submits requests to the refresh API. One serves all invocations of
// a process, at the same time too: the calls a second are counted together.
type Submitter struct {
	Limits         Limits
	CallsPerSecond map[mapping.Product]int // of the account; one a second for a product that is not there
	Instances      int                     // that share the calls a second; 0 means 1
	// FoldOnQuota submits the directories of files for which the day's quota
	// of URLs does not suffice: directories have a quota of their own.
	FoldOnQuota bool
	Roots       map[string]bool // directories, as URLs, that are never submitted in place of files
	Log         *slog.Logger    // a line a call, at debug; may be nil

	mu      sync.Mutex // guards windows
	windows map[mapping.Product]*window
	// refused has the unencoded characters (bareCharacter) that an API does not take, with
	// its refusal (*Error).
	refused sync.Map
}

// A Job is what one invocation submits.
type Job struct {
	API      Refresher
	Requests []Request // as [Plan] returns them
	// Accepted is what the API accepted in an earlier try of the same job. That
	// is reported and not sent; the rest is planned anew.
	Accepted map[Key]Acceptance
	// Until is when the submission must be over; zero: [LastMoment] of the job's items.
	Until time.Time
	// Done, if it is set, is called with each outcome as soon as that is known,
	// from Submit's own goroutine.
	Done func(Outcome)
}

const (
	inFlight    = 16                      // calls at once, of one product or site and invocation
	minAttempt  = 250 * time.Millisecond  // with less time left no call is made
	fairAttempt = 1500 * time.Millisecond // the least time for a call while that much is left
	maxAttempt  = 10 * time.Second        // the default read timeout of the vendor's SDKs
	marginShare = 20                      // 5 % of the time
	minMargin   = time.Second
	itemMargin  = 100 * time.Microsecond // what reporting an item takes on 0.05 of a core
)

// Submit sends the job's requests until each item has an outcome: requests that
// carry removals before those that carry none, those with pages before the
// rest, and what takes the place of a refused item in the order of its
// importance. Products do not wait for each other. Submit returns in time to report
// before the context's deadline: see [Job].
//
// Submit's own goroutine owns all state. Calls are the only other goroutines;
// their answers come back over one channel.
func (s *Submitter) Submit(ctx context.Context, job Job) Result {
	until := job.Until
	if until.IsZero() {
		until = LastMoment(ctx, job.items())
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	deadline, _ := ctx.Deadline()
	submissions := newSubmissions(s, job, deadline)
	answers := make(chan answer, inFlight*len(submissions)) // none has to wait
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	over := ctx.Done()
	for turn := 0; ; {
		now := time.Now()
		// Each in its turn, one request at a time: several sites share a product's
		// calls a second, and none may use them up. It is over when none has one.
		wake, done := time.Time{}, true
		for idle := 0; idle < len(submissions); turn++ {
			sub := submissions[turn%len(submissions)]
			t, at := sub.next(now)
			if t != nil {
				go s.call(ctx, job.API, t, t.call(), sub.callTimeout(t, now), answers)
				wake, done, idle = time.Time{}, true, 0
				continue
			}
			if !at.IsZero() && (wake.IsZero() || at.Before(wake)) {
				wake = at
			}
			done = done && sub.done()
			idle++
		}
		if done {
			return collect(submissions)
		}
		var alarmed <-chan time.Time
		if !wake.IsZero() {
			alarm.Reset(wake.Sub(now))
			alarmed = alarm.C
		}
		select {
		case a := <-answers:
			a.task.submission.settle(a, time.Now())
		case <-alarmed:
		case <-over:
			for _, sub := range submissions {
				sub.closed = ctx.Err()
			}
			over = nil
		}
	}
}

// items returns the number of the job's items.
func (j Job) items() int {
	n := 0
	for _, r := range j.Requests {
		n += len(r.Items)
	}
	return n
}

// product is that of the job's first request; empty where it has none.
func (j Job) product() mapping.Product {
	if len(j.Requests) == 0 {
		return ""
	}
	return j.Requests[0].Product
}

// LastMoment is when the submission of so many items must be over, so that there
// is time to report before the context's deadline: 1 second or 5 % of the time
// left, whichever is more, and 0.1 ms an item, but at most half of the time left.
// Without a deadline it is a day from now.
func LastMoment(ctx context.Context, items int) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Now().Add(24 * time.Hour)
	}
	left := time.Until(deadline)
	margin := max(minMargin, left/marginShare) + time.Duration(items)*itemMargin
	return deadline.Add(-min(margin, left/2))
}

// newSubmissions returns a submission for each product of the job, and of ESA for
// each site, in the order of its requests: a site has its own quota, and what is
// refused of one says nothing of another.
func newSubmissions(s *Submitter, job Job, deadline time.Time) []*submission {
	var services []mapping.Service
	requests := map[mapping.Service][]Request{}
	for _, r := range job.Requests {
		service := mapping.Service{Product: r.Product, Site: r.Site}
		if requests[service] == nil {
			services = append(services, service)
		}
		requests[service] = append(requests[service], r)
	}
	submissions := make([]*submission, len(services))
	spent := new(spent)
	for i, service := range services {
		part := job
		part.Requests = requests[service]
		submissions[i] = newSubmission(s, part, deadline, spent)
	}
	return submissions
}

func collect(submissions []*submission) Result {
	var all Result
	for _, sub := range submissions {
		all.Outcomes = append(all.Outcomes, sub.result.Outcomes...)
		all.Calls += sub.result.Calls
	}
	sortOutcomes(all.Outcomes)
	return all
}

// sortOutcomes puts outcomes into the order of importance. Package sort does, where
// package slices would add some 8 kB to the function for each type of large values.
func sortOutcomes(list []Outcome) {
	sort.SliceStable(list, func(i, j int) bool {
		return compareItems(&list[i].Item, &list[j].Item) < 0
	})
}

// DryRun returns what [Submitter.Submit] does where the API accepts each request,
// without a call and without receipts.
func DryRun(requests []Request) Result {
	var result Result
	for _, r := range requests {
		for _, it := range r.Items {
			result.Outcomes = append(result.Outcomes, Outcome{Item: it})
		}
	}
	return result
}

// An answer is what a call came to.
type answer struct {
	task    *task
	receipt Receipt
	err     *Error // nil: accepted
}

// call returns what the task's call submits.
func (t *task) call() Call {
	return Call{
		Product: string(t.Product), Site: t.Site, Type: string(t.Type), Force: t.Force, URLs: t.URLs(),
	}
}

// call makes one call and sends its answer. It does not look into the task.
func (s *Submitter) call(
	ctx context.Context, api Refresher, t *task, call Call, timeout time.Duration,
	answers chan<- answer,
) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start := time.Now()
	receipt, err := api.Refresh(ctx, call)
	a := answer{t, receipt, asError(err)}
	s.log(ctx, call, a, time.Since(start))
	answers <- a
}

func asError(err error) *Error {
	if err == nil {
		return nil
	}
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return &Error{Code: CodeUnknown, Class: Again, Message: err.Error(), Err: err}
}

func (s *Submitter) log(ctx context.Context, call Call, a answer, took time.Duration) {
	if s.Log == nil || !s.Log.Enabled(ctx, slog.LevelDebug) || a.err != nil && a.err.Unsent {
		return
	}
	var site slog.Attr // which is left out
	if call.Site != 0 {
		site = slog.Int64("site", call.Site)
	}
	attrs := []slog.Attr{
		slog.String("product", call.Product), site,
		slog.String("type", call.Type),
		slog.Int("urls", len(call.URLs)),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
	}
	if a.err != nil {
		attrs = append(attrs,
			slog.String("code", a.err.Code),
			slog.String("class", a.err.Class.String()),
			slog.String("error", a.err.Error()))
	} else {
		attrs = append(attrs,
			slog.String("task_id", a.receipt.TaskID),
			slog.String("request_id", a.receipt.RequestID))
	}
	s.Log.LogAttrs(ctx, slog.LevelDebug, "call", attrs...)
}

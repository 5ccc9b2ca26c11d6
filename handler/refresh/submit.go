package refresh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"oss-cdn-refresh/mapping"
)

// A Submitter submits items to the refresh API. One serves all invocations of
// a process, at the same time too: the calls a second are counted together.
type Submitter struct {
	Limits         Limits
	CallsPerSecond map[mapping.Product]int // one a second for a product that is not there
	// FoldOnQuota submits the directories of files for which the day's quota
	// of URLs does not suffice: directories have a quota of their own.
	FoldOnQuota bool
	Log         *slog.Logger // a line a call, at debug

	once    sync.Once
	windows map[mapping.Product]*window
}

// A Job is what one invocation submits.
type Job struct {
	API      Refresher
	Items    []*Item
	Accepted map[Key]Receipt // what the API accepted before; it is reported, not sent
}

// A Result has one outcome for each item that was submitted or refused, in the
// order of importance, and the number of calls made, retries included. Of the
// job's items and the files that they cover, each is in one outcome or covered
// by the item of one.
type Result struct {
	Outcomes []Outcome
	Calls    int
}

const (
	inFlight    = 16                     // calls at once, of one invocation
	minAttempt  = 250 * time.Millisecond // with less time left no call is made
	maxAttempt  = 10 * time.Second       // the default read timeout of the vendor's SDKs
	firstPause  = 100 * time.Millisecond
	firstLater  = time.Second
	maxPause    = 5 * time.Second
	maxLater    = 30 * time.Second
	maxFolds    = 10 // directories folded an invocation: their quota is 100 a day
	marginShare = 20 // 5 % of the time
	minMargin   = time.Second
)

// Submit plans the job's items and submits them: requests that carry removals
// before those that carry none, those with pages before the rest. It answers
// before the context's deadline, by a second or 5 % of the time.
func (s *Submitter) Submit(ctx context.Context, job Job) Result {
	ctx, cancel := context.WithDeadline(ctx, lastMoment(ctx))
	defer cancel()
	sub := &submission{
		Submitter: s, ctx: ctx, job: job,
		flights: make(chan struct{}, inFlight),
		turn:    make(chan struct{}, 1),
		refused: map[scope]*Error{},
	}
	for items := job.Items; len(items) > 0; items = sub.followUps() {
		sub.waves(Plan(items, s.Limits))
	}
	slices.SortStableFunc(sub.result.Outcomes, func(a, b Outcome) int { return compareItems(a.Item, b.Item) })
	return sub.result
}

// lastMoment leaves time to report before the context's deadline.
func lastMoment(ctx context.Context) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Now().Add(24 * time.Hour)
	}
	left := time.Until(deadline)
	margin := min(max(minMargin, left/marginShare), left/2)
	return deadline.Add(-margin)
}

// window returns the product's.
func (s *Submitter) window(product mapping.Product) *window {
	s.once.Do(func() {
		s.windows = map[mapping.Product]*window{}
		for _, p := range []mapping.Product{mapping.DCDN, mapping.CDN} {
			s.windows[p] = newWindow(s.CallsPerSecond[p])
		}
	})
	return s.windows[product]
}

// A submission is one Submit under way.
type submission struct {
	*Submitter
	ctx     context.Context // ends when it is time to report
	job     Job
	flights chan struct{}
	turn    chan struct{} // of splitting by domain

	mu      sync.Mutex
	result  Result
	refused map[scope]*Error // what the API refuses altogether
	follow  []*Item          // to submit in place of what was refused
	short   []Outcome        // files that the quota did not suffice for and that may be folded
	folds   int
}

// A scope is what one refusal holds for. An empty field stands for all.
type scope struct {
	product mapping.Product
	typ     mapping.Type
	domain  string
}

// waves sends the requests rank by rank. One that gets no final answer holds
// the next rank up for half of the time that is left, not for all of it.
func (s *submission) waves(requests []Request) {
	var all sync.WaitGroup
	defer all.Wait()
	for rank := Removal; rank <= Rest; rank++ {
		var wave sync.WaitGroup
		for _, r := range requests {
			if r.rank() == rank {
				wave.Add(1)
				all.Go(func() {
					defer wave.Done()
					s.run(r)
				})
			}
		}
		s.await(&wave)
	}
}

func (s *submission) await(wave *sync.WaitGroup) {
	done := make(chan struct{})
	go func() {
		wave.Wait()
		close(done)
	}()
	timer := time.NewTimer(s.left() / 2)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

func (s *submission) left() time.Duration {
	deadline, _ := s.ctx.Deadline()
	return time.Until(deadline)
}

// run sends a request until each of its items has an outcome or is left for a
// follow-up.
func (s *submission) run(r Request) {
	var last *Error
	for try := 0; ; try++ {
		if r = s.prune(r); len(r.Items) == 0 {
			return
		}
		receipt, err := s.attempt(r)
		if err == nil {
			s.accept(r.Items, receipt)
			return
		}
		if !err.Class.again() {
			if err.Class == Late && last != nil {
				err = late(last)
			}
			s.refuse(r, err)
			return
		}
		last = err
		if !s.pause(err.Class, try) {
			s.fail(r.Items, late(last))
			return
		}
	}
}

// runAll runs requests at once and waits for them.
func (s *submission) runAll(requests ...Request) {
	var group sync.WaitGroup
	for _, r := range requests {
		group.Go(func() { s.run(r) })
	}
	group.Wait()
}

// prune gives the items their outcome whose answer is known without a call,
// and returns the request with the others.
func (s *submission) prune(r Request) Request {
	var rest []*Item
	for _, it := range r.Items {
		if receipt, ok := s.job.Accepted[it.Key()]; ok {
			s.accept([]*Item{it}, receipt)
		} else if err := s.refusal(it, r.halving); err != nil {
			s.fail([]*Item{it}, err)
		} else {
			rest = append(rest, it)
		}
	}
	return r.with(rest)
}

// refusal returns what is known to stand against the item.
func (s *submission) refusal(it *Item, halving bool) *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	scopes := []scope{{}, {product: it.Product}, {product: it.Product, domain: it.Domain}, {product: it.Product, typ: it.Type}}
	for _, sc := range scopes {
		if err := s.refused[sc]; err != nil && !(halving && err.Class == Quota) {
			return err
		}
	}
	return nil
}

// know remembers a refusal, the first of its scope, and tells whether it is
// that.
func (s *submission) know(sc scope, err *Error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.refused[sc]
	if !known {
		s.refused[sc] = err
	}
	return !known
}

// attempt makes one call. Its time comes from the time left, so that a
// connection that hangs leaves some for other tries.
func (s *submission) attempt(r Request) (Receipt, *Error) {
	select {
	case s.flights <- struct{}{}:
		defer func() { <-s.flights }()
	case <-s.ctx.Done():
		return Receipt{}, s.over()
	}
	if err := s.window(r.Product).wait(s.ctx); err != nil {
		return Receipt{}, s.over()
	}
	ctx, cancel := context.WithTimeout(s.ctx, min(max(s.left()/4, minAttempt), maxAttempt))
	defer cancel()
	start := time.Now()
	receipt, err := s.job.API.Refresh(ctx, Call{string(r.Product), string(r.Type), r.URLs()})
	refusal := asError(err)
	s.count(r, receipt, refusal, time.Since(start))
	return receipt, refusal
}

// over is the reason when there is no time for a call.
func (s *submission) over() *Error {
	return &Error{Code: CodeDeadline, Class: Late, Message: "the invocation's time was over before a call could be made", Err: s.ctx.Err()}
}

// late is the reason when the time was over before the API's final answer.
func late(last *Error) *Error {
	return &Error{
		Op: last.Op, Code: CodeDeadline, Class: Late, RequestID: last.RequestID, Err: last,
		Message: fmt.Sprintf("the invocation's time was over before the refresh was confirmed; last answer: %s", last.Text()),
	}
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

func (s *submission) count(r Request, receipt Receipt, err *Error, took time.Duration) {
	if err != nil && err.Unsent {
		return
	}
	s.mu.Lock()
	s.result.Calls++
	s.mu.Unlock()
	if s.Log == nil || !s.Log.Enabled(s.ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("product", string(r.Product)), slog.String("type", string(r.Type)),
		slog.Int("urls", len(r.Items)), slog.Float64("duration_ms", float64(took.Microseconds())/1000),
	}
	if err != nil {
		attrs = append(attrs, slog.String("code", err.Code), slog.String("class", err.Class.String()), slog.String("error", err.Error()))
	} else {
		attrs = append(attrs, slog.String("task_id", receipt.TaskID), slog.String("request_id", receipt.RequestID))
	}
	s.Log.LogAttrs(s.ctx, slog.LevelDebug, "call", attrs...)
}

// pause waits before the next try, with full jitter, and tells whether there
// is time for one.
func (s *submission) pause(class Class, try int) bool {
	most := min(maxPause, firstPause<<min(try, 10))
	switch class {
	case AgainNow:
		most = 1
	case AgainLater:
		most = min(maxLater, firstLater<<min(try, 10))
	}
	left := s.left() - minAttempt
	if left <= 0 {
		return false
	}
	return sleep(s.ctx, min(rand.N(most), left)) == nil
}

// refuse does what the class of a refusal asks for.
func (s *submission) refuse(r Request, err *Error) {
	switch err.Class {
	case Pack:
		s.pack(r, err)
	case Halve:
		s.halve(r, err)
	case SplitDomains:
		s.splitDomains(r, err)
	case Quota:
		s.quota(r, err)
	case RefuseType:
		s.know(scope{product: r.Product, typ: r.Type}, err)
		s.fail(r.Items, err)
	case StopProduct:
		s.know(scope{product: r.Product}, err)
		s.fail(r.Items, err)
	case StopAll:
		s.know(scope{}, err)
		s.fail(r.Items, err)
	default:
		s.fail(r.Items, err)
	}
}

func (s *submission) pack(r Request, err *Error) {
	limits := s.Limits
	limits.RequestBytes = min(limits.RequestBytes, err.Bytes)
	requests := Plan(r.Items, limits)
	for i := range requests {
		requests[i].halving = r.halving
	}
	s.runAll(requests...)
}

func (s *submission) halve(r Request, err *Error) {
	half := len(r.Items) / 2
	if half == 0 {
		s.fail(r.Items, err)
		return
	}
	s.runAll(r.with(r.Items[:half]), r.with(r.Items[half:]))
}

// splitDomains sends each domain by itself. One request at a time does: what
// it learns about a domain spares the others that question.
func (s *submission) splitDomains(r Request, err *Error) {
	queues := byDomain(r.Items)
	if len(queues) == 1 {
		s.know(scope{product: r.Product, domain: queues[0].domain}, err)
		s.fail(r.Items, err)
		return
	}
	release := s.takeTurn()
	rest := s.prune(r)
	if len(rest.Items) < len(r.Items) {
		release()
		s.run(rest)
		return
	}
	requests := make([]Request, len(queues))
	for i, q := range queues {
		requests[i] = r.with(q.items)
	}
	s.runAll(requests...)
	release()
}

// takeTurn waits until no other request is splitting, but not for ever: that
// one may wait for the API.
func (s *submission) takeTurn() (release func()) {
	timer := time.NewTimer(s.left() / 4)
	defer timer.Stop()
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }
	case <-timer.C:
		return func() {}
	}
}

// quota finds out how much the quota still holds: the first request so
// answered goes on with its more important half until one is accepted. Nothing
// else of its type is sent any more.
func (s *submission) quota(r Request, err *Error) {
	first := s.know(scope{product: r.Product, typ: r.Type}, err)
	half := len(r.Items) / 2
	if !first && !r.halving || half == 0 {
		s.fail(r.Items, err)
		return
	}
	s.fail(r.Items[half:], err)
	r.halving = true
	s.run(r.with(r.Items[:half]))
}

func (s *submission) accept(items []*Item, receipt Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range items {
		s.result.Outcomes = append(s.result.Outcomes, Outcome{Item: it, Receipt: receipt})
	}
}

// fail gives each item its outcome, or leaves it to what may stand in for it.
func (s *submission) fail(items []*Item, err *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range items {
		s.failOne(it, err)
	}
}

func (s *submission) failOne(it *Item, err *Error) {
	if it.folded {
		for _, file := range it.covered {
			s.result.Outcomes = append(s.result.Outcomes, Outcome{Item: file, Err: err})
		}
		return
	}
	if err.Class == Quota && s.foldable(it) {
		s.short = append(s.short, Outcome{Item: it, Err: err})
		return
	}
	s.follow = append(s.follow, it.covered...)
	it.covered = nil
	if err.Class == RefuseType {
		s.follow = append(s.follow, fallbacks(it)...)
	}
	s.result.Outcomes = append(s.result.Outcomes, Outcome{Item: it, Err: err})
}

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

// Accepted returns what the API accepted, for [Job.Accepted] of a later try.
func (r Result) Accepted() map[Key]Receipt {
	accepted := map[Key]Receipt{}
	for _, o := range r.Outcomes {
		switch {
		case o.Err != nil:
		case o.Item.folded:
			receipt := o.Receipt
			receipt.Directory = o.Item.URL
			for _, file := range o.Item.covered {
				accepted[file.Key()] = receipt
			}
		default:
			accepted[o.Item.Key()] = o.Receipt
		}
	}
	return accepted
}

const (
	inFlight    = 16                      // calls at once, of one invocation
	minAttempt  = 250 * time.Millisecond  // with less time left no call is made
	fairAttempt = 1500 * time.Millisecond // a call gets so much, if there is so much
	maxAttempt  = 10 * time.Second        // the default read timeout of the vendor's SDKs
	firstPause  = 100 * time.Millisecond
	firstLater  = time.Second
	maxPause    = 5 * time.Second
	maxLater    = 30 * time.Second
	maxBusy     = 3  // answers that a domain is busy until each domain is sent by itself
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
		learned: make(chan struct{}),
		refused: map[scope]*Error{},
		halved:  map[scope]bool{},
		folders: map[Key]*Item{},
	}
	requests := Plan(job.Items, s.Limits)
	for done := false; !done || len(requests) > 0; requests = sub.followUps() {
		sub.waves(requests)
		done = sub.await(sub.open...)
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
	open    []<-chan struct{} // waves: each is closed when its requests are through
	flights chan struct{}
	turn    chan struct{} // of splitting by domain

	mu      sync.Mutex
	result  Result
	refused map[scope]*Error // what the API refuses altogether
	learned chan struct{}    // closed when a domain comes into refused
	follow  []*Item          // to submit in place of what was refused
	short   []Outcome        // files that the quota did not suffice for and that may be folded
	over    []overdrawn      // requests that the quota did not suffice for
	folders map[Key]*Item    // directories that files were folded into
	folds   int

	halved map[scope]bool // what followUps has halved for the quota
	known  map[Key]bool   // what followUps need not submit as a fallback
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
	for rank := Removal; rank <= Rest; rank++ {
		wave := slices.DeleteFunc(slices.Clone(requests), func(r Request) bool { return r.rank() != rank })
		if len(wave) == 0 {
			continue
		}
		done := make(chan struct{})
		go func() {
			s.send(wave...)
			close(done)
		}()
		s.open = append(s.open, done)
		s.await(done)
	}
}

// await waits for waves, for half of the time that is left or, where that is
// little, until it is over. It tells whether they are through.
func (s *submission) await(waves ...<-chan struct{}) bool {
	patience := s.left() / 2
	if patience < minAttempt {
		patience = time.Hour // each call ends with the context
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for _, wave := range waves {
		select {
		case <-wave:
		case <-timer.C:
			return false
		}
	}
	return true
}

func (s *submission) left() time.Duration {
	deadline, _ := s.ctx.Deadline()
	return time.Until(deadline)
}

// send runs requests, which begin in their order, and waits for them.
func (s *submission) send(requests ...Request) {
	var group sync.WaitGroup
	for _, r := range requests {
		if r, end := s.begin(r, nil); len(r.Items) > 0 {
			group.Go(func() { s.run(r, end) })
		}
	}
	group.Wait()
}

// begin waits until the request may be sent, and returns what is left of it by
// then: nothing, if all its items have their outcome.
func (s *submission) begin(r Request, last *Error) (rest Request, end func()) {
	select {
	case s.flights <- struct{}{}:
	case <-s.ctx.Done():
		s.fail(s.prune(r).Items, late(last))
		return Request{}, nil
	}
	end = func() { <-s.flights }
	if rest = s.prune(r); len(rest.Items) > 0 && s.window(r.Product).wait(s.ctx) != nil {
		s.fail(rest.Items, late(last))
		rest.Items = nil
	}
	if rest = s.prune(rest); len(rest.Items) == 0 {
		end()
	}
	return rest, end
}

// run sends a request that has begun until each of its items has an outcome or
// is left for a follow-up.
func (s *submission) run(r Request, end func()) {
	for try := 1; ; try++ {
		receipt, err := s.attempt(r)
		end()
		switch {
		case err == nil:
			s.accept(r.Items, receipt)
			return
		case err.Class == Busy && try >= maxBusy && len(byDomain(r.Items)) > 1:
			s.send(r.domains()...)
			return
		case !err.Class.again():
			s.refuse(r, err)
			return
		case !s.pause(err.Class, try):
			s.fail(r.Items, late(err))
			return
		}
		if r, end = s.begin(r, err); len(r.Items) == 0 {
			return
		}
	}
}

// prune gives the items their outcome whose answer is known without a call,
// and returns the request with the others. What is known does not change
// meanwhile: a request shrinks by all that it concerns.
func (s *submission) prune(r Request) Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rest []*Item
	for _, it := range r.Items {
		if receipt, ok := s.job.Accepted[it.Key()]; ok {
			s.acceptOne(it, receipt)
		} else if err := s.refusal(it, r.halving); err != nil {
			s.failOne(it, err)
		} else {
			rest = append(rest, it)
		}
	}
	return r.with(rest)
}

// refusal returns what is known to stand against the item.
func (s *submission) refusal(it *Item, halving bool) *Error {
	for _, sc := range [...]scope{{}, {product: it.Product}, {product: it.Product, domain: it.Domain}, {product: it.Product, typ: it.Type}} {
		if err := s.refused[sc]; err != nil && !(halving && err.Class == Quota) {
			return err
		}
	}
	return nil
}

// know remembers the first refusal of a scope.
func (s *submission) know(sc scope, err *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused[sc] != nil {
		return
	}
	s.refused[sc] = err
	if sc.domain != "" {
		close(s.learned)
		s.learned = make(chan struct{})
	}
}

// attempt makes one call. Its time comes from the time left, so that a
// connection that hangs leaves some for other tries.
func (s *submission) attempt(r Request) (Receipt, *Error) {
	if s.ctx.Err() != nil {
		return Receipt{}, late(nil)
	}
	left := s.left()
	ctx, cancel := context.WithTimeout(s.ctx, min(max(left/4, fairAttempt), maxAttempt))
	defer cancel()
	start := time.Now()
	receipt, err := s.job.API.Refresh(ctx, Call{string(r.Product), string(r.Type), r.URLs()})
	refusal := asError(err)
	s.count(r, receipt, refusal, time.Since(start))
	return receipt, refusal
}

// late is the reason when the time was over before the API's final answer;
// last is its last one, if there was any.
func late(last *Error) *Error {
	err := &Error{Code: CodeDeadline, Class: Late, Message: "the invocation's time was over before the request was sent"}
	if last != nil {
		err.Op, err.RequestID, err.Err = last.Op, last.RequestID, last
		err.Message = fmt.Sprintf("the invocation's time was over before the refresh was confirmed; last answer: %s", last.Text())
	}
	return err
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
	most := min(maxPause, firstPause<<min(try-1, 10))
	switch class {
	case AgainNow:
		most = 1
	case AgainLater:
		most = min(maxLater, firstLater<<min(try-1, 10))
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
	s.send(requests...)
}

func (s *submission) halve(r Request, err *Error) {
	half := len(r.Items) / 2
	if half == 0 {
		s.fail(r.Items, err)
		return
	}
	s.send(r.with(r.Items[:half]), r.with(r.Items[half:]))
}

// splitDomains sends each domain by itself. One request at a time does: what
// it learns about a domain spares the others that question.
func (s *submission) splitDomains(r Request, err *Error) {
	domains := r.domains()
	if len(domains) == 1 {
		s.know(scope{product: r.Product, domain: r.Items[0].Domain}, err)
		s.fail(r.Items, err)
		return
	}
	rest, release := s.takeTurn(r)
	if len(rest.Items) < len(r.Items) {
		release()
		s.send(rest)
		return
	}
	s.send(domains...)
	release()
}

// domains returns a request for each of the request's domains.
func (r Request) domains() []Request {
	var requests []Request
	for _, q := range byDomain(r.Items) {
		requests = append(requests, r.with(q.items))
	}
	return requests
}

// takeTurn waits until no other request is splitting, or one has learned what
// this one wants to know: then it returns the rest. It does not wait for ever,
// since that other one may wait for the API.
func (s *submission) takeTurn(r Request) (rest Request, release func()) {
	timer := time.NewTimer(s.left() / 4)
	defer timer.Stop()
	for {
		s.mu.Lock()
		learned := s.learned
		s.mu.Unlock()
		if rest = s.prune(r); len(rest.Items) < len(r.Items) {
			return rest, func() {}
		}
		select {
		case s.turn <- struct{}{}:
			return s.prune(r), func() { <-s.turn }
		case <-learned:
		case <-timer.C:
			return rest, func() {}
		}
	}
}

// An overdrawn request is one that the quota did not suffice for.
type overdrawn struct {
	Request
	err *Error
}

// quota stops the request's type. One request of it, the most important, finds
// out how much the quota still holds: see overdraw.
func (s *submission) quota(r Request, err *Error) {
	s.know(scope{product: r.Product, typ: r.Type}, err)
	if r.halving {
		s.halveForQuota(r, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = append(s.over, overdrawn{r, err})
}

// halveForQuota goes on with the more important half.
func (s *submission) halveForQuota(r Request, err *Error) {
	half := len(r.Items) / 2
	s.fail(r.Items[half:], err)
	if half > 0 {
		r.halving = true
		s.send(r.with(r.Items[:half]))
	}
}

func (s *submission) accept(items []*Item, receipt Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range items {
		s.acceptOne(it, receipt)
	}
}

func (s *submission) acceptOne(it *Item, receipt Receipt) {
	if receipt.Directory != "" {
		s.acceptFolded(it, receipt)
		return
	}
	s.result.Outcomes = append(s.result.Outcomes, Outcome{Item: it, Receipt: receipt})
}

// acceptFolded reports the directory that an earlier invocation refreshed in
// place of the file.
func (s *submission) acceptFolded(file *Item, receipt Receipt) {
	url := receipt.Directory
	receipt.Directory = ""
	dir, created := s.folder(file, url)
	if created {
		s.result.Outcomes = append(s.result.Outcomes, Outcome{Item: dir, Receipt: receipt})
	}
	dir.covered = append(dir.covered, file)
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
		s.unfold(it, err)
		return
	}
	if err.Class == Quota && s.foldable(it) {
		s.short = append(s.short, Outcome{Item: it, Err: err})
		return
	}
	s.follow = append(s.follow, it.covered...)
	it.covered = nil // they are on their own again
	if err.Class == RefuseType {
		s.follow = append(s.follow, fallbacks(it)...)
	}
	s.result.Outcomes = append(s.result.Outcomes, Outcome{Item: it, Err: err})
}

package refresh

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
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
	Roots       map[string]bool // directories, as URLs, that are never submitted in place of files
	Log         *slog.Logger    // a line a call, at debug

	windows sync.Map // of a mapping.Product: its *window
}

// A Job is what one invocation submits.
type Job struct {
	API      Refresher
	Items    []*Item
	Accepted map[Key]Receipt // what the API accepted before; it is reported, not sent
}

// byProduct returns the job's parts, one for each product.
func (j Job) byProduct() []Job {
	var parts []Job
	for _, it := range j.Items {
		i := slices.IndexFunc(parts, func(part Job) bool { return part.Items[0].Product == it.Product })
		if i < 0 {
			i = len(parts)
			parts = append(parts, Job{API: j.API, Accepted: j.Accepted})
		}
		parts[i].Items = append(parts[i].Items, it)
	}
	return parts
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
		case o.Item.folder:
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
// before those that carry none, those with pages before the rest, and what
// stands in for one that was refused before what matters less. Products do not
// wait for each other. It answers before the context's deadline, by a second or
// 5 % of the time.
func (s *Submitter) Submit(ctx context.Context, job Job) Result {
	ctx, cancel := context.WithDeadline(ctx, lastMoment(ctx))
	defer cancel()
	var folds atomic.Int32
	parts := job.byProduct()
	results := make([]Result, len(parts))
	var group sync.WaitGroup
	for i, part := range parts {
		group.Go(func() { results[i] = newSubmission(ctx, s, part, &folds).submit() })
	}
	group.Wait()
	var all Result
	for _, r := range results {
		all.Outcomes = append(all.Outcomes, r.Outcomes...)
		all.Calls += r.Calls
	}
	slices.SortStableFunc(all.Outcomes, func(a, b Outcome) int { return compareItems(a.Item, b.Item) })
	return all
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
	w, ok := s.windows.Load(product)
	if !ok {
		w, _ = s.windows.LoadOrStore(product, newWindow(s.CallsPerSecond[product]))
	}
	return w.(*window)
}

// A submission is one Submit under way, for one product.
type submission struct {
	*Submitter
	ctx       context.Context // ends when it is time to report
	job       Job
	flights   chan struct{} // calls under way
	splitting chan struct{} // held by the request that is being split by domain
	folds     *atomic.Int32 // directories made of files, for all products

	// Of submit's own goroutine.
	open   []<-chan struct{}     // waves: each is closed when its requests are through
	sent   map[Key]bool          // File items, where some may be fallbacks too
	halved map[mapping.Type]bool // what was halved for the quota

	mu        sync.Mutex // guards what follows
	result    Result
	slowness  int              // calls in a row that the API did not answer in time, before one that it did
	stopped   map[scope]*Error // what the API refuses altogether
	learned   chan struct{}    // closed when a domain comes into stopped
	follow    []*Item          // to submit in place of what was refused
	foldables []Outcome        // files that the quota did not suffice for
	overdrawn []refusedRequest // requests that the quota did not suffice for
	folders   map[Key]*Item    // directories made of files

	ownDirectories map[Key]bool // of the job; not changed
}

// A scope is what one refusal holds for. An empty field stands for all.
type scope struct {
	typ    mapping.Type
	domain string
}

// A refusedRequest is a request with its answer.
type refusedRequest struct {
	Request
	err *Error
}

func newSubmission(ctx context.Context, s *Submitter, job Job, folds *atomic.Int32) *submission {
	sub := &submission{
		Submitter: s, ctx: ctx, job: job, folds: folds,
		flights:   make(chan struct{}, inFlight),
		splitting: make(chan struct{}, 1),
		learned:   make(chan struct{}),
		stopped:   map[scope]*Error{},
		halved:    map[mapping.Type]bool{},
		folders:   map[Key]*Item{},

		ownDirectories: map[Key]bool{},
	}
	for _, it := range job.Items {
		switch {
		case it.Type == mapping.Directory:
			sub.ownDirectories[it.Key()] = true
		case len(it.fallback) > 0 && sub.sent == nil:
			sub.sent = fileKeys(job.Items)
		}
	}
	return sub
}

// submit sends one wave after the other.
func (s *submission) submit() Result {
	requests := Plan(s.recall(s.job.Items), s.Limits)
	for done := false; !done || len(requests) > 0; {
		requests = s.wave(requests)
		done = len(requests) == 0 && s.settle()
		requests = append(requests, s.followUps(len(requests) == 0)...)
	}
	return s.result
}

// wave sends the requests of the highest rank, waits for them and returns the
// others. One that gets no final answer holds these up for half of the time that
// is left, not for all of it.
func (s *submission) wave(requests []Request) (others []Request) {
	if len(requests) == 0 {
		return nil
	}
	highest := slices.MinFunc(requests, func(a, b Request) int { return cmp.Compare(a.rank(), b.rank()) }).rank()
	var wave []Request
	for _, r := range requests {
		if r.rank() == highest {
			wave = append(wave, r)
		} else {
			others = append(others, r)
		}
	}
	through := s.launch(wave)
	s.open = append(s.open, through)
	s.await(s.left()/2, through)
	return others
}

// launch sends requests in the background. The channel is closed when they are
// through.
func (s *submission) launch(requests []Request) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		s.send(requests...)
		close(done)
	}()
	return done
}

// settle waits for the waves under way as long as there is nothing to follow
// up: at first for half of the time that is left, and so on. It tells whether
// they are through.
func (s *submission) settle() bool {
	if s.await(0, s.open...) {
		return true
	}
	s.mu.Lock()
	waiting := len(s.follow)+len(s.foldables)+len(s.overdrawn) > 0
	s.mu.Unlock()
	patience := s.left() / 2
	if patience < minAttempt {
		patience = time.Hour // each call ends with the context
	}
	return !waiting && s.await(patience, s.open...)
}

// await waits for waves, and tells whether they are through.
func (s *submission) await(patience time.Duration, waves ...<-chan struct{}) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for _, wave := range waves {
		select { // first, since the timer may be over too
		case <-wave:
			continue
		default:
		}
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
		if r, land := s.begin(r, nil); len(r.Items) > 0 {
			group.Go(func() { s.run(r, land) })
		}
	}
	group.Wait()
}

// begin waits until the request may be sent, and returns what is left of it by
// then: nothing, if all its items have their outcome. Who gets something must
// land after the call.
func (s *submission) begin(r Request, last *Error) (rest Request, land func()) {
	select {
	case s.flights <- struct{}{}:
	case <-s.ctx.Done():
		s.fail(s.prune(r).Items, s.late(last))
		return Request{}, nil
	}
	land = func() { <-s.flights }
	if rest = s.prune(r); len(rest.Items) > 0 && s.window(r.Product).wait(s.ctx) != nil {
		s.fail(rest.Items, s.late(last))
		rest.Items = nil
	}
	if rest = s.prune(rest); len(rest.Items) == 0 {
		land()
	}
	return rest, land
}

// run sends a request that has begun until each of its items has an outcome or
// is left for a follow-up.
func (s *submission) run(r Request, land func()) {
	unanswered := s.slow(0)
	for try := 1; ; try++ {
		receipt, err := s.attempt(r, s.patience(unanswered))
		land()
		switch {
		case err.timedOut():
			unanswered++
		case err.answered():
			s.slow(unanswered)
		}
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
			s.fail(r.Items, s.late(err))
			return
		}
		if r, land = s.begin(r, err); len(r.Items) == 0 {
			return
		}
	}
}

// patience is how long a call may take. It comes from the time left, so that a
// connection that hangs leaves some for other tries. Where the API has not
// answered so many calls in time, it may just be slow, and what is given the same
// time again is sent in vain; unless others wait for this call's place.
func (s *submission) patience(unanswered int) time.Duration {
	left := s.left()
	usual := min(max(left/4, fairAttempt), maxAttempt)
	if len(s.flights) == cap(s.flights) {
		return usual
	}
	return max(usual, min(usual<<min(2*unanswered, 10), left*2/3))
}

// slow notes how many calls the API did not answer in time before it answered
// one, and returns the most so far: the next request need not find that out.
func (s *submission) slow(unanswered int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slowness = max(s.slowness, unanswered)
	return s.slowness
}

// attempt makes one call.
func (s *submission) attempt(r Request, patience time.Duration) (Receipt, *Error) {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	start := time.Now()
	receipt, err := s.job.API.Refresh(ctx, Call{string(r.Product), string(r.Type), r.URLs()})
	refusal := asError(err)
	s.count(r, receipt, refusal, time.Since(start))
	return receipt, refusal
}

// late is the reason when the time was over before the API's final answer;
// last is its last one, if there was any.
func (s *submission) late(last *Error) *Error {
	err := &Error{Code: CodeDeadline, Class: Late, Message: "the invocation's time was over"}
	if errors.Is(s.ctx.Err(), context.Canceled) {
		err.Code, err.Message = CodeCanceled, "the submission was interrupted"
	}
	if last == nil {
		err.Message += " before the request was sent"
		return err
	}
	err.Op, err.RequestID, err.Err = last.Op, last.RequestID, last
	err.Message += " before the refresh was confirmed; last answer: " + last.Text()
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

package refresh

import (
	"context"
	"errors"
	"slices"
	"time"

	"oss-cdn-refresh/mapping"
)

// A submission is the state of a [Submitter.Submit] for one product, or one site of
// ESA: what is still to be sent, and the outcomes so far. It knows neither goroutines
// nor the network and reads no clock: next says what to send, settle what an answer
// means.
//
// At any time each item is in exactly one of these: a task (ready, waiting,
// splitting, later or in flight), followUps, overQuota, foldable, a folder's
// files, or the result. The Directory of a folder is in a task until it is answered.
type submission struct {
	*Submitter
	job      Job
	deadline time.Time
	closed   error // why nothing is sent any more: the context's error

	ready     []*task   // to send now, in this order
	waiting   []*task   // to send again, each when it is due
	splitting []*task   // refused for one of their domains; usually one at a time is split, overdue ones too
	flying    int       // tasks that wait for the answer of a call
	slot      time.Time // when the next call may start

	later     []*task   // of waves to come
	wave      int       // the number of the wave that was begun last
	waveTasks int       // tasks of that wave that are not over
	holdUntil time.Time // that wave keeps back the later ones until then
	openParts int       // tasks of requests that are split by domain and are not over

	stopped  map[scope]*Error      // what the API refuses altogether, and its first refusal
	alone    map[string]int        // URLs of a domain that were refused alone with an unknown code
	accepts  map[string]bool       // domains of which something was accepted
	slowness int                   // the most timeouts of a task when the API finally answered it
	searched map[mapping.Type]bool // a search for the rest of the quota was begun

	followUps []Item          // to send in the place of refused items
	overQuota []overQuota     // requests that exceeded the quota
	foldable  []Outcome       // files over the quota whose directories may be refreshed instead
	folders   []*folder       // directories that are refreshed instead of files over the quota
	files     map[Key]bool    // File items of the job and of fallbacks
	own       map[string]bool // the URLs of the job's Directory items
	spent     *spent          // by all submissions of the job

	result Result
}

// A task is a request that is sent until each of its items has an outcome.
type task struct {
	Request
	submission  *submission
	wave        int
	tries       int       // calls made
	timeouts    int       // timeouts so far, beginning with those that earlier tasks have seen
	last        *Error    // the last answer; nil before the first
	due         time.Time // waiting, splitting: when it goes on in any case
	stops       int       // how many entries of stopped its items were checked against
	doubts      int       // answers that may have been acceptances
	part        bool      // of a request that is split by domain
	parentError *Error    // the unknown code that the request it is a part of was refused with
	searching   bool      // it exceeded the quota, and is halved until the API accepts it
}

// A scope is what one refusal holds for. An empty field stands for all.
type scope struct {
	typ    mapping.Type
	domain string
	bare   byte // spellings beside the canonical one with this character, unencoded
}

// A spent counts what an invocation may do only so many times, over all its
// submissions.
type spent struct {
	folders int // directories in place of files over the quota
	unknown int // calls that search for what an unknown code is about
}

// An overQuota is a request that exceeded the quota, with its refusal.
type overQuota struct {
	Request
	err *Error
}

func newSubmission(s *Submitter, job Job, deadline time.Time, spent *spent) *submission {
	q := &submission{
		Submitter: s, job: job, deadline: deadline, spent: spent,
		stopped:  map[scope]*Error{},
		alone:    map[string]int{},
		accepts:  map[string]bool{},
		searched: map[mapping.Type]bool{},
		files:    map[Key]bool{},
		own:      map[string]bool{},
	}
	s.refused.Range(func(bare, err any) bool {
		if bare := bare.(bareCharacter); bare.product == job.product() {
			q.stop(scope{bare: bare.c}, err.(*Error))
		}
		return true
	})
	fallbacks := false
	for _, r := range job.Requests {
		for i := range r.Items {
			fallbacks = fallbacks || len(r.Items[i].Fallback) > 0
			if r.Type == mapping.Directory {
				q.own[r.Items[i].URL] = true
			}
		}
	}
	if fallbacks {
		q.noteFiles()
	}
	if len(job.Accepted) == 0 {
		q.addLater(job.Requests)
		return q
	}
	var items []Item
	for _, r := range job.Requests {
		items = append(items, r.Items...)
	}
	q.plan(items)
	return q
}

// done reports whether each item has its outcome.
func (q *submission) done() bool { return q.idle() && len(q.folders) == 0 }

// idle reports whether nothing is left to send.
func (q *submission) idle() bool {
	tasks := q.flying + len(q.ready) + len(q.waiting) + len(q.splitting) + len(q.later)
	return tasks+len(q.followUps)+len(q.overQuota)+len(q.foldable) == 0
}

// next returns the task to send now, which is in flight from then on. Where
// there is none, it returns when to ask again; the zero time means that only an
// answer brings news, or that the submission is done.
func (q *submission) next(now time.Time) (*task, time.Time) {
	for {
		if q.closed != nil {
			q.giveUp()
		}
		q.wake(now)
		q.beginWaves(now)
		if q.flying == inFlight {
			return nil, time.Time{}
		}
		if len(q.ready) == 0 {
			if q.idle() {
				q.reportFolders() // no more files can join them
			}
			return nil, q.news(now)
		}
		t := q.ready[0]
		if q.failStopped(t); len(t.Items) == 0 {
			q.ready = q.ready[1:]
			q.replace(t)
			continue
		}
		if t.parentError != nil && q.spent.unknown == maxUnknown {
			q.ready = q.ready[1:]
			q.refuse(t, t.parentError)
			continue
		}
		q.slot = q.start(t.Product, now)
		if q.slot.After(q.deadline.Add(-minAttempt)) {
			q.ready = q.ready[1:]
			q.refuse(t, q.tooLate(t.last))
			continue
		}
		if q.slot.After(now) {
			return nil, q.news(now)
		}
		q.ready = q.ready[1:]
		q.flying++
		if t.tries++; t.tries == 1 {
			t.timeouts = q.slowness
		}
		if t.parentError != nil {
			q.spent.unknown++
		}
		return t, time.Time{}
	}
}

// news returns the earliest time at which there will be something to do without
// an answer; the zero time means never.
func (q *submission) news(now time.Time) time.Time {
	var earliest time.Time
	consider := func(at time.Time) {
		if at.After(now) && (earliest.IsZero() || at.Before(earliest)) {
			earliest = at
		}
	}
	if len(q.ready) > 0 {
		consider(q.slot)
	}
	for _, t := range q.waiting {
		consider(t.due)
	}
	for _, t := range q.splitting {
		consider(t.due)
	}
	if len(q.later)+len(q.followUps)+len(q.overQuota)+len(q.foldable) > 0 {
		consider(q.holdUntil)
	}
	return earliest
}

// wake moves tasks that have waited long enough to those that are ready.
func (q *submission) wake(now time.Time) {
	q.waiting = slices.DeleteFunc(q.waiting, func(t *task) bool {
		if t.due.After(now) {
			return false
		}
		q.ready = append(q.ready, t) // behind those that were not sent yet
		return true
	})
	q.splitting = slices.DeleteFunc(q.splitting, func(t *task) bool {
		items := len(t.Items)
		q.failStopped(t)
		switch {
		case len(t.Items) < items: // another request has found the domain at fault
			q.replace(t, t.Items)
		case q.openParts == 0 || !t.due.After(now):
			t.part = true
			q.openParts++
			q.replace(t, byDomain(t.Items)...)
		default:
			return false
		}
		return true
	})
}

// beginWaves makes the most important of the later tasks ready, unless the wave
// before them holds them back. It does so for half of the time that was left
// when it began, not for all of it: a request that gets no final answer must not
// starve the others.
func (q *submission) beginWaves(now time.Time) {
	for q.waveTasks == 0 || !now.Before(q.holdUntil) {
		q.planFollowUps()
		if len(q.later) == 0 {
			return
		}
		highest := q.later[0].rank()
		for _, t := range q.later {
			highest = min(highest, t.rank())
		}
		q.wave++
		q.waveTasks = 0
		q.holdUntil = now.Add(q.left(now) / 2)
		q.later = slices.DeleteFunc(q.later, func(t *task) bool {
			if t.rank() != highest {
				return false
			}
			t.wave = q.wave
			q.waveTasks++
			q.ready = append(q.ready, t)
			return true
		})
	}
}

// replace ends a task that is in none of the lists. Its parts, if any, are sent
// before all that is ready.
func (q *submission) replace(t *task, parts ...[]Item) {
	tasks := make([]*task, 0, len(parts))
	for _, items := range parts {
		if len(items) == 0 {
			continue
		}
		tasks = append(tasks, &task{
			Request: Request{t.Kind, items}, submission: q, wave: t.wave,
			part: t.part, parentError: t.parentError,
			searching: t.searching && len(tasks) == 0, // exactly one part goes on searching
		})
	}
	q.ready = slices.Insert(q.ready, 0, tasks...)
	if t.wave == q.wave {
		q.waveTasks += len(tasks) - 1
	}
	if t.part {
		q.openParts += len(tasks) - 1
	}
}

// plan plans the items that an earlier try has not had accepted.
func (q *submission) plan(items []Item) {
	sortItems(items)
	q.addLater(Plan(q.recall(items), q.Limits))
}

func (q *submission) addLater(requests []Request) {
	for _, r := range requests {
		q.later = append(q.later, &task{Request: r, submission: q})
	}
}

// giveUp fails everything that is not in flight, because the time is over.
func (q *submission) giveUp() {
	begun := slices.Concat(take(&q.ready), take(&q.waiting), take(&q.splitting))
	for _, t := range begun {
		q.replace(t)
	}
	for _, t := range append(begun, take(&q.later)...) {
		q.failStopped(t)
		q.fail(t.Items, q.tooLate(t.last))
	}
	for len(q.overQuota)+len(q.followUps)+len(q.foldable) > 0 {
		for _, r := range take(&q.overQuota) {
			q.fail(r.Items, r.err)
		}
		q.fail(q.recall(q.newFallbacks(take(&q.followUps))), q.tooLate(nil))
		for _, o := range take(&q.foldable) {
			q.report(o)
		}
	}
}

// take empties a list.
func take[T any](list *[]T) []T {
	taken := *list
	*list = nil
	return taken
}

// callTimeout is how long a call may take. It comes from the time left, so that
// a connection that hangs leaves some for other tries. After a timeout the API
// may simply be slow, so the next call gets four times as long, unless other
// requests are waiting for this one's place.
func (q *submission) callTimeout(t *task, now time.Time) time.Duration {
	left := q.left(now)
	usual := min(max(left/4, fairAttempt), maxAttempt)
	if q.flying == inFlight {
		return usual
	}
	return max(usual, min(usual<<min(2*t.timeouts, 10), left*2/3))
}

func (q *submission) left(now time.Time) time.Duration { return q.deadline.Sub(now) }

// tooLate is the reason where the time was over before the API's final answer;
// last is its last one, if there was any.
func (q *submission) tooLate(last *Error) *Error {
	err := &Error{Code: CodeDeadline, Class: Expired, Message: "the invocation's time was over"}
	if errors.Is(q.closed, context.Canceled) {
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

package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"oss-cdn-refresh/handler/edge"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// A Bucket is where a run puts its objects.
type Bucket interface {
	// Put puts an object. With create, there must not be one. It is not cut short
	// when ctx ends: an object that arrives later would be left behind.
	Put(ctx context.Context, key, content, contentType string, create bool) error
	// Remove removes an object, as anybody does. It is not cut short either.
	Remove(ctx context.Context, key string) error
	// Erase removes all that was put under a key, earlier versions too.
	Erase(ctx context.Context, key string) error
	// Head answers 200 with the object's headers, or 404.
	Head(ctx context.Context, key string) (edge.Answer, error)
}

// An Edge answers as it does to visitors.
type Edge interface {
	Get(ctx context.Context, url, encoding string) (edge.Answer, error)
}

// An API refreshes, and tells of it.
type API interface {
	// Submit submits targets and calls done with the outcome of each, from its own
	// goroutine. Members of accepted answers are returned.
	Submit(
		ctx context.Context, targets []mapping.Target, done func(i int, o refresh.Outcome),
	) (members []string)
	Tasks(ctx context.Context, ids []string) ([]refresh.Task, error)
	ListTasks(ctx context.Context, typ string, since time.Time) ([]refresh.Task, error)
	// Quota returns what is left, by type.
	Quota(ctx context.Context) (map[string]int, error)
}

// A Run carries a plan out.
type Run struct {
	Plan     Plan
	Bucket   Bucket
	Edge     Edge
	API      API
	Timeout  time.Duration // of the whole
	Progress func(format string, args ...any)

	seen        Observations
	before, now []edge.Answer // of OSS, of each object
	put         map[string]bool
	complaints  []string
}

// A NotShownError is that the domain does not show the objects of the bucket.
// Nothing was refreshed.
type NotShownError struct{ Domain, Bucket, Because string }

func (e *NotShownError) Error() string {
	return fmt.Sprintf("%s does not show the objects of bucket %s: %s",
		e.Domain, e.Bucket, e.Because)
}

const (
	interval  = 20 * time.Millisecond // from one question to the edge to the next
	grain     = 2 * time.Second       // of Last-Modified, by which nodes revalidate, and more
	erasing   = 2 * time.Minute       // for removing the objects, also after an interruption
	submitted = 5 * time.Minute       // for having refreshes accepted
	listing   = time.Minute           // for asking what came of it
)

// Do carries the plan out. The observations are what was seen until an error, or
// until ctx ended. In any case the objects are removed, or listed as Left.
func (r *Run) Do(ctx context.Context) (seen Observations, err error) {
	r.seen, r.put = newObservations(r.Plan), map[string]bool{}
	r.before = make([]edge.Answer, len(r.Plan.Objects))
	r.now = make([]edge.Answer, len(r.Plan.Objects))
	r.seen.Began = time.Now()
	defer func() {
		r.erase(context.WithoutCancel(ctx))
		r.seen.Ended = time.Now()
		seen = r.seen
	}()
	timed, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	steps := []func(context.Context) error{r.quota, r.prepare, r.change, r.submit, r.watch}
	for _, step := range steps {
		err := step(timed)
		switch {
		case ctx.Err() != nil:
			return r.seen, errors.New("not all was asked")
		case err != nil && timed.Err() != nil:
			return r.seen, ErrTimeout
		case err != nil:
			return r.seen, err
		}
	}
	r.list(ctx)
	if n := r.seen.moved(); n > 0 {
		r.seen.Notes = append(r.seen.Notes, fmt.Sprintf(
			"%d URLs were fresh at another node than the one that had kept the copy, "+
				"and may have it still", n))
	}
	if !r.seen.Settled {
		return r.seen, ErrTimeout
	}
	return r.seen, nil
}

// ErrTimeout is that a run's time was over before everything was settled.
var ErrTimeout = errors.New("the time was over before everything was settled")

// A ShortError is that less is left of the day's quota than a run takes.
type ShortError struct {
	Type       string
	Left, Cost int
}

func (e *ShortError) Error() string {
	return fmt.Sprintf("of today's quota of %s, %d are left, and this takes %d",
		e.Type, e.Left, e.Cost)
}

// quota refuses to take what is not there.
func (r *Run) quota(ctx context.Context) error {
	var err error
	if r.seen.QuotaBefore, err = r.API.Quota(ctx); err != nil {
		r.complain("the quota could not be asked for", err)
		return nil
	}
	cost := r.Plan.Cost()
	for _, c := range []ShortError{
		{Type: "File", Cost: cost.URLs},
		{Type: "Directory", Cost: cost.Directories},
		{Type: "IgnoreParams", Cost: cost.IgnoreParams},
	} {
		left, known := r.seen.QuotaBefore[c.Type]
		if c.Left = left; known && left < c.Cost {
			return &c
		}
	}
	return nil
}

// prepare puts the objects and lets the edge have them. The first one tells
// whether the domain shows them at all.
func (r *Run) prepare(ctx context.Context) error {
	r.Progress("putting and visiting %d objects", len(r.Plan.Objects))
	if err := r.putObject(ctx, 0, first, true); err != nil {
		return err
	}
	r.visit(ctx, 0)
	if err := r.shown(r.seen.Watched[0].Visit); err != nil {
		return err
	}
	for i, o := range r.Plan.Objects[1:] {
		if o.Change == Created {
			r.now[i+1] = edge.Answer{Status: http.StatusNotFound}
			continue
		}
		if err := r.putObject(ctx, i+1, first, true); err != nil {
			return err
		}
	}
	for i, w := range r.Plan.Watches[1:] {
		if w.Visited {
			r.visit(ctx, i+1)
		}
	}
	return sleep(ctx, grain)
}

// shown refuses a domain that shows something else than was put.
func (r *Run) shown(s Sight) error {
	if s.Same {
		return nil
	}
	return &NotShownError{r.Plan.Site.Domain, r.Plan.Site.Bucket, because(s)}
}

// visit asks twice, since an edge may keep only what is asked for again.
func (r *Run) visit(ctx context.Context, i int) {
	r.seen.Watched[i].Visit = r.look(ctx, i)
	r.look(ctx, i)
}

// look asks the edge for a URL.
func (r *Run) look(ctx context.Context, i int) Sight {
	w := r.Plan.Watches[i]
	_ = sleep(ctx, interval)
	node, err := r.Edge.Get(ctx, w.URL, "identity")
	if err != nil {
		return Sight{State: edge.Unknown, Because: err.Error(), At: time.Now()}
	}
	change := r.Plan.Objects[w.Object].Change
	if r.before[w.Object].Status == 0 {
		change = Unchanged // yet
	}
	return sightOf(change, node, r.before[w.Object], r.now[w.Object])
}

// A content is what an object has. The lengths differ, so that one tells.
type content struct{ text, typ string }

var (
	first   = content{"before the change\n", "text/plain"}
	second  = content{"after the change, and longer\n", "text/plain"}
	retyped = content{first.text, "text/css"}
)

func (r *Run) putObject(ctx context.Context, i int, c content, create bool) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	key := r.Plan.Site.Folder + r.Plan.Objects[i].Name
	had := r.put[key]
	r.put[key] = true // it may arrive although there is an error
	err := r.Bucket.Put(ctx, key, c.text, c.typ, create)
	var exists *ExistsError
	if errors.As(err, &exists) {
		r.put[key] = had // it is not ours
	}
	if err == nil {
		r.now[i], err = r.Bucket.Head(ctx, key)
	}
	return err
}

// An ExistsError is that there is an object that must not be overwritten.
type ExistsError struct{ Key string }

func (e *ExistsError) Error() string { return fmt.Sprintf("there is an object %q already", e.Key) }

// change changes the objects and looks at what the edge serves then.
func (r *Run) change(ctx context.Context) error {
	r.Progress("changing the objects")
	for i, o := range r.Plan.Objects {
		r.before[i] = r.now[i]
		var err error
		switch o.Change {
		case Changed:
			err = r.putObject(ctx, i, second, false)
		case Metadata:
			err = r.putObject(ctx, i, retyped, false)
		case Created:
			err = r.putObject(ctx, i, first, true)
		case Removed:
			err = r.Bucket.Remove(ctx, r.Plan.Site.Folder+o.Name)
			r.now[i] = edge.Answer{Status: http.StatusNotFound}
		}
		if err != nil {
			return err
		}
	}
	for i := range r.Plan.Watches {
		r.seen.Watched[i].Before = r.look(ctx, i)
	}
	return nil
}

// submit refreshes. Where the edge keeps nothing, that would tell nothing.
func (r *Run) submit(ctx context.Context) error {
	kept := 0
	for i := range r.seen.Watched {
		if r.seen.kept(i) {
			kept++
		}
	}
	if kept == 0 {
		r.seen.Notes = append(r.seen.Notes,
			"the edge keeps nothing of this folder, which has .txt and .html files: "+
				"nothing was refreshed")
		return nil
	}
	r.Progress("refreshing")
	ctx, cancel := context.WithTimeout(ctx, submitted)
	defer cancel()
	for _, alone := range []bool{true, false} {
		var targets []mapping.Target
		var places []int
		for i, f := range r.Plan.Refreshes {
			if f.Alone == alone {
				targets, places = append(targets, f.Target), append(places, i)
			}
		}
		members := r.API.Submit(ctx, targets, func(i int, o refresh.Outcome) {
			r.seen.Refreshed[places[i]] = refreshedAs(o, time.Now())
		})
		if alone || len(members) > 0 {
			r.seen.Members = members
		}
	}
	return r.accepted()
}

// accepted returns an error if nothing was: then there is nothing to watch.
func (r *Run) accepted() error {
	reason := "the time was over"
	for _, f := range r.seen.Refreshed {
		if !f.Accepted.IsZero() {
			return nil
		}
		if f.Reason != "" && !f.Spelling {
			reason = f.Reason
		}
	}
	return errors.New("no refresh was accepted: " + reason)
}

func refreshedAs(o refresh.Outcome, now time.Time) Refreshed {
	if o.Err != nil {
		return Refreshed{Code: o.Err.Code, Reason: o.Err.Text(), Spelling: o.Spelling}
	}
	return Refreshed{Accepted: now, TaskID: o.Receipt.TaskID}
}

// complain notes once why something could not be done: each error has a request id
// of its own.
func (r *Run) complain(what string, err error) {
	if !slices.Contains(r.complaints, what) {
		r.complaints = append(r.complaints, what)
		r.seen.Notes = append(r.seen.Notes, fmt.Sprintf("%s: %v", what, err))
	}
}

// watch looks until nothing more is to be expected, or the time is over.
func (r *Run) watch(ctx context.Context) error {
	since := time.Now()
	for !r.seen.settled(time.Now()) {
		if sleep(ctx, pause(time.Since(since))) != nil {
			return nil
		}
		asked := r.seen.asked(time.Now())
		fresh := 0
		for _, i := range asked {
			s := r.look(ctx, i)
			if ctx.Err() != nil {
				return nil
			}
			r.seen.note(i, s)
		}
		r.seen.Looked = time.Now()
		for _, w := range r.seen.Watched {
			if !w.Fresh.IsZero() {
				fresh++
			}
		}
		r.tasks(ctx)
		r.Progress("%v since the refreshes: %d of %d URLs are fresh, %d are looked at",
			time.Since(since).Round(time.Second), fresh, len(r.seen.Watched), len(asked))
	}
	r.seen.Settled = true
	return nil
}

// ids are those of the accepted refreshes, each once.
func (r *Run) ids() (all []string) {
	for _, f := range r.seen.Refreshed {
		for id := range strings.SplitSeq(f.TaskID, ",") {
			if id != "" && !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	return all
}

// tasks notes how far the tasks are: one that is not done is waited for.
func (r *Run) tasks(ctx context.Context) {
	ids := r.ids()
	if len(ids) == 0 {
		return
	}
	found, err := r.API.Tasks(ctx, ids)
	if err != nil {
		if ctx.Err() == nil {
			r.complain("the tasks could not be asked for by id", err)
		}
		for i := range r.seen.Refreshed { // what was known may be long over
			r.seen.Refreshed[i].Status = ""
		}
		return
	}
	for i := range r.seen.Refreshed {
		f := &r.seen.Refreshed[i]
		f.Status = statusOf(found, f.TaskID, r.Plan.Refreshes[i].Target.URL)
	}
	r.noteListed("id", found)
}

// statusOf returns that of a URL's task. Where no task has the URL, in any
// spelling, it is the worst of those of the same id.
func statusOf(tasks []refresh.Task, ids, url string) refresh.TaskStatus {
	var of, ofURL []refresh.TaskStatus
	wanted, wantedURL := strings.Split(ids, ","), refresh.Plain(url)
	for _, t := range tasks {
		if t.ID == "" || !slices.Contains(wanted, t.ID) {
			continue
		}
		of = append(of, t.Status)
		if refresh.Plain(t.URL) == wantedURL {
			ofURL = append(ofURL, t.Status)
		}
	}
	if len(ofURL) > 0 {
		of = ofURL
	}
	for _, s := range of {
		if s.Open() {
			return s
		}
	}
	for _, s := range of {
		if s.Unsuccessful() {
			return s
		}
	}
	if len(of) > 0 {
		return of[0]
	}
	return ""
}

// noteListed takes how a list has the tasks.
func (r *Run) noteListed(by string, tasks []refresh.Task) {
	ids := r.ids()
	r.seen.Listed = slices.DeleteFunc(r.seen.Listed, func(l Listed) bool { return l.By == by })
	for _, t := range tasks {
		if slices.Contains(ids, t.ID) {
			r.seen.Listed = append(r.seen.Listed, Listed{by, t.Type, t.URL})
		}
	}
}

// list asks for what is known once all is over.
func (r *Run) list(ctx context.Context) {
	if len(r.ids()) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, listing)
	defer cancel()
	r.tasks(ctx)
	var all []refresh.Task
	for _, typ := range []string{"file", "directory"} {
		found, err := r.API.ListTasks(ctx, typ, r.seen.Began)
		if err != nil {
			r.complain("the tasks could not be asked for by type", err)
			continue
		}
		all = append(all, found...)
	}
	r.noteListed("type", all)
	r.noteForeign(all)
	if r.seen.QuotaBefore != nil {
		var err error
		if r.seen.QuotaAfter, err = r.API.Quota(ctx); err != nil {
			r.complain("the quota could not be asked for", err)
		}
	}
}

// noteForeign tells of tasks that somebody else asked for: a deployed function
// whose table has the folder.
func (r *Run) noteForeign(tasks []refresh.Task) {
	ids, folder, n := r.ids(), r.Plan.Site.name(), 0
	for _, t := range tasks {
		if !slices.Contains(ids, t.ID) && strings.Contains(t.URL, folder) {
			n++
		}
	}
	if n > 0 {
		r.seen.Notes = append(r.seen.Notes, fmt.Sprintf(
			"somebody else refreshed %d URLs of the folder, such as a function that is deployed: "+
				"the answers are in doubt", n))
	}
}

// erase removes every object that was put.
func (r *Run) erase(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, erasing)
	defer cancel()
	n := 0
	for _, key := range r.Plan.Keys() {
		if !r.put[key] {
			continue
		}
		n++
		r.Progress("removing the objects: %d of %d", n, len(r.put))
		if err := r.Bucket.Erase(ctx, key); err != nil {
			r.seen.Left = append(r.seen.Left, key)
			r.complain("an object could not be removed", err)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

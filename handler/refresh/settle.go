package refresh

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"time"

	"oss-cdn-refresh/mapping"
)

const (
	firstPause = 100 * time.Millisecond
	firstLater = time.Second
	maxPause   = 5 * time.Second
	maxLater   = 30 * time.Second
	maxBusy    = 3  // calls of a request after which Busy splits it by domain
	maxDoubts  = 2  // repetitions of a call that may have been accepted
	maxUnknown = 40 // calls an invocation that search for what an unknown code is about
	maxAlone   = 3  // URLs of a domain, or domains, refused alone with an unknown code, until all are
)

// settle does what the class of an answer asks for.
func (q *submission) settle(a answer, now time.Time) {
	t, err := a.task, a.err
	q.count(t, err)
	if err == nil {
		q.replace(t)
		q.accept(t.Items, Outcome{Receipt: a.receipt})
		return
	}
	if err.Doubt != nil {
		if t.doubts++; t.doubts > maxDoubts {
			q.replace(t)
			q.decide(t.Items, err)
			return
		}
	}
	lists := byDomain(t.Items)
	switch class := err.Class; {
	case class == Busy && t.tries >= maxBusy && len(lists) > 1:
		q.replace(t, lists...) // so that a busy domain costs the others nothing
	case class.again():
		q.again(t, now)
	case class == Pack && len(t.Items) > 1:
		limits := q.Limits.of(t.Kind)
		limits.RequestBytes = min(limits.RequestBytes, err.Bytes)
		packed := pack(t.Items, limits)
		if len(packed) == 1 { // the API counts otherwise
			packed = halves(t.Items)
		}
		q.replace(t, packed...)
	case class == Halve && len(t.Items) > 1:
		q.replace(t, halves(t.Items)...)
	case class == SplitDomains && len(lists) > 1:
		t.due = now.Add(q.left(now) / 4)
		q.splitting = append(q.splitting, t)
	case class == SplitDomains:
		q.stop(scope{domain: t.Items[0].Domain}, err)
		q.refuse(t, err)
	case class == Quota && t.searching:
		q.replace(t, q.moreImportantHalf(t.Items, err))
	case class == Quota:
		q.stop(scope{typ: t.Type}, err)
		q.replace(t)
		q.overQuota = append(q.overQuota, overQuota{t.Request, err})
	case class == RefuseType:
		q.stop(scope{typ: t.Type}, err)
		q.refuse(t, err)
	case class == StopProduct, class == StopAll: // another product's submission gets its own answer
		q.stop(scope{}, err)
		q.refuse(t, err)
	case class == Unknown && len(lists) > 1:
		t.parentError = err
		q.replace(t, lists...)
	case class == Unknown && len(t.Items) > 1:
		t.parentError = err
		q.replace(t, halves(t.Items)...)
	case class == Unknown:
		q.refuseAlone(t, err)
	default:
		q.refuse(t, err)
	}
}

// count notes that a call has ended.
func (q *submission) count(t *task, err *Error) {
	t.last = err
	q.flying--
	if err == nil || !err.Unsent {
		q.result.Calls++
	}
	switch {
	case err.timedOut():
		t.timeouts++
	case err.answered():
		q.slowness = max(q.slowness, t.timeouts)
	}
}

func halves(items []Item) [][]Item {
	half := len(items) / 2
	return [][]Item{items[:half], items[half:]}
}

// decide ends a task whose answers remain in doubt: with a request id and a task
// id they count as an acceptance.
func (q *submission) decide(items []Item, err *Error) {
	if err.Doubt.RequestID == "" || err.Doubt.TaskID == "" {
		q.fail(items, err)
		return
	}
	q.accept(items, Outcome{Receipt: *err.Doubt, Doubt: err.Text()})
}

// refuseAlone ends a task of one URL that was refused with an unknown code: that
// URL is at fault. If nothing of its domain was accepted and three of its URLs were
// refused alone, the domain is at fault. If nothing of the product was accepted and
// URLs of three domains were refused alone, the product is. What is left is then not
// sent, but a later invocation may try it.
func (q *submission) refuseAlone(t *task, err *Error) {
	final := *err
	final.Class = Permanent
	domain := t.Items[0].Domain
	q.alone[domain]++
	switch {
	case len(q.accepts) == 0 && len(q.alone) >= maxAlone:
		q.stop(scope{}, err)
	case !q.accepts[domain] && q.alone[domain] >= maxAlone:
		q.stop(scope{domain: domain}, err)
	}
	q.refuse(t, &final)
}

// again puts a task off, with full jitter, if there is time for another try.
func (q *submission) again(t *task, now time.Time) {
	left := q.left(now) - minAttempt
	if left <= 0 || q.closed != nil {
		q.refuse(t, q.tooLate(t.last))
		return
	}
	pause := min(maxPause, firstPause<<min(t.tries-1, 10))
	switch t.last.Class {
	case AgainNow:
		pause = 1
	case AgainLater:
		pause = min(maxLater, firstLater<<min(t.tries-1, 10))
	}
	t.due = now.Add(min(rand.N(pause), left))
	q.waiting = append(q.waiting, t)
}

// refuse ends a task whose items have failed.
func (q *submission) refuse(t *task, err *Error) {
	q.replace(t)
	q.fail(t.Items, err)
}

// stop remembers the first refusal of a scope: nothing of it is sent any more.
func (q *submission) stop(sc scope, err *Error) {
	if q.stopped[sc] == nil {
		q.stopped[sc] = err
	}
}

// failStopped fails the task's items that a stop concerns, and leaves the others
// in it.
func (q *submission) failStopped(t *task) {
	if t.stops == len(q.stopped) {
		return
	}
	t.stops = len(q.stopped)
	var rest []Item // a list of its own: the request's may be the caller's
	for _, it := range t.Items {
		if err := q.stoppedBy(it, t.searching); err != nil {
			q.failOne(it, err)
		} else {
			rest = append(rest, it)
		}
	}
	t.Items = rest
}

// stoppedBy returns the refusal that concerns the item too, if there is one. A
// domain's goes before the type's.
func (q *submission) stoppedBy(it Item, searching bool) *Error {
	for _, sc := range [...]scope{{}, {domain: it.Domain}, {typ: it.Type}} {
		if err := q.stopped[sc]; err != nil && !(searching && err.Class == Quota) {
			return err
		}
	}
	if it.Respelt {
		for _, c := range bareCharacters(it.URL) {
			if err := q.stopped[scope{bare: c}]; err != nil {
				return err
			}
		}
	}
	return nil
}

// A bareCharacter is one that a spelling leaves unencoded, sent to a product.
type bareCharacter struct {
	product mapping.Product
	c       byte
}

// bareCharacters returns the characters of a URL that only spellings beside the
// canonical one leave unencoded, and that an API may refuse.
func bareCharacters(url string) []byte {
	var bare []byte
	for _, c := range []byte("[]|") {
		if strings.IndexByte(url, c) >= 0 {
			bare = append(bare, c)
		}
	}
	return bare
}

// accept gives items an outcome like the given one.
func (q *submission) accept(items []Item, outcome Outcome) {
	for _, it := range items {
		q.accepts[it.Domain] = true
		outcome.Item = it
		if f := q.folderOf(it); f != nil {
			accepted := outcome
			f.acceptance = &accepted
			continue
		}
		q.report(outcome)
	}
}

// fail gives items their outcome, or leaves them to what may take their place.
func (q *submission) fail(items []Item, err *Error) {
	for _, it := range items {
		q.failOne(it, err)
	}
}

func (q *submission) failOne(it Item, err *Error) {
	if f := q.folderOf(it); f != nil {
		q.closeFolder(f)
		return
	}
	if err.Class == Quota && q.mayFold(it) {
		q.foldable = append(q.foldable, Outcome{Item: it, Err: err})
		return
	}
	if it.InPlaceOfFiles() { // nobody asked for it, so the files tell what became of them
		if err.Class == Expired {
			q.fail(it.Covered, err)
		} else {
			q.followUps = append(q.followUps, it.Covered...)
		}
		return
	}
	q.followUps = append(q.followUps, it.Covered...)
	it.Covered = nil // they are on their own again
	if err.Class == Halve && it.Respelt {
		q.stopSpelling(it, err)
		q.report(Outcome{Item: it, Err: err, Spelling: true})
		return
	}
	if err.Class == RefuseType {
		q.followUps = append(q.followUps, fallbacks(it)...)
	}
	q.report(Outcome{Item: it, Err: err})
}

// report adds an outcome to the result.
func (q *submission) report(o Outcome) {
	q.result.Outcomes = append(q.result.Outcomes, o)
	if q.job.Done != nil {
		q.job.Done(o)
	}
}

// moreImportantHalf returns the first half of the items of a request that
// exceeded the quota: none where there was one item. The other half has failed.
func (q *submission) moreImportantHalf(items []Item, err *Error) []Item {
	half := len(items) / 2
	q.fail(items[half:], err)
	return items[:half]
}

// planFollowUps plans what is sent in the place of refused items: the files of a
// refused Directory, File URLs for a refused IgnoreParams, and half of a request
// that exceeded the quota. When no request is left to begin, these are directories
// that replace files over the quota; only then is it known which directories hold
// the most.
func (q *submission) planFollowUps() {
	q.searchQuota()
	if follow := q.newFallbacks(take(&q.followUps)); len(follow) > 0 {
		q.plan(follow)
	}
	if len(q.later) == 0 && len(q.foldable) > 0 {
		q.plan(q.foldOverQuota())
	}
}

// searchQuota halves, for each type whose quota is short, the most important
// request that exceeded it. That one is halved again until the API accepts it. The
// others fail.
func (q *submission) searchQuota() {
	refused := take(&q.overQuota)
	sort.SliceStable(refused, func(i, j int) bool {
		return compareItems(&refused[i].Items[0], &refused[j].Items[0]) < 0
	})
	for _, r := range refused {
		if q.searched[r.Type] {
			q.fail(r.Items, r.err)
			continue
		}
		q.searched[r.Type] = true
		if half := q.moreImportantHalf(r.Items, r.err); len(half) > 0 {
			q.later = append(q.later, &task{
				Request: Request{r.Kind, half}, submission: q, searching: true,
			})
		}
	}
}

// fallbacks are the File items in the place of an IgnoreParams.
func fallbacks(it Item) []Item {
	var files []Item
	for _, url := range it.Fallback {
		file := it
		file.Kind = Kind{Product: it.Product, Site: it.Site, Type: mapping.File}
		file.URL, file.Fallback, file.Extra = url, nil, true
		files = append(files, file)
	}
	return files
}

// newFallbacks leaves out fallbacks that are items by themselves, or of another
// fallback.
func (q *submission) newFallbacks(items []Item) []Item {
	return slices.DeleteFunc(items, func(it Item) bool {
		if !it.Extra {
			return false
		}
		key := it.Key()
		known := q.files[key]
		q.files[key] = true
		return known
	})
}

// noteFiles notes the File items, those that a Directory covers too.
func (q *submission) noteFiles() {
	for _, r := range q.job.Requests {
		for _, it := range r.Items {
			if it.Type == mapping.File {
				q.files[it.Key()] = true
			}
			for _, file := range it.Covered {
				q.files[file.Key()] = true
			}
		}
	}
}

// stopSpelling remembers, for this submission and for later ones of the process,
// that the API takes no spelling with the item's unencoded character. Where it has
// a bracket and a bar, which of them is at fault is not known.
func (q *submission) stopSpelling(it Item, err *Error) {
	bare := bareCharacters(it.URL)
	if bytes.ContainsAny(bare, "[]") && bytes.ContainsAny(bare, "|") {
		return
	}
	for _, c := range bare {
		q.stop(scope{bare: c}, err)
		q.refused.Store(bareCharacter{it.Product, c}, err)
	}
}

package probe

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"

	"oss-cdn-refresh/handler/edge"
	"oss-cdn-refresh/handler/refresh"
)

// A Sight is what the edge served at one moment.
type Sight struct {
	State    edge.State // Stale, Missing: as before the change; Fresh, Gone: as it is now
	Because  string
	Status   int
	Location string // of a redirect
	Node     string // as Via names it
	Same     bool   // Fresh by what the object is, not by times
	At       time.Time
}

// old reports whether what was served is what was there before the change.
func (s Sight) old() bool { return s.State == edge.Stale || s.State == edge.Missing }

// current reports whether what was served is what OSS has.
func (s Sight) current() bool { return s.State == edge.Fresh || s.State == edge.Gone }

// sightOf judges an answer of the edge by what OSS said of the object before it was
// changed, and by what it says now.
func sightOf(change Change, node, before, now edge.Answer) Sight {
	s := Sight{
		Status: node.Status, Location: node.Header.Get("Location"), At: node.At,
		Node: edge.ReadCache(node).Node,
	}
	j := edge.Judge(node, now, false)
	served := node.Status == http.StatusOK
	switch {
	case change == Metadata && served:
		s.State, s.Because = lookAtType(node, before, now)
		return s
	case change == Removed && served && edge.Judge(node, before, false).State != edge.Fresh:
		s.State, s.Because = edge.Gone, "something else is shown in its place"
		return s
	}
	s.State, s.Because = j.State, j.Because
	s.Same = j.State == edge.Fresh && identifies(j.Evidence)
	return s
}

// identifies reports whether what decided names the object: a time is later than
// that of any object that was put before.
func identifies(evidence []edge.Evidence) bool {
	decided := slices.IndexFunc(evidence, func(e edge.Evidence) bool { return e.State != "" })
	return decided >= 0 &&
		slices.Contains([]string{"CRC64", "ETag", "Last-Modified"}, evidence[decided].Name)
}

// lookAtType compares what CRC64 does not tell of.
func lookAtType(node, before, now edge.Answer) (edge.State, string) {
	of := func(a edge.Answer) string {
		typ, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
		if err != nil {
			return ""
		}
		return typ
	}
	switch of(node) {
	case of(now):
		return edge.Fresh, "Content-Type is the same"
	case of(before):
		return edge.Stale, "Content-Type is the earlier one"
	}
	return edge.Unknown, "the edge has a Content-Type of its own"
}

// Watched is what became of a Watch.
type Watched struct {
	Visit  Sight // before the change
	Before Sight // after it, before anything was refreshed
	Last   Sight
	Fresh  time.Time // when the copy was first seen to be dropped; zero: never
}

// Refreshed is what became of a Refresh.
type Refreshed struct {
	Accepted time.Time // zero: it was not
	TaskID   string
	Code     string // of a refusal
	Reason   string
	Spelling bool // refused as a spelling that the API does not take
	Status   refresh.TaskStatus
}

// Listed is how a task list has what was asked for.
type Listed struct {
	By   string // "id" or "type"
	Type string
	URL  string
}

// Observations are what a run has seen.
type Observations struct {
	Plan                    Plan
	Began, Ended            time.Time
	Watched                 []Watched   // as Plan.Watches
	Refreshed               []Refreshed // as Plan.Refreshes
	Members                 []string    // of answers to accepted refreshes
	Listed                  []Listed
	QuotaBefore, QuotaAfter map[string]int // what is left, by type; nil: not known
	Looked                  time.Time      // when the edge was last asked
	Settled                 bool           // it was watched until nothing more was to be expected
	Notes                   []string
	Left                    []string // keys that could not be removed
}

// Empty reports whether the edge was not asked for what was changed: then there are
// no answers.
func (o *Observations) Empty() bool {
	return !slices.ContainsFunc(o.Watched, func(w Watched) bool { return !w.Before.At.IsZero() })
}

// moved is how many URLs were fresh at another node than the one that had kept the
// copy: that one may still have it.
func (o *Observations) moved() (n int) {
	for _, w := range o.Watched {
		if !w.Fresh.IsZero() && w.Last.Node != w.Before.Node {
			n++
		}
	}
	return n
}

func newObservations(p Plan) Observations {
	return Observations{
		Plan:      p,
		Watched:   make([]Watched, len(p.Watches)),
		Refreshed: make([]Refreshed, len(p.Refreshes)),
	}
}

// What is stale after patience times the longest refresh so far stays so. A
// refresh that takes 6 minutes is watched for 12.
const (
	patience    = 2
	minPatience = 5 * time.Second // and more than a round takes
)

// longest is the longest time from accepted to fresh so far.
func (o *Observations) longest() (most time.Duration) {
	for i := range o.Watched {
		if d := o.duration(i); d > most {
			most = d
		}
	}
	return most
}

// duration is from accepted to fresh; 0 where that is not known.
func (o *Observations) duration(i int) time.Duration {
	w, r := o.Watched[i], o.Plan.Watches[i].Refresh
	if w.Fresh.IsZero() || r < 0 || o.Refreshed[r].Accepted.IsZero() || !o.kept(i) {
		return 0
	}
	return w.Fresh.Sub(o.Refreshed[r].Accepted)
}

// kept reports whether the edge showed what was there before the change, and has
// kept it.
func (o *Observations) kept(i int) bool {
	w := o.Watched[i]
	if o.Plan.Objects[o.Plan.Watches[i].Object].Change == Created {
		return w.Visit.State == edge.Gone && w.Before.old()
	}
	return w.Visit.current() && w.Before.old()
}

// open reports whether a watch may still see its copy dropped.
func (o *Observations) open(i int, now time.Time) bool {
	w, r := o.Watched[i], o.Plan.Watches[i].Refresh
	if r < 0 || !o.kept(i) || !w.Fresh.IsZero() || o.Refreshed[r].Accepted.IsZero() {
		return false
	}
	most, waited := o.longest(), now.Sub(o.Refreshed[r].Accepted)
	return most == 0 || waited < max(patience*most, most+minPatience) ||
		o.Refreshed[r].Status.Open()
}

// settled reports whether nothing more is to be expected.
func (o *Observations) settled(now time.Time) bool {
	for i := range o.Watched {
		if o.open(i, now) {
			return false
		}
	}
	return true
}

// asked are the watches that a round looks at: what is open, and what nothing
// refreshes, which tells whether anybody else does.
func (o *Observations) asked(now time.Time) (all []int) {
	for i, w := range o.Plan.Watches {
		control := w.ID == Control && o.kept(i) && o.Watched[i].Fresh.IsZero()
		if control || o.open(i, now) {
			all = append(all, i)
		}
	}
	return all
}

// note takes what a round saw.
func (o *Observations) note(i int, s Sight) {
	w := &o.Watched[i]
	w.Last = s
	if s.current() && w.Fresh.IsZero() {
		w.Fresh = s.At
	}
}

const (
	minPause = time.Second
	maxPause = 15 * time.Second
)

// pause is how long to wait until the next round: longer ones the longer it
// lasts, since a time is then told as well in proportion.
func pause(waited time.Duration) time.Duration {
	return min(max(waited/20, minPause), maxPause)
}

// disturbed is when what nobody refreshed was seen fresh; zero: never.
func (o *Observations) disturbed() time.Time {
	for _, i := range o.Plan.watches(Control) {
		if !o.Watched[i].Fresh.IsZero() {
			return o.Watched[i].Fresh
		}
	}
	return time.Time{}
}

// An Outcome is what a watch came to.
type Outcome string

// The outcomes.
const (
	Dropped   Outcome = "dropped"
	Kept      Outcome = "kept"
	Undecided Outcome = "undecided"
)

// outcome tells what became of the copy that a watch looked at, and why that is
// not decided.
func (o *Observations) outcome(i int) (Outcome, string) {
	watch, w := o.Plan.Watches[i], o.Watched[i]
	change := o.Plan.Objects[watch.Object].Change
	var r Refreshed
	if watch.Refresh >= 0 {
		r = o.Refreshed[watch.Refresh]
	}
	disturbed := o.disturbed()
	inDoubt := watch.Refresh >= 0 && !disturbed.IsZero() &&
		!w.Fresh.Before(disturbed.Add(-maxPause))
	switch {
	case w.Before.At.IsZero():
		return Undecided, "it was not asked for"
	case change == Created && w.Visit.State != edge.Gone:
		return Undecided, "the edge did not answer 404: " + because(w.Visit)
	case change != Created && !w.Visit.current():
		return Undecided, "the edge did not show the object at first: " + because(w.Visit)
	case w.Before.current():
		return Undecided, "the edge had kept no copy"
	case !w.Before.old():
		return Undecided, because(w.Before)
	case watch.Refresh >= 0 && r.Code != "":
		return Undecided, "the API refused it: " + r.Code
	case watch.Refresh >= 0 && r.Accepted.IsZero():
		return Undecided, "it was not refreshed"
	case !w.Fresh.IsZero() && inDoubt:
		return Undecided, "what nobody had refreshed was fresh by then too"
	case !w.Fresh.IsZero():
		return Dropped, ""
	case r.Status.Unsuccessful():
		return Undecided, "its task ended as " + string(r.Status)
	case !w.Last.At.IsZero() && !w.Last.old():
		return Undecided, because(w.Last)
	case o.open(i, o.Looked):
		return Undecided, "it was not watched long enough"
	}
	return Kept, ""
}

func because(s Sight) string {
	if s.Because == "" {
		return "the edge answered " + strconv.Itoa(s.Status)
	}
	return s.Because
}

package probe

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"oss-cdn-refresh/handler/edge"
	"oss-cdn-refresh/handler/refresh"
)

// An Answer is what an experiment came to.
type Answer struct {
	Experiment
	Answer  string   `json:"answer"`
	Decided bool     `json:"decided"` // all of it
	Details []Detail `json:"details"`
}

// A Detail is one thing that was looked at.
type Detail struct {
	Name    string  `json:"name"`
	Path    string  `json:"path,omitempty"` // below the folder, as it was asked
	Outcome string  `json:"outcome"`        // dropped, kept, undecided and so on
	Because string  `json:"because,omitempty"`
	Seconds float64 `json:"seconds,omitzero"` // from accepted to fresh
}

// answersOf tells what the observations come to.
func answersOf(o Observations) []Answer {
	words := map[ID]func(*Observations, *Answer){
		Control: answerControl, File: answerDropped,
		Apart: answerApart, Covered: answerCovered, Each: answerEach, Brackets: answerBrackets,
		Directory: answerDropped, Force: answerDropped,
		IgnoreParams: answerDropped, Queries: answerQueries,
		NotFound: answerNotFound, Docs: answerDocs, Members: answerMembers,
		TaskPaths: answerTaskPaths, Duration: answerDuration, Quota: answerQuota,
	}
	var all []Answer
	for _, e := range o.Plan.Experiments {
		a := Answer{Experiment: e, Details: []Detail{}}
		for _, i := range o.Plan.watches(e.ID) {
			a.Details = append(a.Details, o.detail(i))
		}
		words[e.ID](&o, &a)
		all = append(all, a)
	}
	return all
}

func (o *Observations) detail(i int) Detail {
	w := o.Plan.Watches[i]
	outcome, why := o.outcome(i)
	d := Detail{
		Name: w.Label, Path: o.Plan.Site.path(w.URL), Outcome: string(outcome), Because: why,
	}
	if outcome == Dropped {
		d.Seconds = seconds(o.duration(i))
	}
	return d
}

func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*10) / 10 }

// named are the names of the details with an outcome.
func (a *Answer) named(outcome string) (names []string) {
	for _, d := range a.Details {
		if d.Outcome == outcome {
			names = append(names, d.Name)
		}
	}
	return names
}

// why is why the first undecided detail is so.
func (a *Answer) why() string {
	for _, d := range a.Details {
		if d.Outcome == string(Undecided) {
			return d.Because
		}
	}
	return ""
}

// sentence lists the details by their outcome: "dropped: a, b; kept: c".
func (a *Answer) sentence(outcomes ...string) {
	var parts []string
	a.Decided = true
	for _, outcome := range outcomes {
		names := a.named(outcome)
		switch {
		case len(names) == 0:
		case outcome == string(Undecided):
			parts = append(parts, "undecided: "+strings.Join(names, ", ")+" ("+a.why()+")")
			a.Decided = false
		case len(names) == len(a.Details):
			parts = append(parts, outcome+": all")
		default:
			parts = append(parts, outcome+": "+strings.Join(names, ", "))
		}
	}
	a.Answer = strings.Join(parts, "; ")
}

func answerDropped(_ *Observations, a *Answer) {
	a.sentence(string(Dropped), string(Kept), string(Undecided))
}

func answerControl(o *Observations, a *Answer) {
	i := o.Plan.watches(Control)[0]
	w := o.Watched[i]
	switch {
	case w.Before.At.IsZero():
		a.Answer = "undecided: it was not asked for"
	case w.Before.current():
		a.Answer, a.Decided = "the edge keeps nothing here", true
	case !w.Before.old():
		a.Answer = "undecided: " + because(w.Before)
	case !w.Fresh.IsZero():
		a.Answer = fmt.Sprintf("the copy was gone after %v without a refresh: "+
			"it had expired, or somebody else refreshed it",
			w.Fresh.Sub(w.Before.At).Round(time.Second))
		a.Decided = true
	default:
		a.Answer, a.Decided = "yes: the copy stayed as it was", true
	}
	if a.Details[0].Outcome = string(Kept); !w.Fresh.IsZero() || !a.Decided || w.Before.current() {
		a.Details[0].Outcome = string(Undecided)
	}
}

// answerEach: what the API takes for no spelling of its own is not refreshed.
func answerEach(o *Observations, a *Answer) {
	for n, i := range o.Plan.refreshes(Each) {
		if r := o.Refreshed[i]; r.Spelling {
			a.Details[n].Outcome, a.Details[n].Because = refused, r.Code
		}
	}
	a.sentence(string(Dropped), string(Kept), refused, string(Undecided))
}

// The outcomes of what is asked of the API.
const (
	accepted = "accepted"
	refused  = "refused"
)

// The outcomes of spellings.
const (
	apart    = "apart"
	together = "together"
)

// answerApart: the edge has a copy of the canonical spelling only, from before the
// change. Who gets that with another spelling gets the same copy.
func answerApart(o *Observations, a *Answer) {
	watches := o.Plan.watches(Apart)
	kept := o.kept(watches[0])
	for n, i := range watches {
		d, w := &a.Details[n], o.Watched[i]
		d.Outcome, d.Because = string(Undecided), because(w.Before)
		switch {
		case w.Before.At.IsZero():
			d.Because = "it was not asked for"
		case !kept:
			d.Because = "the edge had kept no copy of the canonical one"
		case w.Before.current():
			d.Outcome, d.Because = apart, ""
		case w.Before.old():
			d.Outcome, d.Because = together, ""
		}
	}
	a.Details = a.Details[1:]
	a.sentence(apart, together, string(Undecided))
}

func answerCovered(_ *Observations, a *Answer) {
	a.sentence(string(Dropped), string(Kept), string(Undecided))
	words := strings.NewReplacer("dropped:", "covered:", "kept:", "not covered:")
	a.Answer = words.Replace(a.Answer)
}

func answerBrackets(o *Observations, a *Answer) {
	for n, i := range o.Plan.refreshes(Brackets) {
		r, d := o.Refreshed[i], &a.Details[n]
		seen := Outcome(d.Outcome)
		switch {
		case !r.Accepted.IsZero():
			d.Outcome, d.Because = accepted, ""
			if seen == Kept {
				d.Because = "accepted, but the copy stayed"
			}
		case r.Spelling:
			d.Outcome, d.Because, d.Seconds = refused, r.Code, 0
		default:
			d.Outcome, d.Because = string(Undecided), r.Code
			if r.Code == "" {
				d.Because = "it was not refreshed"
			}
		}
	}
	a.sentence(accepted, refused, string(Undecided))
}

func answerQueries(o *Observations, a *Answer) {
	watches := o.Plan.watches(Queries)
	plain, whyPlain := o.outcome(watches[0])
	query, why := o.outcome(watches[1])
	switch {
	case plain != Dropped:
		a.Answer = "undecided: " + cmp.Or(whyPlain, "the URL without a query stayed too")
	case query == Dropped:
		a.Answer, a.Decided = "yes, it covers both", true
	case query == Kept:
		a.Answer, a.Decided = "no, the URL with a query stays stale", true
	default:
		a.Answer = "undecided: " + why
	}
}

func answerNotFound(o *Observations, a *Answer) {
	i := o.Plan.watches(NotFound)[0]
	w := o.Watched[i]
	outcome, why := o.outcome(i)
	switch {
	case w.Visit.State == edge.Gone && w.Before.current():
		a.Answer, a.Decided = "a 404 is not kept", true
	case outcome == Dropped:
		a.Answer, a.Decided = "a 404 is kept, and a File refresh drops it", true
	case outcome == Kept:
		a.Answer, a.Decided = "a 404 is kept, and a File refresh does not drop it", true
	default:
		a.Answer = "undecided: " + why
	}
}

// What /docs/ and /docs show.
const (
	showsIndex    = "shows the index page"
	leadsToSlash  = "leads to /docs/"
	showsNothing  = "is not found"
	showsOther    = "shows something else"
	notAskedShown = "was not asked for"
)

func (o *Observations) shows(label string) string {
	for _, i := range o.Plan.watches(Docs) {
		w := o.Plan.Watches[i]
		v := o.Watched[i].Visit
		switch {
		case w.Label != label:
		case v.At.IsZero():
			return notAskedShown
		case v.State == edge.Fresh:
			return showsIndex
		case v.Status == 404:
			return showsNothing
		case v.Status >= 300 && v.Status < 400 && strings.HasSuffix(v.Location, "/"):
			return leadsToSlash
		case v.Status == 200:
			return showsOther
		default:
			return "is not told: " + because(v)
		}
	}
	return notAskedShown
}

func answerDocs(o *Observations, a *Answer) {
	slash, bare := o.shows(withSlash), o.shows(withoutSlash)
	a.Answer = fmt.Sprintf("/docs/ %s, /docs %s", slash, bare)
	a.Decided = !strings.HasPrefix(slash, "is not told") && slash != notAskedShown
	if slash == showsIndex && a.Details[0].Outcome == string(Kept) {
		a.Answer += "; a File refresh of /docs/ does not drop it"
	}
	if bare == showsIndex && a.Details[1].Outcome == string(Kept) {
		a.Answer += "; a refresh of /docs/ does not cover /docs"
	}
}

func answerMembers(o *Observations, a *Answer) {
	a.Answer, a.Decided = strings.Join(o.Members, ", "), len(o.Members) > 0
	if !a.Decided {
		a.Answer = "undecided: nothing was accepted"
	}
}

// spelt tells how a list has a URL that was sent; "" where it is none of them.
func (o *Observations) spelt(listed string) string {
	for _, how := range []struct {
		words string
		of    func(string) string
	}{
		{"as it was sent", func(s string) string { return s }},
		{"without its scheme", func(s string) string { return strings.TrimPrefix(s, "https://") }},
		{"decoded", func(s string) string { return "https://" + refresh.Plain(s) }},
		{"without its scheme and decoded", refresh.Plain},
	} {
		for _, r := range o.Plan.Refreshes {
			if listed == how.of(r.Target.URL) {
				return how.words
			}
		}
	}
	return ""
}

func answerTaskPaths(o *Observations, a *Answer) {
	for _, by := range []string{"id", "type"} {
		count, types := map[string]int{}, []string{}
		for _, l := range o.Listed {
			if l.By != by {
				continue
			}
			if !slices.Contains(types, l.Type) {
				types = append(types, l.Type)
			}
			if strings.ContainsAny(l.URL, "%图") { // else a decoded one looks no different
				count[cmp.Or(o.spelt(l.URL), "in another way")]++
			}
		}
		d := Detail{Name: "listed by " + by}
		d.Outcome, d.Because = string(Undecided), "no task was listed"
		if len(count) > 0 {
			slices.Sort(types)
			d.Outcome = strings.Join(slices.Sorted(maps.Keys(count)), ", ")
			d.Because = "types: " + strings.Join(types, ", ")
		}
		a.Details = append(a.Details, d)
	}
	a.Answer = fmt.Sprintf("by id: %s; by type: %s", a.Details[0].Outcome, a.Details[1].Outcome)
	a.Decided = len(a.named(string(Undecided))) < len(a.Details)
}

// durations are those of the copies that were dropped, in order.
func (o *Observations) durations() (all []time.Duration) {
	for i := range o.Plan.Watches {
		if outcome, _ := o.outcome(i); outcome == Dropped && o.duration(i) > 0 {
			all = append(all, o.duration(i))
		}
	}
	slices.Sort(all)
	return all
}

func answerDuration(o *Observations, a *Answer) {
	all := o.durations()
	if len(all) == 0 {
		a.Answer = "undecided: nothing became fresh"
		return
	}
	round := func(d time.Duration) time.Duration {
		return d.Round(max(time.Second/10, pause(d)/15))
	}
	median := all[len(all)/2]
	if len(all)%2 == 0 {
		median = (median + all[len(all)/2-1]) / 2
	}
	a.Decided = true
	a.Answer = fmt.Sprintf("median %v of %d URLs, from %v to %v, each to within %v",
		round(median), len(all), round(all[0]), round(all[len(all)-1]), pause(median))
}

// answerQuota compares what is left with what was asked for.
func answerQuota(o *Observations, a *Answer) {
	if o.QuotaBefore == nil || o.QuotaAfter == nil {
		a.Answer = "undecided: the quota was not told"
		return
	}
	taken, denied := map[string]int{}, map[string]int{}
	for i, r := range o.Plan.Refreshes {
		switch {
		case !o.Refreshed[i].Accepted.IsZero():
			taken[string(r.Target.Type)]++
		case o.Refreshed[i].Code != "":
			denied[string(r.Target.Type)]++
		}
	}
	var parts []string
	for _, typ := range []string{"File", "Directory", "IgnoreParams"} {
		before, known := o.QuotaBefore[typ]
		if !known {
			parts = append(parts, typ+" is not told")
			continue
		}
		counted := before - o.QuotaAfter[typ]
		text := fmt.Sprintf("%s: %d counted of %d accepted", typ, counted, taken[typ])
		if denied[typ] > 0 {
			text += fmt.Sprintf(" and %d refused", denied[typ])
		}
		parts = append(parts, text)
	}
	a.Answer, a.Decided = strings.Join(parts, "; "), true
}

package probe

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"oss-cdn-refresh/handler/edge"
	"oss-cdn-refresh/mapping"
)

// An Answer is what an experiment came to.
type Answer struct {
	Experiment
	Answer  string   `json:"answer"`
	Decided bool     `json:"decided"`
	Details []Detail `json:"details"`
}

// A Detail is one thing that was looked at.
type Detail struct {
	Name    string  `json:"name"`
	Path    string  `json:"path,omitempty"` // below the folder, as it was asked
	Outcome string  `json:"outcome"`        // dropped, kept, undecided; apart, together; accepted, refused
	Because string  `json:"because,omitempty"`
	Seconds float64 `json:"seconds,omitzero"` // from accepted to fresh
}

// A Setting is what to write into the table, and why.
type Setting struct {
	Setting string `json:"setting"`
	Because string `json:"because"`
}

// Answers tells what the observations come to.
func Answers(o Observations) []Answer {
	words := map[ID]func(*Observations, *Answer){
		Control: answerControl, File: answerDropped, Apart: answerApart, Covered: answerCovered,
		Each: answerEach, Brackets: answerBrackets, Directory: answerDropped, Force: answerDropped,
		IgnoreParams: answerDropped, Queries: answerQueries, NotFound: answerNotFound, Docs: answerDocs,
		Members: answerMembers, TaskPaths: answerTaskPaths, Duration: answerDuration, Quota: answerQuota,
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
	d := Detail{Name: w.Label, Path: o.Plan.Site.path(w.URL), Outcome: string(outcome), Because: why}
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
			a.Decided = len(names) < len(a.Details)
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
		a.Answer = fmt.Sprintf("the copy was gone after %v without a refresh: it had expired, or somebody else refreshed it",
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
	a.Answer = strings.NewReplacer("dropped:", "covered:", "kept:", "not covered:").Replace(a.Answer)
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

// bare is a URL without its scheme, decoded.
func bare(raw string) string {
	if _, rest, ok := strings.Cut(raw, "://"); ok {
		raw = rest
	}
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return raw
	}
	return decoded
}

// spelt tells how a list has a URL that was sent; "" where it is none of them.
func (o *Observations) spelt(listed string) string {
	for _, how := range []struct {
		words string
		of    func(string) string
	}{
		{"as it was sent", func(s string) string { return s }},
		{"without its scheme", func(s string) string { return strings.TrimPrefix(s, "https://") }},
		{"decoded", func(s string) string { return "https://" + bare(s) }},
		{"without its scheme and decoded", bare},
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
			if strings.ContainsAny(l.URL, "%图") { // else all spellings but the scheme are the same
				count[cmp.Or(o.spelt(l.URL), "in another way")]++
			}
		}
		d := Detail{Name: "listed by " + by, Outcome: string(Undecided), Because: "no task was listed"}
		if len(count) > 0 {
			slices.Sort(types)
			d.Outcome, d.Because = strings.Join(sortedKeys(count), ", "), "types: "+strings.Join(types, ", ")
		}
		a.Details = append(a.Details, d)
	}
	a.Answer = fmt.Sprintf("by id: %s; by type: %s", a.Details[0].Outcome, a.Details[1].Outcome)
	a.Decided = a.Details[0].Outcome != string(Undecided) || a.Details[1].Outcome != string(Undecided)
}

func sortedKeys(count map[string]int) (keys []string) {
	for k := range count {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
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
	a.Answer = fmt.Sprintf("median %v of %d URLs, from %v to %v, each told to %v",
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
		text := fmt.Sprintf("%s: %d counted of %d accepted", typ, before-o.QuotaAfter[typ], taken[typ])
		if denied[typ] > 0 {
			text += fmt.Sprintf(" and %d refused", denied[typ])
		}
		parts = append(parts, text)
	}
	a.Answer, a.Decided = strings.Join(parts, "; "), true
}

// Settings tells what follows for the table. What is not decided says nothing.
func Settings(o Observations) []Setting {
	var all []Setting
	for _, of := range []func(*Observations) (Setting, bool){
		settingSpellings, settingQueries, settingForce, settingForceParams,
		settingSkipNew, settingIndex, settingWithoutSlash,
	} {
		if s, ok := of(&o); ok {
			all = append(all, s)
		}
	}
	return all
}

// settingSpellings: a row needs no refresh of its own where the edge does not
// keep it apart, or where the refresh of the canonical one covers it.
func settingSpellings(o *Observations) (Setting, bool) {
	needed, barred := map[string][]string{}, "" // by setting
	rows := o.Plan.watches(Apart)
	for n, i := range o.Plan.watches(Covered)[1:] {
		before := o.Watched[rows[n+1]].Before
		outcome, _ := o.outcome(i)
		together := o.kept(rows[0]) && before.old()
		switch {
		case together, outcome == Dropped:
		case outcome == Kept:
			w := o.Plan.Watches[i]
			needed[w.Setting] = append(needed[w.Setting], w.Label)
			if o.Refreshed[o.Plan.refreshes(Each)[n+1]].Spelling {
				barred = "; the API does not take some of them, which stay stale"
			}
		default:
			return Setting{}, false
		}
	}
	common, more := needed[mapping.SpellCommon], needed[mapping.SpellAll]
	who := "give all where links are written by: " + strings.Join(more, ", ") + barred
	if len(more) == o.Plan.rows(mapping.SpellAll) {
		who = "give all where links have %e5 for %E5 (Hugo), or + for a space (Java)" + barred
	}
	switch {
	case len(common)+len(more) == 0:
		return Setting{"spellings: canonical", "this domain equates spellings, or one refresh covers them: " +
			"that saves up to 5 URLs of a name against common, and 14 against all"}, true
	case len(more) == 0:
		return Setting{"spellings: common", "it has all that is kept apart: " +
			strings.Join(common, ", ") + barred}, true
	case len(common) == 0:
		return Setting{"spellings: canonical", "one refresh covers what common adds; " + who}, true
	}
	return Setting{"spellings: common", "this domain keeps spellings apart; " + who}, true
}

func settingQueries(o *Observations) (Setting, bool) {
	watches := o.Plan.watches(Queries)
	plain, _ := o.outcome(watches[0])
	query, _ := o.outcome(watches[1])
	params := o.outcomes(IgnoreParams, Changed)
	switch {
	case plain != Dropped || query == Undecided:
		return Setting{}, false
	case query == Dropped:
		return Setting{"type: file, without queries", "a File refresh covers the URL with a query: " +
			"queries and ignore_params would spend quota for nothing"}, true
	case all(params, Dropped):
		return Setting{"type: ignore_params, or queries", "where URLs are asked with a query: " +
			"a File refresh leaves it stale, and IgnoreParams covers every query"}, true
	case slices.Contains(params, Kept):
		return Setting{"queries, not type: ignore_params", "a File refresh leaves a URL with a query stale, " +
			"and so does IgnoreParams"}, true
	}
	return Setting{"queries", "a File refresh leaves a URL with a query stale"}, true
}

// outcomes are those of an experiment's watches whose object was so changed.
func (o *Observations) outcomes(id ID, changes ...Change) (found []Outcome) {
	for _, i := range o.Plan.watches(id) {
		if slices.Contains(changes, o.Plan.Objects[o.Plan.Watches[i].Object].Change) {
			outcome, _ := o.outcome(i)
			found = append(found, outcome)
		}
	}
	return found
}

func all(outcomes []Outcome, want Outcome) bool {
	return !slices.ContainsFunc(outcomes, func(o Outcome) bool { return o != want })
}

func settingForce(o *Observations) (Setting, bool) {
	without, with := o.outcomes(Directory, Removed, Metadata), o.outcomes(Force, Removed, Metadata)
	switch {
	case all(without, Dropped):
		return Setting{
			"force: false, with type: directory",
			"a directory drops removed objects and changed metadata without it",
		}, true
	case slices.Contains(without, Kept) && all(with, Dropped):
		return Setting{"force: true, with type: directory", "without it a directory leaves " +
			"what was removed, or whose metadata changed; with it nothing"}, true
	case slices.Contains(without, Kept) && slices.Contains(with, Kept):
		return Setting{"type: file", "a directory leaves what was removed, or whose metadata changed, " +
			"with force too"}, true
	}
	return Setting{}, false
}

func settingForceParams(o *Observations) (Setting, bool) {
	switch o.outcomes(IgnoreParams, Removed)[0] {
	case Dropped:
		return Setting{"force: false, with type: ignore_params", "it drops removed objects without it"}, true
	case Kept:
		return Setting{"force: true, with type: ignore_params", "without it, IgnoreParams leaves what was removed"}, true
	}
	return Setting{}, false
}

func settingSkipNew(o *Observations) (Setting, bool) {
	i := o.Plan.watches(NotFound)[0]
	w := o.Watched[i]
	outcome, _ := o.outcome(i)
	switch {
	case w.Visit.State == edge.Gone && w.Before.current():
		return Setting{"skip_new: true", "the edge keeps no 404: an object that is new needs no refresh"}, true
	case outcome == Dropped:
		return Setting{"skip_new: false", "the edge keeps a 404, so that an object that is new needs a refresh"}, true
	}
	return Setting{}, false
}

func settingIndex(o *Observations) (Setting, bool) {
	switch o.shows(withSlash) {
	case showsIndex:
		return Setting{"index: [index.html]", "/docs/ shows docs/index.html"}, true
	case showsNothing, showsOther:
		return Setting{"no index", "/docs/ does not show docs/index.html"}, true
	}
	return Setting{}, false
}

func settingWithoutSlash(o *Observations) (Setting, bool) {
	if o.shows(withSlash) != showsIndex {
		return Setting{}, false
	}
	switch shown := o.shows(withoutSlash); shown {
	case showsIndex, leadsToSlash:
		return Setting{"index_without_slash: true", "/docs " + shown + ", and that may be kept"}, true
	case showsNothing:
		return Setting{"index_without_slash: false", "/docs is not found"}, true
	}
	return Setting{}, false
}

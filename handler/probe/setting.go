package probe

import (
	"slices"
	"strings"

	"oss-cdn-refresh/handler/edge"
	"oss-cdn-refresh/mapping"
)

// A Setting is what to write into the table, and why.
type Setting struct {
	Setting string `json:"setting"`
	Because string `json:"because"`
}

func set(setting, because string) *Setting { return &Setting{setting, because} }

// settingsOf tells what follows for the table. What is not decided says nothing.
func settingsOf(o Observations) []Setting {
	var all []Setting
	for _, of := range []func(*Observations) *Setting{
		settingSpellings, settingQueries, settingForce, settingForceParams,
		settingSkipNew, settingIndex, settingWithoutSlash,
	} {
		if s := of(&o); s != nil {
			all = append(all, *s)
		}
	}
	return all
}

// settingSpellings: a row needs no refresh of its own where the edge does not
// keep it apart, or where the refresh of the canonical one covers it.
func settingSpellings(o *Observations) *Setting {
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
			return nil
		}
	}
	common, more := needed[mapping.SpellCommon], needed[mapping.SpellAll]
	who := "give all where links are written by: " + strings.Join(more, ", ") + barred
	if len(more) == o.Plan.rows(mapping.SpellAll) {
		who = "give all where links have %e5 for %E5 (Hugo), or + for a space (Java)" + barred
	}
	switch {
	case len(common)+len(more) == 0:
		return set("spellings: canonical",
			"this domain equates spellings, or one refresh covers them: "+
				"that saves up to 5 URLs of a name against common, and 14 against all")
	case len(more) == 0:
		return set("spellings: common", "it has all that is kept apart: "+
			strings.Join(common, ", ")+barred)
	case len(common) == 0:
		return set("spellings: canonical", "one refresh covers what common adds; "+who)
	}
	return set("spellings: common", "this domain keeps spellings apart; "+who)
}

func settingQueries(o *Observations) *Setting {
	watches := o.Plan.watches(Queries)
	plain, _ := o.outcome(watches[0])
	query, _ := o.outcome(watches[1])
	params := o.outcomes(IgnoreParams, Changed)
	switch {
	case plain != Dropped || query == Undecided:
		return nil
	case query == Dropped:
		return set("type: file, without queries",
			"a File refresh covers the URL with a query: "+
				"queries and ignore_params would spend quota for nothing")
	case all(params, Dropped):
		return set("type: ignore_params, or queries", "where URLs are asked with a query: "+
			"a File refresh leaves it stale, and IgnoreParams covers every query")
	case slices.Contains(params, Kept):
		return set("queries, not type: ignore_params",
			"a File refresh leaves a URL with a query stale, "+
				"and so does IgnoreParams")
	}
	return set("queries", "a File refresh leaves a URL with a query stale")
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

func settingForce(o *Observations) *Setting {
	without, with := o.outcomes(Directory, Removed, Metadata), o.outcomes(Force, Removed, Metadata)
	switch {
	case all(without, Dropped):
		return set("force: false, with type: directory",
			"a directory drops removed objects and changed metadata without it")
	case slices.Contains(without, Kept) && all(with, Dropped):
		return set("force: true, with type: directory", "without it a directory leaves "+
			"what was removed, or whose metadata changed; with it nothing")
	case slices.Contains(without, Kept) && slices.Contains(with, Kept):
		return set("type: file",
			"a directory leaves what was removed, or whose metadata changed, "+
				"with force too")
	}
	return nil
}

func settingForceParams(o *Observations) *Setting {
	switch o.outcomes(IgnoreParams, Removed)[0] {
	case Dropped:
		return set("force: false, with type: ignore_params",
			"it drops removed objects without it")
	case Kept:
		return set("force: true, with type: ignore_params",
			"without it, IgnoreParams leaves what was removed")
	}
	return nil
}

func settingSkipNew(o *Observations) *Setting {
	i := o.Plan.watches(NotFound)[0]
	w := o.Watched[i]
	outcome, _ := o.outcome(i)
	switch {
	case w.Visit.State == edge.Gone && w.Before.current():
		return set("skip_new: true",
			"the edge keeps no 404: an object that is new needs no refresh")
	case outcome == Dropped:
		return set("skip_new: false",
			"the edge keeps a 404, so that an object that is new needs a refresh")
	}
	return nil
}

func settingIndex(o *Observations) *Setting {
	switch o.shows(withSlash) {
	case showsIndex:
		return set("index: [index.html]", "/docs/ shows docs/index.html")
	case showsNothing, showsOther:
		return set("no index", "/docs/ does not show docs/index.html")
	}
	return nil
}

func settingWithoutSlash(o *Observations) *Setting {
	if o.shows(withSlash) != showsIndex {
		return nil
	}
	switch shown := o.shows(withoutSlash); shown {
	case showsIndex, leadsToSlash:
		return set("index_without_slash: true", "/docs "+shown+", and that may be kept")
	case showsNothing:
		return set("index_without_slash: false", "/docs is not found")
	}
	return nil
}

package handler

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"sort"

	"oss-cdn-refresh/events"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// A Trace says what the table makes of changes: what became of each, and what is
// to be refreshed. The function and the operator's tool both work from it.
type Trace struct {
	Changes []events.Change
	Matches []mapping.Match  // of each change: what the table says of it
	Targets []refresh.Target // of all changes; Record is the index of the change
}

// A Fate is what became of a record. One that is invalid has none.
type Fate string

// The fates, as the report counts them.
const (
	Ignored   Fate = "ignored"   // it changes nothing that a CDN serves, or its rule filters it out
	Unmatched Fate = "unmatched" // no rule of the table is for it
	Mapped    Fate = "mapped"    // it has targets
)

// Map looks every change up in the table: [mapping.Table.Map] for each.
func Map(table *mapping.Table, changes []events.Change) Trace {
	trace, _ := mapSome(table, changes, math.MaxInt)
	return trace
}

// mapSome looks changes up in the table, in order, until they have more targets
// than most. Changes of one object that stand together stay together. It returns
// the changes that are left, too.
func mapSome(
	table *mapping.Table, changes []events.Change, most int,
) (trace Trace, rest []events.Change) {
	trace.Matches = make([]mapping.Match, 0, len(changes))
	trace.Targets = make([]refresh.Target, 0, len(changes))
	for i, c := range changes {
		if len(trace.Targets) > most && objectOf(c) != objectOf(changes[i-1]) {
			trace.Changes = changes[:i]
			return trace, changes[i:]
		}
		match := table.Map(mapping.Object{
			Bucket: c.Bucket, Key: c.Key, Event: eventOf(c.Kind), New: c.New(),
		})
		trace.Matches = append(trace.Matches, match)
		for _, t := range match.Targets {
			trace.Targets = append(trace.Targets, refresh.Target{Target: t, Record: i})
		}
	}
	trace.Changes = changes
	return trace, nil
}

// maxTargets is how many targets are worked on at once: a target takes some 700
// bytes on its way to the report, and an instance has 128 MB.
const maxTargets = 30_000

// mapInParts yields the trace of all changes. If they have more than maxTargets
// targets, it yields traces of parts of them, the most important changes first.
func mapInParts(table *mapping.Table, changes []events.Change) iter.Seq[Trace] {
	return func(yield func(Trace) bool) {
		trace, rest := mapSome(table, changes, maxTargets)
		if len(rest) > 0 {
			trace, rest = mapSome(table, byImportance(changes), maxTargets)
		}
		for yield(trace) && len(rest) > 0 {
			trace, rest = mapSome(table, rest, maxTargets)
		}
	}
}

// byImportance sorts changes as the refresh sorts their targets: removals, then
// pages, then the rest. The changes of one object stand together, at the place of
// the most important one, so that they stay in one trace and share their items.
func byImportance(changes []events.Change) []events.Change {
	type place struct {
		rank  refresh.Rank
		first int
	}
	places := make(map[object]place, len(changes))
	for i, c := range changes {
		p, known := places[objectOf(c)]
		if !known {
			p = place{rankOf(c), i}
		}
		p.rank = min(p.rank, rankOf(c))
		places[objectOf(c)] = p
	}
	sorted := slices.Clone(changes)
	sort.SliceStable(sorted, func(i, j int) bool {
		p, q := places[objectOf(sorted[i])], places[objectOf(sorted[j])]
		return cmp.Or(cmp.Compare(p.rank, q.rank), cmp.Compare(p.first, q.first)) < 0
	})
	return sorted
}

type object struct{ bucket, key string }

func objectOf(c events.Change) object { return object{c.Bucket, c.Key} }

func rankOf(c events.Change) refresh.Rank { return refresh.RankOf(eventOf(c.Kind), c.Key) }

// eventOf is the table's word for a kind of change.
func eventOf(kind events.Kind) mapping.Event {
	switch kind {
	case events.Removed:
		return mapping.Removed
	case events.Modified:
		return mapping.Modified
	}
	return mapping.Created
}

// Fate is that of change i.
func (t Trace) Fate(i int) Fate {
	switch match := t.Matches[i]; {
	case match.Rule == nil:
		return Unmatched
	case match.Ignored != "":
		return Ignored
	}
	return Mapped
}

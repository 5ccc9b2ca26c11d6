package handler

import (
	"oss-cdn-refresh/events"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// A Trace says what the table makes of an event: what became of each of its
// records, and what is to be refreshed. The function and the operator's tool
// both work from it.
type Trace struct {
	events.Batch
	Matches []mapping.Match  // of each of Batch.Changes: what the table says of it
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

// Follow looks every change of the batch up in the table.
func Follow(table *mapping.Table, batch events.Batch) Trace {
	trace := Trace{
		Batch:   batch,
		Matches: make([]mapping.Match, len(batch.Changes)),
		Targets: make([]refresh.Target, 0, len(batch.Changes)),
	}
	for i, c := range batch.Changes {
		match := table.Map(mapping.Object{Bucket: c.Bucket, Key: c.Key, Event: eventOf(c.Kind), New: c.New()})
		trace.Matches[i] = match
		for _, t := range match.Targets {
			trace.Targets = append(trace.Targets, refresh.Target{Target: t, Record: i})
		}
	}
	return trace
}

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

// with returns the changes of which the function is true.
func (t Trace) with(is func(i int) bool) []events.Change {
	var list []events.Change
	for i, c := range t.Changes {
		if is(i) {
			list = append(list, c)
		}
	}
	return list
}

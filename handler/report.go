package handler

import (
	"slices"
	"strings"

	"oss-cdn-refresh/events"
	"oss-cdn-refresh/handler/refresh"
)

// A Report is the answer of an invocation. Every record of the payload is
// ignored, unmatched, invalid or mapped; every target is in a URL of Refreshed
// or Failed, its own or a Directory's that covers it.
type Report struct {
	RequestID  string    `json:"request_id"` // of the invocation
	Records    int       `json:"records"`
	Ignored    int       `json:"ignored"`   // records that change nothing that a CDN serves, or that the table filters out
	Unmatched  int       `json:"unmatched"` // records of no rule
	Invalid    []Invalid `json:"invalid"`
	Mapped     int       `json:"mapped"`
	Targets    int       `json:"targets"`
	Debounced  int       `json:"debounced"`   // targets merged into another one's item, whatever became of that
	Folded     int       `json:"folded"`      // files that a directory is refreshed in place of
	Requests   int       `json:"requests"`    // calls of the refresh API, retries included
	FailedURLs int       `json:"failed_urls"` // URLs of Failed, those too that a cut report leaves out
	DurationMS int64     `json:"duration_ms"`
	Refreshed  []Group   `json:"refreshed"`
	Failed     []Group   `json:"failed"`
	DryRun     bool      `json:"dry_run"`
	Omitted    Omitted   `json:"omitted,omitzero"`

	// SQS tells that the payload was an SQS batch, whose messages are answered
	// one by one.
	SQS bool `json:"-"`

	unfinished []events.Origin // of the records with something failed or invalid
	notes      notes
}

// Omitted counts what the lists of a report lack for want of room.
type Omitted struct {
	Invalid   int `json:"invalid,omitempty"`
	Refreshed int `json:"refreshed,omitempty"` // groups
	Failed    int `json:"failed,omitempty"`    // groups
}

// An Invalid record is one that names no object.
type Invalid struct {
	Record string `json:"record"` // where it stood, counted from 0: "3", or "message 2, record 1"
	Error  string `json:"error"`
}

// A Group is what has one fate: accepted as one task, or failed with one code.
type Group struct {
	Product   string   `json:"product"` // dcdn, cdn
	Type      string   `json:"type"`    // File, Directory, IgnoreParams
	Code      string   `json:"code,omitempty"`
	Error     string   `json:"error,omitempty"`
	Retryable *bool    `json:"retryable,omitempty"` // of a failed group: a later invocation may fare better
	URLs      []string `json:"urls"`
	Omitted   int      `json:"omitted,omitempty"` // URLs left out for want of room
	Covers    int      `json:"covers,omitempty"`  // files that the Directories refresh too
	TaskID    string   `json:"task_id,omitempty"`
	RequestID string   `json:"request_id,omitempty"` // of the refresh API

	covered []string // the URLs of those files
	reasons []string // what Error is made of
	last    *refresh.Error
}

// notes are for the log only.
type notes struct {
	unmatched, unreachable []events.Change
	loops                  []events.Origin
}

func newReport(trace Trace, items int, result refresh.Result) *Report {
	r := &Report{
		Records:   trace.Records(),
		Ignored:   len(trace.Batch.Ignored),
		Invalid:   []Invalid{},
		Targets:   len(trace.Targets),
		Debounced: len(trace.Targets) - items,
		Requests:  result.Calls,
		Refreshed: []Group{},
		Failed:    []Group{},
		SQS:       trace.SQS,
		notes: notes{
			unmatched:   trace.with(func(i int) bool { return trace.Fate(i) == Unmatched }),
			unreachable: trace.with(func(i int) bool { return trace.Matches[i].Warning }),
			loops:       trace.Loops,
		},
	}
	for i := range trace.Changes {
		switch trace.Fate(i) {
		case Ignored:
			r.Ignored++
		case Unmatched:
			r.Unmatched++
		case Mapped:
			r.Mapped++
		}
	}
	for _, invalid := range trace.Batch.Invalid {
		r.Invalid = append(r.Invalid, Invalid{invalid.Origin.String(), invalid.Err.Error()})
		r.unfinished = append(r.unfinished, invalid.Origin)
	}
	r.addOutcomes(result.Outcomes, trace.Changes)
	return r
}

// addOutcomes groups the outcomes by their fate, in order.
func (r *Report) addOutcomes(outcomes []refresh.Outcome, changes []events.Change) {
	refreshed, failed := grouping{}, grouping{}
	for i := range outcomes {
		o := &outcomes[i]
		if o.Item.InPlaceOfFiles() {
			r.Folded += len(o.Item.Covered)
		}
		if o.Err == nil {
			refreshed.add(&r.Refreshed, o)
			continue
		}
		failed.add(&r.Failed, o)
		r.FailedURLs++
		for _, record := range o.Item.AllRecords() {
			r.unfinished = append(r.unfinished, changes[record].Origin)
		}
	}
}

// A label is what the items of a group have in common.
type label struct {
	product, typ, code, taskID, requestID string
}

// A grouping finds a label's group.
type grouping map[label]int

func (g grouping) add(groups *[]Group, o *refresh.Outcome) {
	l := label{product: string(o.Item.Product), typ: string(o.Item.Type)}
	if o.Err != nil {
		l.code = o.Err.Code
	} else {
		l.taskID, l.requestID = o.Receipt.TaskID, o.Receipt.RequestID
	}
	i, ok := g[l]
	if !ok {
		i = len(*groups)
		g[l] = i
		*groups = append(*groups, newGroup(l, o.Err))
	}
	group := &(*groups)[i]
	group.addReason(o.Err)
	group.URLs = append(group.URLs, o.Item.URL)
	group.Covers += len(o.Item.Covered)
	for i := range o.Item.Covered {
		group.covered = append(group.covered, o.Item.Covered[i].URL)
	}
}

func newGroup(l label, err *refresh.Error) Group {
	group := Group{Product: l.product, Type: l.typ, Code: l.code, TaskID: l.taskID, RequestID: l.requestID}
	if err != nil {
		retryable := err.Class.Retryable()
		group.Retryable = &retryable
		group.RequestID = err.RequestID
	}
	return group
}

// maxReasons is how many different texts a group's error has.
const maxReasons = 3

// addReason adds an error's text where the group has not got it yet: one code
// may have several.
func (g *Group) addReason(err *refresh.Error) {
	if err == nil || err == g.last {
		return
	}
	g.last = err
	text := strings.TrimPrefix(err.Text(), err.Code+": ")
	if slices.Contains(g.reasons, text) || len(g.reasons) == maxReasons {
		return
	}
	g.reasons = append(g.reasons, text)
	g.Error = strings.Join(g.reasons, " | ")
}

func count(groups []Group) int {
	n := 0
	for _, g := range groups {
		n += len(g.URLs)
	}
	return n
}

// Unfinished returns the ids of the SQS messages with something failed or
// invalid, in the order of the batch, and whether every such record came in a
// message that has one.
func (r *Report) Unfinished() (ids []string, all bool) {
	all = true
	slices.SortStableFunc(r.unfinished, func(a, b events.Origin) int { return a.Message - b.Message })
	seen := map[string]bool{"": true}
	for _, origin := range r.unfinished {
		all = all && origin.MessageID != ""
		if !seen[origin.MessageID] {
			seen[origin.MessageID] = true
			ids = append(ids, origin.MessageID)
		}
	}
	return ids, all
}

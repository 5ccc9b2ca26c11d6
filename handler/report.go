package handler

import (
	"slices"
	"sort"
	"strings"

	"oss-cdn-refresh/events"
	"oss-cdn-refresh/handler/refresh"
)

// A Report is the answer of an invocation. Every record of the payload is
// ignored, unmatched, invalid or mapped; every target is in a URL of Refreshed
// or Failed, its own or a Directory's that covers it, or is a refused spelling.
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
	FailedURLs int       `json:"failed_urls"` // URLs of Failed, those too that a list leaves out
	DurationMS int64     `json:"duration_ms"`
	Refreshed  []Group   `json:"refreshed"`
	Failed     []Group   `json:"failed"`
	DryRun     bool      `json:"dry_run"`

	// RefusedSpellings counts the URLs beside the canonical ones that the API
	// does not take. That is not a failure.
	RefusedSpellings int `json:"refused_spellings,omitempty"`
	// UnmatchedRecords lists the records of no rule where the table says
	// "unmatched: fail".
	UnmatchedRecords []Unmatch `json:"unmatched_records,omitempty"`
	Omitted          Omitted   `json:"omitted,omitzero"`
	Sweep            *Sweep    `json:"sweep,omitempty"` // of a timer's event

	// SQS says that the payload was an SQS batch, whose messages can be answered
	// one by one.
	SQS bool `json:"-"`

	refreshedURLs int             // URLs of Refreshed, those too that a list leaves out
	recalled      int             // of these, those that an earlier invocation had accepted
	unfinished    []events.Origin // of the records with something failed or invalid
}

// Omitted counts what the lists of a report lack for want of room.
type Omitted struct {
	Invalid   int `json:"invalid,omitempty"`
	Unmatched int `json:"unmatched_records,omitempty"`
	Refreshed int `json:"refreshed,omitempty"` // groups
	Failed    int `json:"failed,omitempty"`    // groups
}

// An Invalid is a record that could not be read.
type Invalid struct {
	Record string `json:"record"` // where it stood, counted from 0: "3", or "message 2, record 1"
	Error  string `json:"error"`
}

// An Unmatch is a record of an object that no rule is for.
type Unmatch struct {
	Record string `json:"record"` // where it stood, as in Invalid
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
}

// A Group is the URLs with one outcome: accepted as one task, or failed with one code.
type Group struct {
	Product   string   `json:"product"`        // dcdn, cdn, esa
	Site      int64    `json:"site,omitempty"` // of ESA
	Type      string   `json:"type"`           // File, Directory, IgnoreParams
	Code      string   `json:"code,omitempty"`
	Error     string   `json:"error,omitempty"`
	Retryable *bool    `json:"retryable,omitempty"` // of a failed group: a later invocation may fare better
	URLs      []string `json:"urls"`
	Omitted   int      `json:"omitted,omitempty"` // URLs left out for want of room
	Covers    int      `json:"covers,omitempty"`  // files that the Directories refresh too
	TaskID    string   `json:"task_id,omitempty"`
	RequestID string   `json:"request_id,omitempty"` // of the refresh API
	Recalled  bool     `json:"recalled,omitempty"`   // an earlier invocation had it accepted
	Doubt     string   `json:"doubt,omitempty"`      // what makes the acceptance doubtful

	covered []string // the URLs of the covered files
	reasons []string // what Error is made of
	last    *refresh.Error
}

// maxListed bounds the lists of a report, in entries: what is beyond them is in
// the log only.
const maxListed = 10_000

// newReport returns a report that knows the records of the batch but not yet what
// became of its changes.
func newReport(batch events.Batch) *Report {
	r := &Report{
		Records:   batch.Records(),
		Ignored:   len(batch.Ignored),
		Invalid:   []Invalid{},
		Refreshed: []Group{},
		Failed:    []Group{},
		SQS:       batch.SQS,
	}
	for _, invalid := range batch.Invalid {
		r.unfinished = append(r.unfinished, invalid.Origin)
		if len(r.Invalid) == maxInvalidLines {
			r.Omitted.Invalid++
			continue
		}
		r.Invalid = append(r.Invalid, Invalid{invalid.Origin.String(), invalid.Err.Error()})
	}
	return r
}

// addChanges counts what the table makes of changes.
func (r *Report) addChanges(trace Trace, unmatchedFail bool) {
	for i, c := range trace.Changes {
		switch trace.Fate(i) {
		case Ignored:
			r.Ignored++
		case Mapped:
			r.Mapped++
		case Unmatched:
			r.Unmatched++
			if unmatchedFail {
				r.addUnmatched(c)
			}
		}
	}
}

// addResult counts what became of a trace's targets, which were so many items, and
// returns the groups of its outcomes with all their URLs.
func (r *Report) addResult(trace Trace, items int, result refresh.Result) outcomes {
	r.Targets += len(trace.Targets)
	r.Debounced += len(trace.Targets) - items
	r.Requests += result.Calls
	for i := range result.Outcomes {
		if it := result.Outcomes[i].Item; it.InPlaceOfFiles() {
			r.Folded += len(it.Covered)
		}
		if o := &result.Outcomes[i]; o.Failed() {
			for _, record := range o.Item.AllRecords() {
				if record < len(trace.Changes) { // a sweep's targets come from no record
					r.unfinished = append(r.unfinished, trace.Changes[record].Origin)
				}
			}
		}
	}
	all := group(result.Outcomes)
	r.RefusedSpellings += count(all.spellings)
	r.FailedURLs += count(all.failed)
	r.refreshedURLs += count(all.refreshed)
	for _, g := range all.refreshed {
		if g.Recalled {
			r.recalled += len(g.URLs)
		}
	}
	r.Refreshed = appendListed(r.Refreshed, all.refreshed)
	r.Failed = appendListed(r.Failed, all.failed)
	return all
}

func (r *Report) addUnmatched(c events.Change) {
	r.unfinished = append(r.unfinished, c.Origin)
	if len(r.UnmatchedRecords) == maxInvalidLines {
		r.Omitted.Unmatched++
		return
	}
	r.UnmatchedRecords = append(r.UnmatchedRecords, Unmatch{c.Origin.String(), c.Bucket, c.Key})
}

// appendListed appends groups to a list, and leaves out URLs beyond maxListed.
func appendListed(list, groups []Group) []Group {
	room := maxListed - count(list)
	for _, g := range groups {
		keep := min(max(room, 0), len(g.URLs))
		g.Omitted = len(g.URLs) - keep
		g.URLs = g.URLs[:keep:keep]
		room -= keep
		list = append(list, g)
	}
	return list
}

// outcomes are the groups of a result.
type outcomes struct {
	refreshed, failed, spellings []Group
}

// group groups outcomes by what they have in common, in their order.
func group(list []refresh.Outcome) outcomes {
	var all outcomes
	index := map[label]int{}
	for i := range list {
		o := &list[i]
		l := labelOf(o)
		groups := &all.refreshed
		switch {
		case o.Spelling:
			groups = &all.spellings
		case o.Err != nil:
			groups = &all.failed
		}
		n, found := index[l]
		if !found {
			n = len(*groups)
			index[l] = n
			*groups = append(*groups, newGroup(l, o.Err))
		}
		g := &(*groups)[n]
		g.addReason(o.Err)
		g.URLs = append(g.URLs, o.Item.URL)
		g.Covers += len(o.Item.Covered)
		for j := range o.Item.Covered {
			g.covered = append(g.covered, o.Item.Covered[j].URL)
		}
	}
	return all
}

// A label is what the items of a group have in common.
type label struct {
	product, typ, code, taskID, requestID, doubt string
	site                                         int64
	spelling, recalled                           bool
}

func labelOf(o *refresh.Outcome) label {
	l := label{
		product: string(o.Item.Product), site: o.Item.Site, typ: string(o.Item.Type),
		spelling: o.Spelling, recalled: o.Recalled, doubt: o.Doubt,
	}
	if o.Err != nil {
		l.code = o.Err.Code
	} else {
		l.taskID, l.requestID = o.Receipt.TaskID, o.Receipt.RequestID
	}
	return l
}

func newGroup(l label, err *refresh.Error) Group {
	g := Group{
		Product: l.product, Site: l.site, Type: l.typ, Code: l.code, TaskID: l.taskID, RequestID: l.requestID,
		Recalled: l.recalled, Doubt: l.doubt,
	}
	if err != nil {
		retryable := err.Class.Retryable()
		g.Retryable = &retryable
		g.RequestID = err.RequestID
	}
	return g
}

// maxReasons is how many different texts a group's error has.
const maxReasons = 3

// addReason adds an error's text where the group has not got it yet: one code
// may have several. A group of which a part may be tried again is retryable.
func (g *Group) addReason(err *refresh.Error) {
	if err == nil || err == g.last {
		return
	}
	g.last = err
	*g.Retryable = *g.Retryable || err.Class.Retryable()
	text := strings.TrimPrefix(err.Text(), err.Code+": ")
	if slices.Contains(g.reasons, text) || len(g.reasons) == maxReasons {
		return
	}
	g.reasons = append(g.reasons, text)
	g.Error = strings.Join(g.reasons, " | ")
}

// count returns the number of URLs that the groups list.
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
	sort.SliceStable(r.unfinished, func(i, j int) bool {
		return r.unfinished[i].Message < r.unfinished[j].Message
	})
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

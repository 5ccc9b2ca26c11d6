// Package handler turns one event into the refreshes that it asks for, and
// reports what became of each. [Handler.Handle] is the whole way on one screen.
//
// It belongs to no platform and knows no vendor's API: cmd/fc and cmd/lambda
// pass it both, as a [Platform]. It does not plan or retry, which package refresh
// does, and knows no shape of an event, which package events does.
package handler

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"oss-cdn-refresh/events"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// A Platform gives what differs from one serverless platform to the other.
type Platform struct {
	API       func(context.Context) refresh.Refresher // signs with the credentials of the invocation
	RequestID func(context.Context) string            // of the invocation
	// Tasks returns what lists the tasks of the API, for sweeps.
	Tasks func(context.Context) refresh.TaskLister
	// Retry returns how often the platform has delivered the event before. It is
	// nil where the platform does not say.
	Retry func(context.Context) int
}

func (p Platform) retry(ctx context.Context) (n int, known bool) {
	if p.Retry == nil {
		return 0, false
	}
	return p.Retry(ctx), true
}

// A Handler handles the events of a process. It is safe for concurrent use.
type Handler struct {
	settings  Settings
	platform  Platform
	table     func(context.Context) (*mapping.Table, error)
	submitter func() *refresh.Submitter
	folding   func() refresh.FoldRules
	memory    memory
	warm      atomic.Bool
	advised   atomic.Bool
	output    *output
	log       *slog.Logger // at the level of LOG_LEVEL
	audit     *slog.Logger // whatever LOG_LEVEL says; an asynchronous invocation has no other output
}

// New returns a handler and starts loading its mapping table in the background.
func New(settings Settings, platform Platform) *Handler {
	h := &Handler{settings: settings, platform: platform, output: &output{w: settings.Output}}
	h.audit = newLogger(h.output, slog.LevelInfo)
	h.log = newLogger(h.output, settings.LogLevel)
	h.table = inBackground(settings.loadTable)
	h.folding = sync.OnceValue(h.foldRules)
	h.submitter = sync.OnceValue(h.newSubmitter)
	return h
}

// Handle works out what to refresh after the event, refreshes it and reports.
// The error is a [*ConfigError], an [*EventError], an [*IncompleteError] where
// something was not refreshed or not understood, or a [*LogError]; the platform
// then tries again, or keeps the event as a dead letter. The report is nil with
// the first two only.
func (h *Handler) Handle(ctx context.Context, payload []byte) (*Report, error) {
	start := time.Now()
	table, err := h.table(ctx)
	if err != nil {
		return nil, h.refuse(ctx, &ConfigError{err})
	}
	batch, err := events.Decode(payload)
	if err != nil {
		return nil, h.refuse(ctx, &EventError{err})
	}
	report := newReport(batch)
	report.RequestID = h.platform.RequestID(ctx)
	report.DryRun = h.settings.DryRun
	h.logRecords(ctx, batch, report)
	delivery := h.delivery(ctx, payload, batch)
	earlier := h.memory.recall(delivery)
	var result refresh.Result
	var until time.Time
	for trace := range mapInParts(table, batch.Changes) { // only a huge event has several
		earlier = joined(earlier, result) // of the part before
		items := refresh.Debounce(trace.Targets)
		folded := refresh.Fold(items, h.folding())
		requests := refresh.Plan(folded, refresh.Limits(table.Refresh.Limits))
		if until.IsZero() { // which all parts share
			until = lastMoment(ctx, len(items), trace, batch)
		}
		result = h.submit(ctx, requests, earlier, until)
		report.addChanges(trace, table.Refresh.Unmatched == mapping.UnmatchedFail)
		groups := report.addResult(trace, len(items), result)
		h.logTrace(ctx, trace)
		h.logOutcomes(ctx, groups)
	}
	if batch.Sweep {
		h.sweep(ctx, table, report)
	}
	report.DurationMS = time.Since(start).Milliseconds()
	h.logReport(ctx, report)
	if report.SQS && report.err() != nil && !h.settings.PartialBatch {
		h.adviseOnce(ctx)
	}
	unwritten := h.flush(ctx) // also where something failed
	err = cmp.Or(report.err(), unwritten)
	if err != nil && !h.settings.DryRun {
		h.memory.keep(delivery, joined(earlier, result))
	} else {
		h.memory.forget(delivery)
	}
	return report, err
}

// lastMoment is when the submissions of all parts must be over, estimated from the
// number of items in the first one.
func lastMoment(ctx context.Context, items int, first Trace, batch events.Batch) time.Time {
	return refresh.LastMoment(ctx, items*len(batch.Changes)/max(1, len(first.Changes)))
}

// delivery says which event this is, so that the memory knows it again.
func (h *Handler) delivery(ctx context.Context, payload []byte, batch events.Batch) delivery {
	retry, _ := h.platform.retry(ctx)
	return delivery{payload, h.platform.RequestID(ctx), retry, batch.MessageIDs}
}

// joined adds what a result has accepted to what was accepted before.
func joined(
	before map[refresh.Key]refresh.Acceptance, result refresh.Result,
) map[refresh.Key]refresh.Acceptance {
	if len(result.Outcomes) == 0 {
		return before
	}
	accepted := result.Accepted()
	maps.Copy(accepted, before)
	return accepted
}

// flush waits for the log.
func (h *Handler) flush(ctx context.Context) error {
	if err := h.output.flush(ctx); err != nil {
		return &LogError{err}
	}
	return nil
}

// inBackground starts to load a table. The function that it returns waits for the
// table, but not for longer than the invocation lasts: a file system may hang.
func inBackground(
	load func() (*mapping.Table, error),
) func(context.Context) (*mapping.Table, error) {
	var table *mapping.Table
	var err error
	loaded := make(chan struct{})
	go func() {
		table, err = load()
		close(loaded)
	}()
	return func(ctx context.Context) (*mapping.Table, error) {
		ctx, cancel := context.WithDeadline(ctx, refresh.LastMoment(ctx, 0))
		defer cancel()
		select {
		case <-loaded:
			return table, err
		case <-ctx.Done():
			return nil, errors.New("reading the mapping table takes longer than the invocation may")
		}
	}
}

// submit sends the requests until the time, but for what an earlier, failed
// invocation with the same payload has had accepted. A dry run sends nothing.
func (h *Handler) submit(
	ctx context.Context, requests []refresh.Request,
	accepted map[refresh.Key]refresh.Acceptance, until time.Time,
) refresh.Result {
	if h.settings.DryRun {
		return refresh.DryRun(requests)
	}
	job := refresh.Job{API: h.platform.API(ctx), Requests: requests, Accepted: accepted, Until: until}
	return h.submitter().Submit(ctx, job)
}

func (h *Handler) foldRules() refresh.FoldRules {
	table, _ := h.table(context.Background()) // which was loaded before
	return FoldRules(table)
}

func (h *Handler) newSubmitter() *refresh.Submitter {
	table, _ := h.table(context.Background()) // which was loaded before
	s := NewSubmitter(table.Refresh, h.settings.Instances)
	s.Log = h.log
	if s.FoldOnQuota {
		s.Roots = table.Roots()
	}
	return s
}

// FoldRules returns when directories take the place of files, as the table says.
func FoldRules(table *mapping.Table) refresh.FoldRules {
	rules := refresh.FoldRules{Cost: table.Refresh.Fold}
	if rules.Cost > 0 {
		rules.Roots = table.Roots()
	}
	return rules
}

// NewSubmitter returns a submitter that talks to the API as the table says. The
// calls a second are the account's, of which each of so many instances has a share.
func NewSubmitter(r mapping.Refresh, instances int) *refresh.Submitter {
	calls := r.CallsPerSecond
	return &refresh.Submitter{
		Instances: instances,
		Limits:    refresh.Limits(r.Limits),
		CallsPerSecond: map[mapping.Product]int{
			mapping.DCDN: calls.DCDN,
			mapping.CDN:  calls.CDN,
			mapping.ESA:  calls.ESA,
		},
		FoldOnQuota: r.OnQuotaExceeded == mapping.QuotaDirectory,
	}
}

// Package handler turns one event into the refreshes that it asks for, and
// reports what became of each. [Handler.Handle] is the whole way on one screen.
//
// It belongs to no platform and knows no vendor's API: cmd/fc and cmd/lambda
// pass it both, as a [Platform].
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
	accepted := h.memory.recall(delivery)
	for trace := range traces(table, batch.Changes) { // only a huge event has more than one
		items := refresh.Debounce(trace.Targets)
		requests := refresh.Plan(items, refresh.Limits(table.Refresh.Limits))
		result := h.submit(ctx, requests, accepted)
		accepted = joined(accepted, result.Accepted())
		outcomes := report.add(trace, len(items), result, table.Refresh.Unmatched == mapping.UnmatchedFail)
		h.logTrace(ctx, trace)
		h.logOutcomes(ctx, outcomes)
	}
	report.DurationMS = time.Since(start).Milliseconds()
	h.logReport(ctx, report)
	if report.SQS && report.err() != nil && !h.settings.PartialBatch {
		h.adviseOnce(ctx)
	}
	err = cmp.Or(report.err(), h.flush(ctx))
	h.memory.keep(delivery, accepted, err != nil && !h.settings.DryRun)
	return report, err
}

// delivery says which event this is, so that the memory knows it again.
func (h *Handler) delivery(ctx context.Context, payload []byte, batch events.Batch) delivery {
	retry, _ := h.platform.retry(ctx)
	return delivery{payload, h.platform.RequestID(ctx), retry, batch.MessageIDs}
}

// joined adds what was accepted to what was before.
func joined(before, accepted map[refresh.Key]refresh.Acceptance) map[refresh.Key]refresh.Acceptance {
	if before == nil {
		return accepted
	}
	maps.Copy(before, accepted)
	return before
}

// flush waits for the log.
func (h *Handler) flush(ctx context.Context) error {
	if err := h.output.flush(ctx); err != nil {
		return &LogError{err}
	}
	return nil
}

// inBackground starts to load a table. What it returns waits for that, but not
// for longer than the invocation lasts: a file system may hang.
func inBackground(load func() (*mapping.Table, error)) func(context.Context) (*mapping.Table, error) {
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

// submit sends the requests, but for what an earlier, failed invocation with the
// same payload has had accepted. A dry run sends nothing.
func (h *Handler) submit(
	ctx context.Context, requests []refresh.Request, accepted map[refresh.Key]refresh.Acceptance,
) refresh.Result {
	if h.settings.DryRun {
		return refresh.DryRun(requests)
	}
	job := refresh.Job{API: h.platform.API(ctx), Requests: requests, Accepted: accepted}
	return h.submitter().Submit(ctx, job)
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

// NewSubmitter returns a submitter that talks to the API as the table says. The
// calls a second are the account's, of which each of so many instances has a share.
func NewSubmitter(r mapping.Refresh, instances int) *refresh.Submitter {
	calls := r.CallsPerSecond
	return &refresh.Submitter{
		Instances:      instances,
		Limits:         refresh.Limits(r.Limits),
		CallsPerSecond: map[mapping.Product]int{mapping.DCDN: calls.DCDN, mapping.CDN: calls.CDN, mapping.ESA: calls.ESA},
		FoldOnQuota:    r.OnQuotaExceeded == mapping.QuotaDirectory,
	}
}

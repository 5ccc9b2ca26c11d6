// Package handler turns one event into the refreshes that it asks for, and
// reports what became of each. [Handler.Handle] is the whole way on one screen.
//
// It belongs to no platform and knows no vendor's API: cmd/fc and cmd/lambda
// pass it both, as a [Platform].
package handler

import (
	"context"
	"log/slog"
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
}

// A Handler handles the events of a process. It is safe for concurrent use.
type Handler struct {
	settings  Settings
	platform  Platform
	table     func() (*mapping.Table, error)
	submitter func() *refresh.Submitter
	folding   func() refresh.FoldRules
	accepted  memory
	warm      atomic.Bool
	log       *slog.Logger // at the level of LOG_LEVEL
	audit     *slog.Logger // whatever LOG_LEVEL says; an asynchronous invocation has no other output
}

// New returns a handler and starts loading its mapping table in the background.
func New(settings Settings, platform Platform) *Handler {
	h := &Handler{settings: settings, platform: platform}
	h.audit = newLogger(settings.Output, slog.LevelInfo)
	h.log = newLogger(settings.Output, settings.LogLevel)
	h.table = sync.OnceValues(settings.loadTable)
	h.submitter = sync.OnceValue(h.newSubmitter)
	h.folding = sync.OnceValue(func() refresh.FoldRules {
		table, _ := h.table()
		return FoldRules(table)
	})
	go h.table()
	return h
}

// Handle works out what to refresh after the event, refreshes it and reports.
// The error is a [*ConfigError], an [*EventError] or, where something was not
// refreshed or not understood, an [*IncompleteError]; the platform then tries
// again, or keeps the event as a dead letter. The report is nil with the first
// two only.
func (h *Handler) Handle(ctx context.Context, payload []byte) (*Report, error) {
	start := time.Now()
	table, err := h.table()
	if err != nil {
		return nil, h.refuse(ctx, &ConfigError{err})
	}
	batch, err := events.Decode(payload)
	if err != nil {
		return nil, h.refuse(ctx, &EventError{err})
	}
	trace := Follow(table, batch)
	items := refresh.Debounce(trace.Targets)
	folded := refresh.Fold(items, h.folding())
	requests := refresh.Plan(folded, refresh.Limits(table.Refresh.Limits))
	memo := h.accepted.of(payload)
	result := h.submit(ctx, requests, memo.recall())
	report := newReport(trace, len(items), result)
	memo.keep(result, report.err() != nil && !h.settings.DryRun)
	report.RequestID = h.platform.RequestID(ctx)
	report.DryRun = h.settings.DryRun
	report.DurationMS = time.Since(start).Milliseconds()
	h.write(ctx, report)
	return report, report.err()
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
	table, _ := h.table()
	s := NewSubmitter(table.Refresh)
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

// NewSubmitter returns a submitter that talks to the API as the table says.
func NewSubmitter(r mapping.Refresh) *refresh.Submitter {
	return &refresh.Submitter{
		Limits:         refresh.Limits(r.Limits),
		CallsPerSecond: map[mapping.Product]int{mapping.DCDN: r.CallsPerSecond.DCDN, mapping.CDN: r.CallsPerSecond.CDN},
		FoldOnQuota:    r.OnQuotaExceeded == mapping.QuotaDirectory,
	}
}

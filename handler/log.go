package handler

import (
	"context"
	"io"
	"log/slog"

	"oss-cdn-refresh/events"
)

func newLogger(output io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(output, &slog.HandlerOptions{Level: level}))
}

// refuse logs an error that ends an invocation before anything was refreshed.
func (h *Handler) refuse(ctx context.Context, err error) error {
	h.audit.LogAttrs(ctx, slog.LevelError, "refused",
		slog.String("invocation", h.platform.RequestID(ctx)),
		slog.String("error_type", ErrorType(err)),
		slog.String("error", err.Error()))
	return err
}

// write logs what became of the event: a line for each group with all its
// URLs, then the counts.
func (h *Handler) write(ctx context.Context, r *Report) {
	audit := h.audit.With(slog.String("invocation", r.RequestID))
	h.warn(ctx, r)
	for _, invalid := range r.Invalid {
		audit.LogAttrs(ctx, slog.LevelError, "invalid", slog.String("record", invalid.Record), slog.String("error", invalid.Error))
	}
	for _, g := range r.Refreshed {
		audit.LogAttrs(ctx, slog.LevelInfo, "refreshed", g.attrs(r.DryRun)...)
	}
	for _, g := range r.Failed {
		audit.LogAttrs(ctx, slog.LevelError, "failed", g.attrs(r.DryRun)...)
	}
	level := slog.LevelInfo
	if r.err() != nil {
		level = slog.LevelError
	}
	audit.LogAttrs(ctx, level, "report", slog.String("request_id", r.RequestID),
		slog.Int("records", r.Records), slog.Int("ignored", r.Ignored), slog.Int("unmatched", r.Unmatched),
		slog.Int("invalid", len(r.Invalid)), slog.Int("mapped", r.Mapped), slog.Int("targets", r.Targets),
		slog.Int("debounced", r.Debounced), slog.Int("folded", r.Folded), slog.Int("requests", r.Requests),
		slog.Int("refreshed", count(r.Refreshed)), slog.Int("failed", count(r.Failed)),
		slog.Int64("duration_ms", r.DurationMS), slog.Bool("cold", !h.warm.Swap(true)), slog.Bool("dry_run", r.DryRun),
		slog.String("version", Version()))
}

func (g Group) attrs(dryRun bool) []slog.Attr {
	attrs := []slog.Attr{slog.String("product", g.Product), slog.String("type", g.Type)}
	if g.Code != "" {
		attrs = append(attrs, slog.String("code", g.Code), slog.String("error", g.Error), slog.Bool("retryable", *g.Retryable))
	}
	if g.TaskID != "" {
		attrs = append(attrs, slog.String("task_id", g.TaskID))
	}
	if g.RequestID != "" {
		attrs = append(attrs, slog.String("request_id", g.RequestID))
	}
	attrs = append(attrs, slog.Any("urls", g.URLs))
	if g.Covers > 0 {
		attrs = append(attrs, slog.Int("covers", g.Covers), slog.Any("covered", g.covered))
	}
	if dryRun {
		attrs = append(attrs, slog.Bool("dry_run", true))
	}
	return attrs
}

// warn logs what did not fail but may be a mistake in the table or in the
// deployment.
func (h *Handler) warn(ctx context.Context, r *Report) {
	log := h.log.With(slog.String("invocation", r.RequestID))
	if n := r.notes; len(n.unmatched) > 0 {
		log.LogAttrs(ctx, slog.LevelWarn, "unmatched", slog.String("error", "no rule of the table is for these objects"), slog.Any("objects", names(n.unmatched)))
	}
	if n := r.notes; len(n.unreachable) > 0 {
		log.LogAttrs(ctx, slog.LevelWarn, "ignored", slog.String("error", `a browser cannot ask for a key with a "." or ".." segment`), slog.Any("objects", names(n.unreachable)))
	}
	for _, origin := range r.notes.loops {
		h.audit.LogAttrs(ctx, slog.LevelError, "ignored", slog.String("invocation", r.RequestID), slog.String("record", origin.String()),
			slog.String("error", "a dead letter inside a dead letter is not unwrapped: the function seems to be its own destination"))
	}
}

func names(changes []events.Change) []string {
	list := make([]string, len(changes))
	for i, c := range changes {
		list[i] = c.Bucket + "/" + c.Key
	}
	return list
}

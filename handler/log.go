package handler

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"

	"oss-cdn-refresh/events"
)

// Simple Log Service analyses at most 16,384 bytes of a field (Why are field values
// truncated when I query and analyze logs?), and so no line is longer.
const (
	maxList = 11 << 10 // bytes of a line that a list of URLs or objects takes
	maxText = 600      // bytes of others' texts; escaping makes a byte six at worst

	maxInvalidLines = 1000 // invalid records that are named
)

func newLogger(output io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(output, &slog.HandlerOptions{Level: level}))
}

// refuse logs an error that ends an invocation before anything was refreshed.
func (h *Handler) refuse(ctx context.Context, err error) error {
	h.audit.LogAttrs(ctx, slog.LevelError, "refused",
		slog.String("invocation", h.platform.RequestID(ctx)),
		slog.String("error_type", ErrorType(err)),
		slog.String("error", shorten(err.Error(), 2*maxText)))
	_ = h.output.flush(ctx) // the invocation has failed already
	return err
}

// logRecords logs what of the records does not reach the table.
func (h *Handler) logRecords(ctx context.Context, batch events.Batch, r *Report) {
	audit := h.invocation(ctx, h.audit)
	for _, invalid := range r.Invalid {
		audit.LogAttrs(ctx, slog.LevelError, "invalid",
			slog.String("record", invalid.Record), slog.String("error", shorten(invalid.Error, 2*maxText)))
	}
	if n := r.Omitted.Invalid; n > 0 {
		audit.LogAttrs(ctx, slog.LevelError, "invalid",
			slog.Int("n", n), slog.String("error", "there are more invalid records than are listed"))
	}
	for _, origin := range batch.Loops {
		audit.LogAttrs(ctx, slog.LevelError, "ignored", slog.String("record", origin.String()),
			slog.String("error", "a dead letter inside a dead letter is not unwrapped: "+
				"the function seems to be its own destination"))
	}
	log := h.invocation(ctx, h.log)
	for _, ignored := range batch.Ignored {
		msg, level := "ignored", slog.LevelDebug
		if ignored.Unknown {
			msg, level = "unknown_event", slog.LevelWarn
		}
		log.LogAttrs(ctx, level, msg, slog.String("record", ignored.Origin.String()),
			slog.String("event", shorten(ignored.Name, maxText)),
			slog.String("bucket", shorten(ignored.Bucket, maxText)),
			slog.String("key", shorten(ignored.Key, 2*maxText)),
			slog.String("reason", shorten(ignored.Reason, maxText)))
	}
}

// logTrace logs what the table makes of changes and what deserves a look: it may
// be a mistake in the table or in the deployment.
func (h *Handler) logTrace(ctx context.Context, trace Trace) {
	audit, log := h.invocation(ctx, h.audit), h.invocation(ctx, h.log)
	unmatched := map[string][]string{} // keys of each bucket
	var buckets, unreachable []string
	for i, c := range trace.Changes {
		switch {
		case trace.Matches[i].Warning:
			unreachable = append(unreachable, shorten(c.Bucket+"/"+c.Key, maxList))
		case trace.Fate(i) == Unmatched:
			if unmatched[c.Bucket] == nil {
				buckets = append(buckets, c.Bucket)
			}
			unmatched[c.Bucket] = append(unmatched[c.Bucket], shorten(c.Bucket+"/"+c.Key, maxList))
		case trace.Fate(i) == Ignored:
			log.LogAttrs(ctx, slog.LevelDebug, "ignored", slog.String("record", c.Origin.String()),
				slog.String("event", shorten(c.Name, maxText)),
				slog.String("bucket", shorten(c.Bucket, maxText)),
				slog.String("key", shorten(c.Key, 2*maxText)),
				slog.String("reason", shorten(trace.Matches[i].Ignored, maxText)))
		}
	}
	for _, bucket := range buckets {
		for _, objects := range split(unmatched[bucket]) {
			audit.LogAttrs(ctx, slog.LevelWarn, "unmatched",
				slog.String("bucket", shorten(bucket, maxText)), slog.Int("n", len(objects)), slog.String("error", "no rule of the table is for these objects"),
				slog.Any("objects", objects))
		}
	}
	for _, objects := range split(unreachable) {
		audit.LogAttrs(ctx, slog.LevelWarn, "ignored", slog.Int("n", len(objects)),
			slog.String("error", `a browser cannot ask for a key with a "." or ".." segment`),
			slog.Any("objects", objects))
	}
}

// logOutcomes logs each group with all its URLs.
func (h *Handler) logOutcomes(ctx context.Context, all outcomes) {
	audit := h.invocation(ctx, h.audit)
	for _, g := range all.refreshed {
		g.log(ctx, audit, slog.LevelInfo, "refreshed", h.settings.DryRun)
	}
	for _, g := range all.spellings {
		g.log(ctx, audit, slog.LevelWarn, "refused_spelling", h.settings.DryRun)
	}
	for _, g := range all.failed {
		g.log(ctx, audit, slog.LevelError, "failed", h.settings.DryRun)
	}
}

// log writes the group over as many lines as its URLs, and then those of the
// files that its Directories cover, need. Only the first has the error's text.
func (g Group) log(
	ctx context.Context, log *slog.Logger, level slog.Level, msg string, dryRun bool,
) {
	urls, covered := split(g.URLs), split(g.covered)
	parts := len(urls) + len(covered)
	for part := range parts {
		attrs := g.attrs(part == 0)
		if dryRun {
			attrs = append(attrs, slog.Bool("dry_run", true))
		}
		if parts > 1 {
			attrs = append(attrs, slog.Int("part", part+1), slog.Int("parts", parts))
		}
		if part < len(urls) {
			attrs = append(attrs, slog.Int("n", len(urls[part])), slog.Any("urls", urls[part]))
		} else {
			attrs = append(attrs, slog.Int("n", 0), slog.Any("covered", covered[part-len(urls)]))
		}
		log.LogAttrs(ctx, level, msg, attrs...)
	}
}

// attrs are the group's facts without its URLs.
func (g Group) attrs(first bool) []slog.Attr {
	attrs := []slog.Attr{slog.String("product", g.Product), site(g.Site), slog.String("type", g.Type)}
	if g.Code != "" {
		attrs = append(attrs,
			slog.String("code", shorten(g.Code, maxText)), slog.Bool("retryable", *g.Retryable))
	}
	if g.TaskID != "" {
		attrs = append(attrs, slog.String("task_id", shorten(g.TaskID, maxText)))
	}
	if g.RequestID != "" {
		attrs = append(attrs, slog.String("request_id", shorten(g.RequestID, maxText)))
	}
	if g.Recalled {
		attrs = append(attrs, slog.Bool("recalled", true))
	}
	if !first {
		return attrs
	}
	if g.Error != "" {
		attrs = append(attrs, slog.String("error", shorten(g.Error, maxText)))
	}
	if g.Doubt != "" {
		attrs = append(attrs, slog.String("doubt", shorten(g.Doubt, maxText)))
	}
	if g.Covers > 0 {
		attrs = append(attrs, slog.Int("covers", g.Covers))
	}
	return attrs
}

// split cuts a list into lists that fit into a line each. A text that is longer
// than a line has one of its own.
func split(list []string) [][]string {
	var lists [][]string
	begin, size := 0, 0
	for i, text := range list {
		n := lengthInLog(text)
		if size+n > maxList && i > begin {
			lists = append(lists, list[begin:i])
			begin, size = i, 0
		}
		size += n
	}
	if begin < len(list) {
		lists = append(lists, list[begin:])
	}
	return lists
}

// shorten cuts a text where it would have more than most bytes in a line. No name of
// an object is as long as maxList, however it is escaped.
func shorten(text string, most int) string {
	if lengthInLog(text) <= most+len(`"",`) {
		return text
	}
	length := 0
	for i, r := range text {
		if length += lengthInLog(string(r)) - len(`"",`); length > most {
			return text[:i] + "…"
		}
	}
	return text
}

// lengthInLog is the length of a text in a list, with its quotes and comma.
func lengthInLog(text string) int {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(text)
			return len(appendEscaped(nil, quoted)) + 1
		}
	}
	return len(text) + len(`"",`)
}

// logReport logs the counts.
func (h *Handler) logReport(ctx context.Context, r *Report) {
	level := slog.LevelInfo
	if r.err() != nil {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("request_id", r.RequestID),
		slog.Int("records", r.Records), slog.Int("ignored", r.Ignored),
		slog.Int("unmatched", r.Unmatched), slog.Int("invalid", len(r.Invalid)+r.Omitted.Invalid),
		slog.Int("mapped", r.Mapped),
		slog.Int("targets", r.Targets), slog.Int("debounced", r.Debounced),
		slog.Int("folded", r.Folded), slog.Int("requests", r.Requests),
		slog.Int("refreshed", r.refreshedURLs), slog.Int("failed", r.FailedURLs),
		slog.Int("refused_spellings", r.RefusedSpellings), slog.Int("recalled", r.recalled),
		slog.Int64("duration_ms", r.DurationMS), slog.Bool("cold", !h.warm.Swap(true)),
		slog.Bool("dry_run", r.DryRun), slog.String("version", Version()),
	}
	if s := r.Sweep; s != nil {
		attrs = append(attrs, slog.Group("sweep",
			slog.Int("tasks", s.Tasks), slog.Int("failed", s.Failed),
			slog.Int("again", s.Again), slog.Int("foreign", s.Foreign), slog.Int("unseen", s.Unseen)))
	}
	if retry, known := h.platform.retry(ctx); known {
		attrs = append(attrs, slog.Int("retry", retry))
		if most := h.settings.MaxRetries; most != nil {
			attrs = append(attrs, slog.Bool("last", retry >= *most))
		}
	}
	h.invocation(ctx, h.audit).LogAttrs(ctx, level, "report", attrs...)
}

// adviseOnce says, once a process, how only the failed messages of an SQS batch
// come again.
func (h *Handler) adviseOnce(ctx context.Context) {
	if h.advised.Swap(true) {
		return
	}
	h.invocation(ctx, h.audit).LogAttrs(ctx, slog.LevelWarn, "partial_batch",
		slog.String("error", "all messages of the batch come again, because the function was not "+
			"told that Lambda reads which of them have failed"),
		slog.String("hint", "aws lambda update-event-source-mapping --uuid UUID "+
			"--function-response-types ReportBatchItemFailures, and PARTIAL_BATCH=true in the "+
			"function's environment"))
}

// invocation returns a logger whose lines name the invocation.
func (h *Handler) invocation(ctx context.Context, log *slog.Logger) *slog.Logger {
	return log.With(slog.String("invocation", h.platform.RequestID(ctx)))
}

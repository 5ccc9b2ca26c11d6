package handler

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sort"
	"strings"
	"time"

	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

const (
	sweepWindow  = 24 * time.Hour
	sweepCalls   = 40                     // that list tasks, a sweep
	sweepPace    = 220 * time.Millisecond // between them: the API takes 5 a second
	sweepURLs    = 100                    // that are refreshed again, a sweep
	sweepRepeats = 2                      // that a URL is refreshed again, within sweepWindow
)

// A Sweep is what a timer's event found among the refreshes of the last 24 hours
// that the API accepted.
type Sweep struct {
	Tasks   int `json:"tasks"`   // that were seen
	Failed  int `json:"failed"`  // URLs of the table whose newest task failed or timed out
	Again   int `json:"again"`   // of these, URLs that are refreshed again
	Foreign int `json:"foreign"` // failed URLs that are not of the table
	Unseen  int `json:"unseen"`  // tasks that there was no call left for
}

// sweep refreshes again what the API accepted and then failed to refresh. It
// keeps no state: the API's own lists say what was tried, and how often.
func (h *Handler) sweep(ctx context.Context, table *mapping.Table, report *Report) {
	sweep := &Sweep{}
	report.Sweep = sweep
	if h.platform.Tasks == nil {
		return
	}
	var trace Trace
	for _, log := range h.readTaskLogs(ctx, table.Services("")) {
		if log.err != nil {
			h.logSweepError(ctx, log.service, log.err)
		}
		seen := log.seen()
		sweep.Tasks += seen
		sweep.Unseen += max(0, log.total-seen)
		for _, failed := range failedURLs(log.tasks, log.since) {
			targets := table.TargetsOf(log.service, failed.typ, failed.url)
			if len(targets) == 0 {
				sweep.Foreign++
				continue
			}
			sweep.Failed++
			again := failed.count <= sweepRepeats
			h.logFailedTask(ctx, failed, again)
			if !again || len(trace.Targets)+len(targets) > sweepURLs {
				continue // what there is no room for is the next sweep's
			}
			sweep.Again++
			for _, t := range targets {
				trace.Targets = append(trace.Targets, refresh.Target{Target: t})
			}
		}
	}
	items := refresh.Debounce(trace.Targets)
	requests := refresh.Plan(items, refresh.Limits(table.Refresh.Limits))
	result := h.submit(ctx, requests, nil, refresh.LastMoment(ctx, len(items)))
	h.logOutcomes(ctx, report.addResult(trace, len(items), result))
}

// A failedURL is a URL whose newest task failed or timed out.
type failedURL struct {
	service mapping.Service
	typ     mapping.Type
	url     string // as the API spells it
	count   int    // how often it was tried within sweepWindow, and failed
	task    refresh.Task
}

// taskTypes are the API's words for types in its lists of tasks.
var taskTypes = map[string]mapping.Type{
	"file": mapping.File, "directory": mapping.Directory,
	"ignoreparams": mapping.IgnoreParams, "ignore_params": mapping.IgnoreParams,
}

// failedURLs returns the URLs of which the newest try failed and was begun since the
// time, those that failed first before the others. A try is a task, or several where
// the API lists spellings of a name alike: these are created in the same second, or
// within a minute where an invocation needs several calls. It failed if one of them
// did.
func failedURLs(tasks []serviceTask, since time.Time) []failedURL {
	type key struct {
		typ mapping.Type
		url string
	}
	byURL := map[key][]serviceTask{}
	for _, t := range tasks {
		k := key{taskTypes[t.Type], refresh.WithoutScheme(t.URL)}
		if k.typ != "" { // not preloading, for example
			byURL[k] = append(byURL[k], t)
		}
	}
	var all []failedURL
	for k, tasks := range byURL {
		sort.SliceStable(tasks, func(i, j int) bool {
			return tasks[i].Created.Before(tasks[j].Created)
		})
		var within time.Duration
		if mayBeDecoded(k.url) {
			within = time.Minute
		}
		f := failedURL{typ: k.typ}
		var begun time.Time
		failed := false // the newest try
		for i, t := range tasks {
			if i == 0 || t.Created.Sub(begun) > within {
				begun, failed = t.Created, false
			}
			if t.Status != refresh.TaskFailed && t.Status != refresh.TaskTimeout {
				continue
			}
			if !failed {
				f.count++
			}
			failed = true
			f.service, f.url, f.task = t.service, t.URL, t.Task
		}
		if failed && !begun.Before(since) {
			all = append(all, f)
		}
	}
	sort.SliceStable(all, func(i, j int) bool {
		a, b := &all[i], &all[j]
		return cmp.Or(a.task.Created.Compare(b.task.Created), strings.Compare(a.url, b.url)) < 0
	})
	return all
}

// mayBeDecoded reports whether a URL of a list of tasks may stand for several
// spellings: it has characters that one of them encodes, and no encoded ones.
func mayBeDecoded(url string) bool {
	return !strings.Contains(url, "%") && strings.ContainsFunc(url, func(r rune) bool {
		return !strings.ContainsRune(unreserved, r)
	})
}

// unreserved characters are bare in every spelling of a path or a query.
const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/?=&"

type serviceTask struct {
	service mapping.Service
	refresh.Task
}

// readTaskLogs reads the lists of tasks of all services, within half of the time. Those
// with few tasks come first, so that the calls which they do not need are the others'.
func (h *Handler) readTaskLogs(ctx context.Context, services []mapping.Service) []*taskLog {
	end, left := halfway(ctx), sweepCalls
	var logs []*taskLog
	spend := func(log *taskLog, share int, read func(context.Context), remaining int) {
		within := time.Until(end) / time.Duration(remaining)
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		log.calls = share
		read(ctx)
		left -= share - log.calls
	}
	for i, service := range services {
		log := &taskLog{TaskLister: h.platform.Tasks(ctx), service: service, until: time.Now()}
		logs = append(logs, log)
		spend(log, 3, log.readFirst, len(services)-i) // once, and twice again
	}
	sort.SliceStable(logs, func(i, j int) bool { return logs[i].total < logs[j].total })
	for i, log := range logs {
		remaining := len(logs) - i
		spend(log, max(0, left/remaining), log.readRest, remaining)
	}
	return logs
}

// A taskLog reads the API's lists of tasks, a bounded number of pages.
type taskLog struct {
	refresh.TaskLister
	service mapping.Service
	until   time.Time // of the lists: later tasks would shift the pages
	calls   int       // that may still be made

	first refresh.TaskPage // of the last 24 hours
	total int              // of the tasks of the last 24 hours
	tasks []serviceTask
	since time.Time // since when every task was seen
	err   error     // why no more were
}

// readFirst reads the first page of the tasks of the last 24 hours.
func (l *taskLog) readFirst(ctx context.Context) {
	l.since = l.until
	l.first, l.err = l.list(ctx, refresh.TaskQuery{Since: l.until.Add(-sweepWindow)})
	l.total = l.first.Total
}

// readRest reads the other tasks of the last 24 hours. Where these have more pages
// than there are calls, it reads those that failed, and of the others only the latest,
// as many as it can. Where a page is missing, it has seen every task of no time: it
// cannot tell what failed from what was refreshed since, nor how often a URL was tried.
func (l *taskLog) readRest(ctx context.Context) {
	if l.err != nil {
		return
	}
	since, all := l.until.Add(-sweepWindow), false
	page, perPage := l.first, len(l.first.Tasks)
	if page.More && pages(l.total, perPage)-1 > l.calls {
		if all, l.err = l.unsuccessful(ctx, since); l.err != nil || !all {
			return
		}
	}
	window := float64(sweepWindow)
	for page.More && pages(page.Total, perPage)-1 > l.calls {
		if l.calls <= 0 {
			return
		}
		// Tasks are not spread evenly: a fifth of the calls is left for that.
		window *= float64(l.calls*perPage) / float64(page.Total) * 0.8
		since = l.until.Add(-time.Duration(window))
		if page, l.err = l.list(ctx, refresh.TaskQuery{Since: since}); l.err != nil {
			return
		}
	}
	if all, l.err = l.rest(ctx, refresh.TaskQuery{Since: since}, page); l.err == nil && all {
		l.since = since
	}
}

// seen counts the tasks that were read. A task may be in several lists.
func (l *taskLog) seen() int {
	type url struct{ id, typ, url string }
	known := make(map[url]bool, len(l.tasks))
	for _, t := range l.tasks {
		known[url{t.ID, t.Type, t.URL}] = true
	}
	return len(known)
}

func pages(tasks, perPage int) int { return (tasks + perPage - 1) / max(1, perPage) }

// unsuccessful reads the tasks that failed or timed out. It reports whether it has
// read all of them.
func (l *taskLog) unsuccessful(ctx context.Context, since time.Time) (all bool, err error) {
	types := []string{"file", "directory"} // the API takes no status without a type
	if l.service.Product == mapping.ESA {
		types = append(types, "ignoreparams") // which the others' lists do not have
	}
	for _, typ := range types {
		for _, status := range []refresh.TaskStatus{refresh.TaskFailed, refresh.TaskTimeout} {
			if status == refresh.TaskTimeout && l.service.Product == mapping.ESA {
				continue // ESA has no such status (DescribePurgeTasks, API reference)
			}
			query := refresh.TaskQuery{Type: typ, Status: status, Since: since}
			if all, err := l.rest(ctx, query, refresh.TaskPage{More: true}); err != nil || !all {
				return false, err
			}
		}
	}
	return true, nil
}

// rest reads the pages after the given one. It reports whether there were calls
// enough for all of them.
func (l *taskLog) rest(
	ctx context.Context, query refresh.TaskQuery, page refresh.TaskPage,
) (all bool, err error) {
	if len(page.Tasks) > 0 {
		query.Page = 1
	}
	for page.More && l.calls > 0 {
		query.Page++
		if page, err = l.list(ctx, query); err != nil {
			return false, err
		}
	}
	return !page.More, nil
}

// list reads a page, at the API's pace. What may be tried again is tried twice
// more.
func (l *taskLog) list(ctx context.Context, query refresh.TaskQuery) (refresh.TaskPage, error) {
	query.Site, query.Until, query.Page = l.service.Site, l.until, max(1, query.Page)
	for try := 1; ; try++ {
		if err := pause(ctx, sweepPace); err != nil {
			return refresh.TaskPage{}, err
		}
		l.calls--
		page, err := l.ListTasks(ctx, string(l.service.Product), query)
		if err == nil {
			for _, t := range page.Tasks {
				l.tasks = append(l.tasks, serviceTask{l.service, t})
			}
			return page, nil
		}
		var refusal *refresh.Error
		if errors.As(err, &refusal) && !refusal.Class.Retryable() || try == 3 || l.calls <= 0 {
			return refresh.TaskPage{}, err
		}
		if err := pause(ctx, time.Duration(try)*time.Second); err != nil {
			return refresh.TaskPage{}, err
		}
	}
}

// halfway is when half of the time is over until a submission must be. Lists of
// tasks may take no longer, so that there is time to refresh what they show.
func halfway(ctx context.Context) time.Time {
	now := time.Now()
	return now.Add(refresh.LastMoment(ctx, 0).Sub(now) / 2)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// logFailedTask logs what failed after it was accepted.
func (h *Handler) logFailedTask(ctx context.Context, f failedURL, again bool) {
	h.invocation(ctx, h.audit).LogAttrs(ctx, slog.LevelWarn, "task_failed",
		slog.String("product", string(f.service.Product)), site(f.service.Site), slog.String("type", string(f.typ)),
		slog.String("url", shorten(f.url, maxList)),
		slog.String("task_id", shorten(f.task.ID, maxText)),
		slog.String("status", string(f.task.Status)), slog.Int("tries", f.count),
		slog.Bool("again", again))
}

// logSweepError logs why there is no list of tasks. That does not fail the
// invocation: a role that was made for an earlier version may not list them, and
// the next sweep asks again.
func (h *Handler) logSweepError(ctx context.Context, service mapping.Service, err error) {
	hint := "the next sweep asks again"
	var refusal *refresh.Error
	if errors.As(err, &refusal) && isNoPermission(refusal.Code) {
		hint = "the function's role may not list refresh tasks: " +
			"give it the policy that ossrefresh policy --account ID prints"
	}
	h.invocation(ctx, h.audit).LogAttrs(ctx, slog.LevelError, "sweep_failed",
		slog.String("product", string(service.Product)), site(service.Site), slog.String("error", shorten(err.Error(), maxText)),
		slog.String("hint", hint))
}

// site is the id of a site; 0: none.
func site(id int64) slog.Attr {
	if id == 0 {
		return slog.Attr{} // which is left out
	}
	return slog.Int64("site", id)
}

// isNoPermission reports whether a code says that the role may not make a call. The
// API has words enough for that (common error codes, Alibaba Cloud OpenAPI).
func isNoPermission(code string) bool {
	code = strings.ToLower(code)
	return strings.Contains(code, "forbidden") || strings.Contains(code, "nopermission")
}

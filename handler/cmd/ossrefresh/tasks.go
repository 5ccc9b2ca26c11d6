package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

type tasksCommand struct {
	tableFlag
	serviceFlag
	Wait bool     `help:"Wait until all tasks have ended; a refresh takes 5 to 6 minutes."`
	IDs  []string `arg:"" name:"id" sep:"none" help:"Task ids, apart or joined by commas."`
}

func (*tasksCommand) Help() string {
	return `The API knows tasks of the last three days. The credentials are read from ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN.

Examples:

    ossrefresh tasks 95248880
    ossrefresh tasks --wait 95248880,95248881
    ossrefresh tasks --product esa --site 123456789012345 15940956620`
}

func (cmd *tasksCommand) Run(ctx context.Context, c *console) error {
	ids := cmd.ids()
	if len(ids) == 0 {
		return misuse(errors.New("there is no task id"), "give the ids that a refresh has printed")
	}
	services, err := cmd.services(cmd.tableFlag)
	if err != nil {
		return err
	}
	caller, err := callerFrom(c.getenv)
	if err != nil {
		return err
	}
	doc, err := cmd.find(ctx, c, caller, services, ids)
	c.showProgress("")
	if doc.nothing() && err != nil {
		return err
	}
	return errors.Join(c.show(doc), cmp.Or(err, doc.failure()))
}

// find asks each service for the ids that those before it did not know.
func (cmd *tasksCommand) find(
	ctx context.Context, c *console, caller *aliyun.Caller, services []mapping.Service, ids []string,
) (taskLists, error) {
	doc := taskLists{services: services, Unknown: ids}
	var failures, unasked []error
	for _, service := range services {
		list := tasks{
			Product: string(service.Product), Site: service.Site, since: time.Now().Add(-taskDays),
		}
		if len(doc.Unknown) == 0 {
			break
		}
		err := list.ask(ctx, c, caller, doc.Unknown, false)
		if list.Tasks == nil {
			unasked = append(unasked, err)
			continue
		}
		if list.noPreloads != nil {
			unasked = append(unasked, list.unanswered(list.noPreloads))
		}
		known := slices.DeleteFunc(slices.Clone(doc.Unknown), func(id string) bool {
			return slices.Contains(list.Unknown, id)
		})
		doc.Unknown = list.Unknown
		if cmd.Wait && list.pending() {
			err = list.follow(ctx, c, caller, known)
		}
		doc.lists = append(doc.lists, list)
		failures = append(failures, err)
	}
	if len(doc.Unknown) > 0 {
		failures = append(failures, unasked...)
	}
	doc.fill()
	return doc, errors.Join(failures...)
}

// ask asks once, or until all tasks have ended. With an error, the tasks are
// those of the API's last answer.
func (t *tasks) ask(
	ctx context.Context, c *console, caller *aliyun.Caller, ids []string, wait bool,
) error {
	found, err := t.find(ctx, c, caller, ids, wait)
	if err != nil {
		return t.unanswered(err)
	}
	t.Tasks = append([]refresh.Task{}, found...)
	if t.note(ids); !wait || !t.pending() {
		return nil
	}
	return t.follow(ctx, c, caller, ids)
}

func (t *tasks) unanswered(err error) error {
	return fmt.Errorf("asking for the tasks of %s: %w", t.service(), unanswered(err))
}

// follow asks again until all tasks have ended.
func (t *tasks) follow(
	ctx context.Context, c *console, caller *aliyun.Caller, ids []string,
) error {
	// The pauses grow: the operation takes 30 calls a second of the whole
	// account (DescribeDcdnRefreshTaskById, API reference).
	for pause := 500 * time.Millisecond; ; pause = min(2*pause, 15*time.Second) {
		c.showProgress("%s", t.summary())
		if sleep(ctx, pause) != nil {
			return errors.New(t.summary())
		}
		found, err := t.find(ctx, c, caller, ids, true)
		switch {
		case err != nil && ctx.Err() != nil:
			return errors.New(t.summary())
		case err != nil:
			return t.unanswered(err)
		}
		t.Tasks = append([]refresh.Task{}, found...)
		if t.note(ids); !t.pending() {
			return nil
		}
	}
}

// ids returns the ids one by one: the report of a refresh joins them by commas.
func (cmd *tasksCommand) ids() []string {
	var ids []string
	for _, arg := range cmd.IDs {
		ids = append(ids, taskIDs(arg)...)
	}
	return ids
}

func sleep(ctx context.Context, pause time.Duration) error {
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Tasks are the tasks that were asked for, one a URL.
type tasks struct {
	Product string         `json:"product"`
	Site    int64          `json:"site,omitempty"` // ESA only
	Tasks   []refresh.Task `json:"tasks"`
	Unknown []string       `json:"unknown"` // ids
	Missing []missing      `json:"missing,omitempty"`
	Unread  int            `json:"unread,omitempty"` // tasks of the site on pages that were left

	since    time.Time // when the tasks were created, at the earliest
	patience time.Time // until then, what the API does not know is not listed yet
	sent     []callView

	noPreloads error // why those of the site are not known

	asked []mapping.Service // where ids were looked for; nil: this one
}

// A missing is what was accepted under an id without a task of its own.
type missing struct {
	TaskID string   `json:"task_id"`
	Count  int      `json:"count"` // of URLs
	Of     int      `json:"of"`    // URLs that were accepted under the id
	URLs   []string `json:"urls"`  // none where they cannot be told by the tasks' URLs
}

// TaskLists are the tasks of the ids, of all services that were asked.
type taskLists struct {
	Product string        `json:"product,omitempty"` // where one service was asked
	Site    int64         `json:"site,omitempty"`
	Tasks   []serviceTask `json:"tasks"`
	Unknown []string      `json:"unknown"` // ids
	Unread  int           `json:"unread,omitempty"`

	services []mapping.Service
	lists    []tasks
}

// A serviceTask is a task with whose it is.
type serviceTask struct {
	Product string `json:"product"`
	Site    int64  `json:"site,omitempty"` // ESA only
	refresh.Task
}

// fill adds the tasks up.
func (l *taskLists) fill() {
	l.Tasks = []serviceTask{}
	if len(l.services) == 1 {
		l.Product, l.Site = string(l.services[0].Product), l.services[0].Site
	}
	for _, list := range l.lists {
		l.Unread += list.Unread
		for _, t := range list.Tasks {
			l.Tasks = append(l.Tasks, serviceTask{list.Product, list.Site, t})
		}
	}
}

// nothing reports whether no service has answered.
func (l taskLists) nothing() bool { return len(l.lists) == 0 }

// failure returns an error if tasks ended without a refresh, or no service knows them.
func (l taskLists) failure() error {
	sum := tasks{Unknown: l.Unknown, Unread: l.Unread, asked: l.services}
	for _, list := range l.lists {
		sum.Tasks = append(sum.Tasks, list.Tasks...)
	}
	return sum.failure()
}

// text leaves out the services that know none of the ids, unless it is all.
func (l taskLists) text(p *page) {
	for _, list := range l.lists {
		if len(list.Tasks) > 0 || len(l.services) == 1 {
			list.text(p)
		}
	}
}

// find asks for the tasks of the ids.
func (t *tasks) find(
	ctx context.Context, c *console, caller *aliyun.Caller, ids []string, wait bool,
) ([]refresh.Task, error) {
	if t.Site == 0 {
		return t.byID(ctx, caller, ids, wait)
	}
	t.Unread, t.noPreloads = 0, nil
	list := func(ctx context.Context, query refresh.TaskQuery) (refresh.TaskPage, error) {
		return caller.ListTasks(ctx, t.Product, query)
	}
	found, err := t.search(ctx, c, list, ids, wait)
	if err != nil || t.sent != nil {
		return found, err // what was refreshed is no preload
	}
	left := slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return slices.ContainsFunc(found, func(task refresh.Task) bool { return task.ID == id })
	})
	if len(left) == 0 {
		return found, nil
	}
	preloads, err := t.search(ctx, c, caller.ListPreloadTasks, left, wait)
	t.noPreloads = err
	return append(found, preloads...), nil
}

// byID asks for as many ids at once as the API takes.
func (t *tasks) byID(
	ctx context.Context, caller *aliyun.Caller, ids []string, wait bool,
) ([]refresh.Task, error) {
	var all []refresh.Task
	for first := 0; first < len(ids); first += aliyun.MaxTaskIDs {
		some := ids[first:min(first+aliyun.MaxTaskIDs, len(ids))]
		if first > 0 {
			if err := sleep(ctx, pauses[mapping.Product(t.Product)]); err != nil {
				return nil, err
			}
		}
		found, err := askFor(ctx, wait, func() ([]refresh.Task, error) {
			return caller.Tasks(ctx, t.Product, some)
		})
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// search looks for the ids in one list of a site's tasks, since the API of ESA cannot be
// asked for one: page by page, until it has all URLs that were sent or there are no more.
func (t *tasks) search(
	ctx context.Context, c *console, list lister, ids []string, wait bool,
) ([]refresh.Task, error) {
	type name struct{ id, url string }
	seen := map[name]bool{} // a task that is new since the page before shifts the next one
	var all []refresh.Task
	listed := 0
	until := time.Now().Add(time.Second) // the API's times have no fractions
	query := refresh.TaskQuery{Site: t.Site, Since: t.since, Until: until}
	for query.Page = 1; ; query.Page++ {
		page, err := askFor(ctx, wait, func() (refresh.TaskPage, error) { return list(ctx, query) })
		if err != nil {
			return nil, err
		}
		listed += len(page.Tasks)
		for _, task := range page.Tasks {
			if key := (name{task.ID, task.URL}); slices.Contains(ids, task.ID) && !seen[key] {
				seen[key] = true
				all = append(all, task)
			}
		}
		if !page.More || t.sent != nil && len(all) >= t.urls() {
			return all, nil
		}
		if query.Page == maxSitePages {
			t.Unread += max(0, page.Total-listed)
			return all, nil
		}
		c.showProgress("%s: page %d of %s", t.service(), query.Page, plural(page.Total, "task"))
		if err := sleep(ctx, taskPace); err != nil {
			return nil, err
		}
	}
}

// A lister lists tasks page by page.
type lister func(context.Context, refresh.TaskQuery) (refresh.TaskPage, error)

const (
	taskPace     = 220 * time.Millisecond // between two pages: DCDN and CDN take 5 calls a second
	maxSitePages = 500                    // which takes two minutes
)

// askFor asks once more where that may help, and longer while somebody waits.
func askFor[T any](ctx context.Context, wait bool, call func() (T, error)) (T, error) {
	if wait {
		return whileWaiting(ctx, call)
	}
	return patiently(ctx, call)
}

func (t tasks) service() mapping.Service {
	return mapping.Service{Product: mapping.Product(t.Product), Site: t.Site}
}

func (t tasks) pending() bool {
	if len(t.Unknown)+len(t.Missing) > 0 && time.Now().Before(t.patience) {
		return true
	}
	return slices.ContainsFunc(t.Tasks, func(task refresh.Task) bool {
		return task.Status.Open()
	})
}

// note lists the ids that the API does not know, and what is missing of the others.
func (t *tasks) note(ids []string) {
	known := map[string]int{} // tasks
	for _, task := range t.Tasks {
		known[task.ID]++
	}
	t.Unknown, t.Missing = []string{}, nil
	for _, id := range ids {
		if known[id] == 0 {
			t.Unknown = append(t.Unknown, id)
		}
	}
	for _, r := range t.sent {
		n := 0
		for _, id := range taskIDs(r.TaskID) {
			n += known[id]
		}
		if 0 < n && n < r.Count {
			t.Missing = append(t.Missing, t.missingOf(r, r.Count-n))
		}
	}
}

// missingOf tells which URLs of a request have no task, if the API spells the others so
// that they are known.
func (t *tasks) missingOf(r callView, count int) missing {
	m := missing{TaskID: r.TaskID, Count: count, Of: r.Count, URLs: []string{}}
	listed := map[string]bool{}
	for _, task := range t.Tasks {
		listed[refresh.Plain(task.URL)] = true
	}
	for _, url := range r.URLs {
		if !listed[refresh.Plain(url)] {
			m.URLs = append(m.URLs, url)
		}
	}
	if len(m.URLs) != count {
		m.URLs = []string{}
	}
	return m
}

// urls counts what was sent.
func (t *tasks) urls() int {
	n := 0
	for _, r := range t.sent {
		n += r.Count
	}
	return n
}

func (t tasks) count(counts func(refresh.TaskStatus) bool) int {
	n := 0
	for _, task := range t.Tasks {
		if counts(task.Status) {
			n++
		}
	}
	return n
}

func (t tasks) summary() string {
	complete := t.count(func(s refresh.TaskStatus) bool { return s == refresh.TaskComplete })
	return fmt.Sprintf("%d of %s complete", complete, plural(max(len(t.Tasks), t.urls()), "task"))
}

// failure returns an error if tasks ended without a refresh, or are not known.
func (t tasks) failure() error {
	var failures []error
	var hints []string
	if n := t.count(refresh.TaskStatus.Unsuccessful); n > 0 {
		failures = append(failures,
			fmt.Errorf("%s failed, timed out or %s canceled", plural(n, "task"), wasOrWere(n)))
		hints = append(hints, "refresh their URLs again")
	}
	if len(t.Unknown) > 0 {
		failures = append(failures, fmt.Errorf("the API does not know %s", strings.Join(t.Unknown, ", ")))
		hints = append(hints, t.whereToLook())
	}
	for _, m := range t.Missing {
		failures = append(failures,
			fmt.Errorf("%s: %d of %s have no task", m.TaskID, m.Count, plural(m.Of, "URL")))
	}
	if t.Missing != nil {
		hints = append(hints, "what has no task is not known to be complete: refresh it again")
	}
	if failures == nil {
		return nil
	}
	if t.Unread > 0 {
		failures = append(failures,
			fmt.Errorf("%s has %s more, which were not read", t.service(), plural(t.Unread, "task")))
	}
	return hint(errors.Join(failures...), strings.Join(hints, "\n"))
}

// whereToLook says what to do about ids that are not known.
func (t tasks) whereToLook() string {
	asked := t.asked
	if asked == nil {
		asked = []mapping.Service{t.service()}
	}
	flags := "the id and --product"
	var names []string
	for _, s := range asked {
		names = append(names, s.String())
		if s.Site != 0 {
			flags = "the id, --product and --site"
		}
	}
	where := ""
	if len(names) > 1 {
		where = "asked were " + strings.Join(names, "; ") + ": "
	}
	return where + "check " + flags + "; tasks are known for three days"
}

func wasOrWere(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func (t tasks) text(p *page) {
	p.title("%s: %s", t.service(), t.summary())
	var rows [][]string
	for _, task := range t.Tasks {
		rows = append(rows, []string{
			task.ID, string(task.Status), task.Process, task.Type,
			withName(task.URL) + describe(task.Description),
		})
	}
	p.rows(rows)
	for _, m := range t.Missing {
		p.line("  %s: %d of %s have no task", m.TaskID, m.Count, plural(m.Of, "URL"))
		p.list(m.URLs)
	}
}

func describe(text string) string {
	if text == "" {
		return ""
	}
	return "  (" + text + ")"
}

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
	productFlag
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
	account, err := oneService(cmd.tableFlag, cmd.productFlag)
	if err != nil {
		return err
	}
	caller, err := callerFrom(c.getenv)
	if err != nil {
		return err
	}
	doc := tasks{Product: string(account.Product), Site: account.Site, since: time.Now().Add(-taskDays)}
	err = doc.ask(ctx, c, caller, ids, cmd.Wait)
	c.showProgress("")
	if doc.Tasks == nil {
		return err
	}
	return errors.Join(c.show(doc), cmp.Or(err, doc.failure()))
}

// ask asks once, or until all tasks have ended. With an error, the tasks are
// those of the API's last answer.
func (t *tasks) ask(
	ctx context.Context, c *console, caller *aliyun.Caller, ids []string, wait bool,
) error {
	// The pauses grow: the operation takes 30 calls a second of the whole
	// account (DescribeDcdnRefreshTaskById, API reference).
	for pause := 500 * time.Millisecond; ; pause = min(2*pause, 15*time.Second) {
		found, err := t.find(ctx, c, caller, ids, wait)
		switch {
		case err != nil && ctx.Err() != nil && t.Tasks != nil:
			return errors.New(t.summary())
		case err != nil:
			return fmt.Errorf("asking for the tasks: %w", unanswered(err))
		}
		t.Tasks = append([]refresh.Task{}, found...)
		if t.note(ids); !wait || !t.pending() {
			return nil
		}
		c.showProgress("%s", t.summary())
		if sleep(ctx, pause) != nil {
			return errors.New(t.summary())
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

	since    time.Time // when the tasks were created, at the earliest
	patience time.Time // until then, what the API does not know is not listed yet
}

// find asks for the tasks of the ids.
func (t *tasks) find(
	ctx context.Context, c *console, caller *aliyun.Caller, ids []string, wait bool,
) ([]refresh.Task, error) {
	if t.Site == 0 {
		return t.byID(ctx, caller, ids, wait)
	}
	list := func(ctx context.Context, query refresh.TaskQuery) (refresh.TaskPage, error) {
		return caller.ListTasks(ctx, t.Product, query)
	}
	return t.search(ctx, c, list, ids, wait)
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

// search looks for the ids in a list of a site's tasks, since the API of ESA cannot be
// asked for one: page by page, to the last.
func (t *tasks) search(
	ctx context.Context, c *console, list lister, ids []string, wait bool,
) ([]refresh.Task, error) {
	type name struct{ id, url string }
	seen := map[name]bool{} // a task that is new since the page before shifts the next one
	var all []refresh.Task
	until := time.Now().Add(time.Second) // the API's times have no fractions
	query := refresh.TaskQuery{Site: t.Site, Since: t.since, Until: until}
	for query.Page = 1; ; query.Page++ {
		page, err := askFor(ctx, wait, func() (refresh.TaskPage, error) { return list(ctx, query) })
		if err != nil {
			return nil, err
		}
		for _, task := range page.Tasks {
			if key := (name{task.ID, task.URL}); slices.Contains(ids, task.ID) && !seen[key] {
				seen[key] = true
				all = append(all, task)
			}
		}
		if !page.More {
			return all, nil
		}
		if query.Page == maxSitePages {
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
	if len(t.Unknown) > 0 && time.Now().Before(t.patience) {
		return true
	}
	return slices.ContainsFunc(t.Tasks, func(task refresh.Task) bool {
		return task.Status.Open()
	})
}

// note lists the ids that the API does not know.
func (t *tasks) note(ids []string) {
	t.Unknown = []string{}
	for _, id := range ids {
		if !slices.ContainsFunc(t.Tasks, func(task refresh.Task) bool { return task.ID == id }) {
			t.Unknown = append(t.Unknown, id)
		}
	}
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
	return fmt.Sprintf("%d of %s complete", complete, plural(len(t.Tasks), "task"))
}

// failure returns an error if tasks ended without a refresh, or are not known.
func (t tasks) failure() error {
	if n := t.count(refresh.TaskStatus.Unsuccessful); n > 0 {
		err := fmt.Errorf("%s failed, timed out or %s canceled", plural(n, "task"), wasOrWere(n))
		return hint(err, "refresh their URLs again")
	}
	if len(t.Unknown) > 0 {
		return hint(fmt.Errorf("the API does not know %s", strings.Join(t.Unknown, ", ")),
			"check the id and --product; tasks are known for three days")
	}
	return nil
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
}

func describe(text string) string {
	if text == "" {
		return ""
	}
	return "  (" + text + ")"
}

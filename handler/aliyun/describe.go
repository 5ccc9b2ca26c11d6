package aliyun

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Allowance is what an account may refresh of one type in a day.
type Allowance struct {
	Type   string `json:"type"` // File, Directory, IgnoreParams, Regex, Preload
	Quota  int    `json:"quota"`
	Remain int    `json:"remain"`
}

// A Task is one URL of a refresh, as the API describes it.
type Task struct {
	ID          string     `json:"task_id"`
	URL         string     `json:"url"`  // as the API spells it: maybe without scheme, or decoded
	Type        string     `json:"type"` // file, directory, preload and so on
	Status      TaskStatus `json:"status"`
	Process     string     `json:"process"` // "50%"
	Created     time.Time  `json:"created"` // zero if the API does not say
	Description string     `json:"description,omitempty"`
}

// A TaskStatus is how far a task is. DescribeRefreshTasks, API reference, has
// these; a status that is none of them may come too.
type TaskStatus string

const (
	TaskPending    TaskStatus = "Pending"
	TaskRefreshing TaskStatus = "Refreshing"
	TaskComplete   TaskStatus = "Complete"
	TaskFailed     TaskStatus = "Failed"
	TaskTimeout    TaskStatus = "Timeout" // it was not carried out in time
	TaskCanceled   TaskStatus = "Canceled"
)

// Open reports whether the task has not ended yet.
func (s TaskStatus) Open() bool { return s == TaskPending || s == TaskRefreshing }

// Unsuccessful reports whether the task has ended without a refresh.
func (s TaskStatus) Unsuccessful() bool {
	return s == TaskFailed || s == TaskTimeout || s == TaskCanceled
}

const (
	maxTaskIDs   = 10                     // in one call (DescribeDcdnRefreshTaskById, API reference)
	tasksPerPage = 50                     // the most of DescribeDcdnRefreshTasks, API reference; CDN takes 100
	taskWindow   = 24 * time.Hour         // that a TaskQuery selects unless it says otherwise
	apiTime      = "2006-01-02T15:04:05Z" // of times, in UTC
)

// Quota returns what is left of the day's quota of a product, dcdn or cdn. Types
// that the API does not name are left out. The error is a *[refresh.Error].
func (c *Caller) Quota(ctx context.Context, product string) ([]Allowance, error) {
	p, err := c.client.product(product)
	if err != nil {
		return nil, err
	}
	a, err := c.describe(ctx, p, p.describeQuota, nil)
	if err != nil {
		return nil, err
	}
	var all []Allowance
	for _, t := range []struct{ typ, prefix string }{
		{"File", "Url"}, {"Directory", "Dir"}, {"IgnoreParams", "IgnoreParams"}, {"Regex", "Regex"},
		{"Preload", "Preload"},
	} {
		quota, noQuota := strconv.Atoi(text(valueOf(a.fields[t.prefix+"Quota"])))
		remain, noRemain := strconv.Atoi(text(valueOf(a.fields[t.prefix+"Remain"])))
		if noQuota == nil && noRemain == nil {
			all = append(all, Allowance{t.typ, quota, remain})
		}
	}
	return all, nil
}

// Tasks returns the tasks of a product, dcdn or cdn, that have one of the ids: a
// Task for each of their URLs. Ids that the API does not know, such as those
// older than three days, are left out. The error is a *[refresh.Error].
func (c *Caller) Tasks(ctx context.Context, product string, ids []string) ([]Task, error) {
	p, err := c.client.product(product)
	if err != nil {
		return nil, err
	}
	var all []Task
	for some := range slices.Chunk(ids, maxTaskIDs) {
		params := map[string]string{"TaskId": strings.Join(some, ",")}
		a, err := c.describe(ctx, p, p.describeTaskByID, params)
		if err != nil {
			return nil, err
		}
		all = append(all, a.tasks()...)
	}
	return all, nil
}

// A TaskQuery selects tasks. The zero value selects those of the last 24 hours.
type TaskQuery struct {
	Type   string     // of [Task.Type]; empty: every type, if the Status is empty too
	Status TaskStatus // empty: every status

	// Tasks that were created from Since (zero: 24 hours before Until) to
	// Until (zero: now). The API knows those of three days. Who asks for
	// several pages sets Until, so that new tasks do not shift the others.
	Since, Until time.Time

	Page int // from 1; 0 is the first one too
}

// A TaskPage is a part of the tasks that a query selects. Which ones come first
// is not documented.
type TaskPage struct {
	Tasks []Task
	Total int  // on all pages
	More  bool // whether there is a next page
}

// ListTasks returns a page of the tasks of a product, dcdn or cdn. Both products
// take 5 calls a second of an account (DescribeDcdnRefreshTasks and
// DescribeRefreshTasks, API reference). The error is a *[refresh.Error].
func (c *Caller) ListTasks(ctx context.Context, product string, q TaskQuery) (TaskPage, error) {
	p, err := c.client.product(product)
	if err != nil {
		return TaskPage{}, err
	}
	a, err := c.describe(ctx, p, p.describeTasks, q.params())
	if err != nil {
		return TaskPage{}, err
	}
	page := TaskPage{Tasks: a.tasks()}
	page.Total, _ = strconv.Atoi(text(valueOf(a.fields["TotalCount"])))
	page.More = len(page.Tasks) > 0 && max(1, q.Page)*tasksPerPage < page.Total
	return page, nil
}

// params returns the query's parameters. Both times are given, since the API
// refuses one without the other.
func (q TaskQuery) params() map[string]string {
	until := q.Until
	if until.IsZero() {
		until = time.Now()
	}
	since := q.Since
	if since.IsZero() {
		since = until.Add(-taskWindow)
	}
	params := map[string]string{
		"StartTime":  since.UTC().Format(apiTime),
		"EndTime":    until.UTC().Format(apiTime),
		"PageNumber": strconv.Itoa(max(1, q.Page)),
		"PageSize":   strconv.Itoa(tasksPerPage),
	}
	if q.Type != "" {
		params["ObjectType"] = q.Type
	}
	if q.Status != "" {
		params["Status"] = string(q.Status)
	}
	return params
}

// describe makes a call that changes nothing.
func (c *Caller) describe(
	ctx context.Context, p *product, operation string, params map[string]string,
) (answer, error) {
	request := newRequest(p, operation)
	for name, value := range params {
		request.QueryParams[name] = value
	}
	a, err := c.do(ctx, p, request, false)
	if err != nil {
		return answer{}, err
	}
	return a, nil
}

// tasks reads the list of tasks. It is Tasks itself, or nested in it: as Task by
// DCDN, as CDNTask by CDN.
func (a answer) tasks() []Task {
	var list []map[string]json.RawMessage
	if json.Unmarshal(a.fields["Tasks"], &list) != nil {
		var nested map[string][]map[string]json.RawMessage
		_ = json.Unmarshal(a.fields["Tasks"], &nested) // anything else lists no tasks
		for _, entries := range nested {
			list = append(list, entries...)
		}
	}
	all := make([]Task, 0, len(list))
	for _, fields := range list {
		member := func(name string) string { return text(valueOf(fields[name])) }
		created, _ := time.Parse(time.RFC3339, member("CreationTime"))
		t := Task{
			ID:          member("TaskId"),
			URL:         member("ObjectPath"),
			Type:        strings.ToLower(member("ObjectType")),
			Status:      TaskStatus(member("Status")),
			Process:     member("Process"),
			Created:     created,
			Description: member("Description"),
		}
		if t.Type == "path" { // DescribeDcdnRefreshTasks calls a directory so
			t.Type = "directory"
		}
		all = append(all, t)
	}
	return all
}

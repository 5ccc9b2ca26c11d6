package aliyun

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"oss-cdn-refresh/handler/refresh"
)

// An Allowance is what an account may refresh of one type in a day.
type Allowance struct {
	Type   string `json:"type"` // File, Directory, IgnoreParams, Regex, Preload
	Quota  int    `json:"quota"`
	Remain int    `json:"remain"`
}

// MaxTaskIDs is how many ids one call takes (DescribeDcdnRefreshTaskById, API
// reference).
const MaxTaskIDs = 10

const (
	tasksPerPage = 50                     // the most of DescribeDcdnRefreshTasks, API reference; CDN takes 100
	taskWindow   = 24 * time.Hour         // that a refresh.TaskQuery selects unless it says otherwise
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
		{"File", "Url"},
		{"Directory", "Dir"},
		{"IgnoreParams", "IgnoreParams"},
		{"Regex", "Regex"},
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
func (c *Caller) Tasks(ctx context.Context, product string, ids []string) ([]refresh.Task, error) {
	p, err := c.client.product(product)
	if err != nil {
		return nil, err
	}
	var all []refresh.Task
	for some := range slices.Chunk(ids, MaxTaskIDs) {
		params := map[string]string{"TaskId": strings.Join(some, ",")}
		a, err := c.describe(ctx, p, p.describeTaskByID, params)
		if err != nil {
			return nil, err
		}
		all = append(all, a.tasks()...)
	}
	return all, nil
}

// ListTasks returns a page of the tasks of a product, of esa those of the query's
// Site. DCDN and CDN take 5 calls a second of an account (DescribeDcdnRefreshTasks and
// DescribeRefreshTasks, API reference); for ESA that is not documented. The error is a
// *[refresh.Error].
func (c *Caller) ListTasks(ctx context.Context, product string, q refresh.TaskQuery) (refresh.TaskPage, error) {
	p, err := c.client.product(product)
	if err != nil {
		return refresh.TaskPage{}, err
	}
	params := taskParams(q)
	if product == esa {
		params = siteParams(q.Site, params)
	}
	return c.listTasks(ctx, p, p.describeTasks, params, q.Page)
}

func (c *Caller) listTasks(
	ctx context.Context, p *product, operation string, params map[string]string, number int,
) (refresh.TaskPage, error) {
	a, err := c.describe(ctx, p, operation, params)
	if err != nil {
		return refresh.TaskPage{}, err
	}
	if p == c.client.products[esa] {
		a.renameTaskFields()
	}
	page := refresh.TaskPage{Tasks: a.tasks()}
	page.Total, _ = strconv.Atoi(text(valueOf(a.fields["TotalCount"])))
	page.More = len(page.Tasks) > 0 && max(1, number)*tasksPerPage < page.Total
	return page, nil
}

// Throttled reports whether an error is the API's word that there were too many calls.
func Throttled(err error) bool {
	var e *refresh.Error
	if !errors.As(err, &e) {
		return false
	}
	code := normalCode(e.Code)
	return strings.HasPrefix(code, "throttling") || code == "toomanyrequests" || code == "http429"
}

// taskParams returns the query's parameters. Both times are given, since the API
// refuses one without the other.
func taskParams(q refresh.TaskQuery) map[string]string {
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
func (a answer) tasks() []refresh.Task {
	var list []map[string]json.RawMessage
	if json.Unmarshal(a.fields["Tasks"], &list) != nil {
		var nested map[string][]map[string]json.RawMessage
		_ = json.Unmarshal(a.fields["Tasks"], &nested) // anything else lists no tasks
		for _, entries := range nested {
			list = append(list, entries...)
		}
	}
	all := make([]refresh.Task, 0, len(list))
	for _, fields := range list {
		member := func(name string) string { return text(valueOf(fields[name])) }
		created, _ := time.Parse(time.RFC3339, member("CreationTime"))
		t := refresh.Task{
			ID:          member("TaskId"),
			URL:         member("ObjectPath"),
			Type:        strings.ToLower(member("ObjectType")),
			Status:      refresh.TaskStatus(member("Status")),
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

package aliyun

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"oss-cdn-refresh/handler/refresh"
)

// An Allowance is what an account may refresh of one type in a day.
type Allowance struct {
	Type   string `json:"type"` // File, Directory, IgnoreParams, Regex
	Quota  int    `json:"quota"`
	Remain int    `json:"remain"`
}

// A Task is one URL of a refresh, as the API tells of it.
type Task struct {
	ID          string    `json:"task_id"`
	URL         string    `json:"url"`
	Type        string    `json:"type"`    // file, directory and so on
	Status      string    `json:"status"`  // Pending, Refreshing, Complete, Failed
	Process     string    `json:"process"` // "50%"
	Created     time.Time `json:"created"` // zero if not told
	Description string    `json:"description,omitempty"`
}

// maxTaskIDs is how many tasks one call may ask for
// (DescribeDcdnRefreshTaskById, API reference).
const maxTaskIDs = 10

// Quota tells what is left of the day's quota of a product, dcdn or cdn. Types
// that the API does not tell of are left out. The error is a *[refresh.Error].
func (c *Caller) Quota(ctx context.Context, product string) ([]Allowance, error) {
	a, err := c.describe(ctx, product, map[string]string{"dcdn": "DescribeDcdnRefreshQuota", "cdn": "DescribeRefreshQuota"}, nil)
	if err != nil {
		return nil, err
	}
	var all []Allowance
	for _, t := range []struct{ typ, prefix string }{{"File", "Url"}, {"Directory", "Dir"}, {"IgnoreParams", "IgnoreParams"}, {"Regex", "Regex"}} {
		quota, noQuota := strconv.Atoi(text(a.fields[t.prefix+"Quota"]))
		remain, noRemain := strconv.Atoi(text(a.fields[t.prefix+"Remain"]))
		if noQuota == nil && noRemain == nil {
			all = append(all, Allowance{t.typ, quota, remain})
		}
	}
	return all, nil
}

// Tasks tells the state of tasks of a product, dcdn or cdn: a Task for each of
// their URLs. Ids that the API does not know, such as those older than three
// days, are left out. The error is a *[refresh.Error].
func (c *Caller) Tasks(ctx context.Context, product string, ids []string) ([]Task, error) {
	var all []Task
	for len(ids) > 0 {
		n := min(maxTaskIDs, len(ids))
		a, err := c.describe(ctx, product, map[string]string{"dcdn": "DescribeDcdnRefreshTaskById", "cdn": "DescribeRefreshTaskById"},
			map[string]string{"TaskId": strings.Join(ids[:n], ",")})
		if err != nil {
			return nil, err
		}
		all = append(all, a.tasks()...)
		ids = ids[n:]
	}
	return all, nil
}

// describe makes a call that changes nothing.
func (c *Caller) describe(ctx context.Context, name string, operations, params map[string]string) (answer, error) {
	p, ok := c.client.products[name]
	if !ok {
		return answer{}, &refresh.Error{Code: "UnknownProduct", Message: fmt.Sprintf("%q is no product; there are dcdn and cdn", name), Unsent: true}
	}
	request := newRequest(p, operations[name])
	for name, value := range params {
		request.QueryParams[name] = value
	}
	a, err := c.do(ctx, p, request, false)
	if err != nil {
		return answer{}, err
	}
	return a, nil
}

func (a answer) tasks() []Task {
	list, _ := a.fields["Tasks"].([]any)
	var all []Task
	for _, entry := range list {
		fields, _ := entry.(map[string]any)
		created, _ := time.Parse(time.RFC3339, text(fields["CreationTime"]))
		all = append(all, Task{
			ID: text(fields["TaskId"]), URL: text(fields["ObjectPath"]), Type: text(fields["ObjectType"]),
			Status: text(fields["Status"]), Process: text(fields["Process"]), Created: created,
			Description: text(fields["Description"]),
		})
	}
	return all
}

package refresh

import (
	"context"
	"net/url"
	"strings"
	"time"
)

// A Task is one URL of an accepted request, as the API lists it.
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

// The statuses.
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

// A TaskQuery selects tasks.
type TaskQuery struct {
	Site   int64      // ESA only
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

// A TaskLister lists the refresh tasks of a product, page by page. An error is an
// *[Error].
type TaskLister interface {
	ListTasks(ctx context.Context, product string, query TaskQuery) (TaskPage, error)
}

// WithoutScheme returns a URL without its scheme and with its host in lower case.
func WithoutScheme(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	host, path, _ := strings.Cut(address, "/")
	return strings.ToLower(host) + "/" + path
}

// Plain returns a URL as it can be compared with those of tasks: without its scheme,
// with its host in lower case, and decoded.
func Plain(address string) string {
	address = WithoutScheme(address)
	if decoded, err := url.PathUnescape(address); err == nil {
		return decoded
	}
	return address
}

package aliyuntest

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The refusals of the operations on tasks: "DescribeDcdnRefreshTasks, API
// reference" and "DescribeRefreshTasks, API reference". What is not found
// there: those of PageNumber and PageSize.
var (
	errTaskID     = &refusal{400, "InvalidTaskId.Malformed", "The specified TaskId is invalid."}
	errNoType     = &refusal{400, "MissingParameter.ObjectType", "If DomainName or Status is provided, ObjectType can not be empty."}
	errTaskType   = &refusal{400, "InvalidObjectType.ValueNotSupported", "The specified ObjectType is not supported."}
	errTaskStatus = &refusal{400, "InvalidStatus.ValueNotSupported", "The specified value of parameter Status is not supported."}
	errNoTimes    = &refusal{400, "MissingTimeParameter", "The StartTime and EndTime must be both specified."}
	errNoTimesCDN = &refusal{400, "MissingParameter", "StartTime and EndTime can not be single."}
	errStart      = &refusal{400, "InvalidStartTime.Malformed", "The specified StartTime is invalid."}
	errEnd        = &refusal{400, "InvalidEndTime.Malformed", "The specified EndTime is invalid."}
	errTimes      = &refusal{400, "InvalidEndTime.Mismatch", "The specified EndTime is earlier than the StartTime."}
	errOldTasks   = &refusal{400, "InvalidStartTime.ValueNotSupported", "The specified value of parameter StartTime is not supported."}
	errPage       = &refusal{400, "InvalidPageNumber", "The specified PageNumber is invalid."}
	errPageSize   = &refusal{400, "InvalidPageSize", "The specified PageSize is invalid."}
)

const (
	maxTaskIDs = 10             // in one call of DescribeDcdnRefreshTaskById
	taskAge    = 72 * time.Hour // older tasks are forgotten
	taskFormat = "2006-01-02T15:04:05Z"
)

// The states of a task.
const (
	Pending    = "Pending"
	Refreshing = "Refreshing"
	Complete   = "Complete"
	Failed     = "Failed"
	Timeout    = "Timeout"
	Canceled   = "Canceled"
)

// A task is one accepted URL, with the state in which it will end.
type task struct {
	Accepted
	created time.Time
	end     string
}

// describe returns the task as the API tells of it. The type of a directory has
// two names.
func (s *Server) describe(t task, now time.Time, directory string) map[string]any {
	status, process := s.progress(t, now)
	fields := map[string]any{
		"TaskId":       t.TaskID,
		"ObjectPath":   t.URL,
		"ObjectType":   strings.ToLower(t.Type),
		"Status":       status,
		"Process":      process,
		"CreationTime": t.created.UTC().Format(taskFormat),
	}
	if s.TaskPath != nil {
		fields["ObjectPath"] = s.TaskPath(t.URL)
	}
	if t.Type == "Directory" {
		fields["ObjectType"] = directory
	}
	if status == Failed {
		fields["Description"] = "Internal Error"
	}
	return fields
}

// progress returns how far a task is. A refresh takes 5 to 6 minutes,
// "RefreshDcdnObjectCaches, API reference".
func (s *Server) progress(t task, now time.Time) (status, process string) {
	age, whole := now.Sub(t.created), cmp.Or(s.TaskTime, 5*time.Minute)
	switch {
	case age < whole/2:
		return Pending, "0%"
	case age < whole:
		return Refreshing, "50%"
	case t.end == Complete:
		return Complete, "100%"
	}
	return t.end, "50%"
}

// WithoutScheme is a TaskPath: www.example.com/%E5%9B%BE.png.
func WithoutScheme(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	return cmp.Or(rest, url)
}

// Decoded is a TaskPath: https://www.example.com/图.png.
func Decoded(raw string) string {
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return raw
	}
	return decoded
}

// describeTasksByID answers with one task for each URL. Ids that are not known
// are left out.
func (s *Server) describeTasksByID(q request) answer {
	if q.params["TaskId"] == "" {
		return missing("TaskId").answer(q)
	}
	ids := strings.Split(q.params["TaskId"], ",")
	if len(ids) > maxTaskIDs {
		return errTaskID.answer(q)
	}
	list := []map[string]any{}
	for _, t := range s.tasks {
		if t.Product == q.Product && slices.Contains(ids, t.TaskID) && q.Time.Sub(t.created) <= taskAge {
			list = append(list, s.describe(t, q.Time, "directory"))
		}
	}
	return success(q, map[string]any{"TotalCount": len(list), "Tasks": list})
}

// describeTasks answers with a page of the tasks that the parameters select,
// the newest first. Each product nests the list under another name.
func (s *Server) describeTasks(q request) answer {
	query, refused := readTaskQuery(q)
	if refused != nil {
		return refused.answer(q)
	}
	nested, directory := "Task", "path"
	if q.Product == "cdn" {
		nested, directory = "CDNTask", "directory"
	}
	fields, list := s.page(query, func(t task) string {
		status, _ := s.progress(t, q.Time)
		return status
	}, func(t task) map[string]any { return s.describe(t, q.Time, directory) })
	fields["Tasks"] = map[string]any{nested: list}
	return success(q, fields)
}

// page returns a page of the tasks that the query selects, the newest first, as
// describe tells of them, and the fields that say which page it is.
func (s *Server) page(
	query taskQuery, status func(task) string, describe func(task) map[string]any,
) (fields map[string]any, list []map[string]any) {
	list, total := []map[string]any{}, 0
	first := (query.page - 1) * query.size
	// A task was created at a whole second, as CreationTime tells it.
	start, end := query.start.Truncate(time.Second), query.end.Truncate(time.Second).Add(time.Second)
	for _, t := range slices.Backward(s.tasks) {
		if t.created.Before(start) || !t.created.Before(end) || !query.selects(t, status) {
			continue
		}
		if first <= total && total < first+query.size {
			list = append(list, describe(t))
		}
		total++
	}
	return map[string]any{"PageNumber": query.page, "PageSize": query.size, "TotalCount": total}, list
}

// A taskQuery selects tasks. Empty fields select all.
type taskQuery struct {
	product, id, path, domain, kind, status string
	site                                    int64

	shows func(task) bool // nil: all

	start, end time.Time
	page, size int
}

func readTaskQuery(q request) (taskQuery, *refusal) {
	query := taskQuery{
		product: q.Product,
		id:      q.params["TaskId"],
		path:    q.params["ObjectPath"],
		domain:  strings.ToLower(q.params["DomainName"]),
		kind:    strings.ToLower(q.params["ObjectType"]),
		status:  q.params["Status"],
	}
	for _, read := range []func(request) *refusal{query.readNames, query.readTimes, query.readPage} {
		if refused := read(q); refused != nil {
			return taskQuery{}, refused
		}
	}
	return query, nil
}

func (query *taskQuery) readNames(request) *refusal {
	types := []string{"", "file", "directory", "regex", "preload", "block", "unblock"}
	states := []string{"", Pending, Refreshing, Complete, Failed, Timeout, Canceled}
	switch {
	case query.kind == "" && (query.domain != "" || query.status != ""):
		return errNoType
	case !slices.Contains(types, query.kind):
		return errTaskType
	case !slices.Contains(states, query.status):
		return errTaskStatus
	}
	return nil
}

func (query *taskQuery) readTimes(q request) *refusal {
	start, end := q.params["StartTime"], q.params["EndTime"]
	query.start, query.end = q.Time.Add(-taskAge), q.Time
	switch {
	case start == "" && end == "":
		return nil
	case (start == "" || end == "") && q.Product == "cdn":
		return errNoTimesCDN
	case start == "" || end == "":
		return errNoTimes
	}
	oldest := query.start
	var startErr, endErr error
	query.start, startErr = time.Parse(taskFormat, start)
	query.end, endErr = time.Parse(taskFormat, end)
	switch {
	case startErr != nil:
		return errStart
	case endErr != nil:
		return errEnd
	case !query.end.After(query.start):
		return errTimes
	case query.start.Before(oldest.Truncate(time.Second)):
		return errOldTasks
	}
	return nil
}

func (query *taskQuery) readPage(q request) *refusal {
	biggest := 50
	if q.Product == "cdn" {
		biggest = 100
	}
	query.page, query.size = number(q.params["PageNumber"], 1), number(q.params["PageSize"], 20)
	switch {
	case query.page < 1 || query.page > 100_000:
		return errPage
	case query.size < 1 || query.size > biggest:
		return errPageSize
	}
	return nil
}

// number returns a parameter, its default where it is empty, and 0 if it is not
// a number.
func number(text string, byDefault int) int {
	if text == "" {
		return byDefault
	}
	n, _ := strconv.Atoi(text)
	return n
}

// selects leaves the times to page.
func (query taskQuery) selects(t task, status func(task) string) bool {
	return (query.shows == nil || query.shows(t)) && t.Product == query.product && t.Site == query.site &&
		(query.id == "" || t.TaskID == query.id) &&
		(query.path == "" || t.URL == query.path) &&
		(query.domain == "" || host(t.URL) == query.domain) &&
		(query.kind == "" || strings.EqualFold(t.Type, query.kind)) &&
		(query.status == "" || status(t) == query.status)
}

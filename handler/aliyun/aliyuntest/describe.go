package aliyuntest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// errTaskID is from "DescribeRefreshTasks, API reference".
var errTaskID = &refusal{400, "InvalidTaskId.Malformed", "The specified TaskId is invalid."}

// maxTaskIDs is how many tasks one call may ask for, "DescribeDcdnRefreshTaskById,
// API reference".
const maxTaskIDs = 10

// describeQuota answers with the numbers as strings, as the API does.
func (s *Server) describeQuota(q request) answer {
	fields := map[string]any{}
	for kind, name := range map[string]string{"File": "Url", "Directory": "Dir", "IgnoreParams": "IgnoreParams"} {
		quota := s.Quota.of(kind)
		fields[name+"Quota"] = strconv.Itoa(quota)
		fields[name+"Remain"] = strconv.Itoa(quota - s.used[allowance{q.Product, kind}])
	}
	return success(q, fields)
}

// describeTasks answers with one task for each URL. Ids that are not known are
// left out.
func (s *Server) describeTasks(q request) answer {
	if q.params["TaskId"] == "" {
		return missing("TaskId").answer(q)
	}
	ids := strings.Split(q.params["TaskId"], ",")
	if len(ids) > maxTaskIDs {
		return errTaskID.answer(q)
	}
	tasks := []map[string]string{}
	for _, a := range s.accepted {
		if a.Product == q.Product && slices.Contains(ids, a.TaskID) {
			tasks = append(tasks, s.task(a, q.Time))
		}
	}
	return success(q, map[string]any{"TotalCount": len(tasks), "Tasks": tasks})
}

func (s *Server) task(a Accepted, now time.Time) map[string]string {
	created := s.calls[a.Call].Time
	status, process := s.progress(now.Sub(created))
	return map[string]string{
		"TaskId":       a.TaskID,
		"ObjectPath":   a.URL,
		"ObjectType":   strings.ToLower(a.Type),
		"Status":       status,
		"Process":      process,
		"CreationTime": created.UTC().Format(time.RFC3339),
	}
}

// progress returns the state of a task of some age. A refresh takes 5 to 6
// minutes, "RefreshDcdnObjectCaches, API reference".
func (s *Server) progress(age time.Duration) (status, process string) {
	switch whole := cmp.Or(s.TaskTime, 5*time.Minute); {
	case age < whole/2:
		return "Pending", "0%"
	case age < whole:
		return "Refreshing", "50%"
	}
	return "Complete", "100%"
}

package aliyuntest

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// The refusals of ESA. InvalidContent is what people report of a Content of another
// shape, and InvalidParameter.RecordNotBelongToSite is of "PreloadCaches, API
// reference". The others, and all messages, are assumed after those of DCDN: the
// table of errors of PurgeCaches is not known.
var (
	errContent   = &refusal{400, "InvalidContent", "The specified Content is invalid."}
	errSite      = &refusal{400, "InvalidSiteId", "The specified SiteId is invalid."}
	errRecord    = &refusal{400, "InvalidParameter.RecordNotBelongToSite", "The record does not belong to the site."}
	errPurge     = &refusal{400, "InvalidType", "The specified Type is invalid."}
	errPurgeHere = &refusal{501, "NotEmulated", "The Type is one of the real API, but this emulator does not have it. It has: directory, file, ignoreParams."}
	errNoStatus  = &refusal{400, "InvalidStatus", "The specified Status is invalid."}
)

// purgeTypes are the values of Type that name URLs, with the member of Content that
// has them, "PurgeCaches, API reference". The API has more: cachekey, cachetag,
// hostname and purgeall.
var purgeTypes = map[string]struct{ kind, member string }{
	"file":         {"File", "Files"},
	"directory":    {"Directory", "Directories"},
	"ignoreParams": {"IgnoreParams", "IgnoreParams"},
}

// readContent reads the parameters that ESA has in the place of ObjectType and
// ObjectPath. Content is a JSON document: an object whose member depends on the
// Type, and a list for PreloadCaches. URLs is nil if it has another shape.
func (q *request) readContent() {
	q.Site, _ = strconv.ParseInt(q.params["SiteId"], 10, 64)
	q.Type, q.URLs = q.params["Type"], nil
	content := []byte(q.params["Content"])
	if q.Action == "PreloadCaches" {
		_ = json.Unmarshal(content, &q.URLs)
		return
	}
	var members map[string][]string
	if json.Unmarshal(content, &members) == nil && len(members) == 1 {
		q.URLs = members[purgeTypes[q.Type].member]
	}
}

// purge is PurgeCaches.
func (s *Server) purge(q request) answer {
	if refused := s.checkSite(q); refused != nil {
		return refused.answer(q)
	}
	typ, known := purgeTypes[q.Type]
	switch {
	case q.Type == "":
		return missing("Type").answer(q)
	case !known && realPurgeTypes[q.Type]:
		return errPurgeHere.answer(q)
	case !known:
		return errPurge.answer(q)
	case q.params["Content"] != "" && len(q.URLs) == 0:
		return errContent.answer(q)
	}
	q.Type = typ.kind
	for _, check := range []func(request) *refusal{
		s.checkPolicy, func(q request) *refusal { return s.checkPathsOf(q, errContent) },
		s.checkLimits, s.checkRecords, s.checkQuota,
	} {
		if refused := check(q); refused != nil {
			return refused.answer(q)
		}
	}
	return success(q, map[string]any{"TaskId": s.record(q)})
}

var realPurgeTypes = map[string]bool{"cachekey": true, "cachetag": true, "hostname": true, "purgeall": true}

func (s *Server) checkSite(q request) *refusal {
	if q.params["SiteId"] == "" {
		return missing("SiteId")
	}
	if _, known := s.Sites[q.Site]; q.Site < 1 || s.Sites != nil && !known {
		return errSite
	}
	return nil
}

// checkRecords refuses hosts that are not of the site.
func (s *Server) checkRecords(q request) *refusal {
	name := s.Sites[q.Site]
	for _, raw := range q.URLs {
		if host := host(raw); name != "" && host != name && !strings.HasSuffix(host, "."+name) {
			return errRecord
		}
	}
	return s.checkDomains(q)
}

// preloadOfSite is PreloadCaches. Its task id is a number, as in the sample of
// "PreloadCaches, API reference".
func (s *Server) preloadOfSite(q request) answer {
	if refused := s.checkSite(q); refused != nil {
		return refused.answer(q)
	}
	if refused := s.checkRecords(q); refused != nil {
		return refused.answer(q)
	}
	if q.params["Content"] != "" && len(q.URLs) == 0 {
		return errContent.answer(q)
	}
	id, refused := s.recordPreload(q, errContent)
	if refused != nil {
		return refused.answer(q)
	}
	return success(q, map[string]any{"TaskId": json.Number(id)})
}

// purgeQuota is GetPurgeQuota. Without a SiteId or a Type it is that of no site,
// and of files: both may be left out, says its reference.
func (s *Server) purgeQuota(q request) answer {
	typ, known := purgeTypes[q.Type]
	switch {
	case q.Type == "":
		typ = purgeTypes["file"]
	case realPurgeTypes[q.Type]:
		return errPurgeHere.answer(q)
	case !known:
		return errPurge.answer(q)
	}
	used := s.used[allowance{"esa", q.Site, typ.kind}]
	return success(q, map[string]any{
		"Quota": strconv.Itoa(s.Quota.of(typ.kind)), "Usage": strconv.Itoa(used),
		"Quota30Day": "0", "Usage30Day": "0", // 0: there is no such quota
	})
}

// purgeTasks is DescribePurgeTasks.
func (s *Server) purgeTasks(q request) answer {
	_, known := purgeTypes[q.Type]
	if q.Type != "" && !known && !realPurgeTypes[q.Type] {
		return errPurge.answer(q)
	}
	return s.tasksOfSite(q, func(t task) bool { return t.Type != "Preload" })
}

// preloadTasks is DescribePreloadTasks.
func (s *Server) preloadTasks(q request) answer {
	return s.tasksOfSite(q, func(t task) bool { return t.Type == "Preload" })
}

// tasksOfSite answers with a page of the tasks that the parameters select. Its
// errors are assumed to be those of DCDN.
func (s *Server) tasksOfSite(q request, shows func(task) bool) answer {
	if refused := s.checkSite(q); refused != nil {
		return refused.answer(q)
	}
	query := taskQuery{
		product: "esa", site: q.Site, path: q.params["Content"], status: q.params["Status"],
		kind: strings.ToLower(q.params["Type"]),
	}
	switch query.status {
	case "", Complete, Refreshing, Failed:
	default:
		return errNoStatus.answer(q)
	}
	for _, read := range []func(request) *refusal{query.readTimes, query.readPage} {
		if refused := read(q); refused != nil {
			return refused.answer(q)
		}
	}
	query.shows = shows
	status := func(t task) string { return s.statusOfSite(t, q.Time) }
	fields, list := s.page(query, status, func(t task) map[string]any {
		_, process := s.progress(t, q.Time)
		fields := map[string]any{
			"TaskId": t.TaskID, "Content": t.URL, "Type": purgeTypeOf(t.Type),
			"Status": status(t), "Process": process, "CreateTime": t.created.UTC().Format(taskFormat),
		}
		if s.TaskPath != nil {
			fields["Content"] = s.TaskPath(t.URL)
		}
		if status(t) == Failed {
			fields["Description"] = "Internal Error"
		}
		return fields
	})
	fields["Tasks"] = list
	return success(q, fields)
}

// statusOfSite returns the state of a task in the words of ESA, which has three.
func (s *Server) statusOfSite(t task, now time.Time) string {
	switch status, _ := s.progress(t, now); status {
	case Pending, Refreshing:
		return Refreshing
	case Complete:
		return Complete
	}
	return Failed
}

func purgeTypeOf(kind string) string {
	for name, typ := range purgeTypes {
		if typ.kind == kind {
			return name
		}
	}
	return "preload"
}

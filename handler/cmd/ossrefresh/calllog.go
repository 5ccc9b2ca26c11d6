package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"oss-cdn-refresh/handler"
)

// A logLine is one of the function's, as far as the tool needs it.
type logLine struct {
	Msg        string          `json:"msg"`
	Product    string          `json:"product"`
	Site       int64           `json:"site"` // of ESA
	Type       string          `json:"type"`
	URLs       json.RawMessage `json:"urls"` // their number with "call", else a list
	DurationMS float64         `json:"duration_ms"`
	TaskID     string          `json:"task_id"`
	RequestID  string          `json:"request_id"`
	Code       string          `json:"code"`
	Error      string          `json:"error"`
	Retryable  bool            `json:"retryable"`
	Part       int             `json:"part"` // from 1, where a group needs several lines
	failedTask
	counts
}

// counts are the report's in the log.
type counts struct {
	Records   int `json:"records"`
	Ignored   int `json:"ignored"`
	Unmatched int `json:"unmatched"`
	Invalid   int `json:"invalid"`
	Mapped    int `json:"mapped"`
	Targets   int `json:"targets"`
	Debounced int `json:"debounced"`
	Folded    int `json:"folded"` // files that a directory was refreshed in place of
	Requests  int `json:"requests"`
	Refreshed int `json:"refreshed"` // URLs
	Failed    int `json:"failed"`    // URLs

	Sweep *handler.Sweep `json:"sweep,omitempty"` // of a timer's event
}

// A callLog is what the function's log says of its calls.
type callLog struct {
	Requests []callView    `json:"requests"`
	Tasks    []failedTask  `json:"failed_tasks,omitempty"` // of a sweep
	Failed   []failureView `json:"failed"`
	Totals   *counts       `json:"totals"` // null: the function did not report
}

// A callView is one call of the refresh API.
type callView struct {
	Product    string   `json:"product"`
	Site       int64    `json:"site,omitempty"` // ESA only
	Type       string   `json:"type"`
	Count      int      `json:"count"` // of URLs
	DurationMS float64  `json:"duration_ms,omitzero"`
	TaskID     string   `json:"task_id,omitempty"`
	RequestID  string   `json:"request_id,omitempty"`
	Code       string   `json:"code,omitempty"` // of a refusal
	Error      string   `json:"error,omitempty"`
	URLs       []string `json:"urls"` // of an accepted request
}

// A failureView is what failed with one code.
type failureView struct {
	Product   string   `json:"product"`
	Site      int64    `json:"site,omitempty"` // ESA only
	Type      string   `json:"type"`
	Code      string   `json:"code"`
	Error     string   `json:"error"`
	Retryable bool     `json:"retryable"`
	URLs      []string `json:"urls"`

	stopped bool // the caller's credentials were refused
}

// readLog reads what the function printed. Lines that are not its log's, such
// as a panic's, are passed over.
func readLog(output string) callLog {
	l := callLog{Requests: []callView{}, Failed: []failureView{}}
	accepted := map[string][]string{} // by the API's request id
	scanner := bufio.NewScanner(strings.NewReader(output))
	scanner.Buffer(nil, len(output)+1)
	for scanner.Scan() {
		var line logLine
		if json.Unmarshal(scanner.Bytes(), &line) != nil {
			continue
		}
		switch line.Msg {
		case "call":
			l.Requests = append(l.Requests, line.callView())
		case "refreshed":
			accepted[line.RequestID] = append(accepted[line.RequestID], line.urls()...)
		case "failed":
			l.addFailed(line)
		case "task_failed":
			task := line.failedTask
			task.Product, task.Site, task.Type = line.Product, line.Site, line.Type
			l.Tasks = append(l.Tasks, task)
		case "report":
			l.Totals = &line.counts
		}
	}
	for i, r := range l.Requests {
		if urls := accepted[r.RequestID]; urls != nil && r.Code == "" {
			l.Requests[i].URLs = urls
		}
	}
	return l
}

// addFailed adds a line to the group that it is a part of: the first part has the
// error's text.
func (l *callLog) addFailed(line logLine) {
	if n := len(l.Failed); line.Part > 1 && n > 0 {
		l.Failed[n-1].URLs = append(l.Failed[n-1].URLs, line.urls()...)
		return
	}
	l.Failed = append(l.Failed, failureView{
		Product: line.Product, Site: line.Site, Type: line.Type, Code: line.Code,
		Error: line.Error, Retryable: line.Retryable, URLs: line.urls(),
	})
}

func (l logLine) callView() callView {
	r := callView{
		Product: l.Product, Site: l.Site, Type: l.Type, DurationMS: l.DurationMS,
		TaskID: l.TaskID, RequestID: l.RequestID, Code: l.Code, Error: l.Error, URLs: []string{},
	}
	_ = json.Unmarshal(l.URLs, &r.Count)
	return r
}

func (l logLine) urls() []string {
	urls := []string{}
	_ = json.Unmarshal(l.URLs, &urls)
	return urls
}

// numbers returns the number of the request that refreshed each URL, from 1.
func (l callLog) numbers() map[targetView]int {
	numbers := map[targetView]int{}
	for i, r := range l.Requests {
		for _, url := range r.URLs {
			numbers[targetView{r.Product, r.Site, r.Type, url}] = i + 1
		}
	}
	return numbers
}

// text shows the calls. Of their URLs it shows those that stand in for others,
// which the targets have not.
func (l callLog) text(p *page, targets []item) {
	if len(l.Requests) > 0 {
		p.title("REQUESTS: %d", len(l.Requests))
	}
	for i, r := range l.Requests {
		p.line("  %d  %s", i+1, r)
		p.list(slices.DeleteFunc(slices.Clone(r.URLs), func(url string) bool {
			t := targetView{r.Product, r.Site, r.Type, url}
			return slices.ContainsFunc(targets, func(i item) bool { return i.targetView == t })
		}))
	}
	if len(l.Failed) > 0 {
		p.title("FAILED")
	}
	for _, g := range l.Failed {
		g.text(p)
	}
}

// String is a line on the request: "dcdn  File  2 URLs  3.1 ms  task 95248880".
func (r callView) String() string {
	parts := []string{named(r.Product, r.Site), r.Type, plural(r.Count, "URL")}
	if r.DurationMS > 0 {
		parts = append(parts, milliseconds(r.DurationMS))
	}
	if r.Code != "" {
		parts = append(parts, r.Code)
	}
	if r.TaskID != "" {
		parts = append(parts, "task "+r.TaskID)
	}
	return strings.Join(parts, "  ")
}

func (g failureView) text(p *page) {
	retry := " (a later try will fail too)"
	switch {
	case g.stopped:
		retry = "" // the hint says on what it depends
	case g.Retryable:
		retry = " (a later try may succeed)"
	}
	p.line("  %s  %s  %s  %s: %s%s",
		named(g.Product, g.Site), g.Type, plural(len(g.URLs), "URL"), g.Code, g.Error, retry)
	p.list(g.URLs)
}

func milliseconds(ms float64) string {
	if ms < 10 {
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

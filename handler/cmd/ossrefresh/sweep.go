package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// A failedTask is what a sweep has found failed after it was accepted.
type failedTask struct {
	Product string `json:"product"`
	Site    int64  `json:"site,omitempty"` // ESA only
	Type    string `json:"type"`
	URL     string `json:"url"`
	Status  string `json:"status"`
	Tries   int    `json:"tries"`
	Again   bool   `json:"again"`
}

// sweepText shows what a sweep has found.
func (l callLog) sweepText(p *page) {
	if l.Totals == nil || l.Totals.Sweep == nil {
		return
	}
	s := l.Totals.Sweep
	p.title("SWEEP: %s of the last 24 hours", plural(s.Tasks, "task"))
	rows := [][]string{{"product", "type", "status", "tries", "again", "URL"}}
	for _, t := range l.Tasks {
		again := "no"
		if t.Again {
			again = "yes"
		}
		rows = append(rows, []string{
			named(t.Product, t.Site), t.Type, t.Status, strconv.Itoa(t.Tries), again, shown(t.URL),
		})
	}
	if len(l.Tasks) > 0 {
		p.rows(rows)
	}
	p.line("  %s of the table failed, %d refreshed again; %s not of the table failed; %s not seen",
		plural(s.Failed, "URL"), s.Again, plural(s.Foreign, "URL"), plural(s.Unseen, "task"))
}

// sampleCalls are those that give the refresh API on this machine something to
// sweep: a URL of each target of the table, and one that is not the table's.
func sampleCalls(table *mapping.Table) []refresh.Call {
	calls := []refresh.Call{{
		Product: string(mapping.DCDN), Type: string(mapping.File),
		URLs: []string{"https://not-in-the-table.example.com/a.png"},
	}}
	for i := range table.Rules {
		for j := range table.Rules[i].Targets {
			spec := &table.Rules[i].Targets[j]
			if _, urls := table.Sample(&table.Rules[i], spec); len(urls) > 0 {
				calls = append(calls, refresh.Call{
					Product: string(spec.Product), Site: spec.Site, Type: string(spec.Type), URLs: urls[:1],
				})
			}
		}
	}
	return calls
}

// failSamples makes the tasks of the server's first n calls fail, those of later
// ones complete, each at once.
func failSamples(server *aliyuntest.Server, n int) {
	server.TaskTime = time.Nanosecond
	server.TaskEnd = func(a aliyuntest.Accepted) string {
		if a.Call < n {
			return string(refresh.TaskFailed)
		}
		return string(refresh.TaskComplete)
	}
}

func submitSamples(ctx context.Context, caller *aliyun.Caller, calls []refresh.Call) error {
	for _, call := range calls {
		if _, err := caller.Refresh(ctx, call); err != nil {
			return fmt.Errorf("making sample tasks: %w", err)
		}
	}
	return nil
}

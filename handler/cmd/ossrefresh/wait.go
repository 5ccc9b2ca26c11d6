package main

import (
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

const (
	taskDays     = 3*24*time.Hour - time.Hour // how long the API knows tasks, but for the clocks' difference
	clockSkew    = 15 * time.Minute           // between this machine and the API, at most
	listingDelay = time.Minute                // how long a new task may not be listed yet: not documented
)

// wait waits until the tasks of the accepted requests have ended. It adds them to the
// document, also those that have not ended where ctx ends first.
func (r *refreshment) wait(ctx context.Context, c *console, caller *aliyun.Caller, since time.Time) error {
	defer c.showProgress("")
	var failures []error
	for _, request := range r.Requests {
		if len(taskIDs(request.TaskID)) == 0 {
			err := fmt.Errorf("the API named no task for %s: there is nothing to wait for", plural(request.Count, "URL"))
			failures = append(failures, err)
		}
	}
	for _, part := range r.accepted() {
		list := tasks{
			Product: string(part.Product), Site: part.Site,
			since: since.Add(-clockSkew), patience: time.Now().Add(listingDelay), sent: part.sent,
		}
		ids := slices.Compact(slices.Sorted(slices.Values(part.ids)))
		err := list.ask(ctx, c, caller, ids, true)
		list.note(ids)
		if list.Tasks == nil {
			list.Tasks = []refresh.Task{}
		}
		r.Tasks = append(r.Tasks, list)
		if err == nil {
			err = list.failure()
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// A part is what was accepted of an account.
type part struct {
	mapping.Service
	ids  []string   // of tasks
	sent []callView // what was accepted, once for each of the API's answers
}

// accepted returns what was accepted, by account.
func (r *refreshment) accepted() []part {
	var parts []part
	for _, request := range r.Requests {
		a := mapping.Service{Product: mapping.Product(request.Product), Site: request.Site}
		i := slices.IndexFunc(parts, func(p part) bool { return p.Service == a })
		if i < 0 {
			i = len(parts)
			parts = append(parts, part{Service: a})
		}
		ids := taskIDs(request.TaskID)
		parts[i].ids = append(parts[i].ids, ids...)
		if len(ids) > 0 {
			parts[i].add(request)
		}
	}
	return parts
}

// add adds a request to what was sent. Two that have the same ids are one.
func (p *part) add(request callView) {
	same := func(r callView) bool { return r.TaskID == request.TaskID }
	i := slices.IndexFunc(p.sent, same)
	if i < 0 {
		request.URLs = slices.Clone(request.URLs)
		p.sent = append(p.sent, request)
		return
	}
	p.sent[i].Count += request.Count
	p.sent[i].URLs = append(p.sent[i].URLs, request.URLs...)
}

// taskIDs returns ids one by one: a report joins them by commas.
func taskIDs(joined string) []string {
	return strings.FieldsFunc(joined, separates)
}

// complete returns those of the targets that the API calls complete: there is a
// task for the URL, and all such tasks are.
func (r *refreshment) complete(targets []mapping.Target) []mapping.Target {
	type key struct {
		mapping.Service
		url string
	}
	complete := map[key]bool{}
	for _, list := range r.Tasks {
		for _, t := range list.Tasks {
			k := key{mapping.Service{Product: mapping.Product(list.Product), Site: list.Site}, refresh.Plain(t.URL)}
			before, known := complete[k]
			complete[k] = t.Status == refresh.TaskComplete && (before || !known)
		}
	}
	var all []mapping.Target
	for _, t := range targets {
		if complete[key{mapping.Service{Product: t.Product, Site: t.Site}, refresh.Plain(t.URL)}] {
			all = append(all, t)
		}
	}
	return all
}

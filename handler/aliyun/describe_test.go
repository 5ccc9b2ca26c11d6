package aliyun

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/cdn"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dcdn"
	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
)

func TestQuota(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Quota: aliyuntest.Quota{URLs: 10}})
	c := caller(api)
	if _, err := c.Refresh(t.Context(), call("cdn", photo)); err != nil {
		t.Fatal(err)
	}
	for product, remain := range map[string]int{"dcdn": 10, "cdn": 9} {
		got, err := c.Quota(t.Context(), product)
		if err != nil {
			t.Fatal(err)
		}
		want := []Allowance{{"File", 10, remain}, {"Directory", 100, 100}, {"IgnoreParams", 100, 100}, {"Preload", 1000, 1000}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", product, diff)
		}
	}
}

// More ids than one call takes are asked for in several.
func TestTasks(t *testing.T) {
	for _, product := range []string{"dcdn", "cdn"} {
		api := aliyuntest.NewTestServer(t, nil)
		c := caller(api)
		ids := []string{"1"} // unknown
		for i := range 11 {
			receipt, err := c.Refresh(t.Context(), call(product, fmt.Sprintf("https://www.example.com/%d", i)))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, receipt.TaskID)
		}
		tasks, err := c.Tasks(t.Context(), product, ids)
		if err != nil || len(tasks) != 11 {
			t.Fatalf("%s: %d tasks, %v; want 11", product, len(tasks), err)
		}
		last := tasks[10]
		if time.Since(last.Created) > time.Hour {
			t.Errorf("%s: created %v, want now", product, last.Created)
		}
		last.Created = time.Time{}
		want := refresh.Task{ID: ids[11], URL: "https://www.example.com/10", Type: "file", Status: refresh.TaskPending, Process: "0%"}
		if diff := cmp.Diff(want, last); diff != "" {
			t.Errorf("%s (-want +got)\n%s", product, diff)
		}
	}
}

func TestDescribeRefused(t *testing.T) {
	api := always(t, aliyuntest.Fault{Status: 403, Code: "Forbidden.RAM"})
	_, quota := caller(api).Quota(t.Context(), "dcdn")
	_, tasks := caller(api).Tasks(t.Context(), "dcdn", []string{"1"})
	_, product := caller(api).Quota(t.Context(), "x")
	_, list := caller(api).ListTasks(t.Context(), "cdn", refresh.TaskQuery{})
	for err, code := range map[error]string{
		quota: "Forbidden.RAM", tasks: "Forbidden.RAM", list: "Forbidden.RAM", product: "UnknownProduct",
	} {
		var refusal *refresh.Error
		if !errors.As(err, &refusal) || refusal.Code != code {
			t.Errorf("the error is %v, want %s", err, code)
		}
	}
}

// The tasks that failed within 24 hours are found on all pages, however the API
// spells their paths.
func TestListTasks(t *testing.T) {
	for _, product := range []string{"dcdn", "cdn"} {
		synctest.Test(t, func(t *testing.T) {
			api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
				InMemory: true,
				TaskTime: time.Minute,
				TaskPath: aliyuntest.WithoutScheme,
				TaskEnd: func(a aliyuntest.Accepted) string {
					if a.Type == "File" && a.Call%2 == 0 {
						return aliyuntest.Failed
					}
					return aliyuntest.Complete
				},
			})
			c := caller(api)
			if _, err := c.Refresh(t.Context(), call(product, "https://www.example.com/yesterday")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(25 * time.Hour)
			want := map[string]bool{}
			for n := range 4 {
				var urls []string
				for i := range 60 {
					urls = append(urls, fmt.Sprintf("https://www.example.com/%d/%d", n, i))
					want[urls[i][len("https://"):]] = (n+1)%2 == 0
				}
				if _, err := c.Refresh(t.Context(), call(product, urls...)); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
			until := time.Now()
			pages := 0
			for more := true; more; {
				pages++
				query := refresh.TaskQuery{Type: "file", Status: refresh.TaskFailed, Until: until, Page: pages}
				page, err := c.ListTasks(t.Context(), product, query)
				if err != nil || page.Total != 120 {
					t.Fatalf("%s: %d tasks in all, %v; want 120", product, page.Total, err)
				}
				for _, task := range page.Tasks {
					if !want[task.URL] || task.Status != refresh.TaskFailed || task.Description != "Internal Error" {
						t.Errorf("%s: page %d has %+v", product, pages, task)
					}
					if task.ID == "" || !task.Created.Equal(until.Add(-time.Minute)) {
						t.Errorf("%s: page %d has %+v, want an id, created at %v", product, pages, task, until)
					}
					delete(want, task.URL)
				}
				more = page.More
			}
			if pages != 3 || len(want) != 120 { // those that did not fail are left
				t.Errorf("%s: %d pages, %d URLs are left; want 3 and 120", product, pages, len(want))
			}
			page, err := c.ListTasks(t.Context(), product, refresh.TaskQuery{Page: 9})
			if err != nil || page.More || len(page.Tasks) != 0 {
				t.Errorf("%s: after the last page: %+v, %v", product, page, err)
			}
		})
	}
}

// A directory has the same type in both products, although one of the API's
// operations calls it a path.
func TestListedDirectory(t *testing.T) {
	for _, product := range []string{"dcdn", "cdn"} {
		api := aliyuntest.NewTestServer(t, nil)
		c := caller(api)
		directory := call(product, "https://www.example.com/a/")
		directory.Type = "Directory"
		receipt, err := c.Refresh(t.Context(), directory)
		if err != nil {
			t.Fatal(err)
		}
		page, err := c.ListTasks(t.Context(), product, refresh.TaskQuery{Type: "directory"})
		if err != nil || len(page.Tasks) != 1 || page.More {
			t.Fatalf("%s: %+v, %v; want one task", product, page, err)
		}
		page.Tasks[0].Created = time.Time{}
		want := refresh.Task{ID: receipt.TaskID, URL: "https://www.example.com/a/", Type: "directory", Status: refresh.TaskPending, Process: "0%"}
		if diff := cmp.Diff(want, page.Tasks[0]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", product, diff)
		}
	}
}

// What the vendor's types are made from is read by ours too.
func TestTasksOfTheSDK(t *testing.T) {
	dcdnTasks := dcdn.CreateDescribeDcdnRefreshTasksResponse()
	dcdnTasks.RequestId, dcdnTasks.TotalCount = "r", 51
	dcdnTasks.Tasks.Task = []dcdn.Task{{
		TaskId: "704225667", ObjectPath: "http://example.com/图.txt", ObjectType: "file", Status: "Timeout",
		Process: "10", CreationTime: "2014-11-27T08:23:22Z", Description: "Origin Timeout",
	}}
	cdnTasks := cdn.CreateDescribeRefreshTasksResponse()
	cdnTasks.RequestId, cdnTasks.TotalCount = "r", 51
	cdnTasks.Tasks.CDNTask = []cdn.CDNTask{{
		TaskId: "704225667", ObjectPath: "http://example.com/图.txt", ObjectType: "file", Status: "Timeout",
		Process: "10", CreationTime: "2014-11-27T08:23:22Z", Description: "Origin Timeout",
	}}
	want := refresh.TaskPage{
		Tasks: []refresh.Task{{
			ID: "704225667", URL: "http://example.com/图.txt", Type: "file", Status: refresh.TaskTimeout, Process: "10",
			Created: time.Date(2014, 11, 27, 8, 23, 22, 0, time.UTC), Description: "Origin Timeout",
		}},
		Total: 51, More: true,
	}
	for product, response := range map[string]any{"dcdn": dcdnTasks, "cdn": cdnTasks} {
		body, err := json.Marshal(response)
		if err != nil {
			t.Fatal(err)
		}
		api := always(t, aliyuntest.Fault{Body: string(body)})
		got, err := caller(api).ListTasks(t.Context(), product, refresh.TaskQuery{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", product, diff)
		}
	}
}

package aliyuntest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/cdn"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dcdn"
	"github.com/google/go-cmp/cmp"
)

func TestTaskGrowsOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{TaskTime: 10 * time.Second}
		created := time.Now().UTC().Format(time.RFC3339)
		s.handle(t, refreshing("http://a.com/").signed(t, ""))
		for _, want := range []struct{ status, process string }{
			{"Pending", "0%"}, {"Refreshing", "50%"}, {"Complete", "100%"}, {"Complete", "100%"},
		} {
			c := call{action: "DescribeDcdnRefreshTaskById", form: parameters{"TaskId": "95248880"}}
			got := s.handle(t, c.signed(t, "")).fields["Tasks"]
			task := map[string]any{
				"TaskId": "95248880", "ObjectPath": "http://a.com/", "ObjectType": "file",
				"CreationTime": created, "Status": want.status, "Process": want.process,
			}
			if diff := cmp.Diff([]any{task}, got); diff != "" {
				t.Error(diff)
			}
			time.Sleep(5 * time.Second)
		}
	})
}

func TestTasksByID(t *testing.T) {
	s := NewTestServer(t, nil)
	s.send(t, refreshing("http://a.com/1", "http://a.com/2"))
	s.send(t, refreshing("http://a.com/3"))
	tests := []struct {
		name, action, ids, code string
		total                   float64
	}{
		{name: "one", action: "DescribeDcdnRefreshTaskById", ids: "95248880", total: 2},
		{name: "two", action: "DescribeDcdnRefreshTaskById", ids: "95248880,95248881", total: 3},
		{name: "unknown", action: "DescribeDcdnRefreshTaskById", ids: "1", total: 0},
		{name: "other product", action: "DescribeRefreshTaskById", ids: "95248880", total: 0},
		{name: "none", action: "DescribeRefreshTaskById", code: "MissingTaskId"},
		{name: "too many", action: "DescribeRefreshTaskById", ids: "1" + strings.Repeat(",1", 10), code: "InvalidTaskId.Malformed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := s.send(t, call{action: tt.action, form: parameters{"TaskId": tt.ids}})
			if a.code() != tt.code {
				t.Fatalf("got %q, want %q", a.code(), tt.code)
			}
			if got := a.fields["TotalCount"]; tt.code == "" && got != tt.total {
				t.Errorf("got %v tasks, want %v", fmt.Sprint(got), tt.total)
			}
		})
	}
}

// tasksOf lists what an answer of a list operation holds, as "STATUS PATH".
func tasksOf(t *testing.T, a reply) []string {
	t.Helper()
	nested, ok := a.fields["Tasks"].(map[string]any)
	if !ok || len(nested) != 1 {
		t.Fatalf("Tasks is %v, want an object of one list", a.fields["Tasks"])
	}
	var list []string
	for _, tasks := range nested {
		for _, entry := range tasks.([]any) {
			fields := entry.(map[string]any)
			list = append(list, fmt.Sprint(fields["Status"], " ", fields["ObjectPath"]))
		}
	}
	return list
}

func TestListTasks(t *testing.T) {
	tests := []struct {
		name   string
		action string
		params parameters
		want   []string
		code   string
	}{
		{name: "all", want: []string{"Failed a.com/5", "Complete a.com/4/", "Complete a.com/3", "Canceled b.com/2", "Timeout a.com/1"}},
		{name: "other product", action: "DescribeRefreshTasks"},
		{name: "failed files", params: parameters{"ObjectType": "file", "Status": "Failed"}, want: []string{"Failed a.com/5"}},
		{name: "directories", params: parameters{"ObjectType": "directory", "Status": "Complete"}, want: []string{"Complete a.com/4/"}},
		{name: "domain", params: parameters{"ObjectType": "file", "DomainName": "B.com"}, want: []string{"Canceled b.com/2"}},
		{name: "id", params: parameters{"TaskId": "95248880"}, want: []string{"Canceled b.com/2", "Timeout a.com/1"}},
		{name: "path", params: parameters{"ObjectPath": "a.com/3"}, want: []string{"Complete a.com/3"}},
		{name: "first page", params: parameters{"PageSize": "2"}, want: []string{"Failed a.com/5", "Complete a.com/4/"}},
		{name: "second page", params: parameters{"PageSize": "2", "PageNumber": "2"}, want: []string{"Complete a.com/3", "Canceled b.com/2"}},
		{name: "last page", params: parameters{"PageSize": "2", "PageNumber": "3"}, want: []string{"Timeout a.com/1"}},
		{name: "no page", params: parameters{"PageSize": "2", "PageNumber": "4"}},
		{name: "times", params: parameters{"StartTime": "2000-01-01T01:00:00Z", "EndTime": "2000-01-01T01:59:59Z"}, want: []string{"Complete a.com/4/", "Complete a.com/3"}},

		{name: "status without type", params: parameters{"Status": "Failed"}, code: "MissingParameter.ObjectType"},
		{name: "domain without type", params: parameters{"DomainName": "a.com"}, code: "MissingParameter.ObjectType"},
		{name: "type", params: parameters{"ObjectType": "ignoreparams"}, code: "InvalidObjectType.ValueNotSupported"},
		{name: "status", params: parameters{"ObjectType": "file", "Status": "Done"}, code: "InvalidStatus.ValueNotSupported"},
		{name: "one time", params: parameters{"StartTime": "2000-01-01T00:00:00Z"}, code: "MissingTimeParameter"},
		{name: "one time, cdn", action: "DescribeRefreshTasks", params: parameters{"EndTime": "2000-01-01T00:00:00Z"}, code: "MissingParameter"},
		{name: "start", params: parameters{"StartTime": "now", "EndTime": "2000-01-01T00:00:00Z"}, code: "InvalidStartTime.Malformed"},
		{name: "end", params: parameters{"StartTime": "2000-01-01T00:00:00Z", "EndTime": "2000-01-01"}, code: "InvalidEndTime.Malformed"},
		{name: "end before start", params: parameters{"StartTime": "2000-01-01T01:00:00Z", "EndTime": "2000-01-01T00:00:00Z"}, code: "InvalidEndTime.Mismatch"},
		{name: "four days", params: parameters{"StartTime": "1999-12-28T00:00:00Z", "EndTime": "2000-01-01T00:00:00Z"}, code: "InvalidStartTime.ValueNotSupported"},
		{name: "page zero", params: parameters{"PageNumber": "0"}, code: "InvalidPageNumber"},
		{name: "page size", params: parameters{"PageSize": "51"}, code: "InvalidPageSize"},
		{name: "page size, cdn", action: "DescribeRefreshTasks", params: parameters{"PageSize": "100"}},
		{name: "page size that is not a number", params: parameters{"PageSize": "many"}, code: "InvalidPageSize"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ends := map[string]string{"a.com/1": Timeout, "b.com/2": Canceled, "a.com/5": Failed}
				s := &Server{
					TaskTime: time.Minute,
					TaskEnd:  func(a Accepted) string { return ends[a.URL] },
				}
				directory := call{form: parameters{"ObjectPath": "a.com/4/", "ObjectType": "Directory"}}
				s.handle(t, refreshing("a.com/1", "b.com/2").signed(t, ""))
				time.Sleep(time.Hour) // it is 2000-01-01, 01:00
				s.handle(t, refreshing("a.com/3").signed(t, ""))
				s.handle(t, directory.signed(t, ""))
				time.Sleep(time.Hour)
				s.handle(t, refreshing("a.com/5").signed(t, ""))
				time.Sleep(time.Minute)
				action := tt.action
				if action == "" {
					action = "DescribeDcdnRefreshTasks"
				}
				a := s.handle(t, call{action: action, query: tt.params}.signed(t, ""))
				if a.code() != tt.code {
					t.Fatalf("got %q, want %q", a.code(), tt.code)
				}
				if tt.code != "" {
					return
				}
				if diff := cmp.Diff(tt.want, tasksOf(t, a)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// A task is forgotten after three days.
func TestOldTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{}
		s.handle(t, refreshing("a.com/1").signed(t, ""))
		for _, want := range []int{1, 0} {
			all := s.handle(t, call{action: "DescribeDcdnRefreshTasks"}.signed(t, ""))
			one := call{action: "DescribeDcdnRefreshTaskById", query: parameters{"TaskId": "95248880"}}
			byID := s.handle(t, one.signed(t, ""))
			if len(tasksOf(t, all)) != want || byID.fields["TotalCount"] != float64(want) {
				t.Errorf("got %v and %v, want %d tasks", all.fields, byID.fields, want)
			}
			time.Sleep(72*time.Hour + time.Minute)
		}
	})
}

func TestTaskPath(t *testing.T) {
	const url = "https://a.com/%E5%9B%BE%201.png?a=100%25"
	tests := []struct {
		name string
		path func(string) string
		want string
	}{
		{"as given", nil, url},
		{"without scheme", WithoutScheme, "a.com/%E5%9B%BE%201.png?a=100%25"},
		{"decoded", Decoded, "https://a.com/图 1.png?a=100%"},
		{"both", func(url string) string { return WithoutScheme(Decoded(url)) }, "a.com/图 1.png?a=100%"},
	}
	for _, tt := range tests {
		s := NewTestServer(t, &Server{TaskPath: tt.path})
		s.send(t, refreshing(url))
		got := tasksOf(t, s.send(t, call{action: "DescribeDcdnRefreshTasks"}))
		if diff := cmp.Diff([]string{"Pending " + tt.want}, got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// The vendor's SDK reads the answers, each with the types of its product.
func TestTasksAsTheSDKReadsThem(t *testing.T) {
	s := NewTestServer(t, &Server{TaskTime: time.Nanosecond, TaskEnd: func(Accepted) string { return Failed }})
	s.send(t, call{form: parameters{"ObjectPath": "https://a.com/a/", "ObjectType": "Directory"}})
	s.send(t, call{action: "RefreshObjectCaches", form: parameters{"ObjectPath": "https://a.com/b"}})
	decode := func(action, id string, response any) {
		t.Helper()
		body := s.send(t, call{action: action, query: parameters{"TaskId": id}}).body
		if err := json.Unmarshal([]byte(body), response); err != nil {
			t.Errorf("%s: %v", action, err)
		}
	}
	dcdnTasks := dcdn.CreateDescribeDcdnRefreshTasksResponse()
	dcdnByID := dcdn.CreateDescribeDcdnRefreshTaskByIdResponse()
	cdnTasks := cdn.CreateDescribeRefreshTasksResponse()
	cdnByID := cdn.CreateDescribeRefreshTaskByIdResponse()
	decode("DescribeDcdnRefreshTasks", "95248880", dcdnTasks)
	decode("DescribeDcdnRefreshTaskById", "95248880", dcdnByID)
	decode("DescribeRefreshTasks", "95248881", cdnTasks)
	decode("DescribeRefreshTaskById", "95248881", cdnByID)

	file := cdn.CDNTask{
		TaskId: "95248881", ObjectPath: "https://a.com/b", ObjectType: "file",
		Status: Failed, Process: "50%", Description: "Internal Error",
	}
	directory := dcdn.CDNTask{
		TaskId: "95248880", ObjectPath: "https://a.com/a/", ObjectType: "directory",
		Status: Failed, Process: "50%", Description: "Internal Error",
	}
	path := dcdn.Task{
		TaskId: "95248880", ObjectPath: "https://a.com/a/", ObjectType: "path",
		Status: Failed, Process: "50%", Description: "Internal Error",
	}
	isTime := func(p cmp.Path) bool { return p.Last().String() == ".CreationTime" }
	for _, answer := range []struct {
		total     int64
		got, want any
	}{
		{dcdnTasks.TotalCount, dcdnTasks.Tasks.Task, []dcdn.Task{path}},
		{dcdnByID.TotalCount, dcdnByID.Tasks, []dcdn.CDNTask{directory}},
		{cdnTasks.TotalCount, cdnTasks.Tasks.CDNTask, []cdn.CDNTask{file}},
		{cdnByID.TotalCount, cdnByID.Tasks, []cdn.CDNTask{file}},
	} {
		diff := cmp.Diff(answer.want, answer.got, cmp.FilterPath(isTime, cmp.Ignore()))
		if diff != "" || answer.total != 1 {
			t.Errorf("%d tasks (-want +got)\n%s", answer.total, diff)
		}
	}
}

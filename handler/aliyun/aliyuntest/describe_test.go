package aliyuntest

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDescribeQuota(t *testing.T) {
	s := NewTestServer(t, &Server{Quota: Quota{URLs: 10, IgnoreParams: -1}})
	s.send(t, refreshing("http://a.com/1", "http://a.com/2"))
	s.send(t, call{form: parameters{"ObjectPath": "http://a.com/", "ObjectType": "Directory"}})
	tests := []struct{ action, urls, directories string }{
		{"DescribeDcdnRefreshQuota", "8", "99"},
		{"DescribeRefreshQuota", "10", "100"},
	}
	for _, tt := range tests {
		got := s.send(t, call{action: tt.action}).fields
		delete(got, "RequestId")
		want := map[string]any{
			"UrlQuota": "10", "UrlRemain": tt.urls,
			"DirQuota": "100", "DirRemain": tt.directories,
			"IgnoreParamsQuota": "0", "IgnoreParamsRemain": "0",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", tt.action, diff)
		}
	}
}

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

func TestDescribeTasks(t *testing.T) {
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

package aliyuntest

import (
	"testing"

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
			"PreloadQuota": "1000", "PreloadRemain": "1000",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", tt.action, diff)
		}
	}
}

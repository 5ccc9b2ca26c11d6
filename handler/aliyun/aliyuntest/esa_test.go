package aliyuntest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// purging is a call of ESA with its parameters in the query, as its SDKs send them.
func purging(action string, query parameters) call {
	return call{action: action, version: "2024-09-10", query: query}
}

func TestPurge(t *testing.T) {
	s := NewTestServer(t, nil)
	files := purging("PurgeCaches", parameters{
		"SiteId": "7", "Type": "file", "Content": `{"Files":["https://a.com/1","https://b.com/2?c=d"]}`,
	})
	answer := s.send(t, files)
	if answer.code() != "" || answer.fields["TaskId"] == nil {
		t.Fatalf("the answer is %s", answer.body)
	}
	form := files
	form.query, form.form = parameters{"SiteId": "7", "Type": "ignoreParams", "Force": "true"},
		parameters{"Content": `{"IgnoreParams":["https://a.com/1"]}`}
	if code := s.send(t, form).code(); code != "" {
		t.Errorf("Content in the form: %s", code)
	}
	want := []Accepted{
		{Product: "esa", Site: 7, Type: "File", URL: "https://a.com/1", TaskID: "95248880"},
		{Product: "esa", Site: 7, Type: "File", URL: "https://b.com/2?c=d", TaskID: "95248880"},
		{Product: "esa", Site: 7, Type: "IgnoreParams", Force: true, URL: "https://a.com/1", TaskID: "95248881", Call: 1},
	}
	if diff := cmp.Diff(want, s.Accepted()); diff != "" {
		t.Error(diff)
	}
	if calls := s.Calls(); calls[0].ObjectPathIn != "query" || calls[1].ObjectPathIn != "form" || calls[1].Site != 7 {
		t.Errorf("the calls are %+v", calls)
	}
}

func TestPurgeRefusals(t *testing.T) {
	content := func(member string, n int, url string) string {
		return `{"` + member + `":["` + strings.Join(numbered(n, url), `","`) + `"]}`
	}
	const one = `{"Files":["https://www.a.com/1"]}`
	tests := []struct {
		name       string
		parameters parameters
		code       string
	}{
		{"no site", parameters{"Type": "file", "Content": one}, "MissingSiteId"},
		{"not a site", parameters{"SiteId": "x", "Type": "file", "Content": one}, "InvalidSiteId"},
		{"another account's site", parameters{"SiteId": "8", "Type": "file", "Content": one}, "InvalidSiteId"},
		{"no type", parameters{"SiteId": "7", "Content": one}, "MissingType"},
		{"an unknown type", parameters{"SiteId": "7", "Type": "File", "Content": one}, "InvalidType"},
		{"a type that is not here", parameters{"SiteId": "7", "Type": "hostname", "Content": one}, "NotEmulated"},
		{"no content", parameters{"SiteId": "7", "Type": "file"}, "MissingContent"},
		{"lines", parameters{"SiteId": "7", "Type": "file", "Content": "https://www.a.com/1"}, "InvalidContent"},
		{"a list", parameters{"SiteId": "7", "Type": "file", "Content": `["https://www.a.com/1"]`}, "InvalidContent"},
		{"another type's content", parameters{"SiteId": "7", "Type": "directory", "Content": one}, "InvalidContent"},
		{"an unencoded URL", parameters{"SiteId": "7", "Type": "file", "Content": `{"Files":["https://www.a.com/ "]}`}, "InvalidContent"},
		{"another site's host", parameters{"SiteId": "7", "Type": "file", "Content": `{"Files":["https://a.com.b.com/1"]}`}, "InvalidParameter.RecordNotBelongToSite"},
		{"a forbidden host", parameters{"SiteId": "7", "Type": "file", "Content": `{"Files":["https://no.a.com/1"]}`}, "Forbidden.RAM"},
		{"1,001 files", parameters{"SiteId": "7", "Type": "file", "Content": content("Files", 1001, "https://a.com/%d")}, "SingleRequest.OverLimit"},
		{"1,000 files", parameters{"SiteId": "7", "Type": "file", "Content": content("Files", 1000, "https://a.com/%d")}, ""},
		{"101 directories", parameters{"SiteId": "7", "Type": "directory", "Content": content("Directories", 101, "https://a.com/%d/")}, "SingleRequest.OverLimit"},
		{"101 without parameters", parameters{"SiteId": "7", "Type": "ignoreParams", "Content": content("IgnoreParams", 101, "https://a.com/%d")}, "SingleRequest.OverLimit"},
		{"11 domains", parameters{"SiteId": "7", "Type": "file", "Content": content("Files", 11, "https://%d.a.com/")}, "SingleRequest.OverLimit"},
		{"over the quota", parameters{"SiteId": "7", "Type": "file", "Content": content("Files", 900, "https://a.com/%d")}, "QuotaExceeded.Refresh"},
	}
	s := NewTestServer(t, &Server{
		Sites: map[int64]string{7: "a.com"}, Forbidden: []string{"no.a.com"}, Quota: Quota{URLs: 1500},
	})
	for _, tt := range tests {
		c := purging("PurgeCaches", nil)
		c.form = tt.parameters
		if got := s.send(t, c).code(); got != tt.code {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.code)
		}
	}
	inQuery := NewTestServer(t, &Server{PathInQuery: true})
	c := purging("PurgeCaches", parameters{"SiteId": "7", "Type": "file"})
	c.form = parameters{"Content": one}
	if code := inQuery.send(t, c).code(); code != "MissingContent" {
		t.Errorf("Content in the form where it belongs into the query: %q", code)
	}
}

// numbered makes n texts of a pattern.
func numbered(n int, pattern string) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(pattern, i))
	}
	return list
}

// Each site and type has a quota of its own.
func TestPurgeQuota(t *testing.T) {
	s := NewTestServer(t, &Server{Quota: Quota{URLs: 5, Preloads: 1}})
	s.send(t, purging("PurgeCaches", parameters{
		"SiteId": "7", "Type": "file", "Content": `{"Files":["https://a.com/1","https://a.com/2"]}`,
	}))
	for _, tt := range []struct{ site, typ, quota, usage string }{
		{"7", "file", "5", "2"}, {"7", "", "5", "2"}, {"8", "file", "5", "0"}, {"7", "directory", "100", "0"},
	} {
		got := s.send(t, purging("GetPurgeQuota", parameters{"SiteId": tt.site, "Type": tt.typ})).fields
		delete(got, "RequestId")
		want := map[string]any{"Quota": tt.quota, "Usage": tt.usage, "Quota30Day": "0", "Usage30Day": "0"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("site %s, type %q: %s", tt.site, tt.typ, diff)
		}
	}
}

func TestPurgeTasks(t *testing.T) {
	s := NewTestServer(t, &Server{
		TaskTime: time.Nanosecond,
		TaskEnd: func(a Accepted) string {
			return map[string]string{"https://a.com/2": Timeout}[a.URL]
		},
	})
	for _, c := range []call{
		purging("PurgeCaches", parameters{"SiteId": "7", "Type": "file", "Content": `{"Files":["https://a.com/1","https://a.com/2"]}`}),
		purging("PurgeCaches", parameters{"SiteId": "7", "Type": "ignoreParams", "Content": `{"IgnoreParams":["https://a.com/3"]}`}),
		purging("PurgeCaches", parameters{"SiteId": "8", "Type": "file", "Content": `{"Files":["https://b.com/1"]}`}),
		purging("PreloadCaches", parameters{"SiteId": "7", "Content": `["https://a.com/4"]`}),
	} {
		if a := s.send(t, c); a.code() != "" {
			t.Fatal(a.body)
		}
	}
	tests := []struct {
		action     string
		parameters parameters
		want       string
	}{
		{"DescribePurgeTasks", parameters{"SiteId": "7"}, "ignoreParams https://a.com/3 Complete, file https://a.com/2 Failed, file https://a.com/1 Complete"},
		{"DescribePurgeTasks", parameters{"SiteId": "7", "Type": "ignoreParams"}, "ignoreParams https://a.com/3 Complete"},
		{"DescribePurgeTasks", parameters{"SiteId": "7", "Status": "Failed"}, "file https://a.com/2 Failed"},
		{"DescribePurgeTasks", parameters{"SiteId": "7", "Content": "https://a.com/1"}, "file https://a.com/1 Complete"},
		{"DescribePurgeTasks", parameters{"SiteId": "7", "PageSize": "1", "PageNumber": "2"}, "file https://a.com/2 Failed"},
		{"DescribePurgeTasks", parameters{"SiteId": "8"}, "file https://b.com/1 Complete"},
		{"DescribePreloadTasks", parameters{"SiteId": "7"}, "preload https://a.com/4 Complete"},
		{"DescribePurgeTasks", parameters{}, "MissingSiteId"},
		{"DescribePurgeTasks", parameters{"SiteId": "7", "Status": "Timeout"}, "InvalidStatus"},
		{"DescribePurgeTasks", parameters{"SiteId": "7", "PageSize": "51"}, "InvalidPageSize"},
	}
	for _, tt := range tests {
		a := s.send(t, purging(tt.action, tt.parameters))
		got := []string{}
		tasks, _ := a.fields["Tasks"].([]any)
		for _, entry := range tasks {
			task := entry.(map[string]any)
			got = append(got, fmt.Sprint(task["Type"], " ", task["Content"], " ", task["Status"]))
		}
		if text := strings.Join(got, ", ") + a.code(); text != tt.want {
			t.Errorf("%s %v:\ngot  %s\nwant %s", tt.action, tt.parameters, text, tt.want)
		}
	}
}

func TestPreload(t *testing.T) {
	products := []struct {
		name string
		call func(urls ...string) call
		task string
	}{
		{"dcdn", preloading("PreloadDcdnObjectCaches"), "PreloadTaskId"},
		{"cdn", preloading("PushObjectCache"), "PushTaskId"},
		{"esa", func(urls ...string) call {
			content := `["` + strings.Join(urls, `","`) + `"]`
			return purging("PreloadCaches", parameters{"SiteId": "7", "Content": content})
		}, "TaskId"},
	}
	for _, p := range products {
		t.Run(p.name, func(t *testing.T) {
			s := NewTestServer(t, &Server{Quota: Quota{Preloads: 100}})
			if code := s.send(t, p.call(numbered(101, "https://a.com/%d")...)).code(); code != "SingleRequest.OverLimit" {
				t.Errorf("101 URLs: %q", code)
			}
			answer := s.send(t, p.call("https://a.com/1"))
			if answer.code() != "" || answer.fields[p.task] == nil {
				t.Errorf("the answer is %s", answer.body)
			}
			if code := s.send(t, p.call(numbered(100, "https://a.com/%d")...)).code(); code != "QuotaExceeded.Preload" {
				t.Errorf("over the quota: %q", code)
			}
			if a := s.Accepted(); len(a) != 1 || a[0].Type != "Preload" || a[0].Product != p.name {
				t.Errorf("accepted %+v", a)
			}
		})
	}
}

func preloading(action string) func(urls ...string) call {
	return func(urls ...string) call {
		c := refreshing(urls...)
		c.action = action
		return c
	}
}

func TestAddrAndAnswered(t *testing.T) {
	var answered []Call
	s := NewTestServer(t, &Server{Addr: "localhost:0", Answered: func(c Call) { answered = append(answered, c) }})
	s.send(t, refreshing("https://a.com/1"))
	s.send(t, call{action: "Nothing"})
	if diff := cmp.Diff(s.Calls(), answered); diff != "" || len(answered) != 2 || answered[0].Status != 200 {
		t.Errorf("%d calls: %s", len(answered), diff)
	}
	if err := (&Server{Addr: strings.TrimPrefix(s.URL, "http://")}).Start(); err == nil {
		t.Error("a second server listens on the same port")
	}
}

func TestSitesAndRecords(t *testing.T) {
	origin := []Source{{Type: "oss", Content: "b.oss-cn-hangzhou.aliyuncs.com"}}
	s := NewTestServer(t, &Server{
		Sites: map[int64]string{8: "b.com", 7: "a.com"},
		Account: []Domain{
			{Product: "esa", Site: 7, Name: "www.a.com", Sources: origin},
			{Product: "esa", Site: 7, Name: "dns.a.com", Status: "not proxied", Sources: []Source{{Type: "ipaddr", Content: "192.0.2.1"}}},
			{Product: "esa", Site: 8, Name: "www.b.com", Sources: origin},
			{Product: "dcdn", Name: "www.c.com", Sources: origin},
		},
	})
	tests := []struct {
		name, action string
		parameters   parameters
		want         string // parts of the body, in order
		code         string
	}{
		{"sites", "ListSites", nil, `"SiteId":7,"SiteName":"a.com","Status":"active" "SiteName":"b.com" "TotalCount":2`, ""},
		{"a page", "ListSites", parameters{"PageSize": "1", "PageNumber": "2"}, `"Sites":[{"AccessType" "SiteName":"b.com"`, ""},
		{"past the end", "ListSites", parameters{"PageNumber": "3"}, `"Sites":[] "TotalCount":2`, ""},
		{"records", "ListRecords", parameters{"SiteId": "7"}, `"Proxied":true "RecordName":"www.a.com" "RecordSourceType":"OSS" "Proxied":false "RecordName":"dns.a.com" "RecordType":"A/AAAA" "TotalCount":2`, ""},
		{"no site", "ListRecords", nil, "", "MissingSiteId"},
		{"another's site", "ListRecords", parameters{"SiteId": "9"}, "", "InvalidSiteId"},
		{"page zero", "ListSites", parameters{"PageNumber": "0"}, "", "InvalidPageNumber"},
		{"page size", "ListRecords", parameters{"SiteId": "7", "PageSize": "501"}, "", "InvalidPageSize"},
		{"a search", "ListSites", parameters{"SiteName": "a.com"}, "", "NotEmulated"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := s.send(t, purging(tt.action, tt.parameters))
			if a.code() != tt.code {
				t.Fatalf("got %q, want %q", a.code(), tt.code)
			}
			rest := a.body
			for _, part := range strings.Fields(tt.want) {
				before, after, found := strings.Cut(rest, part)
				if rest = after; !found {
					t.Fatalf("no %s after %s", part, before)
				}
			}
		})
	}
}

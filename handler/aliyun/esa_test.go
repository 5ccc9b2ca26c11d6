package aliyun

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

func purgeCall(typ string, force bool, urls ...string) refresh.Call {
	return refresh.Call{Product: "esa", Site: 7, Type: typ, Force: force, URLs: urls}
}

// The emulator checks the ACS3 signature, whose vectors are the vendor's.
func TestPurge(t *testing.T) {
	api := aliyuntest.NewTestServer(t, nil)
	c := caller(api)
	var want []aliyuntest.Accepted
	for i, call := range []refresh.Call{
		purgeCall("File", false, photo, "https://www.example.com/a?b=c&d='<e>"),
		purgeCall("Directory", true, "https://www.example.com/a/"),
		purgeCall("IgnoreParams", false, photo),
	} {
		receipt, err := c.Refresh(t.Context(), call)
		if err != nil || receipt.TaskID == "" || receipt.RequestID == "" {
			t.Fatalf("%+v: %+v, %v", call, receipt, err)
		}
		for _, url := range call.URLs {
			want = append(want, aliyuntest.Accepted{
				Product: "esa", Site: 7, Type: call.Type, Force: call.Force, URL: url, TaskID: receipt.TaskID, Call: i,
			})
		}
	}
	if diff := cmp.Diff(want, api.Accepted()); diff != "" {
		t.Error(diff)
	}
	if in := api.Calls()[0].ObjectPathIn; in != "form" {
		t.Errorf("Content is in the %s, want the form", in)
	}
}

// A success of ESA has a task id; its name, and whether it is a number, matter not.
func TestPurgeNeedsATaskID(t *testing.T) {
	for body, accepted := range map[string]bool{
		`{"RequestId":"1"}`:                               false,
		`{"RequestId":"1","TaskId":""}`:                   false,
		`{"RequestId":"1","TaskId":null}`:                 false,
		`{"RequestId":"1","TaskId":{}}`:                   false,
		`{"RequestId":"1","TaskId":"2","Code":"Odd"}`:     false,
		`{"TaskId":"2"}`:                                  false,
		`{"RequestId":"1","TaskId":"15940956620"}`:        true,
		`{"RequestId":"1","TaskId":15940956620}`:          true,
		`{"RequestId":"1","TaskId":"2","Success":"true"}`: true,
	} {
		api := always(t, aliyuntest.Fault{Body: body})
		if receipt, err := caller(api).Refresh(t.Context(), purgeCall("File", false, photo)); (err == nil) != accepted {
			t.Errorf("%s: %+v, %v; want accepted: %t", body, receipt, err, accepted)
		}
	}
}

// Content goes into the form. Where the API does not find it there, by the words of
// the gateway or of ESA itself, it goes into the query.
func TestContentMovesToTheQuery(t *testing.T) {
	for _, code := range []string{"MissingContent", "MissingParameter", "InvalidContent"} {
		api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Fault: func(c aliyuntest.Call) aliyuntest.Fault {
			if c.ObjectPathIn == "query" {
				return aliyuntest.Fault{}
			}
			return aliyuntest.Fault{Status: 400, Code: code}
		}})
		c := caller(api)
		var many []string
		for i := range 1000 {
			many = append(many, fmt.Sprintf("https://www.example.com/%d/%s.png", i, strings.Repeat("%E5", i%40)))
		}
		if e := refused(t, c, purgeCall("File", false, many...)); e.Class != refresh.Pack || e.Bytes <= 0 || e.Unsent {
			t.Fatalf("%s: the first answer is %+v", code, e)
		}
		if _, err := c.Refresh(t.Context(), purgeCall("File", false, photo)); err != nil {
			t.Fatal(err)
		}
		if e := refused(t, c, purgeCall("File", false, many...)); e.Class != refresh.Pack || !e.Unsent || e.Bytes < 1000 || e.Bytes > maxLine {
			t.Errorf("%s: a long request line: %+v", code, e)
		}
		long := "https://www.example.com/" + strings.Repeat("a", 7000) // cannot be packed any smaller
		if _, err := c.Refresh(t.Context(), purgeCall("File", false, long)); err != nil {
			t.Errorf("%s: a long URL: %v", code, err)
		}
	}
}

// An API that has taken the form knows a wrong URL when it sees one.
func TestInvalidContentAfterSuccessIsOfAURL(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
		MalformedURLs: func(url string) bool { return strings.HasSuffix(url, "bad") },
	})
	c := caller(api)
	if _, err := c.Refresh(t.Context(), purgeCall("File", false, photo)); err != nil {
		t.Fatal(err)
	}
	e := refused(t, c, purgeCall("File", false, photo, "https://www.example.com/bad"))
	if e.Code != "InvalidContent" || e.Class != refresh.Halve {
		t.Errorf("the answer is %+v, want one to halve", e)
	}
	if _, err := c.Refresh(t.Context(), purgeCall("File", false, photo)); err != nil || api.Calls()[2].ObjectPathIn != "form" {
		t.Errorf("Content is in the %s, %v", api.Calls()[2].ObjectPathIn, err)
	}
}

// Until ESA has accepted something, a code that nobody knows may mean that it does not
// find Content. That it refuses everything costs a bounded number of calls.
func TestUnknownCodesOfESAInTheForm(t *testing.T) {
	for name, tt := range map[string]struct {
		code     string
		inQuery  bool // it takes Content there
		accepted int
	}{
		"of its own words":           {"InvalidParameter.Content", true, 200},
		"InvalidContent":             {"InvalidContent", true, 200},
		"in both":                    {"InvalidParameter.Content", false, 0},
		"InvalidContent, everywhere": {"InvalidContent", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
				Fault: func(c aliyuntest.Call) aliyuntest.Fault {
					if c.ObjectPathIn == "form" || !tt.inQuery {
						return aliyuntest.Fault{Status: 400, Code: tt.code}
					}
					return aliyuntest.Fault{}
				},
			})
			var targets []refresh.Target
			for i := range 200 {
				domain := fmt.Sprintf("w%d.example.com", i%5)
				targets = append(targets, refresh.Target{Record: i, Target: mapping.Target{
					Product: mapping.ESA, Site: 7, Type: mapping.File, Domain: domain,
					URL: fmt.Sprintf("https://%s/%d.png", domain, i),
				}})
			}
			s := submitter(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			requests := refresh.Plan(refresh.Debounce(targets), s.Limits)
			result := s.Submit(ctx, refresh.Job{API: caller(api), Requests: requests})
			accepted := len(api.Accepted())
			if accepted != tt.accepted || result.Calls > 100 || len(result.Outcomes) != 200 {
				t.Errorf("%d URLs are accepted after %d calls, with %d outcomes",
					accepted, result.Calls, len(result.Outcomes))
			}
		})
	}
}

// submitter has the limits that a table has unless it says otherwise.
func submitter(t *testing.T) *refresh.Submitter {
	t.Helper()
	table, err := mapping.Parse("t", []byte("rules: [{bucket: site, targets: [{domain: a.example.com}]}]"))
	if err != nil {
		t.Fatal(err)
	}
	return &refresh.Submitter{
		Limits:         refresh.Limits(table.Refresh.Limits),
		CallsPerSecond: map[mapping.Product]int{mapping.DCDN: 1000, mapping.CDN: 1000, mapping.ESA: 1000},
	}
}

// All of a publish is accepted whether the API looks into the form or the query, at
// the first try or after a wrong URL.
func TestSubmitToSites(t *testing.T) {
	for _, inQuery := range []bool{false, true} {
		api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
			PathInQuery: inQuery, Quota: aliyuntest.Quota{URLs: 5000},
			MalformedURLs: func(url string) bool { return strings.HasSuffix(url, "bad") },
		})
		var targets []refresh.Target
		for i := range 2000 {
			url := fmt.Sprintf("https://www.example.com/%d/%s.png", i, strings.Repeat("%E5", i%40))
			if i == 0 {
				url = "https://www.example.com/bad"
			}
			targets = append(targets, refresh.Target{Record: i, Target: mapping.Target{
				Product: mapping.ESA, Site: 1 + int64(i%2), Type: mapping.File, Domain: "www.example.com", URL: url,
			}})
		}
		s := submitter(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		requests := refresh.Plan(refresh.Debounce(targets), s.Limits)
		result := s.Submit(ctx, refresh.Job{API: caller(api), Requests: requests})
		for _, o := range result.Outcomes {
			if bad := strings.HasSuffix(o.Item.URL, "bad"); (o.Err != nil) != bad {
				t.Fatalf("%s: %v", o.Item.URL, o.Err)
			}
		}
		if n := len(api.Accepted()); n != 1999 {
			t.Errorf("in the query: %t; %d URLs are accepted, want 1999", inQuery, n)
		}
	}
}

// What the API says of a signature shows neither it nor the token.
func TestESAShowsNoSecret(t *testing.T) {
	api := aliyuntest.NewTestServer(t, nil)
	client := NewClient(Endpoint(api.URL))
	creds := testCredentials()
	creds.AccessKeySecret = "another+secret/="
	e := refused(t, client.With(creds), purgeCall("File", false, photo))
	if e.Code != "SignatureDoesNotMatch" || e.Class != refresh.StopAll {
		t.Errorf("the answer is %+v", e)
	}
	for _, secret := range []string{creds.AccessKeySecret, creds.SecurityToken, "x-acs-"} {
		if strings.Contains(e.Error(), secret) {
			t.Errorf("%q shows in %s", secret, e)
		}
	}
}

func TestSiteQuota(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Quota: aliyuntest.Quota{URLs: 10}})
	c := caller(api)
	if _, err := c.Refresh(t.Context(), purgeCall("File", false, photo)); err != nil {
		t.Fatal(err)
	}
	got, err := c.SiteQuota(t.Context(), 7)
	want := []Allowance{{"File", 10, 9}, {"Directory", 100, 100}, {"IgnoreParams", 100, 100}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestSiteTasks(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
		TaskTime: time.Nanosecond,
		TaskEnd:  func(a aliyuntest.Accepted) string { return map[string]string{photo: aliyuntest.Failed}[a.URL] },
	})
	c := caller(api)
	var many []string
	for i := range 120 {
		many = append(many, fmt.Sprintf("https://www.example.com/%d", i))
	}
	first, err := c.Refresh(t.Context(), purgeCall("File", false, photo))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Refresh(t.Context(), purgeCall("File", false, many...)); err != nil {
		t.Fatal(err)
	}
	oldest, err := c.ListTasks(t.Context(), "esa", refresh.TaskQuery{Site: 7, Page: 3})
	got := slices.DeleteFunc(oldest.Tasks, func(task refresh.Task) bool { return task.ID != first.TaskID })
	if err != nil || len(got) != 1 || got[0].Created.IsZero() {
		t.Fatalf("%+v, %v; want one task", got, err)
	}
	got[0].Created = time.Time{}
	want := refresh.Task{
		ID: first.TaskID, URL: photo, Type: "file", Status: refresh.TaskFailed, Process: "50%", Description: "Internal Error",
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
	page, err := c.ListTasks(t.Context(), "esa", refresh.TaskQuery{Site: 7, Status: refresh.TaskFailed, Type: "file"})
	if err != nil || page.Total != 1 || page.More {
		t.Errorf("the failed ones: %+v, %v", page, err)
	}
}

func TestPreload(t *testing.T) {
	for _, product := range []string{"dcdn", "cdn", "esa"} {
		for _, inQuery := range []bool{false, true} {
			api := aliyuntest.NewTestServer(t, &aliyuntest.Server{PathInQuery: inQuery})
			c := caller(api)
			call := refresh.Call{Product: product, Site: 7, URLs: []string{photo, "https://www.example.com/a"}}
			receipt, err := c.Preload(t.Context(), call)
			if inQuery { // the first answer was that the parameter is missing
				receipt, err = c.Preload(t.Context(), call)
			}
			if err != nil || receipt.TaskID == "" || receipt.RequestID == "" {
				t.Errorf("%s: %+v, %v", product, receipt, err)
			}
			if product == "esa" {
				page, err := c.ListPreloadTasks(t.Context(), refresh.TaskQuery{Site: 7})
				if err != nil || page.Total != 2 || page.Tasks[1].URL != photo || page.Tasks[1].ID != receipt.TaskID || page.Tasks[1].Type != "preload" {
					t.Errorf("%+v, %v", page, err)
				}
			}
			if a := api.Accepted(); len(a) != 2 || a[0].Type != "Preload" || a[0].URL != photo {
				t.Errorf("%s: accepted %+v", product, a)
			}
		}
	}
}

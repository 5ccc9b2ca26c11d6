package probe

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"oss-cdn-refresh/handler/edge"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

var start = time.Date(2026, 11, 25, 4, 41, 51, 0, time.UTC)

func parse(t *testing.T, rules string) *mapping.Table {
	t.Helper()
	table, err := mapping.Parse("mapping.yaml", []byte("rules: "+rules))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// The folder is where the table shows it, whatever else its rule says; what the
// rule does with the folder's objects is told.
func TestNewSite(t *testing.T) {
	const time = "oss-cdn-refresh-probe-20261125T044151Z/"
	for _, tt := range []struct {
		name, rules, prefix string
		folder, url         string // of a.txt in the folder
		handled             bool
	}{
		{"the whole bucket", "[{bucket: b, targets: [{domain: www.example.com}]}]", "", time, "https://www.example.com/" + time + "a.txt", true},
		{"a prefix", "[{bucket: b, prefix: www/, targets: [{domain: www.example.com, strip_prefix: www/, path: /s 1/}]}]", "", "www/" + time, "https://www.example.com/s%201/" + time + "a.txt", true},
		{"a directory, of deleted images", "[{bucket: b, events: [removed], targets: [{domain: www.example.com, type: directory, force: true, spellings: all}]}]", "x/y", "x/y/" + time, "https://www.example.com/x/y/" + time + "a.txt", true},
		{"excluded", "[{bucket: b, exclude: ['**/oss-cdn-refresh-probe-*/**'], targets: [{domain: www.example.com}]}]", "x/", "x/" + time, "https://www.example.com/x/" + time + "a.txt", false},
		{"the second rule", "[{bucket: b, prefix: a/, targets: [{domain: a.example.com}]}, {bucket: b, prefix: w/, targets: [{domain: c.example.com}, {domain: www.example.com}]}]", "", "w/" + time, "https://www.example.com/w/" + time + "a.txt", true},
	} {
		s, err := NewSite(parse(t, tt.rules), "b", "www.example.com", tt.prefix, start)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if s.Folder != tt.folder || s.url("a.txt") != tt.url || s.Handled != tt.handled {
			t.Errorf("%s: %q, %s, handled %v", tt.name, s.Folder, s.url("a.txt"), s.Handled)
		}
		if got := s.path(s.url("a b/c[1].txt") + "?v=1"); got != "a%20b/c%5B1%5D.txt?v=1" {
			t.Errorf("%s: the path is %q", tt.name, got)
		}
	}
	for _, tt := range []struct{ name, bucket, domain, prefix string }{
		{"another bucket", "c", "www.example.com", ""},
		{"another domain", "b", "example.com", ""},
		{"a prefix of no rule", "b", "www.example.com", "other/"},
		{"a prefix of another rule", "b", "www.example.com", "w/x/"},
		{"what no browser can ask for", "b", "www.example.com", "w/../"},
	} {
		table := parse(t, "[{bucket: b, prefix: w/, targets: [{domain: www.example.com}]}, {bucket: b, prefix: w/x/, targets: [{domain: example.org}]}]")
		if s, err := NewSite(table, tt.bucket, tt.domain, tt.prefix, start); err == nil {
			t.Errorf("%s: %+v", tt.name, s)
		}
	}
}

// Every URL and key of a plan is below the folder, and the cost is what is asked.
func TestPlan(t *testing.T) {
	site, err := NewSite(parse(t, "[{bucket: b, prefix: w w/, targets: [{domain: www.example.com}]}]"), "b", "www.example.com", "", start)
	if err != nil {
		t.Fatal(err)
	}
	p := NewPlan(site)
	var asked Cost
	for _, r := range p.Refreshes {
		switch r.Target.Type {
		case mapping.Directory:
			asked.Directories++
		case mapping.IgnoreParams:
			asked.IgnoreParams++
		default:
			asked.URLs++
		}
	}
	asked.Objects = len(p.Keys())
	if asked != p.Cost() || asked != (Cost{24, 2, 2, 20}) {
		t.Errorf("it asks for %v, and costs %v", asked, p.Cost())
	}
	for _, key := range p.Keys() {
		if !strings.HasPrefix(key, site.Folder) {
			t.Errorf("key %q", key)
		}
	}
	seen := map[string]bool{}
	for _, w := range p.Watches {
		if !strings.HasPrefix(refresh.Plain(w.URL), "www.example.com/w w/oss-cdn-refresh-probe-") && !strings.Contains(w.URL, "+") {
			t.Errorf("it looks at %s", w.URL)
		}
		if seen[w.URL] {
			t.Errorf("%s is looked at twice", w.URL)
		}
		seen[w.URL] = true
	}
	// A directory must not drop what another experiment looks at.
	for _, r := range p.Refreshes {
		for _, w := range p.Watches {
			if r.Target.Type == mapping.Directory && r.ID != w.ID && strings.HasPrefix(w.URL, r.Target.URL) {
				t.Errorf("the directory of %s covers %s of %s", r.ID, w.URL, w.ID)
			}
		}
	}
}

func answer(status int, header ...string) edge.Answer {
	a := edge.Answer{Status: status, Header: http.Header{}, At: start}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		a.Header.Set(name, value)
	}
	return a
}

func TestLook(t *testing.T) {
	one := answer(200, "ETag: \"1\"", "Content-Type: text/plain")
	two := answer(200, "ETag: \"2\"", "Content-Type: text/plain")
	styled := answer(200, "ETag: \"1\"", "Content-Type: text/css")
	none := answer(404)
	for _, tt := range []struct {
		name              string
		change            Change
		node, before, now edge.Answer
		want              edge.State
	}{
		{"the same", Changed, two, one, two, edge.Fresh},
		{"the old one", Changed, one, one, two, edge.Stale},
		{"removed", Removed, one, one, none, edge.Stale},
		{"gone", Removed, none, one, none, edge.Gone},
		{"a page in its place", Removed, two, one, none, edge.Gone},
		{"the old type", Metadata, one, one, styled, edge.Stale},
		{"the new type", Metadata, answer(200, "ETag: \"1\"", "Content-Type: text/css; charset=utf-8"), one, styled, edge.Fresh},
		{"a type of its own", Metadata, answer(200, "ETag: \"1\"", "Content-Type: text/html"), one, styled, edge.Unknown},
		{"a failure", Metadata, answer(502), one, styled, edge.Unknown},
		{"a kept 404", Created, none, none, one, edge.Missing},
		{"created", Created, one, none, one, edge.Fresh},
	} {
		if s := sightOf(tt.change, tt.node, tt.before, tt.now); s.State != tt.want || s.Because == "" {
			t.Errorf("%s: %s, %q; want %s", tt.name, s.State, s.Because, tt.want)
		}
	}
}

// Waits follow what was observed: nothing is given up before the first refresh
// has arrived, and what stays is given up after twice the longest one.
func TestSettled(t *testing.T) {
	site, err := NewSite(parse(t, "[{bucket: b, targets: [{domain: www.example.com}]}]"), "b", "www.example.com", "", start)
	if err != nil {
		t.Fatal(err)
	}
	o := newObservations(NewPlan(site))
	for i := range o.Watched {
		o.Watched[i] = Watched{Visit: Sight{State: edge.Fresh, At: start}, Before: Sight{State: edge.Stale, At: start}, Last: Sight{State: edge.Stale, At: start}}
	}
	for i := range o.Refreshed {
		o.Refreshed[i].Accepted = start
	}
	files, directories := o.Plan.watches(File), o.Plan.watches(Directory)
	if at := start.Add(10 * time.Hour); o.settled(at) || len(o.asked(at)) == 0 {
		t.Error("it is settled though nothing became fresh")
	}
	o.note(files[0], Sight{State: edge.Fresh, At: start.Add(6 * time.Minute)})
	if o.settled(start.Add(12*time.Minute - time.Second)) {
		t.Error("it is settled before twice the longest refresh")
	}
	if !o.settled(start.Add(12 * time.Minute)) {
		t.Error("it is not settled after twice the longest refresh")
	}
	o.Looked = start.Add(11 * time.Minute) // the last round
	if outcome, why := o.outcome(directories[0]); outcome != Undecided || why != "it was not watched long enough" {
		t.Errorf("%s, %s", outcome, why)
	}
	o.Looked = start.Add(12 * time.Minute)
	if outcome, why := o.outcome(directories[0]); outcome != Kept {
		t.Errorf("%s, %s", outcome, why)
	}
	o.Refreshed[o.Plan.Watches[directories[0]].Refresh].Status = refresh.TaskRefreshing
	if o.settled(start.Add(12 * time.Minute)) {
		t.Error("it is settled though a task is not done")
	}
	// A refresh of no time is not waited for by nothing.
	o.Watched[files[0]].Fresh = start.Add(time.Millisecond)
	o.Refreshed[o.Plan.Watches[directories[0]].Refresh].Status = ""
	if o.settled(start.Add(minPatience)) {
		t.Error("it is settled before a round was over")
	}
}

func TestPause(t *testing.T) {
	for waited, want := range map[time.Duration]time.Duration{
		0: time.Second, time.Minute: 3 * time.Second, 4 * time.Minute: 12 * time.Second, time.Hour: 15 * time.Second,
	} {
		if got := pause(waited); got != want {
			t.Errorf("after %v the pause is %v, want %v", waited, got, want)
		}
	}
}

// A task list may spell URLs otherwise, and may put several under one id.
func TestStatusOf(t *testing.T) {
	tasks := []refresh.Task{
		{ID: "1", URL: "www.example.com/图.txt", Status: refresh.TaskComplete},
		{ID: "1", URL: "www.example.com/b", Status: refresh.TaskFailed},
		{ID: "2", URL: "?", Status: refresh.TaskPending},
	}
	for _, tt := range []struct {
		ids, url string
		want     refresh.TaskStatus
	}{
		{"1", "https://www.example.com/%E5%9B%BE.txt", refresh.TaskComplete},
		{"1", "https://www.example.com/b", refresh.TaskFailed},
		{"1", "https://www.example.com/c", refresh.TaskFailed},
		{"1,2", "https://www.example.com/c", refresh.TaskPending},
		{"3", "https://www.example.com/b", ""},
		{"", "https://www.example.com/b", ""},
	} {
		if got := statusOf(tasks, tt.ids, tt.url); got != tt.want {
			t.Errorf("%s of %s: %q, want %q", tt.url, tt.ids, got, tt.want)
		}
	}
}

func TestRedaction(t *testing.T) {
	table := parse(t, "[{bucket: web, prefix: customer/, targets: [{domain: www.example.com, strip_prefix: customer/, path: /shop/}]}]")
	site, err := NewSite(table, "web", "www.example.com", "", start)
	if err != nil {
		t.Fatal(err)
	}
	hide := Redaction(site, "www.example.com.w.kunlunsl.com:443")
	for text, want := range map[string]string{
		"https://www.example.com/shop/oss-cdn-refresh-probe-1/a of web":                  "https://DOMAIN/PATH/oss-cdn-refresh-probe-1/a of BUCKET",
		"customer/oss-cdn-refresh-probe-1/a":                                             "PREFIX/oss-cdn-refresh-probe-1/a",
		"web.oss-cn-hangzhou.aliyuncs.com: a website":                                    "BUCKET.oss-cn-hangzhou.aliyuncs.com: a website",
		"dial www.example.com.w.kunlunsl.com:443, lookup www.example.com.w.kunlunsl.com": "dial EDGE, lookup EDGE",
		"/shop/oss-cdn-refresh-probe-1/docs/":                                            "/PATH/oss-cdn-refresh-probe-1/docs/",
	} {
		if got := hide(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if got := WithoutAccount("acs:ram::1234567890123456:user/x, key LTAI5tAbCdEf, task 95248880"); got != "acs:ram::***:user/x, key ***, task 95248880" {
		t.Error(got)
	}
}

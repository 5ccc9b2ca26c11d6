package forecast

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/events"
	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

func parse(tb testing.TB, text string) *mapping.Table {
	tb.Helper()
	table, err := mapping.Parse("mapping.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

const site = "rules: [{bucket: site, targets: [{domain: www.example.com, index: [index.html]}]}]"

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// publish is one of so many hours after the start. A change is a path with its
// content, or without where the file was removed: "docs/a.html 1".
func publish(hours int, changes ...string) Publish {
	p := Publish{Time: start.Add(time.Duration(hours) * time.Hour)}
	for _, c := range changes {
		path, content, found := strings.Cut(c, " ")
		change := Change{Path: path}
		if found {
			change.Content = contentOf(content)
		}
		p.Changes = append(p.Changes, change)
	}
	return p
}

func run(table *mapping.Table, o Options, publishes ...Publish) Result {
	if o.Bucket == "" {
		o.Bucket = "site"
	}
	f := New(table, o)
	for _, p := range publishes {
		f.Add(p)
	}
	return f.Result()
}

func TestForecast(t *testing.T) {
	r := run(parse(t, site), Options{Batch: 100, Quota: Quota{URLs: 3, Directories: 100}},
		publish(0, "index.html 1", "a.png 1", ".git 1"), // the first fill
		publish(23, "index.html 2"),
		publish(25, "a.png 2", "b.png 1", "index.html 2", ".git 2"), // the page is uploaded as it was
		publish(26, "a.png", "none.png"),
	)
	var days []string
	for _, d := range r.Spend.Days {
		days = append(days, fmt.Sprintf("%s: %d publishes, %d URLs, %d calls, over: %t", d.Day, d.Publishes, d.URLs, d.Calls, d.Over))
	}
	want := []string{
		"2026-03-01: 1 publishes, 2 URLs, 1 calls, over: false",
		"2026-03-02: 2 publishes, 5 URLs, 2 calls, over: true",
	}
	if diff := cmp.Diff(want, days); diff != "" {
		t.Errorf("days (-want +got)\n%s", diff)
	}
	if s := r.Spend; s.Stale != 0 || s.Needless != 2 || s.DaysOver != 1 || s.URLs.WorstDay != 5 || r.Publishes != 3 || r.Changes != 5 {
		t.Errorf("%+v of %d publishes and %d changes; want nothing stale, 2 needless, 1 day over, 5 URLs on the worst day", s, r.Publishes, r.Changes)
	}
	if e := r.Everything; e.URLs.Total != 3+4+4 {
		t.Errorf("uploads of everything cost %d URLs, want 11", e.URLs.Total)
	}
	if p := r.Proposals[slices.IndexFunc(r.Proposals, func(p Proposal) bool { return p.Name == byChecksum && !p.Everything })]; p.URLs.Total != 5 || p.Refused {
		t.Errorf("%+v; want uploads by checksum to cost 5 URLs", p)
	}
}

func TestForecastCountsAWindow(t *testing.T) {
	history := []Publish{publish(0, "a.png 1"), publish(1, "a.png 2"), publish(30, "a.png 3"), publish(50, "a.png 4")}
	o := Options{Batch: 100, Since: start.AddDate(0, 0, 1), Until: start.AddDate(0, 0, 2)}
	if r := run(parse(t, site), o, history...); r.Publishes != 1 || r.Spend.URLs.Total != 1 || r.First != "2026-03-02" || r.Last != r.First {
		t.Errorf("%+v; want the publish of the second day", r)
	}
}

// Each product of an account has its own quota.
func TestForecastQuotaIsOfAProduct(t *testing.T) {
	two := parse(t, "rules: [{bucket: site, targets: [{domain: a.example.com}, {domain: b.example.com, product: cdn}]}]")
	r := run(two, Options{Batch: 100, Quota: Quota{URLs: 1, Directories: 1}}, publish(0, "a 1"), publish(1, "a 2"))
	if r.Spend.URLs.Total != 2 || r.Spend.DaysOver != 0 {
		t.Errorf("%+v; want 2 URLs, none over", r.Spend)
	}
}

// Each site of ESA has its own, and how much of type IgnoreParams its plan decides.
func TestForecastQuotaIsOfASite(t *testing.T) {
	two := parse(t, "rules: [{bucket: site, targets: [{domain: a.example.com, product: esa, site: 7}, {domain: b.example.com, product: esa, site: 8}]}]")
	r := run(two, Options{Batch: 100, Quota: Quota{URLs: 1, Directories: 1}}, publish(0, "a 1"), publish(1, "a 2"))
	if r.Spend.URLs.Total != 2 || r.Spend.DaysOver != 0 {
		t.Errorf("%+v; want 2 URLs, none over", r.Spend)
	}
	queries := parse(t, "rules: [{bucket: site, targets: [{domain: a.example.com, product: esa, site: 7, type: ignore_params}]}]")
	var many []string
	for i := range QueriesQuota + 1 {
		many = append(many, fmt.Sprintf("%d 1", i))
	}
	r = run(queries, Options{Batch: 100, Quota: Quota{URLs: 1, Directories: 1}}, publish(0, "a 1"), publish(1, many...))
	if r.Spend.Queries.Total != QueriesQuota+1 || r.Spend.DaysOver != 0 {
		t.Errorf("%+v; want %d URLs with every query, none over", r.Spend, QueriesQuota+1)
	}
}

func TestForecastTakesDotFilesWhereTheTableAsks(t *testing.T) {
	asks := parse(t, "rules: [{bucket: site, include: ['.well-known/**'], targets: [{domain: www.example.com}]}]")
	r := run(asks, Options{Batch: 100}, publish(0, ".well-known/a 1"), publish(1, ".well-known/a 2", ".git/x 1"))
	if r.Spend.URLs.Total != 1 || r.Spend.Stale != 0 {
		t.Errorf("%+v; want one URL, and what the globs leave out not to count", r.Spend)
	}
}

// What stays stale, and what is to be said of it.
func TestForecastStale(t *testing.T) {
	history := []Publish{
		publish(0, "index.html 1", "a.png 1"),
		publish(1, "index.html 2", "new.png 1"), // nobody but skip_new leaves new.png alone
		publish(2, "a.png"),
		publish(3, "a.png 1"), // it comes back, as it was
	}
	tests := map[string]struct {
		table        string
		stale, early int
		example      string
	}{
		"as it should be": {site, 0, 0, ""},
		"without index":   {"rules: [{bucket: site, targets: [{domain: www.example.com}]}]", 1, 0, "https://www.example.com/"},
		"skip_new": {
			"rules: [{bucket: site, skip_new: true, targets: [{domain: www.example.com, index: [index.html]}]}]",
			1, 1, "https://www.example.com/new.png",
		},
		"removals only": {
			"rules: [{bucket: site, events: [removed], targets: [{domain: www.example.com, index: [index.html]}]}]",
			3, 1, "https://www.example.com/index.html",
		},
		"not removals": { // the file comes back before anything shows it
			"rules: [{bucket: site, events: [created], targets: [{domain: www.example.com, index: [index.html]}]}]",
			1, 0, "https://www.example.com/a.png",
		},
		"directories": {"rules: [{bucket: site, targets: [{domain: www.example.com, type: directory}]}]", 0, 0, ""},
		"every query": {"rules: [{bucket: site, targets: [{domain: www.example.com, type: ignore_params, queries: [v]}]}]", 2, 0, "https://www.example.com/"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := run(parse(t, test.table), Options{Batch: 100}, history...).Spend
			if s.Stale != test.stale || s.Early != test.early || s.Example != test.example {
				t.Errorf("%d stale and %d too early, such as %q; want %d, %d and %q", s.Stale, s.Early, s.Example, test.stale, test.early, test.example)
			}
		})
	}
}

// A folder whose files have hashed names and were never overwritten is one to
// refresh for removals only, until a name comes back.
func TestForecastHashedFolders(t *testing.T) {
	history := []Publish{publish(0, "index.html 1")}
	for n := range 6 {
		p := publish(n+1, "index.html "+fmt.Sprint(n+2))
		for i := range 5 {
			p.Changes = append(p.Changes, Change{fmt.Sprintf("assets/app.%d%07x.js", i, n), contentOf("x")})
		}
		history = append(history, p)
	}
	find := func(r Result) *Proposal {
		if i := slices.IndexFunc(r.Proposals, func(p Proposal) bool { return p.Name == "hashed: assets/" }); i >= 0 {
			return &r.Proposals[i]
		}
		return nil
	}
	p := find(run(parse(t, site), Options{Batch: 100}, history...))
	if p == nil || p.URLs.Total != 3*7+3*2 || p.Early != 15 {
		t.Fatalf("%+v; want the last three publishes to cost 2 URLs each", p)
	}
	history = append(history, publish(8, "assets/app.00000000.js"), publish(9, "assets/app.00000000.js 1"))
	p = find(run(parse(t, site), Options{Batch: 100}, history...))
	if p == nil || !p.Refused || p.Stale != 1 || p.Example == "" {
		t.Errorf("%+v; want it refused for a name that came back", p)
	}
}

// The edge notes only what is stale. A cache that holds everything, and asks for
// everything after each invocation, says the same.
func TestForecastAgreesWithAFullCache(t *testing.T) {
	tables := []string{
		site,
		"rules: [{bucket: site, targets: [{domain: www.example.com}]}]",
		"rules: [{bucket: site, skip_new: true, targets: [{domain: www.example.com, index: [index.html]}]}]",
		"rules: [{bucket: site, events: [removed], targets: [{domain: www.example.com, index: [index.html]}]}]",
		"rules: [{bucket: site, targets: [{domain: www.example.com, type: directory}]}]\nrefresh: {fold: 2}",
		site + "\nrefresh: {fold: 1}",
		site + "\nrefresh: {fold: 3}",
	}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 20))
		table := parse(t, tables[r.IntN(len(tables))])
		history := randomHistory(r)
		batch := r.IntN(6)
		got := run(table, Options{Batch: batch}, history...)
		want := fullCache(table, batch, history)
		summary := Spend{Stale: got.Spend.Stale, Early: got.Spend.Early, Needless: got.Spend.Needless}
		if diff := cmp.Diff(want, summary); diff != "" {
			t.Fatalf("seed %d: (-full cache +edge)\n%s", seed, diff)
		}
	}
}

func randomHistory(r *rand.Rand) []Publish {
	var keys []string
	for _, dir := range []string{"", "a/", "a/b/", "c/"} {
		keys = append(keys, dir+"index.html", dir+"1.png", dir+"2.png")
	}
	var history []Publish
	for n := range 1 + r.IntN(8) {
		var changes []string
		for _, key := range keys {
			switch r.IntN(6) {
			case 0:
				changes = append(changes, key)
			case 1, 2:
				changes = append(changes, fmt.Sprintf("%s %d", key, r.IntN(3)))
			}
		}
		history = append(history, publish(n, changes...))
	}
	return history
}

// fullCache is the slow way to what stays stale.
func fullCache(table *mapping.Table, batch int, history []Publish) Spend {
	type answer struct {
		content Content
		early   bool
	}
	origin, was := map[string]Content{}, map[string]bool{}
	cache := map[string]answer{}
	urlsOf := func(key string) []string {
		urls := []string{"https://www.example.com/" + key}
		if dir, ok := strings.CutSuffix(key, "index.html"); ok {
			urls = append(urls, "https://www.example.com/"+dir)
		}
		return urls
	}
	universe := map[string]bool{}
	for _, p := range history {
		for _, c := range p.Changes {
			universe[c.Path] = true
		}
	}
	fetch := func() {
		for key := range universe {
			for _, url := range urlsOf(key) {
				c, is := cache[url]
				switch {
				case !is:
					cache[url] = answer{origin[key], origin[key] == Gone && !was[key]}
				case c.early && origin[key] == Gone && was[key]:
					cache[url] = answer{Gone, false} // the 404 is right, and of a file that was there
				}
			}
		}
	}
	var s Spend
	for n, p := range history {
		var changes []events.Change
		before := map[string]Content{}
		contents := map[string]Content{}
		slices.SortFunc(p.Changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
		for _, c := range p.Changes {
			old := origin[c.Path]
			if old == Gone && c.Content == Gone {
				continue
			}
			e := events.Change{Kind: events.Created, Bucket: "site", Key: c.Path, Size: 9, HasDelta: true}
			if c.Content == Gone {
				e = events.Change{Kind: events.Removed, Bucket: "site", Key: c.Path}
			} else if old == Gone {
				e.Delta = 9
			}
			changes = append(changes, e)
			before[c.Path], contents[c.Path] = old, c.Content
		}
		size := batch
		if size == 0 || n == 0 {
			size = max(1, len(changes))
		}
		for chunk := range slices.Chunk(changes, size) {
			for _, e := range chunk {
				origin[e.Key] = contents[e.Key]
				was[e.Key] = true
			}
			if n == 0 {
				continue
			}
			trace := handler.Map(table, chunk)
			for _, it := range refresh.Fold(refresh.Debounce(trace.Targets), handler.FoldRules(table)) {
				if it.Type == mapping.Directory {
					for url := range cache {
						if strings.HasPrefix(url, it.URL) {
							delete(cache, url)
						}
					}
					continue
				}
				key := strings.TrimPrefix(it.URL, "https://www.example.com/")
				if key == "" || strings.HasSuffix(key, "/") {
					key += "index.html"
				}
				if cache[it.URL].content == origin[key] {
					s.Needless++
				}
				delete(cache, it.URL)
			}
			fetch()
		}
		fetch()
		if n == 0 {
			continue
		}
		for key, old := range before {
			if old == contents[key] {
				continue
			}
			for _, url := range urlsOf(key) {
				switch c := cache[url]; {
				case c.content == origin[key]:
				case c.early:
					s.Early++
				default:
					s.Stale++
				}
			}
		}
	}
	return s
}

// With index and whatever is folded, nothing stays stale.
func TestForecastFoldingLeavesNothingStale(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 21))
		table := parse(t, site+fmt.Sprintf("\nrefresh: {fold: %d}", 1+r.IntN(4)))
		got := run(table, Options{Batch: r.IntN(6)}, randomHistory(r)...)
		for _, p := range append(got.Proposals, Proposal{Name: "the table", Spend: got.Spend}) {
			if p.Stale+p.Early > 0 && !p.Refused {
				t.Fatalf("seed %d: %s leaves %d URLs stale, such as %s", seed, p.Name, p.Stale+p.Early, p.Example)
			}
		}
	}
}

// BenchmarkForecast is of a site of 2,000 files of which a publish changes 200.
func BenchmarkForecast(b *testing.B) {
	table := parse(b, site)
	fill := Publish{Time: start}
	for i := range 2000 {
		fill.Changes = append(fill.Changes, Change{fmt.Sprintf("docs-%d/page-%d/index.html", i/100, i), 1})
	}
	changes := 0
	for b.Loop() {
		f := New(table, Options{Bucket: "site", Batch: 100, Quota: Quota{2000, 100}})
		f.Add(fill)
		for n := range 20 {
			p := Publish{Time: start.Add(time.Duration(n) * time.Hour)}
			for i := range 200 {
				p.Changes = append(p.Changes, Change{fill.Changes[(n*100+i)%2000].Path, Content(n + 2)})
			}
			f.Add(p)
			changes += len(p.Changes)*(len(f.strategies)-1) + len(fill.Changes)
		}
		f.Result()
	}
	b.ReportMetric(float64(changes)/b.Elapsed().Seconds(), "changes/s")
}

package refresh

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"testing"

	"oss-cdn-refresh/mapping"
)

// defaults are the limits of RefreshDcdnObjectCaches and, of ESA, of PurgeCaches, API
// reference.
var defaults = Limits{
	URLsPerRequest: 1000, URLsPerDomain: 100, DomainsPerRequest: 10, DirectoriesPerRequest: 100,
	RequestBytes: 262144,
	ESA: mapping.ESALimits{
		URLsPerRequest: 1000, DomainsPerRequest: 10, DirectoriesPerRequest: 100,
		IgnoreParamsPerRequest: 100, RequestBytes: 262144,
	},
}

// target makes a target of the domain; its rank comes from the event and the name.
func target(domain, path string, event mapping.Event) mapping.Target {
	return mapping.Target{
		Product: mapping.DCDN, Type: mapping.File, Domain: domain, Event: event,
		URL: "https://" + domain + path,
	}
}

// publish makes targets of counts[d] URLs for each domain d, of random ranks.
func publish(r *rand.Rand, counts []int) []mapping.Target {
	var targets []mapping.Target
	for d, n := range counts {
		for i := range n {
			event := []mapping.Event{mapping.Created, mapping.Created, mapping.Removed}[r.IntN(3)]
			suffix := []string{".png", ".html", "/", ".css"}[r.IntN(4)]
			targets = append(targets, target(fmt.Sprintf("d%d.example.com", d), fmt.Sprintf("/f%d%s", i, suffix), event))
		}
	}
	r.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
	return targets
}

func lowerBound(counts []int) int {
	most, sum := 0, 0
	for _, n := range counts {
		chunks := (n + 99) / 100
		most = max(most, chunks)
		sum += chunks
	}
	return max(most, (sum+9)/10)
}

func TestPlanReachesTheLowerBound(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		counts := make([]int, 1+r.IntN(40))
		for d := range counts {
			counts[d] = r.IntN(1 + r.IntN(700))
		}
		items := Debounce(records(publish(r, counts)))
		requests := Plan(items, defaults)
		if want := lowerBound(counts); len(requests) != want {
			t.Fatalf("domains of %v URLs: %d requests, want %d", counts, len(requests), want)
		}
		checkRequests(t, requests, items, defaults)
	}
}

func TestPlanUnderOtherLimits(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		limits := Limits{
			URLsPerRequest: 1 + r.IntN(1000), URLsPerDomain: 1 + r.IntN(1000), DomainsPerRequest: 1 + r.IntN(10),
			DirectoriesPerRequest: 1 + r.IntN(100), RequestBytes: 1 + r.IntN(5000),
		}
		counts := make([]int, 1+r.IntN(12))
		for d := range counts {
			counts[d] = r.IntN(300)
		}
		items := Debounce(records(publish(r, counts)))
		checkRequests(t, Plan(items, limits), items, limits)
	}
}

// checkRequests proves that the requests hold each item once, in the order of
// importance, within the limits.
func checkRequests(t *testing.T, requests []Request, items []Item, limits Limits) {
	t.Helper()
	seen := map[Key]bool{}
	for _, request := range requests {
		domains := map[string]int{}
		bytes := 0
		for i, it := range request.Items {
			if seen[it.Key()] {
				t.Fatalf("%s is planned twice", it.URL)
			}
			seen[it.Key()] = true
			domains[it.Domain]++
			bytes += len(url.QueryEscape(it.URL + "\n"))
			if i > 0 && compareItems(&request.Items[i-1], &it) >= 0 {
				t.Fatalf("%s comes before the more important %s", request.Items[i-1].URL, it.URL)
			}
			if domains[it.Domain] > limits.URLsPerDomain {
				t.Fatalf("a request has %d URLs of %s, limit %d", domains[it.Domain], it.Domain, limits.URLsPerDomain)
			}
		}
		if n := len(request.Items); n == 0 || n > limits.URLsPerRequest || len(domains) > limits.DomainsPerRequest {
			t.Fatalf("a request has %d URLs of %d domains, limits %+v", n, len(domains), limits)
		}
		if bytes > limits.RequestBytes && len(request.Items) > 1 {
			t.Fatalf("a request has %d bytes, limit %d", bytes, limits.RequestBytes)
		}
	}
	if len(seen) != len(items) {
		t.Fatalf("%d of %d items are planned", len(seen), len(items))
	}
}

func TestPlanUsesALargerLimitOfADomain(t *testing.T) {
	limits := defaults
	limits.URLsPerDomain = 1000
	items := Debounce(records(publish(rand.New(rand.NewPCG(5, 6)), []int{667, 667, 666})))
	if n := len(Plan(items, defaults)); n != 7 {
		t.Errorf("2,000 URLs of 3 domains, 100 of a domain: %d requests, want 7", n)
	}
	if n := len(Plan(items, limits)); n != 2 {
		t.Errorf("2,000 URLs of 3 domains, 1,000 of a domain: %d requests, want 2", n)
	}
}

func TestPlanPutsImportantItemsFirst(t *testing.T) {
	var targets []mapping.Target
	for i := range 300 {
		event := mapping.Created
		if i%10 == 0 {
			event = mapping.Removed
		}
		targets = append(targets, target("a.example.com", fmt.Sprintf("/%d.png", i), event))
	}
	requests := Plan(Debounce(records(targets)), defaults)
	for i, want := range []Rank{Removal, Rest, Rest} {
		if got := requests[i].rank(); got != want {
			t.Errorf("request %d has the rank %d, want %d: one wave of removals suffices", i, got, want)
		}
	}
}

func TestPlanSeparatesProductsAndTypes(t *testing.T) {
	file := target("a.example.com", "/x.png", mapping.Created)
	dir, cdn := file, file
	dir.Type, dir.URL = mapping.Directory, "https://b.example.com/d/"
	cdn.Product = mapping.CDN
	requests := Plan(Debounce(records([]mapping.Target{file, dir, cdn})), defaults)
	if len(requests) != 3 {
		t.Fatalf("%d requests, want one for each product and type", len(requests))
	}
	limits := defaults
	limits.DirectoriesPerRequest = 2
	var dirs []mapping.Target
	for i := range 5 {
		d := dir
		d.URL = fmt.Sprintf("https://b.example.com/%d/", i)
		dirs = append(dirs, d)
	}
	if n := len(Plan(Debounce(records(dirs)), limits)); n != 3 {
		t.Errorf("5 directories, 2 to a request: %d requests, want 3", n)
	}
}

func FuzzPlanHoldsEveryItemOnce(f *testing.F) {
	f.Add(uint64(1), uint16(1000), uint16(100), uint8(10), uint16(20000))
	f.Add(uint64(2), uint16(1), uint16(1), uint8(1), uint16(1))
	f.Fuzz(func(t *testing.T, seed uint64, urls, perDomain uint16, domains uint8, bytes uint16) {
		r := rand.New(rand.NewPCG(seed, seed))
		counts := make([]int, 1+r.IntN(15))
		for d := range counts {
			counts[d] = r.IntN(150)
		}
		limits := Limits{
			URLsPerRequest: 1 + int(urls), URLsPerDomain: 1 + int(perDomain), DomainsPerRequest: 1 + int(domains),
			DirectoriesPerRequest: 100, RequestBytes: 1 + int(bytes),
		}
		items := Debounce(records(publish(r, counts)))
		checkRequests(t, Plan(items, limits), items, limits)
	})
}

func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{15, 150, 1500} {
		items := Debounce(records(publish(rand.New(rand.NewPCG(1, 1)), []int{n / 3, n / 3, n / 3})))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Plan(items, defaults)
			}
		})
	}
}

package refresh

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"oss-cdn-refresh/mapping"
)

// onSite makes the targets those of a site of ESA.
func onSite(site int64, targets []mapping.Target) []mapping.Target {
	for i := range targets {
		targets[i].Product, targets[i].Site = mapping.ESA, site
	}
	return targets
}

// ESA takes 1,000 URLs of 10 domains in one request, of one site. As long as no
// site has more URLs, the requests of each are as few as its domains allow.
func TestPlanReachesTheLowerBoundOfEachSite(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	for range 100 {
		var targets []mapping.Target
		want := map[int64]int{}
		for site := int64(1); site <= 3; site++ {
			counts := make([]int, 1+r.IntN(25))
			for d := range counts {
				counts[d] = 1 + r.IntN(1000/len(counts))
			}
			targets = append(targets, onSite(site, publish(r, counts))...)
			want[site] = ceil(len(counts), 10)
		}
		got := map[int64]int{}
		for _, request := range Plan(Debounce(records(targets)), defaults) {
			got[request.Site]++
			domains := map[string]bool{}
			for _, it := range request.Items {
				domains[it.Domain] = true
				if it.Site != request.Site {
					t.Fatalf("a request of site %d has a URL of site %d", request.Site, it.Site)
				}
			}
			if len(domains) > 10 || len(request.Items) > 1000 {
				t.Fatalf("a request has %d URLs of %d domains", len(request.Items), len(domains))
			}
		}
		for site, n := range want {
			if got[site] != n {
				t.Fatalf("site %d: %d requests, want %d", site, got[site], n)
			}
		}
	}
}

func TestPlanKnowsTheLimitsOfESA(t *testing.T) {
	for typ, want := range map[mapping.Type]int{mapping.File: 2, mapping.Directory: 12, mapping.IgnoreParams: 12} {
		targets := onSite(1, files("a.example.com", 1200))
		for i := range targets {
			if targets[i].Type = typ; typ == mapping.Directory {
				targets[i].URL += "/"
			}
		}
		if n := len(Plan(Debounce(records(targets)), defaults)); n != want {
			t.Errorf("1,200 of type %s: %d requests, want %d", typ, n, want)
		}
	}
}

// A request holds as many URLs as its bytes allow, written as JSON in a form.
func TestPlanCountsTheBytesOfESA(t *testing.T) {
	limits := defaults
	limits.ESA.RequestBytes = 5000
	requests := Plan(Debounce(records(onSite(1, files("a.example.com", 1000)))), limits)
	for i, r := range requests {
		list := `"` + strings.Join(r.URLs(), `","`) + `",`
		if n := len(url.QueryEscape(list)); n > 5000 || i < len(requests)-1 && n < 4900 {
			t.Errorf("request %d has %d bytes, of 5000", i, n)
		}
	}
}

// What is refused of one site costs another site nothing.
func TestSitesDoNotStopEachOther(t *testing.T) {
	for _, class := range []Class{Quota, RefuseType, StopProduct, Unknown} {
		synctest.Test(t, func(t *testing.T) {
			api := &script{answer: func(_ int, call Call) error {
				if call.Site == 1 {
					return refusal(class)
				}
				return nil
			}}
			targets := onSite(1, slices.Concat(files("a.example.com", 2), files("b.example.com", 2), files("c.example.com", 2)))
			targets = append(targets, onSite(2, files("d.example.com", 5))...)
			result, _ := submit(t, submitter(), api, targets)
			failed := failures(result)
			if len(failed) != 6 || strings.Contains(fmt.Sprint(failed), "d.example.com") {
				t.Errorf("%v: refused %v, want the six of the first site", class, failed)
			}
		})
	}
}

// The calls a second are the account's, whatever the site.
func TestSitesShareTheCallsASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &script{}
		var targets []mapping.Target
		for site := range int64(25) {
			targets = append(targets, onSite(1+site, files("a.example.com", 1))...)
		}
		start := time.Now()
		submit(t, submitter(), api, targets)
		if took := time.Since(start).Round(time.Second); took != 2*time.Second {
			t.Errorf("25 calls at 10 a second take %v, want 2 s", took)
		}
	})
}

// A spelling that one product does not take is sent to another all the same.
func TestSpellingsAreRefusedByProduct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := submitter()
		spelt := func(targets []mapping.Target) []mapping.Target {
			targets[0].Respelt = true
			return targets
		}
		for range 2 {
			api := &script{answer: func(n int, call Call) error {
				if call.Product == "dcdn" {
					return refuse(Halve, "[")(n, call)
				}
				return nil
			}}
			targets := slices.Concat(
				spelt(files("a.example.com", 0, "/[1].png")),
				onSite(1, spelt(files("b.example.com", 0, "/[1].png"))),
			)
			result, _ := submit(t, s, api, targets)
			for _, o := range result.Outcomes {
				if o.Spelling != (o.Item.Product == mapping.DCDN) {
					t.Errorf("%v: a refused spelling: %t", o.Item.Key(), o.Spelling)
				}
			}
		}
	})
}

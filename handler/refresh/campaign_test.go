package refresh

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"oss-cdn-refresh/mapping"
)

var campaignRounds = flag.Uint64("campaign.rounds", 100, "how many rounds TestCampaignOfAnswers has")

// Whatever the API answers, each target has one fate, nothing is claimed that
// was not accepted, and what was accepted is not sent again by a later try.
func TestCampaignOfAnswers(t *testing.T) {
	t.Parallel()
	for seed := range *campaignRounds {
		synctest.Test(t, func(t *testing.T) {
			answers(t, rand.New(rand.NewPCG(seed, 3)))
		})
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

func answers(t *testing.T, r *rand.Rand) {
	targets := randomTargets(r)
	s := submitter()
	s.FoldOnQuota = r.IntN(2) == 0
	rules := randomRules(r)
	s.Roots = rules.Roots
	s.Limits.URLsPerDomain = 1 + r.IntN(100)
	s.CallsPerSecond[mapping.CDN] = 1 + r.IntN(30)
	s.CallsPerSecond[mapping.ESA] = 1 + r.IntN(30)
	api := randomAPI(r)
	var accepted map[Key]Acceptance
	for range 3 {
		before := len(api.calls)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+r.IntN(60))*time.Second)
		items := Debounce(records(targets))
		result := s.Submit(ctx, Job{
			API: api, Requests: Plan(Fold(items, rules), s.Limits), Accepted: accepted,
		})
		if ctx.Err() != nil {
			t.Error("the answer came after the deadline")
		}
		cancel()
		checkAccount(t, targets, result, api)
		checkCounts(t, items, result)
		for _, c := range api.calls[before:] {
			for _, url := range c.URLs {
				key := keyOf(c.Call, url)
				if _, ok := accepted[key]; ok {
					t.Errorf("%v was accepted before and sent again", key)
				}
			}
		}
		accepted = result.Accepted()
	}
}

// randomRules fold often, seldom or never.
func randomRules(r *rand.Rand) FoldRules {
	rules := FoldRules{Cost: r.IntN(12), Roots: map[string]bool{}}
	for d := range 4 {
		if r.IntN(4) == 0 {
			rules.Roots[fmt.Sprintf("https://d%d.example.com/a%d/", d, r.IntN(4))] = true
		}
	}
	return rules
}

// checkCounts checks that the outcomes' URLs are the items, but for directories
// made in place of files, for those files, and for what is sent in the place of
// a refused item of the table's own.
func checkCounts(t *testing.T, items []Item, result Result) {
	t.Helper()
	made, folded, given := 0, 0, 0
	for _, o := range result.Outcomes {
		switch {
		case o.Item.InPlaceOfFiles():
			made++
			folded += len(o.Item.Covered)
			if o.Err != nil {
				t.Errorf("%s is reported as failed, which nobody asked for", o.Item.URL)
			}
		case o.Item.Extra:
			given++
		case o.Item.Type == mapping.Directory && o.Err != nil:
			i := slices.IndexFunc(items, func(it Item) bool { return it.Key() == o.Item.Key() })
			given += len(items[i].Covered)
		}
	}
	if got := len(result.Outcomes) - made + folded - given; got != len(items) {
		t.Errorf("%d outcomes - %d directories made + %d files folded - %d in place of others are not %d items",
			len(result.Outcomes), made, folded, given, len(items))
	}
}

// randomTargets are files and directories that cover some of them, of three
// products and two sites, and files of every query.
func randomTargets(r *rand.Rand) []mapping.Target {
	var targets []mapping.Target
	for range 1 + r.IntN(300) {
		t := target(fmt.Sprintf("d%d.example.com", r.IntN(4)), fmt.Sprintf("/a%d/%d.png", r.IntN(4), r.IntN(60)),
			[]mapping.Event{mapping.Created, mapping.Created, mapping.Removed, mapping.Modified}[r.IntN(4)])
		if r.IntN(10) == 0 {
			t.Respelt, t.URL = true, t.URL+"[1]"
		}
		if r.IntN(3) == 0 {
			t.Product, t.Site = mapping.ESA, 1+r.Int64N(2)
		}
		switch r.IntN(8) {
		case 0:
			t.Type, t.URL = mapping.Directory, fmt.Sprintf("https://%s/a%d/", t.Domain, r.IntN(4))
		case 1:
			t.Type, t.Fallback = mapping.IgnoreParams, []string{t.URL, t.URL + "?w=1"}
		case 2:
			t.Product, t.Site = mapping.CDN, 0
		}
		targets = append(targets, t)
	}
	return targets
}

// randomAPI has a temper for each type and domain, and moods.
func randomAPI(r *rand.Rand) *script {
	classes := []Class{Permanent, AgainNow, Again, AgainLater, Busy, Halve, SplitDomains, Quota, RefuseType, StopProduct, StopAll, Unknown}
	tempers := map[string]Class{}
	for _, typ := range []string{"File", "Directory", "IgnoreParams"} {
		if r.IntN(3) == 0 {
			tempers[typ] = classes[r.IntN(len(classes))]
		}
	}
	mood, seed := r.Float64()/2, r.Uint64()
	quota := map[string]int{"File": r.IntN(400), "Directory": r.IntN(8), "IgnoreParams": r.IntN(60)}
	api := &script{latency: time.Duration(r.IntN(300)) * time.Millisecond}
	api.answer = func(n int, call Call) error {
		api.mu.Lock() // the quotas are shared by all calls
		defer api.mu.Unlock()
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		if r.Float64() < mood {
			return refusal(classes[r.IntN(6)])
		}
		if class, ok := tempers[call.Type]; ok && r.IntN(2) == 0 {
			return refusal(class)
		}
		if quota[call.Type] < len(call.URLs) {
			return refusal(Quota)
		}
		quota[call.Type] -= len(call.URLs)
		return nil
	}
	return api
}

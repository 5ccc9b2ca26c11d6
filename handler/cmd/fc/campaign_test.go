package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

var (
	campaignRounds = flag.Int("campaign.rounds", 12, "how many processes TestCampaignOfCrashes starts")
	campaignSeed   = flag.Uint64("campaign.seed", 1, "the first round's seed; each round adds one")
)

// A process that crashes between any two calls loses nothing: the platform
// sends the payload again to another one, and that one refreshes it.
func TestCampaignOfCrashes(t *testing.T) {
	rounds := *campaignRounds
	if testing.Short() {
		rounds = 3
	}
	for i := range rounds {
		seed := *campaignSeed + uint64(i)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			crash(t, rand.New(rand.NewPCG(seed, 0)))
		})
	}
}

func crash(t *testing.T, r *rand.Rand) {
	last := r.IntN(8) // the call at which the process dies, before or after it is accepted
	after := r.IntN(2) == 0
	reached := make(chan struct{})
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Fault: func(c aliyuntest.Call) aliyuntest.Fault {
		if c.N != last {
			return aliyuntest.Fault{}
		}
		close(reached)
		return aliyuntest.Fault{Hang: !after, HangAfter: after}
	}})
	var keys, want []string
	for i := range 450 {
		key := fmt.Sprintf("www/f%d.png", i)
		if i%50 == 0 {
			key = "-" + key
		}
		keys = append(keys, key)
		want = append(want, fmt.Sprintf("dcdn File https://www.example.com/f%d.png", i), fmt.Sprintf("cdn File https://img.example.com/www/f%d.png", i))
	}
	in := invocation(event(keys...))
	first := start(t, api, table)
	go func() {
		<-reached
		time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond) // other calls are under way, or not
		first.Kill()
	}()
	if result, err := first.Invoke(t.Context(), in); err == nil {
		t.Fatalf("a process that crashed at call %d answered %s, %v", last, result.Response, result.Err)
	}
	report(t, invoke(t, start(t, api, table), in))
	slices.Sort(want)
	if got := slices.Compact(accepted(api)); !slices.Equal(got, want) {
		t.Errorf("%d URLs were accepted, want all %d", len(got), len(want))
	}
}

package probe_test

import (
	"fmt"
	"time"

	"oss-cdn-refresh/handler/probe"
	"oss-cdn-refresh/mapping"
)

func ExampleNewPlan() {
	table, err := mapping.Parse("mapping.yaml", []byte(`
rules:
  - bucket: my-site
    prefix: www/
    targets:
      - {domain: www.example.com, strip_prefix: www/}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	at := time.Date(2026, 11, 25, 4, 41, 51, 0, time.UTC)
	site, err := probe.NewSite(table, "my-site", "www.example.com", "", at)
	if err != nil {
		fmt.Println(err)
		return
	}
	plan := probe.NewPlan(site)
	fmt.Println(site.Folder)
	fmt.Println(plan.Watches[1].URL)
	fmt.Println(plan.Experiments[1].Question, plan.Experiments[1].Cost)
	fmt.Println("at most", plan.Cost())
	// Output:
	// www/oss-cdn-refresh-probe-20261125T044151Z/
	// https://www.example.com/oss-cdn-refresh-probe-20261125T044151Z/file/changed.txt
	// What does a File refresh drop? 3 URLs, 3 small objects
	// at most 24 URLs, 2 directories, 2 IgnoreParams, 20 small objects
}

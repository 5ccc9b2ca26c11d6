package handler_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

const threeProductsTable = `
rules:
  - bucket: site
    targets:
      - {domain: d.example.com}
      - {domain: c.example.com, product: cdn}
      - {domain: e.example.com, product: esa, site: 123456789012345}
`

// One key has three targets, of three products. Of these, none waits for another:
// while one gets no answer, the others are refreshed.
func TestThreeProducts(t *testing.T) {
	for _, silent := range []string{"", "dcdn", "cdn", "esa"} {
		t.Run("silent: "+silent, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { threeProducts(t, silent) })
		})
	}
}

// A group has the URLs of one site: its task id is of use there only.
func TestReportSaysTheSite(t *testing.T) {
	l := newLab(t, &aliyuntest.Server{Forbidden: []string{"b.example.com", "c.example.com"}}, `
rules:
  - bucket: site
    targets:
      - {domain: a.example.com, product: esa, site: 1}
      - {domain: b.example.com, product: esa, site: 2}
      - {domain: c.example.com, product: esa, site: 3}
      - {domain: d.example.com}
`)
	report, err := l.handle(t, put(1), time.Minute)
	if err == nil || report == nil {
		t.Fatalf("%v", err)
	}
	log := l.log.take()
	got := map[string]int64{}
	for _, g := range slices.Concat(report.Refreshed, report.Failed) {
		got[strings.Join(g.URLs, " ")] = g.Site
	}
	want := map[string]int64{
		"https://a.example.com/some/folder/file-0.png": 1, "https://b.example.com/some/folder/file-0.png": 2,
		"https://c.example.com/some/folder/file-0.png": 3, "https://d.example.com/some/folder/file-0.png": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for msg, sites := range map[string][]int64{"refreshed": {0, 1}, "failed": {2, 3}} {
		var logged []int64
		for _, line := range decode[struct{ Site int64 }](t, log, msg) {
			logged = append(logged, line.Site)
		}
		slices.Sort(logged)
		if diff := cmp.Diff(sites, logged); diff != "" {
			t.Errorf("%s: %s", msg, diff)
		}
	}
}

func threeProducts(t *testing.T, silent string) {
	l := newLab(t, &aliyuntest.Server{InMemory: true, Fault: func(c aliyuntest.Call) aliyuntest.Fault {
		return aliyuntest.Fault{Hang: c.Product == silent}
	}}, threeProductsTable)
	report, err := l.handle(t, put(1), 1500*time.Millisecond)
	if report == nil || (err != nil) != (silent != "") {
		t.Fatalf("the error is %v", err)
	}
	var refreshed []string
	for _, g := range report.Refreshed {
		refreshed = append(refreshed, fmt.Sprint(g.Product, " ", g.URLs))
	}
	var want []string
	for _, p := range []string{"dcdn", "cdn", "esa"} {
		if p != silent {
			want = append(want, fmt.Sprintf("%s [https://%c.example.com/some/folder/file-0.png]", p, p[0]))
		}
	}
	if !slices.Equal(refreshed, want) || report.Targets != 3 {
		t.Errorf("refreshed %q of %d targets, want %q", refreshed, report.Targets, want)
	}
}

package handler_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

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

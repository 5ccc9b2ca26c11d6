package main

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whichever call ends first, each has the same number.
func TestInOrder(t *testing.T) {
	var targets []targetView
	for i := range 6 {
		targets = append(targets, targetView{"dcdn", 0, "File", fmt.Sprint(i)})
	}
	targets = append(targets, targetView{"cdn", 0, "File", "0"})
	requests := []callView{
		{Product: "dcdn", Type: "File", Count: 6, Code: "QuotaExceeded.Refresh"},
		{Product: "dcdn", Type: "File", Count: 3, Code: "QuotaExceeded.Refresh"},
		{Product: "dcdn", Type: "File", Count: 2, URLs: []string{"1", "0"}},
		{Product: "dcdn", Type: "File", Count: 1, URLs: []string{"2"}},
		{Product: "cdn", Type: "File", Count: 1, URLs: []string{"0"}},
		{Product: "dcdn", Type: "Directory", Count: 1, URLs: []string{"made/"}},
	}
	failed := []failureView{
		{Product: "dcdn", Type: "File", Code: "A", URLs: []string{"3", "5"}},
		{Product: "dcdn", Type: "File", Code: "B", URLs: []string{"4"}},
	}
	for range 50 {
		gotRequests, gotFailed := append([]callView{}, requests...), []failureView{failed[0], failed[1]}
		gotFailed[0].URLs = append([]string{}, failed[0].URLs...)
		shuffle := func(n int, swap func(i, j int)) { rand.Shuffle(n, swap) }
		shuffle(len(gotRequests), func(i, j int) { gotRequests[i], gotRequests[j] = gotRequests[j], gotRequests[i] })
		shuffle(2, func(i, j int) { gotFailed[i], gotFailed[j] = gotFailed[j], gotFailed[i] })
		shuffle(2, func(i, j int) {
			urls := failed[0].URLs
			for k := range gotFailed {
				if gotFailed[k].Code == "A" {
					gotFailed[k].URLs[i], gotFailed[k].URLs[j] = urls[j], urls[i]
				}
			}
		})
		inOrder(gotRequests, gotFailed, ranks(targets))
		if diff := cmp.Diff(requests, gotRequests); diff != "" {
			t.Fatalf("requests (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(failed, gotFailed, cmp.AllowUnexported(failureView{})); diff != "" {
			t.Fatalf("failed (-want +got)\n%s", diff)
		}
	}
}

// Of two sites, the one that comes first in the targets comes first.
func TestInOrderOfSites(t *testing.T) {
	targets := []targetView{{"esa", 8, "File", "b"}, {"esa", 7, "File", "a"}}
	requests := []callView{
		{Product: "esa", Site: 7, Type: "File", Count: 1, URLs: []string{"a"}},
		{Product: "esa", Site: 8, Type: "File", Count: 1, URLs: []string{"b"}},
	}
	failed := []failureView{
		{Product: "esa", Site: 7, Type: "File", Code: "A", URLs: []string{"a"}},
		{Product: "esa", Site: 8, Type: "File", Code: "A", URLs: []string{"b"}},
	}
	inOrder(requests, failed, ranks(targets))
	if requests[0].Site != 8 || failed[0].Site != 8 {
		t.Errorf("sites %d and %d are first, want 8", requests[0].Site, failed[0].Site)
	}
}

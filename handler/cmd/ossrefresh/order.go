package main

import (
	"cmp"
	"slices"
)

// ranks numbers targets in their order.
func ranks(targets []targetView) map[targetView]int {
	all := make(map[targetView]int, len(targets))
	for i, t := range targets {
		if _, ok := all[t]; !ok {
			all[t] = i
		}
	}
	return all
}

// A kind is what the URLs of a call have in common.
type kind struct {
	product string
	site    int64
	typ     string
}

func (r callView) kind() kind    { return kind{r.Product, r.Site, r.Type} }
func (g failureView) kind() kind { return kind{g.Product, g.Site, g.Type} }

func (k kind) compare(other kind) int {
	return cmp.Or(cmp.Compare(k.product, other.product), cmp.Compare(k.site, other.site),
		cmp.Compare(k.typ, other.typ))
}

// inOrder brings calls and failures into the order of the targets that they are for,
// whichever ended first: what stands beside a number is the same in every run. Of one
// kind, refusals come first. What stands in for a target comes last.
func inOrder(requests []callView, failed []failureView, ranks map[targetView]int) {
	first := func(k kind, urls []string) int {
		least := len(ranks)
		for _, url := range urls {
			if rank, ok := ranks[targetView{k.product, k.site, k.typ, url}]; ok {
				least = min(least, rank)
			}
		}
		return least
	}
	kinds := map[kind]int{} // their first ranks
	for t, rank := range ranks {
		k := kind{t.Product, t.Site, t.Type}
		if least, ok := kinds[k]; !ok || rank < least {
			kinds[k] = rank
		}
	}
	kindRank := func(k kind) int {
		if rank, ok := kinds[k]; ok {
			return rank
		}
		return len(ranks)
	}
	slices.SortStableFunc(requests, func(a, b callView) int {
		return cmp.Or(
			cmp.Compare(kindRank(a.kind()), kindRank(b.kind())),
			a.kind().compare(b.kind()),
			-cmp.Compare(a.Code, b.Code),
			cmp.Compare(first(a.kind(), a.URLs), first(b.kind(), b.URLs)),
			-cmp.Compare(a.Count, b.Count),
		)
	})
	for _, g := range failed {
		slices.SortStableFunc(g.URLs, func(a, b string) int {
			rank := func(url string) int { return first(g.kind(), []string{url}) }
			return cmp.Compare(rank(a), rank(b))
		})
	}
	slices.SortStableFunc(failed, func(a, b failureView) int {
		return cmp.Or(
			cmp.Compare(first(a.kind(), a.URLs), first(b.kind(), b.URLs)),
			a.kind().compare(b.kind()),
			cmp.Compare(a.Code, b.Code),
		)
	})
}

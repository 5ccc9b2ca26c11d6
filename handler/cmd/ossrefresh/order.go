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

// inOrder brings calls and failures into the order of the targets that they are for,
// whichever ended first: what stands beside a number is the same in every run. Of one
// product and type, refusals come first. What stands in for a target comes last.
func inOrder(requests []callView, failed []failureView, ranks map[targetView]int) {
	first := func(product, typ string, urls []string) int {
		least := len(ranks)
		for _, url := range urls {
			if rank, ok := ranks[targetView{product, typ, url}]; ok {
				least = min(least, rank)
			}
		}
		return least
	}
	kinds := map[[2]string]int{} // the first rank of a product and type
	for t, rank := range ranks {
		kind := [2]string{t.Product, t.Type}
		if least, ok := kinds[kind]; !ok || rank < least {
			kinds[kind] = rank
		}
	}
	kindRank := func(product, typ string) int {
		if rank, ok := kinds[[2]string{product, typ}]; ok {
			return rank
		}
		return len(ranks)
	}
	slices.SortStableFunc(requests, func(a, b callView) int {
		return cmp.Or(
			cmp.Compare(kindRank(a.Product, a.Type), kindRank(b.Product, b.Type)),
			cmp.Compare(a.Product+a.Type, b.Product+b.Type),
			-cmp.Compare(a.Code, b.Code),
			cmp.Compare(first(a.Product, a.Type, a.URLs), first(b.Product, b.Type, b.URLs)),
			-cmp.Compare(a.Count, b.Count),
		)
	})
	for _, g := range failed {
		slices.SortStableFunc(g.URLs, func(a, b string) int {
			rank := func(url string) int { return first(g.Product, g.Type, []string{url}) }
			return cmp.Compare(rank(a), rank(b))
		})
	}
	slices.SortStableFunc(failed, func(a, b failureView) int {
		return cmp.Or(
			cmp.Compare(first(a.Product, a.Type, a.URLs), first(b.Product, b.Type, b.URLs)),
			cmp.Compare(a.Product+a.Type+a.Code, b.Product+b.Type+b.Code),
		)
	})
}

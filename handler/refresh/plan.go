package refresh

import (
	"cmp"
	"slices"

	"oss-cdn-refresh/mapping"
)

// Limits are what one request may hold (RefreshDcdnObjectCaches, API
// reference). All are at least 1; those of ESA may be 0 where nothing is of ESA.
type Limits struct {
	URLsPerRequest        int
	URLsPerDomain         int // in one request
	DomainsPerRequest     int
	DirectoriesPerRequest int
	RequestBytes          int // of the form-encoded ObjectPath
	ESA                   mapping.ESALimits
}

// Plan packs items into the fewest requests that the limits allow. For nₔ
// URLs of domain d, with k of a domain and D domains to a request, these are
// exactly max(maxₔ⌈nₔ/k⌉, ⌈Σₔ⌈nₔ/k⌉/D⌉) where a request has room for k URLs
// of each of D domains; where its number of URLs or bytes binds first, the
// packing is greedy.
//
// It is a function of its arguments. Items keep their order in a request, and
// important ones come in early requests where that costs no call more.
//
// What is of rank Last is planned by itself: a request that holds it may exceed
// the quota, which must cost nothing else its refresh.
func Plan(items []Item, limits Limits) []Request {
	type group struct {
		Kind
		last bool
	}
	var requests []Request
	for _, list := range split(items, func(it *Item) group { return group{it.Kind, it.Rank == Last} }) {
		kind := list[0].Kind
		for _, packed := range pack(list, limits.of(kind)) {
			requests = append(requests, Request{kind, packed})
		}
	}
	return requests
}

// split returns the items of each key, in the order of their first items. Where all
// have the same key it copies nothing: most events are about one domain.
func split[K comparable](items []Item, key func(*Item) K) [][]Item {
	index := map[K]int{}
	var sizes []int
	for i := range items {
		n, found := index[key(&items[i])]
		if !found {
			n = len(sizes)
			index[key(&items[i])] = n
			sizes = append(sizes, 0)
		}
		sizes[n]++
	}
	if len(sizes) == 1 {
		return [][]Item{items}
	}
	lists := make([][]Item, len(sizes))
	for n, size := range sizes {
		lists[n] = make([]Item, 0, size)
	}
	for i := range items {
		n := index[key(&items[i])]
		lists[n] = append(lists[n], items[i])
	}
	return lists
}

// byDomain returns the items of each domain.
func byDomain(items []Item) [][]Item {
	return split(items, func(it *Item) string { return it.Domain })
}

// of returns the limits of requests of one kind.
func (l Limits) of(kind Kind) Limits {
	if esa := l.ESA; kind.Product == mapping.ESA {
		l = Limits{
			esa.URLsPerRequest, esa.URLsPerRequest, esa.DomainsPerRequest,
			esa.DirectoriesPerRequest, esa.RequestBytes, esa,
		}
		if kind.Type == mapping.IgnoreParams {
			l.URLsPerRequest = min(l.URLsPerRequest, esa.IgnoreParamsPerRequest)
		}
	}
	if kind.Type == mapping.Directory {
		l.URLsPerRequest = min(l.URLsPerRequest, l.DirectoriesPerRequest)
	}
	l.URLsPerDomain = min(l.URLsPerDomain, l.URLsPerRequest)
	return l
}

// pack fills one request after the other from the items of each domain.
func pack(items []Item, limits Limits) [][]Item {
	var requests [][]Item
	var queues []*queue
	for _, list := range byDomain(items) {
		queues = append(queues, &queue{list})
	}
	for len(queues) > 0 {
		requests = append(requests, fill(queues, limits))
		queues = slices.DeleteFunc(queues, func(q *queue) bool { return len(q.items) == 0 })
	}
	return requests
}

// A queue is what is left of a domain.
type queue struct{ items []Item }

// fill takes one request's items from the queues. A domain that needs every
// request still to come must be in this one. Taking those first, then others while
// there is room, keeps to the bound (as in scheduling unit tasks on D machines, no two
// of one job at once).
func fill(queues []*queue, limits Limits) []Item {
	requests := bound(queues, limits)
	slices.SortStableFunc(queues, func(a, b *queue) int {
		return cmp.Or(
			// The quotient is 1 where the domain needs all of the requests.
			-cmp.Compare(a.chunks(limits)/requests, b.chunks(limits)/requests),
			cmp.Compare(a.items[0].Rank, b.items[0].Rank),
			-cmp.Compare(len(a.items), len(b.items)),
		)
	})
	room := room{urls: limits.URLsPerRequest, bytes: limits.RequestBytes}
	if q := queues[0]; len(queues) == 1 {
		n := room.take(q.items, limits.URLsPerDomain, true)
		taken := q.items[:n:n]
		q.items = q.items[n:]
		return taken
	}
	var taken []Item
	for _, q := range queues[:min(len(queues), limits.DomainsPerRequest)] {
		n := room.take(q.items, limits.URLsPerDomain, len(taken) == 0)
		taken = append(taken, q.items[:n]...)
		q.items = q.items[n:]
	}
	sortItems(taken)
	return taken
}

// chunks is the number of requests that the queue needs at least.
func (q *queue) chunks(limits Limits) int { return ceil(len(q.items), limits.URLsPerDomain) }

// bound is the number of requests that the queues need at least.
func bound(queues []*queue, limits Limits) int {
	most, chunks, urls := 0, 0, 0
	for _, q := range queues {
		n := q.chunks(limits)
		most = max(most, n)
		chunks += n
		urls += len(q.items)
	}
	return max(most, ceil(chunks, limits.DomainsPerRequest), ceil(urls, limits.URLsPerRequest))
}

// room is what a request can still hold.
type room struct{ urls, bytes int }

// take returns how many of the first items, at most so many, the room holds, and
// makes it smaller by them. An empty request takes one item whatever its size: no
// other request would.
func (r *room) take(items []Item, most int, empty bool) int {
	n := 0
	for n < min(len(items), most) && r.urls > 0 {
		size := added(items[n].Product, items[n].URL)
		if size > r.bytes && !(empty && n == 0) {
			break
		}
		r.bytes -= size
		r.urls--
		n++
	}
	return n
}

// added is what a URL adds to the form of a request to the product. ESA takes URLs as
// JSON, and so with quotes and a comma; the others take lines.
func added(product mapping.Product, url string) int {
	if product == mapping.ESA {
		return formSize(url) + len("%22%22%2C")
	}
	return formSize(url) + len("%0A")
}

// formSize is the length of s in an application/x-www-form-urlencoded body.
func formSize(s string) int {
	n := len(s)
	for i := range len(s) {
		if !formSafe(s[i]) {
			n += len("%00") - 1
		}
	}
	return n
}

func formSafe(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '_' || c == '.' || c == '~'
}

func ceil(n, by int) int { return (n + by - 1) / by }

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
func Plan(items []Item, limits Limits) []Request {
	var kinds []Kind
	groups := map[Kind][]Item{}
	for _, it := range items {
		if _, ok := groups[it.Kind]; !ok {
			kinds = append(kinds, it.Kind)
		}
		groups[it.Kind] = append(groups[it.Kind], it)
	}
	var requests []Request
	for _, kind := range kinds {
		for _, packed := range pack(groups[kind], limits.of(kind)) {
			requests = append(requests, Request{kind, packed})
		}
	}
	return requests
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
	queues := byDomain(items)
	for len(queues) > 0 {
		requests = append(requests, fill(queues, limits))
		queues = slices.DeleteFunc(queues, func(q *queue) bool { return len(q.items) == 0 })
	}
	return requests
}

// A queue is what is left of a domain.
type queue struct {
	domain string
	items  []Item
}

func byDomain(items []Item) []*queue {
	var queues []*queue
	index := map[string]*queue{}
	for _, it := range items {
		q, ok := index[it.Domain]
		if !ok {
			q = &queue{domain: it.Domain}
			index[it.Domain] = q
			queues = append(queues, q)
		}
		q.items = append(q.items, it)
	}
	return queues
}

// fill takes one request's items from the queues. A domain that needs each of
// the requests to come must be in this one; taking those first, and as many
// others as there is room for, never loses the bound (it is the schedule of
// unit tasks on D machines, no two tasks of a job at once).
func fill(queues []*queue, limits Limits) []Item {
	requests := bound(queues, limits)
	slices.SortStableFunc(queues, func(a, b *queue) int {
		return cmp.Or(
			-cmp.Compare(a.chunks(limits)/requests, b.chunks(limits)/requests), // 1 where it needs all of them
			cmp.Compare(a.items[0].Rank, b.items[0].Rank),
			-cmp.Compare(len(a.items), len(b.items)),
		)
	})
	room := room{urls: limits.URLsPerRequest, bytes: limits.RequestBytes}
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

// take tells how many of the items, in order and at most most of them, the
// room holds, and makes it smaller by them. An empty request takes one item
// whatever its size: nobody else would.
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

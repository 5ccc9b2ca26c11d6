// Package refresh merges refresh targets, plans the fewest requests for them
// and submits those until each target is either accepted or reported.
//
//	items := refresh.Debounce(targets)            // one item a URL
//	requests := refresh.Plan(items, limits)       // what would be sent: pure
//	result := submitter.Submit(ctx, refresh.Job{API: api, Items: items})
//
// It knows limits, classes of failure and time. It knows no vendor: who calls
// gives it a [Refresher], which turns a [Call] into an answer of the API. It
// reads no environment, and does not retry over invocations.
package refresh

import (
	"context"
	"slices"

	"oss-cdn-refresh/mapping"
)

// A Rank says how much it hurts when an item stays stale. Less comes first.
type Rank uint8

const (
	Removal Rank = iota // what was removed must not be served any more
	Page                // HTML, which leads to the rest
	Rest
)

// An Item is one URL to refresh in one way.
type Item struct {
	Product mapping.Product
	Type    mapping.Type
	Domain  string
	URL     string // canonical, with its scheme
	Rank    Rank
	Targets []int // the targets that it stands for: indices of Debounce's argument

	fallback []string // IgnoreParams: what to submit as File when the type is refused
	modified bool     // a change of metadata alone, which a Directory may miss
	place    int      // among the targets, for the order
	covered  []*Item  // Directory: the files that need no refresh of their own
	extra    bool     // File: a fallback, no target's own

	folder  bool      // Directory: made of its covered files when their quota ended
	held    []Outcome // what those had come to
	refused bool      // it does for no file
}

// A Key tells items apart.
type Key struct {
	Product mapping.Product
	Type    mapping.Type
	URL     string
}

// Key returns what no other item of a [Debounce] has.
func (it *Item) Key() Key { return Key{it.Product, it.Type, it.URL} }

// Covers tells how many files a Directory spares their own refresh.
func (it *Item) Covers() int { return len(it.covered) }

// Covered lists the URLs of those files.
func (it *Item) Covered() []string { return urls(it.covered) }

// Extra tells that the item is no target's own: a File in place of an
// IgnoreParams that the API refused.
func (it *Item) Extra() bool { return it.extra }

// All returns the targets of the item and of the files that it covers.
func (it *Item) All() []int {
	all := slices.Clone(it.Targets)
	for _, file := range it.covered {
		all = append(all, file.Targets...)
	}
	return all
}

// A Request is what one call submits: items of one product and type, the most
// important first.
type Request struct {
	Product mapping.Product
	Type    mapping.Type
	Items   []*Item

	halving bool // the one request of its type that finds out what the quota still holds
}

// URLs lists the request's URLs in its order.
func (r Request) URLs() []string { return urls(r.Items) }

// rank is that of the request's most important item.
func (r Request) rank() Rank { return r.Items[0].Rank }

// with returns the request with other items.
func (r Request) with(items []*Item) Request {
	r.Items = items
	return r
}

// parts returns a request for each of the lists. Where the request was halving
// for the quota, one of them goes on with that.
func (r Request) parts(lists ...[]*Item) []Request {
	parts := make([]Request, len(lists))
	for i, list := range lists {
		parts[i] = r.with(list)
		parts[i].halving = r.halving && i == 0
	}
	return parts
}

// domains returns a request for each of the request's domains.
func (r Request) domains() []Request {
	var lists [][]*Item
	for _, q := range byDomain(r.Items) {
		lists = append(lists, q.items)
	}
	return r.parts(lists...)
}

func urls(items []*Item) []string {
	list := make([]string, len(items))
	for i, it := range items {
		list[i] = it.URL
	}
	return list
}

// A Refresher makes one call of the refresh API. It does not retry.
type Refresher interface {
	// Refresh submits the call's URLs. An error is an *[Error], or is taken
	// for one of class [Again].
	Refresh(ctx context.Context, call Call) (Receipt, error)
}

// A Call is what a [Refresher] submits.
type Call struct {
	Product string // dcdn or cdn
	Type    string // the API's ObjectType: File, Directory, IgnoreParams
	URLs    []string
}

// A Receipt is the API's word that it accepted a call.
type Receipt struct {
	TaskID    string // several are joined by commas; may be empty
	RequestID string
	Directory string // of [Job.Accepted]: the URL that was refreshed in place of a file's own
}

// An Outcome is what became of one item: accepted with a receipt, or not, with
// the reason.
type Outcome struct {
	Item    *Item
	Receipt Receipt
	Err     *Error // nil: accepted
}

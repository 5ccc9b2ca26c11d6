// Package refresh merges refresh targets, plans the fewest requests for them
// and submits those until each target is either accepted or reported.
// [Debounce], [Fold], [Plan] and [Submitter.Submit] are its four steps, in that
// order.
//
// It knows limits, classes of failure and time. It is vendor-neutral: the
// caller passes a [Refresher], which makes one API call. It reads no environment
// variables and keeps nothing between invocations but the pace of its calls.
package refresh

import (
	"context"
	"slices"

	"oss-cdn-refresh/mapping"
)

// A Kind is what the URLs of one request have in common.
type Kind struct {
	Product mapping.Product
	Site    int64 // ESA only
	Type    mapping.Type
	Force   bool // Directory, IgnoreParams: delete what is in range instead of revalidating it
}

// A Key identifies an item: no two items of a [Debounce] have the same.
type Key struct {
	Kind
	URL string
}

// A Target is one thing to refresh and the record that asks for it.
type Target struct {
	mapping.Target
	Record int // the caller's index of the record, which Item.Records repeats
}

// A Rank says how much it hurts when an item stays stale. The lowest is sent
// first.
type Rank uint8

// The ranks.
const (
	Removal Rank = iota // what was removed must not be served any more
	Page                // HTML, which leads to the rest
	Rest
	Last // a directory in place of files, where targets ask for other directories
)

// An Item is one URL to refresh in one way. Submit does not change it.
type Item struct {
	Kind
	Domain   string
	URL      string // percent-encoded, with its scheme
	Rank     Rank
	Records  []int    // the records that ask for it, each once, in ascending order
	Covered  []Item   // Directory: the files that need no refresh of their own
	Fallback []string // IgnoreParams: the URLs to submit as File where the API refuses the type
	Modified bool     // File: only metadata changed in one of the records, which a Directory may miss
	Respelt  bool     // URL is a spelling beside the canonical one of the same object
	// Extra says that no target asked for it: it is a Directory that replaces the files
	// in Covered, or a File from a Fallback.
	Extra bool

	place int // of its first target, which orders the items of a rank
}

// Key returns the item's key.
func (it Item) Key() Key { return Key{it.Kind, it.URL} }

// InPlaceOfFiles reports whether the item is a Directory that is refreshed in
// place of its Covered files, and that no target asks for.
func (it Item) InPlaceOfFiles() bool { return it.Extra && it.Type == mapping.Directory }

// AllRecords returns the records that ask for the item or for a file that it
// covers. A record is listed as often as it asks.
func (it Item) AllRecords() []int {
	all := slices.Clone(it.Records)
	for _, file := range it.Covered {
		all = append(all, file.Records...)
	}
	return all
}

// A Request is what one call submits: items of one kind, the most important
// first.
type Request struct {
	Kind
	Items []Item
}

// URLs lists the request's URLs in its order.
func (r Request) URLs() []string { return urls(r.Items) }

// rank is that of the request's most important item.
func (r Request) rank() Rank { return r.Items[0].Rank }

func urls(items []Item) []string {
	list := make([]string, len(items))
	for i := range items {
		list[i] = items[i].URL
	}
	return list
}

// A Refresher makes one call of the refresh API. It does not retry.
type Refresher interface {
	// Refresh submits the call's URLs, and returns soon after the context ends. An
	// error is an *[Error]; any other is treated as one of class [Again].
	Refresh(ctx context.Context, call Call) (Receipt, error)
}

// A Call is what a [Refresher] submits.
type Call struct {
	Product string // dcdn, cdn or esa
	Site    int64  // ESA only
	Type    string // the API's ObjectType: File, Directory, IgnoreParams
	Force   bool
	URLs    []string
}

// A Receipt is the API's word that it accepted a call.
type Receipt struct {
	TaskID    string // several are joined by commas; may be empty
	RequestID string
}

// An Outcome is what became of one item: accepted with a receipt, or not, with
// the reason.
type Outcome struct {
	Item     Item
	Receipt  Receipt
	Err      *Error // nil: accepted
	Recalled bool   // an earlier try had it accepted; nothing was sent
	Doubt    string // what makes the acceptance doubtful; empty: nothing does
	// Spelling says that the API refused this spelling. That is no failure: the
	// canonical URL is an item of its own.
	Spelling bool
}

// Failed reports whether the item was refused, and more than a spelling of it.
func (o Outcome) Failed() bool { return o.Err != nil && !o.Spelling }

// A Result has the outcome of each item that was submitted or refused, in the
// order of importance, and the number of calls made, retries included. Each of
// the job's items, and each file that one covers, is in one outcome or covered
// by the item of one; but a Directory in place of files that was refused has
// none, since its files have.
type Result struct {
	Outcomes []Outcome
	Calls    int
}

// An Acceptance is how an earlier try had an item accepted.
type Acceptance struct {
	Receipt
	Directory string // the URL of the directory that was refreshed in its place; empty: it was itself
	Force     bool   // of that directory
}

// Accepted returns what the API accepted, for [Job.Accepted] of a later try.
func (r Result) Accepted() map[Key]Acceptance {
	accepted := map[Key]Acceptance{}
	for _, o := range r.Outcomes {
		if o.Err != nil {
			continue
		}
		accepted[o.Item.Key()] = Acceptance{Receipt: o.Receipt}
		if !o.Item.Extra {
			continue
		}
		for _, file := range o.Item.Covered {
			accepted[file.Key()] = Acceptance{o.Receipt, o.Item.URL, o.Item.Force}
		}
	}
	return accepted
}

package forecast

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"oss-cdn-refresh/mapping"
)

// A Result is what a history would have cost.
type Result struct {
	Publishes int    `json:"publishes"` // counted ones
	Changes   int    `json:"changes"`   // of files, in them
	First     string `json:"first"`     // day
	Last      string `json:"last"`      // day
	Unmatched int    `json:"unmatched"` // changes of no rule, those of the first fill too
	Quota     Quota  `json:"quota"`
	// What the table costs as files were uploaded, and where every file is uploaded
	// in each publish.
	Spend      Spend `json:"spend"`
	Everything Spend `json:"everything"`
	// What might cost less, through the same edge.
	Proposals []Proposal `json:"proposals"`
}

// A Spend is what one way to refresh costs.
type Spend struct {
	URLs        int    `json:"urls"`
	Directories int    `json:"directories"`
	Queries     int    `json:"queries"` // URLs with every query
	Calls       int    `json:"calls"`
	MedianDay   int    `json:"median_day"` // URLs
	WorstDay    int    `json:"worst_day"`  // URLs
	DaysOver    int    `json:"days_over"`
	Needless    int    `json:"needless"`          // URLs that were not stale
	Dropped     int    `json:"dropped"`           // URLs below refreshed directories whose content was unchanged
	Stale       int    `json:"stale"`             // times that a publish left a URL stale
	Early       int    `json:"too_early"`         // of new objects whose 404 was cached before their first upload
	Example     string `json:"example,omitempty"` // a URL that was left stale
	Days        []Day  `json:"days"`
}

// A Proposal is a way to refresh that might cost less.
type Proposal struct {
	Name   string `json:"name"`
	Advice string `json:"advice"` // what to do to have it
	// Everything tells what it is compared with: where every file is uploaded, or as
	// files were uploaded.
	Everything bool    `json:"everything"`
	Saved      float64 `json:"saved"`   // of the URLs, from 0 to 1; below 0 where it costs more
	Refused    bool    `json:"refused"` // it leaves more stale than the table as it is
	Spend
}

// count notes a URL that a publish changed, at the publish's end.
func (s *Spend) count(url string, e *edge, count bool) {
	c, is := e.stale[url]
	switch {
	case !is || !count:
	case c.early:
		s.Early++
		s.Example = cmp.Or(s.Example, url)
	default:
		s.Stale++
		s.Example = cmp.Or(s.Example, url)
	}
}

// Result returns what the publishes so far would have cost.
func (f *Forecast) Result() Result {
	for _, s := range f.strategies {
		s.finish(f.options.Quota)
	}
	r := Result{
		Publishes: f.counted, Changes: f.changes, Unmatched: f.unmatched, Quota: f.options.Quota,
		Spend: f.strategies[asUploaded].spend, Everything: f.strategies[everyFile].spend,
		Proposals: []Proposal{},
	}
	for _, s := range f.strategies[everyFile+1:] {
		s.describe()
		if s.byContent {
			r.propose(proposal(s, r.Everything, true))
		}
		r.propose(proposal(s, r.Spend, false))
	}
	if n := len(r.Spend.Days); n > 0 {
		r.First, r.Last = r.Spend.Days[0].Day, r.Spend.Days[n-1].Day
	}
	return r
}

// describe names a strategy that is known only now.
func (s *strategy) describe() {
	if s.spared == nil {
		return
	}
	folders := s.spared.names()
	shown := folders[:min(3, len(folders))]
	s.name = "hashed: " + strings.Join(shown, ", ")
	if more := len(folders) - len(shown); more > 0 {
		s.name += fmt.Sprintf(" and %d more", more)
	}
	s.advice = "a rule with events: [removed] for each of " + strings.Join(folders, ", ")
}

// propose adds a proposal that makes a difference, unless another one makes the
// same.
func (r *Result) propose(p Proposal) {
	base := &r.Spend
	if p.Everything {
		base = &r.Everything
	}
	cheaper := p.Saved >= 0.01 || 10*p.Calls <= 9*base.Calls
	fresher := p.Stale+p.Early < base.Stale+base.Early
	known := slices.ContainsFunc(r.Proposals, func(other Proposal) bool {
		return other.Everything == p.Everything && other.Spend.equals(&p.Spend)
	})
	if (cheaper || fresher) && !known {
		r.Proposals = append(r.Proposals, p)
	}
}

func (s *Spend) equals(t *Spend) bool {
	return s.URLs == t.URLs && s.Directories == t.Directories && s.Calls == t.Calls && s.Stale == t.Stale
}

func proposal(s *strategy, base Spend, everything bool) Proposal {
	p := Proposal{Name: s.name, Advice: s.advice, Everything: everything, Spend: s.spend}
	if base.URLs > 0 {
		p.Saved = 1 - float64(p.URLs)/float64(base.URLs)
	}
	p.Refused = p.Stale > base.Stale || p.Early > base.Early
	return p
}

// finish sums up the days.
func (s *strategy) finish(q Quota) {
	sum := &s.spend
	*sum = Spend{Needless: sum.Needless, Dropped: sum.Dropped, Stale: sum.Stale, Early: sum.Early, Example: sum.Example, Days: []Day{}}
	var urls []int
	for _, name := range slices.Sorted(maps.Keys(s.days)) {
		day := *s.days[name]
		day.sum(q)
		sum.Days = append(sum.Days, day)
		sum.URLs += day.URLs
		sum.Directories += day.Directories
		sum.Queries += day.Queries
		sum.Calls += day.Calls
		if day.Over {
			sum.DaysOver++
		}
		urls = append(urls, day.URLs)
	}
	slices.Sort(urls)
	if n := len(urls); n > 0 {
		sum.MedianDay, sum.WorstDay = urls[n/2], urls[n-1]
	}
}

// sum adds the products up. The quota is each product's own.
func (d *Day) sum(q Quota) {
	for _, product := range slices.Sorted(maps.Keys(d.products)) {
		p := d.products[mapping.Product(product)]
		d.URLs += p.urls
		d.Directories += p.directories
		d.Queries += p.queries
		d.Over = d.Over || p.urls > q.URLs || p.directories > q.Directories || p.queries > queriesQuota
	}
}

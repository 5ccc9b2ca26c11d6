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

// A Spend is what one way to refresh costs. Dropped counts the URLs below refreshed
// directories that the same invocation had not changed, Stale how often a publish
// left a URL stale, and Early how often that was a 404 from before an object's first
// upload.
type Spend struct {
	URLs        Tally  `json:"urls"`
	Directories Tally  `json:"directories"`
	Queries     Tally  `json:"queries"` // URLs with every query
	Calls       int    `json:"calls"`
	DaysOver    int    `json:"days_over"` // more than one of the quotas
	Needless    int    `json:"needless"`  // URLs that were not stale
	Dropped     int    `json:"dropped"`
	Stale       int    `json:"stale"`
	Early       int    `json:"too_early"`
	Example     string `json:"example,omitempty"` // a URL that was left stale
	Days        []Day  `json:"days"`
}

// A Tally sums up the days of one kind of refresh.
type Tally struct {
	Total     int `json:"total"`
	MedianDay int `json:"median_day"`
	WorstDay  int `json:"worst_day"`
	DaysOver  int `json:"days_over"`
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
	cheaper := p.Saved >= 0.01 || 10*p.Calls < 9*base.Calls
	fresher := p.Stale+p.Early < base.Stale+base.Early
	known := slices.ContainsFunc(r.Proposals, func(other Proposal) bool {
		return other.Everything == p.Everything && other.Spend.equals(&p.Spend)
	})
	if (cheaper || fresher) && !known {
		r.Proposals = append(r.Proposals, p)
	}
}

func (s *Spend) equals(t *Spend) bool {
	return s.URLs.Total == t.URLs.Total && s.Directories.Total == t.Directories.Total &&
		s.Calls == t.Calls && s.Stale == t.Stale
}

func proposal(s *strategy, base Spend, everything bool) Proposal {
	p := Proposal{Name: s.name, Advice: s.advice, Everything: everything, Spend: s.spend}
	if base.URLs.Total > 0 {
		p.Saved = 1 - float64(p.URLs.Total)/float64(base.URLs.Total)
	}
	p.Refused = p.Stale > base.Stale || p.Early > base.Early
	return p
}

// finish sums up the days.
func (s *strategy) finish(q Quota) {
	days := make([]Day, 0, len(s.days))
	for _, name := range slices.Sorted(maps.Keys(s.days)) {
		day := *s.days[name]
		day.sum(q)
		days = append(days, day)
	}
	s.spend.sum(days)
}

// SpendOf sums up days, as [ReadLog] returns them.
func SpendOf(days []Day) Spend {
	var s Spend
	s.sum(days)
	return s
}

func (s *Spend) sum(days []Day) {
	s.Days, s.Calls, s.DaysOver = days, 0, 0
	for i := range days {
		s.Calls += days[i].Calls
		if days[i].Over {
			s.DaysOver++
		}
	}
	s.URLs = tally(days, func(d *Day) (int, bool) { return d.URLs, d.overURLs })
	s.Directories = tally(days, func(d *Day) (int, bool) {
		return d.Directories, d.overDirectories
	})
	s.Queries = tally(days, func(d *Day) (int, bool) { return d.Queries, d.overQueries })
}

func tally(days []Day, of func(*Day) (n int, over bool)) Tally {
	var t Tally
	counts := make([]int, len(days))
	for i := range days {
		n, over := of(&days[i])
		counts[i] = n
		t.Total += n
		if over {
			t.DaysOver++
		}
	}
	slices.Sort(counts)
	if n := len(counts); n > 0 {
		t.MedianDay, t.WorstDay = counts[(n-1)/2], counts[n-1]
	}
	return t
}

// sum adds the services up. The quota is each service's own: a product's, of ESA a
// site's.
func (d *Day) sum(q Quota) {
	for service, s := range d.services {
		d.URLs += s.urls
		d.Directories += s.directories
		d.Queries += s.queries
		d.overURLs = d.overURLs || s.urls > q.URLs
		d.overDirectories = d.overDirectories || s.directories > q.Directories
		if service.Product != mapping.ESA { // there, the number depends on the plan
			d.overQueries = d.overQueries || s.queries > QueriesQuota
		}
	}
	d.Over = d.overURLs || d.overDirectories || d.overQueries
}

package forecast

import (
	"fmt"
	"slices"
	"strings"

	"oss-cdn-refresh/events"
	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// A strategy is a way to refresh the same publishes: what is uploaded, what the
// table says, how many events an invocation sees. It has an edge of its own.
type strategy struct {
	name       string
	advice     string // what to do to have it
	table      *mapping.Table
	rules      refresh.FoldRules
	batch      int  // events an invocation sees; 0: all of a publish
	everything bool // every file is uploaded each time
	byContent  bool // what has the content it had is not uploaded
	spared     *hashedFolders

	edge  edge
	days  map[string]*Day
	spend Spend

	changes []events.Change // of a batch
	touched []string        // URLs whose content was changed in a batch
}

// A Day is what was spent on one day of UTC.
type Day struct {
	Day         string `json:"day"` // 2006-01-02
	Publishes   int    `json:"publishes"`
	URLs        int    `json:"urls"`
	Directories int    `json:"directories"`
	Queries     int    `json:"queries,omitempty"` // URLs with every query
	Calls       int    `json:"calls"`
	Over        bool   `json:"over"` // more than a quota of a product, of ESA of a site

	overURLs, overDirectories, overQueries bool

	services map[mapping.Service]*spent
}

type spent struct{ urls, directories, queries int }

func newStrategy(name, advice string, table *mapping.Table, batch int) *strategy {
	return &strategy{
		name: name, advice: advice, table: table, rules: handler.FoldRules(table), batch: batch,
		edge: edge{stale: map[string]cached{}}, days: map[string]*Day{},
	}
}

// The first two strategies, which the others are compared with.
const (
	asUploaded = iota
	everyFile
)

// byChecksum names the strategy that looks at the content.
const byChecksum = "upload by checksum"

// strategies returns the table as it is, for both ways to upload, and what might
// cost less.
func strategies(table *mapping.Table, o Options, f *Forecast) []*strategy {
	every := newStrategy("", "", table, o.Batch)
	every.everything = true
	byContent := newStrategy(byChecksum, "compare contents before uploading", table, o.Batch)
	byContent.byContent = true
	all := []*strategy{asUploaded: newStrategy("", "", table, o.Batch), everyFile: every}
	all = append(all, byContent)
	for _, cost := range foldCosts(table, o.Quota) {
		for _, batch := range windows(o.Batch) {
			folding := *table
			folding.Refresh.Fold = cost
			name := fmt.Sprintf("fold: %d, %s", cost, eventsIn(batch))
			advice := fmt.Sprintf("set refresh.fold to %d", cost)
			if batch != o.Batch {
				advice += ", and let an invocation get " + eventsIn(batch)
			}
			all = append(all, newStrategy(name, advice, &folding, batch))
		}
	}
	if o.Batch > 0 && o.Batch < 1000 {
		advice := "let an invocation get up to " + eventsIn(1000)
		all = append(all, newStrategy(eventsIn(1000), advice, table, 1000))
	}
	if !slices.ContainsFunc(table.Rules, hasIndex) {
		with := changed(table, func(r *mapping.Rule) {
			for i := range r.Targets {
				if r.Targets[i].Type == mapping.File {
					r.Targets[i].Index = []string{"index.html"}
				}
			}
		})
		advice := "set index for each target"
		all = append(all, newStrategy("index: [index.html]", advice, with, o.Batch))
	}
	if slices.ContainsFunc(table.Rules, func(r mapping.Rule) bool { return !r.SkipNew }) {
		skipping := changed(table, func(r *mapping.Rule) { r.SkipNew = true })
		all = append(all, newStrategy("skip_new", "set skip_new for each rule", skipping, o.Batch))
	}
	hashed := newStrategy("hashed folders", "", table, o.Batch)
	hashed.spared = f.hashed
	return append(all, hashed)
}

// foldCosts are the costs of a directory worth a look: what it is worth by the
// quota, and five times that.
func foldCosts(table *mapping.Table, q Quota) []int {
	worth := max(1, q.URLs/max(1, q.Directories))
	return slices.DeleteFunc([]int{worth, 5 * worth}, func(cost int) bool {
		return cost == table.Refresh.Fold
	})
}

// windows are the batch sizes worth a look, from the one that is on.
func windows(batch int) []int {
	if batch == 0 {
		return []int{0}
	}
	sizes := []int{batch}
	if batch < 1000 {
		sizes = append(sizes, 1000)
	}
	return append(sizes, 0)
}

func eventsIn(batch int) string {
	switch batch {
	case 0:
		return "a whole publish"
	case 1:
		return "1 event"
	case 1000:
		return "1,000 events"
	}
	return fmt.Sprintf("%d events", batch)
}

func hasIndex(r mapping.Rule) bool {
	return slices.ContainsFunc(r.Targets, func(s mapping.Spec) bool { return len(s.Index) > 0 })
}

// publish takes the strategy through a publish.
func (s *strategy) publish(f *Forecast, steps []step, name string, count bool) {
	day := s.days[name]
	if day == nil {
		day = &Day{Day: name, services: map[mapping.Service]*spent{}}
	}
	if count {
		s.days[name] = day
		day.Publishes++
	}
	size := s.batch
	if size == 0 {
		size = len(steps)
	}
	for batch := range slices.Chunk(steps, max(1, size)) {
		s.invocation(f, batch, day, count)
	}
	for _, st := range steps {
		for _, url := range st.urls {
			s.spend.count(url, &s.edge, count)
		}
	}
}

// invocation takes the strategy through the events of one invocation.
func (s *strategy) invocation(f *Forecast, batch []step, day *Day, count bool) {
	s.changes, s.touched = s.changes[:0], s.touched[:0]
	for _, st := range batch {
		for _, url := range st.urls {
			s.edge.change(url, st)
			s.touched = append(s.touched, url)
		}
		if s.byContent && st.before == st.after || s.spared != nil && s.spared.spares(st.change) {
			continue
		}
		s.changes = append(s.changes, st.change)
	}
	trace := handler.Map(s.table, s.changes)
	items := refresh.Fold(refresh.Debounce(trace.Targets), s.rules)
	needless, dropped := 0, 0
	for i := range items {
		it := &items[i]
		switch it.Type {
		case mapping.Directory:
			s.edge.refreshBelow(it.URL)
			dropped += f.below[it.URL] - s.changedBelow(f, it.URL)
		case mapping.IgnoreParams:
			s.edge.refreshQueries(it.URL)
		default:
			if !s.edge.refresh(it.URL) && !it.Respelt {
				needless++
			}
		}
	}
	if !count {
		return
	}
	day.add(items)
	day.Calls += len(refresh.Plan(items, refresh.Limits(s.table.Refresh.Limits)))
	s.spend.Needless += needless
	s.spend.Dropped += dropped
}

// changedBelow counts the living URLs below a directory that the batch changed.
func (s *strategy) changedBelow(f *Forecast, dir string) int {
	n := 0
	for _, url := range s.touched {
		if strings.HasPrefix(url, dir) {
			n++
		}
	}
	return min(n, f.below[dir])
}

func (d *Day) add(items []refresh.Item) {
	for i := range items {
		service := mapping.Service{Product: items[i].Product, Site: items[i].Site}
		d.spend(service, items[i].Type, 1)
	}
}

func (d *Day) spend(service mapping.Service, typ mapping.Type, n int) {
	s := d.services[service]
	if s == nil {
		s = &spent{}
		d.services[service] = s
	}
	switch typ {
	case mapping.Directory:
		s.directories += n
	case mapping.IgnoreParams:
		s.queries += n
	default:
		s.urls += n
	}
}

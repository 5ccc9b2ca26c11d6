// Package forecast says what a publishing history would have cost of the refresh
// quota under a mapping table, what would cost less, and what would have stayed
// stale.
//
//	quota := forecast.Quota{URLs: 2000, Directories: 100}
//	f := forecast.New(table, forecast.Options{Bucket: "my-site", Quota: quota, Batch: 100})
//	for publish, err := range forecast.ReadGitLog(r) {
//		…
//		f.Add(publish)
//	}
//	result := f.Result()
//
// Each publish goes through the function's own steps: [handler.Map],
// [refresh.Debounce], [refresh.Fold] and [refresh.Plan]. So the forecast cannot say
// something else than the function does.
//
// The package does no network I/O, reads no environment and keeps no more than the
// living objects, what is stale, and a hash of each name that was removed. It does
// not know when a quota resets: a day is one of UTC.
package forecast

import (
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"time"

	"oss-cdn-refresh/events"
	"oss-cdn-refresh/mapping"
)

// A Content stands for what a file holds: two files have the same exactly where
// they hold the same. Gone is that of a file that is not there.
type Content uint64

// Gone is the content of a file that was removed.
const Gone Content = 0

// contentOf returns the content that an id stands for, such as an ETag or the
// name of a git blob.
func contentOf(id string) Content {
	return Content(maphash.String(seed, id) | 1) // not Gone
}

var seed = maphash.MakeSeed()

// A Publish is what was uploaded and removed together.
type Publish struct {
	Time    time.Time
	Changes []Change
}

// A Change is a file that was uploaded or removed.
type Change struct {
	Path    string  // as Options.Prefix begins its key
	Content Content // afterwards
}

// A Quota is what may be refreshed in a day of each product, and of ESA of each site.
type Quota struct {
	URLs        int `json:"urls"`
	Directories int `json:"directories"`
}

// QueriesQuota is how many URLs may be refreshed with every query in a day
// (RefreshDcdnObjectCaches, API reference). ESA's is that of a site's plan, and not known.
const QueriesQuota = 100

// Options say what is forecast.
type Options struct {
	Bucket string
	Prefix string    // of the keys: a key is Prefix and the path
	Since  time.Time // publishes before are not counted; zero: from the second on
	Until  time.Time // nor are those from then on; zero: to the last
	Quota  Quota
	Batch  int // how many events an invocation sees; 0: those of a publish
}

// A Forecast takes the publishes of a history, one after the other.
type Forecast struct {
	options Options
	visited *mapping.Table // says which URLs people ask for
	dotted  bool           // the table asks for dot files

	objects map[string]Content  // of the living ones, by key
	removed map[uint64]struct{} // names that were removed once
	names   []string            // the keys of objects, in order; kept for its room
	below   map[string]int      // URLs of living objects below a directory's URL
	hashed  *hashedFolders

	strategies []*strategy
	publishes  int // with the first one
	counted    int
	changes    int // counted ones
	unmatched  int // changes of no rule
	steps      []step
}

// A step is what one upload or removal means to the edge.
type step struct {
	change events.Change
	urls   []string // where the content is not what it was: the URLs that show it
	before Content
	after  Content
	early  bool // no object of that name was ever there before
}

// New returns a forecast of the table that has seen no publish yet. The first one
// it is given is the first fill, which is not counted.
func New(table *mapping.Table, options Options) *Forecast {
	f := &Forecast{
		options: options,
		visited: visited(table),
		dotted:  asksForDots(table),
		objects: map[string]Content{},
		removed: map[uint64]struct{}{},
		below:   map[string]int{},
		hashed:  newHashedFolders(),
	}
	f.strategies = strategies(table, options, f)
	return f
}

// visited is the table that leads from an object to the URLs that people ask for,
// whatever the given table refreshes. An index.html is taken to be shown at its
// directory's URL too. What the table's globs leave out is not visited.
func visited(table *mapping.Table) *mapping.Table {
	return changed(table, func(r *mapping.Rule) {
		r.Events, r.SkipNew = nil, false
		for i := range r.Targets {
			s := &r.Targets[i]
			s.Type = mapping.File
			if !slices.Contains(s.Index, "index.html") {
				s.Index = append(slices.Clone(s.Index), "index.html")
			}
		}
	})
}

// changed returns a copy of the table with changed rules.
func changed(table *mapping.Table, change func(*mapping.Rule)) *mapping.Table {
	other := *table
	other.Rules = slices.Clone(table.Rules)
	for i := range other.Rules {
		other.Rules[i].Targets = slices.Clone(other.Rules[i].Targets)
		change(&other.Rules[i])
	}
	return &other
}

// asksForDots reports whether the table has an include for names that begin with a
// dot.
func asksForDots(table *mapping.Table) bool {
	return slices.ContainsFunc(table.Rules, func(r mapping.Rule) bool {
		return slices.ContainsFunc(r.Include, hasDot)
	})
}

func hasDot(path string) bool {
	return strings.HasPrefix(path, ".") || strings.Contains(path, "/.")
}

// Add takes the next publish.
func (f *Forecast) Add(p Publish) {
	f.publishes++
	steps := f.observe(p)
	if f.publishes == 1 || len(steps) == 0 {
		return
	}
	count := f.counts(p.Time)
	if count {
		f.counted++
		f.changes += len(steps)
	}
	var all []step
	day := p.Time.UTC().Format(time.DateOnly)
	for _, s := range f.strategies {
		uploaded := steps
		if s.everything {
			if all == nil {
				all = f.everything(steps)
			}
			uploaded = all
		}
		s.publish(f, uploaded, day, count)
	}
	f.hashed.learn(steps)
}

// counts reports whether a publish of that time is in the window.
func (f *Forecast) counts(at time.Time) bool {
	until := f.options.Until
	return !at.Before(f.options.Since) && (until.IsZero() || at.Before(until))
}

// observe brings the objects up to date and returns what has become of them, in
// the order of the keys.
func (f *Forecast) observe(p Publish) []step {
	steps := f.steps[:0]
	for _, c := range p.Changes {
		if hasDot(c.Path) && !f.dotted {
			continue
		}
		key := f.options.Prefix + c.Path
		before := f.objects[key]
		if before == Gone && c.Content == Gone {
			continue
		}
		s := step{change: f.event(key, before, c.Content), before: before, after: c.Content}
		if before != c.Content {
			s.urls, s.early = f.urls(key), before == Gone && !f.wasRemoved(key)
			f.replace(key, s)
		}
		steps = append(steps, s)
	}
	slices.SortStableFunc(steps, func(a, b step) int {
		return strings.Compare(a.change.Key, b.change.Key)
	})
	f.steps = steps
	return steps
}

// event is the notification of an upload or a removal. Its sizes say only whether
// the object is new.
func (f *Forecast) event(key string, before, after Content) events.Change {
	e := events.Change{
		Kind: events.Created, Bucket: f.options.Bucket, Key: key, Size: 1, HasDelta: true,
	}
	switch {
	case after == Gone:
		e.Kind, e.HasDelta = events.Removed, false
	case before == Gone:
		e.Delta = 1
	}
	return e
}

// urls returns the URLs that people ask an object by: the canonical ones. Which
// other spellings somebody asks for is not in a history.
func (f *Forecast) urls(key string) []string {
	object := mapping.Object{Bucket: f.options.Bucket, Key: key, Event: mapping.Created}
	match := f.visited.Map(object)
	if match.Rule == nil {
		f.unmatched++
	}
	var urls []string
	for _, t := range match.Targets {
		if !t.Respelt {
			urls = append(urls, t.URL)
		}
	}
	return urls
}

// replace notes an object's new content.
func (f *Forecast) replace(key string, s step) {
	switch {
	case s.after == Gone:
		delete(f.objects, key)
		f.removed[maphash.String(seed, key)] = struct{}{}
		f.countBelow(s.urls, -1)
	case s.before == Gone:
		f.objects[key] = s.after
		f.countBelow(s.urls, 1)
	default:
		f.objects[key] = s.after
	}
}

func (f *Forecast) wasRemoved(key string) bool {
	_, was := f.removed[maphash.String(seed, key)]
	return was
}

// countBelow counts the URLs of an object that comes or goes, for each directory
// above them.
func (f *Forecast) countBelow(urls []string, n int) {
	for _, url := range urls {
		for dir := range directoriesOf(url) {
			if f.below[dir] += n; f.below[dir] == 0 {
				delete(f.below, dir)
			}
		}
	}
}

// directoriesOf yields the directories above a URL, or the same, the highest first.
func directoriesOf(url string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		path, _, _ := strings.Cut(url, "?")
		end := strings.Index(path, "://") + len("://")
		for {
			slash := strings.IndexByte(path[end:], '/')
			if slash < 0 {
				return
			}
			end += slash + 1
			if !yield(path[:end]) {
				return
			}
		}
	}
}

// everything returns the steps of a publish that uploads every object, where the
// given ones are those that changed.
func (f *Forecast) everything(steps []step) []step {
	f.names = slices.AppendSeq(f.names[:0], maps.Keys(f.objects))
	slices.Sort(f.names)
	all := make([]step, 0, len(f.names)+len(steps))
	next := 0
	for _, key := range f.names {
		for next < len(steps) && steps[next].change.Key < key {
			all = append(all, steps[next])
			next++
		}
		if next < len(steps) && steps[next].change.Key == key {
			all = append(all, steps[next])
			next++
			continue
		}
		content := f.objects[key]
		upload := f.event(key, content, content)
		all = append(all, step{change: upload, before: content, after: content})
	}
	return append(all, steps[next:]...)
}

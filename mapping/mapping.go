// Package mapping is the domain-mapping table: it says which CDN URLs show an
// object of a bucket. See [Table.Map].
//
// The table is YAML; mapping.yaml in this folder is one to start from, and
// schema.json describes it to editors.
//
// The package does not decode notifications, merge targets of several objects
// or call an API, and it reads no environment. Nor does it know whether a
// domain really serves a bucket: what the account says of that, package account of
// handler/aliyun tells.
package mapping

//go:generate go test -run TestSchemaIsCurrent -update

import (
	"slices"
	"sort"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Event is what happened to an object.
type Event string

// The events, as the table spells them.
const (
	Created  Event = "created"
	Removed  Event = "removed"
	Modified Event = "modified" // only its metadata changed
)

// Product is the CDN product that serves a domain.
type Product string

// The products, as the table spells them.
const (
	DCDN Product = "dcdn"
	CDN  Product = "cdn"
	ESA  Product = "esa" // Edge Security Acceleration
)

// Type is what one URL of a refresh stands for, as the API spells ObjectType
// (RefreshDcdnObjectCaches, API reference).
type Type string

// The types. The table spells them file, directory and ignore_params.
const (
	File         Type = "File"         // the URL itself
	Directory    Type = "Directory"    // everything below the URL, which ends in "/"
	IgnoreParams Type = "IgnoreParams" // the URL with every query
)

// Object is one object that changed.
type Object struct {
	Bucket, Key string // Key is raw, not percent-encoded
	Event       Event
	New         bool // there was no object of that key before
}

// Target is one thing to refresh.
type Target struct {
	Product  Product
	Site     int64 // ESA only: the id of the domain's site
	Type     Type
	Force    bool // Directory, IgnoreParams: delete what is in range instead of revalidating it
	Domain   string
	URL      string   // "https://example.com/photo%20(1).jpg"
	Respelt  bool     // URL is a spelling beside the canonical one of the same object
	Event    Event    // of the object it came from
	Fallback []string // IgnoreParams only: the URLs to refresh as File if the API refuses the type
}

// Match is what the table says of one object.
type Match struct {
	Rule    *Rule    // the rule that the object belongs to; nil where none does
	Targets []Target // none where Ignored is set
	Ignored string   // why there are no targets: `exclude "**/*.map"`, `events`; else ""
	Warning bool     // a browser cannot ask for one of the URLs, which was left out
}

// Table is a whole mapping table. Load and Parse make one that Map can use.
type Table struct {
	// Which objects are shown where. A key belongs to the rule of its bucket
	// with the longest matching prefix, and to no other.
	Rules []Rule `json:"rules"`
	// How to talk to the refresh API.
	Refresh Refresh `json:"refresh,omitzero"`

	buckets map[string]bucket
}

// Rule maps the keys of a bucket that begin with a prefix to targets.
type Rule struct {
	// The exact name of the bucket.
	Bucket string `json:"bucket"`
	// How the keys begin. The longest matching prefix of a bucket wins.
	// Without it: all keys.
	Prefix string `json:"prefix,omitempty"`
	// Globs, of which one must match the key after the prefix; ** crosses /,
	// * does not. Without it: all keys.
	Include []string `json:"include,omitempty"`
	// Globs, of which none may match the key after the prefix.
	Exclude []string `json:"exclude,omitempty"`
	// The events that count. Without it: all three.
	Events []Event `json:"events,omitempty"`
	// Pass over objects that are new. This saves quota, but a cached 404 or
	// fallback page stays: not for single-page applications.
	SkipNew bool `json:"skip_new,omitempty"`
	// Where the objects are shown.
	Targets []Spec `json:"targets"`

	Line int `json:"-"` // of the YAML file, from 1
}

// Spec says where the objects of a rule are shown, and how to refresh them.
type Spec struct {
	// The exact host name, in lower case: no scheme, port, path or wildcard.
	Domain string `json:"domain"`
	// The product that the domain belongs to.
	Product Product `json:"product,omitempty"`
	// The id of the domain's site, as the console of ESA and its ListSites show
	// it. For product esa, which needs it.
	Site int64 `json:"site,omitempty"`
	// Cut from the front of the key. The rule's prefix must begin with it. An
	// empty one says that nothing is to be cut.
	StripPrefix string `json:"strip_prefix,omitempty"`
	// Put before the rest of the key. It begins and ends with / and is raw,
	// not percent-encoded.
	Path string `json:"path,omitempty"`
	// Names of index documents: with index.html, docs/index.html also
	// refreshes https://…/docs/. For type file.
	Index []string `json:"index,omitempty"`
	// Query strings without the ?, each refreshed too as URL?query. For type
	// file; for type ignore_params only where the API refuses that type.
	Queries []string `json:"queries,omitempty"`
	// Image styles with their delimiter, as a URL has them: with !small,
	// a.jpg also refreshes a.jpg!small. For types file and ignore_params.
	Suffixes []string `json:"suffixes,omitempty"`
	// With index: docs/index.html also refreshes /docs. For type file.
	IndexWithoutSlash bool `json:"index_without_slash,omitempty"`
	// about.html also refreshes /about. For type file.
	CleanURLs bool `json:"clean_urls,omitempty"`
	// What to refresh: the file, the object's directory, or the file with
	// every query.
	Type Type `json:"type,omitempty"`
	// Delete what is in range from the cache, so that the origin sends it
	// again, instead of asking the origin whether it is newer. For types
	// directory and ignore_params.
	Force bool `json:"force,omitempty"`
	// Which spellings of the URL to refresh: the canonical one, those of common
	// software too, or also + for a space and %e5 for %E5.
	Spellings string `json:"spellings,omitempty"`

	Line int `json:"-"` // of the YAML file, from 1

	root         string // what its URLs begin with: "https://example.com/app/"
	others       rowSet // that spell its path in another way than root does
	respellings  rowSet // that Spellings asks for
	stripNothing bool   // an empty strip_prefix was written: Warnings keeps quiet
	chosen       bool   // spellings was written: Warnings keeps quiet, and UnsetSpellings
}

// prepare works out what appendSpellings needs.
func (s *Spec) prepare() {
	s.root = "https://" + s.Domain + join("", s.Path, "")
	s.others = scan(s.Path)
	s.respellings = respellings[s.Spellings]
}

// origin is what root begins with: "https://example.com".
func (s *Spec) origin() string { return s.root[:len("https://")+len(s.Domain)] }

// Refresh says how to talk to the refresh API.
type Refresh struct {
	// What a directory costs, in URLs. Where an invocation would refresh more
	// files than that below a directory, it refreshes the directory instead.
	// 0: never.
	Fold int `json:"fold,omitempty"`
	// What becomes of the files left over when the day's quota is used up:
	// they fail, or their directories are refreshed instead.
	OnQuotaExceeded string `json:"on_quota_exceeded,omitempty"`
	// What becomes of an object that no rule is for: a warning in the log, or the
	// invocation fails.
	Unmatched string `json:"unmatched,omitempty"`
	// What one request may hold.
	Limits Limits `json:"limits,omitzero"`
	// How many calls may start in any one second.
	CallsPerSecond CallsPerSecond `json:"calls_per_second,omitzero"`
}

// Limits says what one request may hold.
type Limits struct {
	// URLs in one request.
	URLsPerRequest int `json:"urls_per_request,omitempty"`
	// URLs of one domain in one request.
	URLsPerDomain int `json:"urls_per_domain,omitempty"`
	// Domains in one request.
	DomainsPerRequest int `json:"domains_per_request,omitempty"`
	// Directories in one request.
	DirectoriesPerRequest int `json:"directories_per_request,omitempty"`
	// Bytes of ObjectPath in one request, form-encoded.
	RequestBytes int `json:"request_bytes,omitempty"`
	// What one request to ESA may hold instead.
	ESA ESALimits `json:"esa,omitzero"`
}

// ESALimits says what one request to ESA may hold. It is always of one site.
type ESALimits struct {
	// URLs in one request.
	URLsPerRequest int `json:"urls_per_request,omitempty"`
	// Domains in one request.
	DomainsPerRequest int `json:"domains_per_request,omitempty"`
	// Directories in one request.
	DirectoriesPerRequest int `json:"directories_per_request,omitempty"`
	// URLs of type ignore_params in one request.
	IgnoreParamsPerRequest int `json:"ignore_params_per_request,omitempty"`
	// Bytes of Content in one request, form-encoded.
	RequestBytes int `json:"request_bytes,omitempty"`
}

// CallsPerSecond says how many calls of each product may start in any one
// second.
type CallsPerSecond struct {
	// Calls to DCDN.
	DCDN int `json:"dcdn,omitempty"`
	// Calls to CDN.
	CDN int `json:"cdn,omitempty"`
	// Calls to ESA. What it takes is not documented.
	ESA int `json:"esa,omitempty"`
}

// Map says what to refresh for o. It takes about the same time however many
// rules the table has.
func (t *Table) Map(o Object) Match {
	r := t.lookup(o.Bucket, o.Key)
	if r == nil {
		return Match{}
	}
	m := Match{Rule: r}
	for c := range r.filters(o) {
		if !c.passed {
			m.Ignored = c.reason()
			return m
		}
	}
	m.Targets = make([]Target, 0, len(r.Targets))
	for i := range r.Targets {
		s := &r.Targets[i]
		rest := o.Key[len(s.StripPrefix):]
		if hasDotSegment(rest) {
			m.Warning = true
			continue
		}
		m.Targets = s.targets(m.Targets, rest, o.Event)
	}
	if len(m.Targets) == 0 {
		m.Ignored = dotSegment
	}
	return m
}

// Roots returns the URLs of the targets' paths, "https://example.com/app/", in
// each spelling, and of the directories above them. What is below one of these
// may be all that a rule is for.
func (t *Table) Roots() map[string]bool {
	roots := map[string]bool{}
	for _, r := range t.Rules {
		for _, s := range r.Targets {
			for path := s.Path; path != ""; path, _ = cutName(strings.TrimSuffix(path, "/")) {
				above := Spec{Domain: s.Domain, Path: path, Type: Directory, Spellings: SpellAll}
				above.prepare()
				for _, root := range above.appendSpellings(nil, Target{}, "", "") {
					roots[root.URL] = true
				}
			}
		}
	}
	return roots
}

const dotSegment = `"." or ".." segment`

// bucket finds the rule of a key. Its entries are sorted by prefix: the longest
// prefix that the key begins with is that of the last entry not after the key, or
// of one of that entry's parents.
type bucket []entry

type entry struct {
	prefix string
	rule   int // in Table.Rules
	parent int // the entry of the longest other prefix that begins this one; -1: none
}

func (t *Table) lookup(name, key string) *Rule {
	b := t.buckets[name]
	after := sort.Search(len(b), func(i int) bool { return b[i].prefix > key })
	i := b.beginning(key, after-1)
	if i < 0 {
		return nil
	}
	return &t.Rules[b[i].rule]
}

// beginning returns the first of entry i, its parent, and so on, whose prefix
// begins key; -1 if none does.
func (b bucket) beginning(key string, i int) int {
	for i >= 0 && !strings.HasPrefix(key, b[i].prefix) {
		i = b[i].parent
	}
	return i
}

// link sorts the entries by prefix, and those that repeat one by rule.
func (b bucket) link() {
	slices.SortFunc(b, func(a, c entry) int {
		if order := strings.Compare(a.prefix, c.prefix); order != 0 {
			return order
		}
		return a.rule - c.rule
	})
	for i := range b {
		b[i].parent = b.beginning(b[i].prefix, i-1)
	}
}

// filterResult is what one filter of a rule says of an object.
type filterResult struct {
	filter, value string
	passed        bool
}

// reason is what Match.Ignored says where the filter did not pass the object.
func (c filterResult) reason() string {
	if c.value == "" {
		return c.filter
	}
	return c.filter + " " + quote(c.value)
}

// filters yields what each filter of r says of an object, in the order in which they apply.
func (r *Rule) filters(o Object) func(yield func(filterResult) bool) {
	return func(yield func(filterResult) bool) {
		rest := o.Key[len(r.Prefix):]
		matches := func(glob string) bool {
			return glob == "**" || doublestar.MatchUnvalidated(glob, rest)
		}
		passed := slices.Contains(r.Events, o.Event)
		if r.Events != nil && !yield(filterResult{"events", "", passed}) {
			return
		}
		if r.SkipNew && !yield(filterResult{"skip_new", "", !o.New}) {
			return
		}
		for _, glob := range r.Exclude {
			if !yield(filterResult{"exclude", glob, !matches(glob)}) {
				return
			}
		}
		if r.Include != nil {
			yield(filterResult{"include", "", slices.ContainsFunc(r.Include, matches)})
		}
	}
}

// targets appends what s refreshes for an object whose key is rest once its
// prefix is stripped.
func (s *Spec) targets(into []Target, rest string, e Event) []Target {
	dir, name := cutName(rest)
	t := Target{
		Product: s.Product, Site: s.Site, Type: s.Type, Force: s.Force, Domain: s.Domain, Event: e,
	}
	if s.Type == Directory {
		return s.appendSpellings(into, t, dir, "")
	}
	into = s.appendSpellings(into, t, rest, "")
	if name == "" { // a directory marker, which is neither an image nor a page
		return into
	}
	for _, suffix := range s.Suffixes {
		into = s.appendSpellings(into, t, rest, suffix)
	}
	if slices.Contains(s.Index, name) {
		into = s.appendSpellings(into, t, dir, "")
		folder := strings.TrimSuffix(dir, "/")
		if s.IndexWithoutSlash && !strings.HasSuffix("/"+folder, "/") {
			into = s.appendSpellings(into, t, folder, "")
		}
		return into
	}
	clean, isPage := strings.CutSuffix(name, ".html")
	if s.CleanURLs && isPage && clean != "" && !hasDotSegment(clean) {
		into = s.appendSpellings(into, t, dir+clean, "")
	}
	return into
}

// add appends t, with its queries.
func (s *Spec) add(into []Target, t Target) []Target {
	url := t.URL
	switch t.Type {
	case IgnoreParams:
		t.Fallback = make([]string, 0, 1+len(s.Queries))
		t.Fallback = append(t.Fallback, url)
		for _, q := range s.Queries {
			t.Fallback = append(t.Fallback, url+"?"+q)
		}
		return append(into, t)
	case Directory:
		return append(into, t)
	}
	into = append(into, t)
	for _, q := range s.Queries {
		t.URL = url + "?" + q
		into = append(into, t)
	}
	return into
}

// cutName splits a key after its last slash.
func cutName(key string) (dir, name string) {
	i := strings.LastIndexByte(key, '/') + 1
	return key[:i], key[i:]
}

package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Step is one thing that decided what became of an object.
type Step struct {
	Rule   *Rule
	Passed bool   // the rule is the object's, or its filter let the object through
	Text   string // `exclude "**/*.map" does not match`
}

// Explain says how Map comes to its answer: what each rule of the object's
// bucket said, in the order of the file, then the filters of the rule that the
// object belongs to, up to the one that stopped it. It is empty if no rule is
// of the bucket.
func (t *Table) Explain(o Object) []Step {
	won := t.lookup(o.Bucket, o.Key)
	var steps []Step
	for i := range t.Rules {
		if r := &t.Rules[i]; r.Bucket == o.Bucket {
			steps = append(steps, Step{r, r == won, r.claim(o.Key, won)})
		}
	}
	if won == nil {
		return steps
	}
	for c := range won.filters(o) {
		steps = append(steps, Step{won, c.passed, c.String()})
		if !c.passed {
			return steps
		}
	}
	for i, s := range won.Targets {
		if hasDotSegment(o.Key[len(s.StripPrefix):]) {
			text := fmt.Sprintf("a browser cannot ask for targets[%d]: %s", i, dotSegment)
			steps = append(steps, Step{won, false, text})
		}
	}
	return steps
}

// claim says what r's prefix has to do with a key that belongs to won.
func (r *Rule) claim(key string, won *Rule) string {
	switch {
	case r == won:
		return fmt.Sprintf("prefix %s is the longest that the key begins with", quote(r.Prefix))
	case strings.HasPrefix(key, r.Prefix):
		return fmt.Sprintf("prefix %s is shorter than %s on line %d",
			quote(r.Prefix), quote(won.Prefix), won.Line)
	}
	return fmt.Sprintf("the key does not begin with prefix %s", quote(r.Prefix))
}

// String says whether the filter passed the object.
func (c filterResult) String() string {
	says := map[string][2]string{ // not passed, passed
		"events":   {"leaves this event out", "has this event"},
		"skip_new": {"skips the object: it is new", "lets the object through: it is not new"},
		"exclude":  {"matches", "does not match"},
		"include":  {"does not match", "matches"},
	}[c.filter]
	if c.passed {
		return c.reason() + " " + says[1]
	}
	return c.reason() + " " + says[0]
}

// Sample returns a key that the table maps by rule r, and the URLs that its
// target s refreshes for it. Where the rule may be mistaken, it is a key that shows
// the mistake. The key is "" if no likely one was found.
func (t *Table) Sample(r *Rule, s *Spec) (key string, urls []string) {
	for _, rest := range append(r.unwanted(), r.examples(s.Index)...) {
		key := r.Prefix + rest
		if !t.shows(r, key) || hasDotSegment(key[len(s.StripPrefix):]) {
			continue
		}
		if strings.HasPrefix(rest, "/") && (r.Prefix == "" || strings.HasSuffix(r.Prefix, "/")) {
			continue // no uploader makes such keys
		}
		for _, target := range s.targets(nil, key[len(s.StripPrefix):], Created) {
			urls = append(urls, target.URL)
		}
		return key, urls
	}
	return "", nil
}

// unwanted returns what may follow the prefix in a key that r should leave out, if
// its globs meant what people think that they mean.
func (r *Rule) unwanted() (rests []string) {
	if strings.Trim(r.Prefix, "/") != "" && !strings.HasSuffix(r.Prefix, "/") {
		rests = append(rests, "/docs/index.html")
	}
	for _, glob := range r.Exclude {
		if problem, _ := r.globDoubt(glob, true); problem == "" {
			continue
		}
		glob = strings.TrimPrefix(strings.TrimLeft(glob, "./"), r.Prefix)
		switch {
		case glob == "":
			continue
		case strings.HasSuffix(glob, "/"):
			glob += "**"
		}
		if !strings.Contains(glob, "/") {
			glob = "**/" + glob
		}
		rests = append(rests, example(firstAlternatives(glob), "docs/"))
	}
	return rests
}

// examples returns what may follow the prefix in a key of r, the likeliest first.
func (r *Rule) examples(index []string) (rests []string) {
	for _, folder := range []string{"docs/", ""} {
		for _, name := range append(slices.Clone(index), "photo (1).jpg", "index.html", "setup.zip") {
			rests = append(rests, folder+name)
		}
		for _, glob := range r.Include {
			rests = append(rests, example(firstAlternatives(glob), folder))
		}
	}
	return rests
}

// firstAlternatives replaces each "{a,b}" of a glob by its first alternative.
func firstAlternatives(glob string) string {
	for {
		end := strings.IndexByte(glob, '}')
		start := strings.LastIndexByte(glob[:max(end, 0)], '{')
		if start < 0 {
			return glob
		}
		first, _, _ := strings.Cut(glob[start+1:end], ",")
		glob = glob[:start] + first + glob[end+1:]
	}
}

// example returns a text that a glob without "{" is likely to match; folder is
// what "**/" stands for.
func example(glob, folder string) string {
	var b strings.Builder
	for glob != "" {
		size, stands := 1, glob[:1]
		switch {
		case strings.HasPrefix(glob, "**/"):
			size, stands = 3, folder
		case strings.HasPrefix(glob, "**"):
			size, stands = 2, folder+"photo.jpg"
		case glob[0] == '*':
			stands = "name"
		case glob[0] == '?':
			stands = "x"
		case glob[0] == '\\' && len(glob) > 1:
			size, stands = 2, glob[1:2]
		case glob[0] == '[':
			size = max(strings.IndexByte(glob, ']')+1, 1)
			stands = oneOf(glob[:size])
		}
		b.WriteString(stands)
		glob = glob[size:]
	}
	return b.String()
}

// oneOf returns a character of a class such as "[a-z]" or "[^a-z]".
func oneOf(class string) string {
	for _, c := range class + "x0-" {
		if ok, err := doublestar.Match(class, string(c)); ok && err == nil {
			return string(c)
		}
	}
	return ""
}

// shows reports whether a key belongs to rule r and passes its globs.
func (t *Table) shows(r *Rule, key string) bool {
	return key != "" && t.lookup(r.Bucket, key) == r && r.admits(key)
}

// admits reports whether a key passes the globs of r.
func (r *Rule) admits(key string) bool {
	for c := range r.filters(Object{Key: key}) {
		if !c.passed && c.filter != "events" {
			return false
		}
	}
	return true
}

// Source is an object that a URL can show or, with Below, any object of the
// rule whose key begins with Key.
type Source struct {
	Rule        *Rule
	Spec        *Spec
	Bucket, Key string
	Below       bool
	Spelt       bool   // Spec.Spellings has the URL as it is written
	Spelling    string // the least value of Spec.Spellings that has it; "" where none has
	OddQuery    bool   // the URL has a query that is not one of Spec.Queries
}

// Refreshed reports whether a change of the object refreshes the URL as it is
// written.
func (s Source) Refreshed() bool { return s.Spelt && !s.OddQuery }

// Sources returns the objects that an absolute http or https URL can show
// according to t, in the order of the table. A URL that ends in "/" stands for
// any key below it where a target is of type Directory. The query and the
// fragment do not matter; a bare "+" in the path is a space, as it is for OSS.
// The error says what is wrong with the URL.
func Sources(t *Table, rawURL string) ([]Source, error) {
	p, ok := cutURL(rawURL)
	if !ok {
		return nil, fmt.Errorf(
			"reading the URL %q: it does not begin with https:// and a domain", rawURL)
	}
	var all []Source
	for i := range t.Rules {
		for j := range t.Rules[i].Targets {
			all = append(all, t.sources(&t.Rules[i], &t.Rules[i].Targets[j], p)...)
		}
	}
	return all, nil
}

// sources returns the objects of r that its target s shows at a place.
func (t *Table) sources(r *Rule, s *Spec, p place) []Source {
	if p.host != s.Domain {
		return nil
	}
	rest, ok := strings.CutPrefix(decode(p.path), s.Path)
	if !ok || hasDotSegment(rest) {
		return nil
	}
	if s.Type == Directory && strings.HasSuffix("/"+rest, "/") {
		return t.below(r, s, rest, p)
	}
	var all []Source
	for _, rest := range s.rests(rest) {
		key := s.StripPrefix + rest
		if t.shows(r, key) && !hasDotSegment(rest) {
			all = append(all, s.source(r, key, rest, p))
		}
	}
	return all
}

// rests returns the keys, their prefix stripped, of which s may show something
// at a path below its own.
func (s *Spec) rests(path string) []string {
	all := []string{path}
	if s.Type == Directory {
		return all
	}
	likely := []string{path + ".html"}
	for _, index := range s.Index {
		likely = append(likely, path+index, path+"/"+index)
	}
	for _, suffix := range s.Suffixes {
		key, _ := strings.CutSuffix(path, decode(suffix))
		likely = append(likely, key)
	}
	for _, rest := range likely {
		if !slices.Contains(all, rest) && s.asks(rest, path) {
			all = append(all, rest)
		}
	}
	return all
}

// asks reports whether one of the URLs of the object is of the path.
func (s *Spec) asks(rest, path string) bool {
	one := s.spelt(SpellCanonical)
	return slices.ContainsFunc(one.targets(nil, rest, Created), func(t Target) bool {
		p, _ := cutURL(t.URL)
		return decode(p.path) == s.Path+path
	})
}

// spelt returns s with another setting of Spellings.
func (s *Spec) spelt(setting string) Spec {
	one := *s
	one.Spellings = setting
	one.prepare()
	return one
}

// below returns the source for all keys of r that begin with a folder.
func (t *Table) below(r *Rule, s *Spec, dir string, p place) []Source {
	folder := s.StripPrefix + dir
	if strings.HasPrefix(r.Prefix, folder) {
		folder = r.Prefix
	}
	if t.lookup(r.Bucket, folder) != r {
		return nil
	}
	source := s.source(r, folder, dir, p)
	source.Below = true
	return []Source{source}
}

// source returns an object at a place, and what refreshes it there.
func (s *Spec) source(r *Rule, key, rest string, p place) Source {
	source := Source{Rule: r, Spec: s, Bucket: r.Bucket, Key: key}
	if s.Type == File && p.query != "" && !slices.Contains(s.Queries, p.query[1:]) {
		source.OddQuery = true
	}
	if s.Type != File || source.OddQuery {
		p.query = ""
	}
	for _, setting := range settingsFrom(SpellCanonical) {
		one := s.spelt(setting)
		targets := one.targets(nil, rest, Created)
		if slices.ContainsFunc(targets, func(t Target) bool { return t.covers(p.url()) }) {
			source.Spelling = setting
			break
		}
	}
	source.Spelt = source.Spelling != "" &&
		slices.Contains(settingsFrom(source.Spelling), s.Spellings)
	return source
}

// covers reports whether t refreshes a URL, without its query where t does not
// mind it.
func (t Target) covers(url string) bool {
	return t.URL == url || t.Type == Directory && strings.HasPrefix(url, t.URL)
}

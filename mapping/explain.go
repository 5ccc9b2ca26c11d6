package mapping

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Step is one thing that decided what became of an object.
type Step struct {
	Rule   *Rule
	Passed bool   // the rule is the object's, or its filter let the object through
	Text   string // `prefix "www/" is the longest that the key begins with`, `exclude "**/*.map" does not match`
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
	for c := range won.checks(o) {
		steps = append(steps, Step{won, c.passed, c.String()})
		if !c.passed {
			return steps
		}
	}
	for i, s := range won.Targets {
		if hasDotSegment(o.Key[len(s.StripPrefix):]) {
			steps = append(steps, Step{won, false, fmt.Sprintf("a browser cannot ask for targets[%d]: %s", i, dotSegment)})
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
		return fmt.Sprintf("prefix %s is shorter than %s on line %d", quote(r.Prefix), quote(won.Prefix), won.Line)
	}
	return fmt.Sprintf("the key does not begin with prefix %s", quote(r.Prefix))
}

// String says what the check came to.
func (c check) String() string {
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

// Sample returns a key that rule r maps and the URLs that its target s
// refreshes for it. The key is "" if no likely one passes the rule's filters.
func (r *Rule) Sample(s *Spec) (key string, urls []string) {
	var rests []string
	for _, name := range s.Index {
		rests = append(rests, "docs/"+name)
	}
	rests = append(rests, "docs/photo (1).jpg", "docs/index.html", "docs/setup.zip")
	globs := strings.NewReplacer("**/", "docs/", "**", "docs/photo.jpg", "*", "photo", "?", "x")
	for _, glob := range r.Include {
		rests = append(rests, globs.Replace(glob))
	}
	for _, rest := range rests {
		o := Object{Bucket: r.Bucket, Key: r.Prefix + rest, Event: Created}
		if !r.admits(o.Key) || hasDotSegment(o.Key) {
			continue
		}
		for _, t := range s.targets(nil, o.Key[len(s.StripPrefix):], Created) {
			urls = append(urls, t.URL)
		}
		return o.Key, urls
	}
	return "", nil
}

// admits reports whether a key passes the globs of r.
func (r *Rule) admits(key string) bool {
	for c := range r.checks(Object{Key: key}) {
		if !c.passed && c.filter != "events" {
			return false
		}
	}
	return true
}

// Warnings returns what is no fault and yet unlikely to be meant: a prefix of
// which nothing is stripped. An empty strip_prefix in the table says that it
// is meant.
func (t *Table) Warnings() Faults {
	var all Faults
	for i, r := range t.Rules {
		for j, s := range r.Targets {
			if r.Prefix == "" || s.StripPrefix != "" || s.stripNothing {
				continue
			}
			all = append(all, Fault{
				File: t.name, Line: s.Line, Path: fmt.Sprintf("rules[%d].targets[%d]", i, j),
				Message: fmt.Sprintf("the prefix %s stays in the URL: %s", quote(r.Prefix), join(s.root, r.Prefix)+"…"),
				Hint:    `set strip_prefix, or strip_prefix: "" if it is meant`,
			})
		}
	}
	return all
}

// Source is an object that a URL can show.
type Source struct {
	Rule        *Rule
	Spec        *Spec
	Bucket, Key string
}

// Sources returns the objects that an absolute http or https URL can show
// according to t, in the order of the table. The query and the fragment do not
// matter; a bare "+" in the path is a space, as it is for OSS. The error says
// what is wrong with the URL.
func Sources(t *Table, rawURL string) ([]Source, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("reading the URL: %w", err)
	}
	if u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("reading the URL %q: it does not begin with https:// and a domain", rawURL)
	}
	// RawPath is empty where it is what EscapedPath gives; otherwise only it
	// still tells "+" from "%2B".
	path, err := url.PathUnescape(strings.ReplaceAll(cmp.Or(u.RawPath, u.EscapedPath(), "/"), "+", "%20"))
	if err != nil {
		return nil, fmt.Errorf("reading the URL: %w", err)
	}
	var all []Source
	for i := range t.Rules {
		for j := range t.Rules[i].Targets {
			all = append(all, t.sources(&t.Rules[i], &t.Rules[i].Targets[j], strings.ToLower(u.Hostname()), path)...)
		}
	}
	return all, nil
}

// sources returns the objects of r that its target s shows at a path.
func (t *Table) sources(r *Rule, s *Spec, domain, path string) []Source {
	rest, ok := strings.CutPrefix(path, s.Path)
	if !ok || domain != s.Domain || hasDotSegment(rest) {
		return nil
	}
	keys := []string{s.StripPrefix + rest}
	if dir, name := cutName(rest); name == "" {
		for _, index := range s.Index {
			keys = append(keys, s.StripPrefix+dir+index)
		}
	}
	keys = slices.DeleteFunc(keys, func(key string) bool {
		return key == "" || t.lookup(r.Bucket, key) != r || !r.admits(key)
	})
	all := make([]Source, len(keys))
	for i, key := range keys {
		all[i] = Source{r, s, r.Bucket, key}
	}
	return all
}

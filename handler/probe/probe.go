// Package probe has the experiments that settle, for one domain and its bucket,
// what no document tells of the edge and of the refresh API:
//
//	site, err := probe.NewSite(table, "my-site", "www.example.com", "", time.Now())
//	plan := probe.NewPlan(site)   // questions, objects, URLs, and what it costs
//	run := probe.Run{Plan: plan}  // and the bucket, a node and the API
//	seen, err := run.Do(ctx)      // puts, visits, changes, refreshes, watches, removes
//	report := probe.Found(seen)   // answers, and the settings that follow
//
// All but [Run] is pure: it has no clock and asks nobody. Run asks the bucket, a
// node of the edge and the API through small interfaces.
//
// The package does not judge whether a copy is stale: [edge.Judge] does.
package probe

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"oss-cdn-refresh/mapping"
)

// FolderPrefix begins the name of the folder that holds all of a probe's objects.
const FolderPrefix = "oss-cdn-refresh-probe-"

// A Site is where the experiments take place.
type Site struct {
	Domain  string
	Product mapping.Product
	Bucket  string
	Folder  string // "www/oss-cdn-refresh-probe-20261125T044151Z/": no other key is touched

	// Handled says that the table's rule is for the folder's objects too: a function
	// that is deployed with it refreshes what the probe changes.
	Handled bool

	shown *mapping.Table // the rule, with canonical URLs only
}

// NewSite returns where the table shows objects of the bucket at the domain, in a
// folder below the prefix; with an empty one, below that of the first rule which
// does. The time, of UTC and to the second, is a part of the folder's name. The
// error is that the table shows none.
func NewSite(
	table *mapping.Table, bucket, domain, prefix string, at time.Time,
) (Site, error) {
	if prefix == "" {
		for _, r := range table.Rules {
			if r.Bucket == bucket && specOf(&r, domain) != nil {
				prefix = r.Prefix
				break
			}
		}
	}
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	s := Site{
		Domain: domain, Bucket: bucket,
		Folder: prefix + FolderPrefix + at.UTC().Format("20060102T150405Z") + "/",
	}
	match := table.Map(s.object("file.txt"))
	if match.Rule == nil || specOf(match.Rule, domain) == nil {
		return Site{}, fmt.Errorf("the table does not show %q of bucket %q at %s",
			s.Folder, bucket, domain)
	}
	for _, event := range []mapping.Event{mapping.Created, mapping.Modified, mapping.Removed} {
		o := s.object("file.txt")
		o.Event = event
		s.Handled = s.Handled || table.Map(o).Ignored == ""
	}
	spec := specOf(match.Rule, domain)
	s.Product = spec.Product
	var err error
	s.shown, err = tableOf(match.Rule, spec)
	if err == nil && len(s.shown.Map(s.object("file.txt")).Targets) == 0 {
		err = errors.New("a browser cannot ask for what is below " + s.Folder)
	}
	return s, err
}

func specOf(r *mapping.Rule, domain string) *mapping.Spec {
	for i := range r.Targets {
		if r.Targets[i].Domain == domain {
			return &r.Targets[i]
		}
	}
	return nil
}

// tableOf returns a table of one target, with what says where an object is shown
// and nothing else.
func tableOf(r *mapping.Rule, s *mapping.Spec) (*mapping.Table, error) {
	target := map[string]any{
		"domain": s.Domain, "strip_prefix": s.StripPrefix, "path": s.Path, "spellings": "canonical",
	}
	rule := map[string]any{"bucket": r.Bucket, "prefix": r.Prefix, "targets": []any{target}}
	text, err := json.Marshal(map[string]any{"rules": []any{rule}})
	if err != nil {
		return nil, err
	}
	return mapping.Parse("the table", text) // JSON is YAML
}

func (s Site) object(name string) mapping.Object {
	return mapping.Object{Bucket: s.Bucket, Key: s.Folder + name, Event: mapping.Created}
}

// name is the folder's own, which no other probe has.
func (s Site) name() string {
	return strings.TrimSuffix(s.Folder[strings.LastIndex(s.Folder, FolderPrefix):], "/")
}

// url returns the canonical URL of a name below the folder.
func (s Site) url(name string) string { return s.shown.Map(s.object(name)).Targets[0].URL }

// path returns what a URL has below the folder, in its spelling: it names neither
// the domain nor the bucket.
func (s Site) path(url string) string {
	folder := strings.TrimSuffix(s.url("x"), "x")
	segments := strings.SplitN(url, "/", strings.Count(folder, "/")+1)
	return segments[len(segments)-1]
}

package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"oss-cdn-refresh/mapping"
)

// An object is one of a bucket.
type object struct{ bucket, key string }

// marker reports whether the object stands for a directory: its key ends in a
// slash.
func (o object) marker() bool { return strings.HasSuffix(o.key, "/") }

const noIndex = "the table does not say which object is the directory's index page"

// A question is a URL to ask for, and the objects of which it may show one, the
// likeliest first.
type question struct {
	url       string
	objects   []object
	directory bool   // no object of the table is its index page
	unasked   string // why there is nothing to ask
}

// A verifyTable is the mapping table, read for what is shown where, whatever
// events refresh it.
type verifyTable struct {
	table   *mapping.Table // as written
	shown   *mapping.Table // the same rules, each object by URLs of its own
	buckets []string       // of the table
}

// newVerifyTable reads the table anew with type file, since a directory's URL
// shows none of its objects, and without what tells changes apart. With all, it
// has all spellings.
func newVerifyTable(table *mapping.Table, all bool) (verifyTable, error) {
	var rules []map[string]any
	text, err := json.Marshal(table.Rules)
	if err == nil {
		err = json.Unmarshal(text, &rules)
	}
	if err != nil {
		return verifyTable{}, err
	}
	for _, rule := range rules {
		delete(rule, "events")
		delete(rule, "skip_new")
		for _, target := range rule["targets"].([]any) {
			target := target.(map[string]any)
			delete(target, "type")
			delete(target, "force") // which only the other types have
			if all {
				target["spellings"] = "all"
			}
		}
	}
	if text, err = json.Marshal(map[string]any{"rules": rules}); err != nil {
		return verifyTable{}, err
	}
	shown, err := mapping.Parse("the table with --spellings all", text) // JSON is YAML
	return verifyTable{table, shown, buckets(table)}, err
}

// ofURL is the question of a URL.
func (t verifyTable) ofURL(full string) (question, error) {
	found, err := mapping.Sources(t.table, full)
	if err != nil {
		return question{}, err
	}
	q := question{url: full}
	for _, f := range found {
		if f.Below {
			q.directory = true
			continue
		}
		q.objects = append(q.objects, object{f.Bucket, f.Key})
	}
	q.order()
	if len(q.objects) == 0 {
		q.unasked = "no object of the table is shown there"
		if q.directory {
			q.unasked = noIndex
		}
	}
	return q, nil
}

// order puts index documents before the directory marker, which shows only
// where there is no index page.
func (q *question) order() {
	slices.SortStableFunc(q.objects, func(a, b object) int {
		switch {
		case a.marker() && !b.marker():
			return 1
		case b.marker() && !a.marker():
			return -1
		}
		return 0
	})
	if len(q.objects) > 0 && q.objects[0].marker() {
		q.directory = true
	}
}

// ofObject has the questions of an object: its URLs.
func (t verifyTable) ofObject(o object) []question {
	match := t.shown.Map(created(o))
	switch {
	case match.Rule == nil:
		return []question{{objects: []object{o}, unasked: noRule(t.buckets, o.bucket)}}
	case match.Ignored != "":
		return []question{{objects: []object{o}, unasked: "its rule passes it over: " + match.Ignored}}
	}
	var all []question
	for _, target := range match.Targets {
		q, err := t.ofURL(target.URL)
		if err != nil || !slices.Contains(q.objects, o) { // else other index pages come first
			q = question{url: target.URL, objects: []object{o}}
		}
		all = append(all, q)
	}
	return all
}

func created(o object) mapping.Object {
	return mapping.Object{Bucket: o.bucket, Key: o.key, Event: mapping.Created}
}

// respelt adds the other spellings of a URL: those of its objects, on its
// domain and with its query.
func (t verifyTable) respelt(q question) []question {
	all := []question{q}
	for _, o := range q.objects {
		for _, other := range t.ofObject(o) {
			if other.unasked == "" && sameMeaning(q.url, other.url) {
				all = append(all, other)
			}
		}
	}
	return all
}

// sameMeaning reports whether two URLs are spellings of one.
func sameMeaning(a, b string) bool {
	pathA, queryA, _ := strings.Cut(a, "?")
	pathB, queryB, _ := strings.Cut(b, "?")
	return queryA == queryB && decoded(pathA) == decoded(pathB)
}

// decoded is a URL without its encoding; a bare + is a space, as for OSS.
func decoded(address string) string {
	text, err := url.PathUnescape(strings.ReplaceAll(address, "+", "%20"))
	if err != nil {
		return address
	}
	return text
}

// processed reports whether a URL asks for an image that is made of the object:
// by a parameter (OSS: x-oss-process; CDN: image_process), or by a style behind
// its name.
func processed(address string, o object) bool {
	rest, query, _ := strings.Cut(address, "?")
	for _, name := range []string{"x-oss-process=", "image_process="} {
		if strings.HasPrefix(query, name) || strings.Contains(query, "&"+name) {
			return true
		}
	}
	shown, name := path.Base(decoded(rest)), path.Base(o.key)
	return !strings.HasSuffix(rest, "/") && shown != name && strings.HasPrefix(shown, name)
}

// target is what refreshes a URL: the file of it, as the table has its domain.
func (t verifyTable) target(q question) mapping.Target {
	target := urlTarget(mapping.DCDN, mapping.File, q.url, domainOf(q.url))
	if found, err := mapping.Sources(t.table, q.url); err == nil && len(found) > 0 {
		target.Product, target.Site = found[0].Spec.Product, found[0].Spec.Site
	}
	for _, o := range q.objects {
		match := t.shown.Map(created(o))
		for _, other := range match.Targets {
			if other.Domain == target.Domain {
				target.Product, target.Site = other.Product, other.Site
			}
		}
	}
	return target
}

// name is an object for people.
func (o object) name() string { return fmt.Sprintf("%s %s", shown(o.bucket), shown(o.key)) }

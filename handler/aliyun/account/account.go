// Package account works out what the domains of an account say about the mapping
// table: which bucket is the origin of which domain, and at which URL an object
// of it is shown.
//
//	r := account.Read(domain)      // what one domain says, or why it says nothing
//	text := account.Table(all)     // the table that follows, as YAML
//	account.Compare(file, table, all) // where a table differs from the account
//
// The package is pure: it asks nobody. It decides nothing that the account leaves
// open, such as several origins or a script at the edge.
package account

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/mapping"
)

// Functions are the settings that [Read] looks at ("Feature settings for a domain
// name", DCDN and CDN documentation). None of them holds a secret: the keys of
// private buckets change nothing about a refresh, and are not asked for.
var Functions = []string{
	"oss_auth", "set_req_host_header", "origin_host",
	"back_to_origin_url_rewrite", "host_redirect",
	"self_defined_cachekey", "rewrite_host", "set_hashkey_args", "ali_remove_args",
	"advanced_origin", "origin_dns_host", "source_group",
	"edge_function", "edgeroutine",
	"filetype_based_ttl_set", "path_based_ttl_set",
}

// undecidable are the functions that may send each request to another origin or
// path, or make a cache key of their own, and what to call them.
var undecidable = map[string]string{
	"advanced_origin":       "it has origins by condition",
	"origin_dns_host":       "the address of its origin is another one",
	"source_group":          "it has groups of origins",
	"self_defined_cachekey": "it has cache keys of its own",
	"edge_function":         "a script runs at the edge",
	"edgeroutine":           "a routine runs at the edge",
}

// A Domain is a domain of the account with its settings.
type Domain struct {
	aliyun.Domain
	Product mapping.Product
	Site    int64           // ESA only
	Configs []aliyun.Config // those of Functions; of ESA none, which has rules of its own
	Unread  string          // why there are no Configs; empty: they were read
}

// MayHaveBucket reports whether the settings of a domain can make it one whose
// origin is a bucket.
func MayHaveBucket(d aliyun.Domain) bool {
	return d.Status == "online" && slices.ContainsFunc(d.Sources, func(s aliyun.Source) bool {
		return s.Type == "oss" || s.Type == "domain"
	})
}

// A Verdict says what there is to make of a domain.
type Verdict int

const (
	Decided    Verdict = iota // it belongs into the table
	Undecided                 // its origin may be a bucket, but where an object is shown depends
	NoBucket                  // its origin is not a bucket
	NotServing                // it is offline, or not ready yet
)

// A Reading is what a domain says about the table.
type Reading struct {
	Domain  string
	Product mapping.Product
	Site    int64 // ESA only
	Verdict Verdict
	Reason  string // of a verdict that is not Decided, as the end of a sentence

	Bucket  string   // the origin; empty unless there is just one
	Origin  string   // how the bucket is known
	Buckets []string // those that may be the origin
	Mounts  []Mount  // of the bucket, at least one if Decided
	Index   []Index

	Queries Queries
	Brief   []TTL
	Notes   []string // what else there is to know, as whole sentences
}

// A Mount says that the keys that begin with Key are shown below Path.
type Mount struct {
	Key  string // "site/"
	Path string // "/"
	By   string // the setting that does it; empty: none, the path is the key
}

// An Index is an index document, and the setting that shows it.
type Index struct{ Name, By string }

// Queries say which parameters of a query make another object of the cache.
type Queries struct {
	Ignored bool     // none does
	Kept    []string // only these do, unless there are none
	Removed []string // these do not
}

// Ignores reports whether no parameter of a query makes another object.
func (q Queries) Ignores(query string) bool {
	for parameter := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(parameter, "=")
		switch {
		case q.Ignored || slices.Contains(q.Removed, name):
		case q.Kept == nil || slices.Contains(q.Kept, name):
			return false
		}
	}
	return true
}

// A TTL is a time so short that no refresh is needed.
type TTL struct {
	Seconds   int
	Path      string   // below which it holds; empty: it holds for Types
	FileTypes []string // "html"
}

// Read tells what a domain says about the table.
func Read(d Domain) Reading {
	r := Reading{Domain: d.Name, Product: d.Product, Site: d.Site}
	switch {
	case d.Status == "not proxied":
		return r.not(NotServing, "ESA only resolves its name: it is not proxied")
	case d.Status != "online":
		return r.not(NotServing, "its status is "+d.Status)
	case strings.HasPrefix(d.Name, ".") || strings.HasPrefix(d.Name, "*"):
		r.findBucket(d)
		return r.not(max(r.Verdict, Undecided),
			"it is a wildcard: the table needs each name that people ask for")
	case d.Unread != "" && MayHaveBucket(d.Domain):
		r.findBucket(d)
		r.Bucket, r.Reason = "", "" // a setting that was not read may name another one
		return r.not(Undecided, "its settings could not be read: "+d.Unread)
	}
	if r.findBucket(d); r.Verdict == NoBucket {
		return r
	}
	if d.Product == mapping.ESA {
		r.note("The rules of its site were not read: where they rewrite paths, add strip_prefix and path.")
	}
	r.findWhatDepends(d)
	r.findRewrites(d)
	r.findCacheKey(d)
	r.findTTLs(d)
	if r.Verdict == Decided {
		r.checkNames()
	}
	return r
}

// not gives the verdict and a reason for it. Reasons add up.
func (r *Reading) not(v Verdict, reason string) Reading {
	if r.Verdict = v; r.Reason != "" && reason != "" {
		reason = r.Reason + "; " + reason
	}
	r.Reason = reason
	return *r
}

// inForce yields the settings of a function that is not switched off.
func (d Domain) inForce(function string) []aliyun.Config {
	var all []aliyun.Config
	for _, c := range d.Configs {
		if c.Function == function && c.Args["enable"] != "off" {
			all = append(all, c)
		}
	}
	return all
}

// always returns the settings of a function that hold for every request.
func (d Domain) always(function string) []aliyun.Config {
	return slices.DeleteFunc(d.inForce(function), func(c aliyun.Config) bool {
		return c.Parent != "" || c.Status != "success"
	})
}

// findWhatDepends looks for settings that leave open where an object is shown.
func (r *Reading) findWhatDepends(d Domain) {
	for _, function := range Functions {
		for _, c := range d.inForce(function) {
			why := undecidable[function]
			switch {
			case why != "":
			case !decides(function):
				continue
			case c.Status != "success":
				why = "a setting is " + c.Status
			case c.Parent != "":
				why = "a setting depends on a condition"
			default:
				continue
			}
			r.not(Undecided, why+" ("+function+")")
			break // the next function
		}
	}
}

// decides reports whether a function decides which object a URL shows.
func decides(function string) bool {
	switch function {
	case "set_req_host_header", "origin_host", "back_to_origin_url_rewrite":
		return true
	}
	return false
}

// findCacheKey looks for what makes several URLs one object of the cache.
func (r *Reading) findCacheKey(d Domain) {
	for _, c := range d.always("set_hashkey_args") {
		kept := c.Args["hashkey_args"]
		switch {
		case kept != "": // which outranks disable
			r.Queries.Kept = split(kept)
			r.note("In the cache key only these queries count (set_hashkey_args): %s.", kept)
		case c.Args["disable"] == "on":
			r.Queries.Ignored = true
			r.note("The cache key ignores queries (set_hashkey_args): no queries are needed.")
		}
	}
	for _, c := range d.always("ali_remove_args") {
		r.Queries.Removed = split(c.Args["ali_remove_args"])
		r.note("The cache key leaves these queries out (ali_remove_args): %s.", c.Args["ali_remove_args"])
	}
	for _, c := range d.inForce("rewrite_host") {
		r.note("It shares its cache with another domain (rewrite_host): %s.", c.Args["share_host"])
	}
	for _, c := range d.inForce("host_redirect") {
		if flag := c.Args["flag"]; flag == "redirect" || flag == "enhance_redirect" {
			continue // the browser asks for another URL
		}
		r.note("Before the cache, %s becomes %s (host_redirect): the rewritten URL is refreshed.",
			c.Args["regex"], c.Args["replacement"])
	}
}

func (r *Reading) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// briefly is a time in seconds. What is kept for less needs no refresh
// ("Refresh and prefetch resources", CDN documentation).
const briefly = 300

// findTTLs looks for times that are so short that no refresh is needed. A longer
// time of the same or a greater weight may be the one that holds.
func (r *Reading) findTTLs(d Domain) {
	heaviest := -1 // weight of a longer time
	var brief []aliyun.Config
	for _, function := range []string{"filetype_based_ttl_set", "path_based_ttl_set"} {
		for _, c := range d.inForce(function) {
			ttl, err := strconv.Atoi(c.Args["ttl"])
			sure := err == nil && c.Parent == "" && c.Status == "success" &&
				c.Args["swift_origin_cache_high"] != "on"
			if sure && ttl < briefly {
				brief = append(brief, c)
				continue
			}
			weight, _ := strconv.Atoi(c.Args["weight"])
			heaviest = max(heaviest, weight)
		}
	}
	for _, c := range brief {
		if weight, _ := strconv.Atoi(c.Args["weight"]); weight <= heaviest {
			continue
		}
		seconds, _ := strconv.Atoi(c.Args["ttl"])
		ttl := TTL{Seconds: seconds, Path: c.Args["path"]}
		if ttl.Path == "" {
			ttl.FileTypes = split(c.Args["file_type"])
		}
		r.Brief = append(r.Brief, ttl)
	}
}

// split reads a list, which has commas or spaces between its members.
func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// checkNames makes sure that the table takes the domain and the bucket.
func (r *Reading) checkNames() {
	text := fmt.Sprintf("rules: [{bucket: %s, targets: [{domain: %s}]}]",
		quoted(r.Bucket), quoted(r.Domain))
	if _, err := mapping.Parse("the table", []byte(text)); err != nil {
		r.not(Undecided, "the table does not take its name or its bucket's: "+err.Error())
	}
}

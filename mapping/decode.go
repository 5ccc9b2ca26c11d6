package mapping

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// field is one key of a YAML mapping and how its value is read into a T.
type field[T any] struct {
	name     string
	required string // what a missing one should say; "" if it may be missing
	decode   func(d *decoder, n *yaml.Node, into *T)
}

var tableFields = []field[Table]{
	{"rules", "a list of rules", func(d *decoder, n *yaml.Node, t *Table) { t.Rules = list(d, n, (*decoder).rule) }},
	{"refresh", "", func(d *decoder, n *yaml.Node, t *Table) { object(d, n, refreshFields, &t.Refresh) }},
}

var ruleFields = []field[Rule]{
	{"bucket", "the exact name of the bucket", func(d *decoder, n *yaml.Node, r *Rule) { r.Bucket = d.text(n, checkBucket) }},
	{"prefix", "", func(d *decoder, n *yaml.Node, r *Rule) { r.Prefix = d.text(n, checkPrefix) }},
	{"include", "", func(d *decoder, n *yaml.Node, r *Rule) { r.Include = d.texts(n, checkGlob) }},
	{"exclude", "", func(d *decoder, n *yaml.Node, r *Rule) { r.Exclude = d.texts(n, checkGlob) }},
	{"events", "", func(d *decoder, n *yaml.Node, r *Rule) { r.Events = choices(d, n, events) }},
	{"skip_new", "", func(d *decoder, n *yaml.Node, r *Rule) { r.SkipNew = d.flag(n) }},
	{"targets", "a list of targets", func(d *decoder, n *yaml.Node, r *Rule) { r.Targets = list(d, n, (*decoder).spec) }},
}

var specFields = []field[Spec]{
	{"domain", acceptedDomain, func(d *decoder, n *yaml.Node, s *Spec) { s.Domain = d.domain(n) }},
	{"product", "", func(d *decoder, n *yaml.Node, s *Spec) { s.Product = choice(d, n, products) }},
	{"site", "", func(d *decoder, n *yaml.Node, s *Spec) { s.Site = d.site(n) }},
	{"strip_prefix", "", func(d *decoder, n *yaml.Node, s *Spec) {
		s.StripPrefix = d.text(n, checkPrefix)
		s.stripNothing = n.Value == ""
	}},
	{"path", "", func(d *decoder, n *yaml.Node, s *Spec) { s.Path = d.text(n, checkPath) }},
	{"index", "", func(d *decoder, n *yaml.Node, s *Spec) { s.Index = d.texts(n, checkIndex) }},
	{"queries", "", func(d *decoder, n *yaml.Node, s *Spec) { s.Queries = d.texts(n, checkQuery) }},
	{"suffixes", "", func(d *decoder, n *yaml.Node, s *Spec) { s.Suffixes = d.texts(n, checkSuffix) }},
	{"index_without_slash", "", func(d *decoder, n *yaml.Node, s *Spec) { s.IndexWithoutSlash = d.flag(n) }},
	{"clean_urls", "", func(d *decoder, n *yaml.Node, s *Spec) { s.CleanURLs = d.flag(n) }},
	{"type", "", func(d *decoder, n *yaml.Node, s *Spec) { s.Type = choice(d, n, types) }},
	{"force", "", func(d *decoder, n *yaml.Node, s *Spec) { s.Force = d.flag(n) }},
	{"spellings", "", func(d *decoder, n *yaml.Node, s *Spec) {
		s.Spellings = choice(d, n, spellings)
		s.chosen = true
	}},
}

var refreshFields = []field[Refresh]{
	number("fold", func(r *Refresh) *int { return &r.Fold }),
	{"on_quota_exceeded", "", func(d *decoder, n *yaml.Node, r *Refresh) { r.OnQuotaExceeded = choice(d, n, onQuota) }},
	{"unmatched", "", func(d *decoder, n *yaml.Node, r *Refresh) { r.Unmatched = choice(d, n, onUnmatched) }},
	{"limits", "", func(d *decoder, n *yaml.Node, r *Refresh) { object(d, n, limitFields, &r.Limits) }},
	{"calls_per_second", "", func(d *decoder, n *yaml.Node, r *Refresh) { object(d, n, callFields, &r.CallsPerSecond) }},
}

var limitFields = []field[Limits]{
	number("urls_per_request", func(l *Limits) *int { return &l.URLsPerRequest }),
	number("urls_per_domain", func(l *Limits) *int { return &l.URLsPerDomain }),
	number("domains_per_request", func(l *Limits) *int { return &l.DomainsPerRequest }),
	number("directories_per_request", func(l *Limits) *int { return &l.DirectoriesPerRequest }),
	number("request_bytes", func(l *Limits) *int { return &l.RequestBytes }),
	{"esa", "", func(d *decoder, n *yaml.Node, l *Limits) { object(d, n, esaLimitFields, &l.ESA) }},
}

var esaLimitFields = []field[ESALimits]{
	number("esa.urls_per_request", func(l *ESALimits) *int { return &l.URLsPerRequest }),
	number("esa.domains_per_request", func(l *ESALimits) *int { return &l.DomainsPerRequest }),
	number("esa.directories_per_request", func(l *ESALimits) *int { return &l.DirectoriesPerRequest }),
	number("esa.ignore_params_per_request", func(l *ESALimits) *int { return &l.IgnoreParamsPerRequest }),
	number("esa.request_bytes", func(l *ESALimits) *int { return &l.RequestBytes }),
}

var callFields = []field[CallsPerSecond]{
	number("dcdn", func(c *CallsPerSecond) *int { return &c.DCDN }),
	number("cdn", func(c *CallsPerSecond) *int { return &c.CDN }),
	number("esa", func(c *CallsPerSecond) *int { return &c.ESA }),
}

// word is a value of a closed set and its spelling in the table. The first of
// a set is the default.
type word[T ~string] struct {
	name  string
	value T
}

var (
	events    = []word[Event]{{"created", Created}, {"removed", Removed}, {"modified", Modified}}
	products  = []word[Product]{{"dcdn", DCDN}, {"cdn", CDN}, {"esa", ESA}}
	types     = []word[Type]{{"file", File}, {"directory", Directory}, {"ignore_params", IgnoreParams}}
	spellings = []word[string]{
		{SpellCommon, SpellCommon}, {SpellCanonical, SpellCanonical}, {SpellAll, SpellAll},
	}
	onUnmatched = []word[string]{{UnmatchedWarn, UnmatchedWarn}, {UnmatchedFail, UnmatchedFail}}
	onQuota     = []word[string]{{QuotaFail, QuotaFail}, {QuotaDirectory, QuotaDirectory}}
)

// decoder reads YAML nodes and collects what is wrong with them.
type decoder struct {
	file   string
	path   []step // to the value being read
	faults Faults
}

// step is one part of a path: a key, or the index of a list where key is "".
type step struct {
	key   string
	index int
}

// fault notes what is wrong with the value at n.
func (d *decoder) fault(n *yaml.Node, hint, format string, args ...any) {
	if len(d.faults) == maxFaults {
		return
	}
	var path strings.Builder
	for i, s := range d.path {
		switch {
		case s.key == "":
			fmt.Fprintf(&path, "[%d]", s.index)
		case i > 0:
			path.WriteString("." + s.key)
		default:
			path.WriteString(s.key)
		}
	}
	d.faults = append(d.faults, Fault{
		File: d.file, Line: n.Line, Column: n.Column,
		Path: path.String(), Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// in runs read with s at the end of the path.
func (d *decoder) in(s step, read func()) {
	d.path = append(d.path, s)
	read()
	d.path = d.path[:len(d.path)-1]
}

func (d *decoder) rule(n *yaml.Node, r *Rule) {
	r.Line = n.Line
	object(d, n, ruleFields, r)
	if d.isFaulty(child(n, "prefix")) {
		return // a strip_prefix can only be judged beside the prefix that was meant
	}
	for i, s := range r.Targets {
		problem, hint := checkStrip(s.StripPrefix, r.Prefix)
		if problem == "" {
			continue
		}
		at := child(child(n, "targets").Content[i], "strip_prefix")
		if d.isFaulty(at) {
			continue
		}
		d.path = append(d.path, step{key: "targets"}, step{index: i}, step{key: "strip_prefix"})
		d.fault(at, hint, "%s", problem)
		d.path = d.path[:len(d.path)-3]
	}
}

// isFaulty reports whether a fault of n was noted.
func (d *decoder) isFaulty(n *yaml.Node) bool {
	return n != nil && slices.ContainsFunc(d.faults, func(f Fault) bool {
		return f.Line == n.Line && f.Column == n.Column
	})
}

// domain reads a domain. Of one beyond ASCII the fault says what was meant.
func (d *decoder) domain(n *yaml.Node) string {
	before := len(d.faults)
	s := d.text(n, checkDomain)
	if len(d.faults) > before {
		if _, host := CheckDomain(s); !ascii(host) {
			d.faults[before].Domain = host
		}
	}
	return s
}

func (d *decoder) spec(n *yaml.Node, s *Spec) {
	*s = Spec{Line: n.Line, Product: DCDN, Path: "/", Type: File, Spellings: SpellCommon}
	object(d, n, specFields, s)
	s.prepare()
	d.checkSite(n, s)
	switch s.Type {
	case File:
		d.refuse(n, "force", "it belongs to types directory and ignore_params")
	case Directory:
		d.refuse(n, "queries", "it belongs to types file and ignore_params")
		d.refuse(n, "suffixes", "it belongs to types file and ignore_params")
	}
	if s.Type == Directory || s.Type == IgnoreParams {
		d.refuse(n, "index", "it belongs to type file")
		d.refuse(n, "index_without_slash", "it belongs to type file")
		d.refuse(n, "clean_urls", "it belongs to type file")
	}
	if s.IndexWithoutSlash && s.Type == File && child(n, "index") == nil {
		d.in(step{key: "index_without_slash"}, func() {
			d.fault(child(n, "index_without_slash"), "set index too", "the target has no index")
		})
	}
	if most := s.MostURLs(); most > maxURLs {
		d.fault(n, s.fewer(), "one key can have %d URLs, of which %d are the most", most, maxURLs)
	}
}

const acceptedSite = "the id of the domain's site, a whole number that ESA's console shows"

// site reads the id of a site.
func (d *decoder) site(n *yaml.Node) int64 {
	id, err := strconv.ParseInt(n.Value, 10, 64)
	if n.ShortTag() != "!!int" || err != nil || id < 1 {
		d.fault(n, "accepted: "+acceptedSite, "is %s", shown(n))
		return 0
	}
	return id
}

// checkSite faults a target of ESA without a site, and a site of another product.
func (d *decoder) checkSite(n *yaml.Node, s *Spec) {
	if (s.Product == ESA) == (s.Site != 0) {
		return
	}
	site := child(n, "site")
	d.in(step{key: "site"}, func() {
		switch {
		case site == nil:
			d.fault(n, "required with product esa: "+acceptedSite, "is missing")
		case s.Product == DCDN, s.Product == CDN: // else the product or the site has its fault
			d.fault(site, "it belongs to product esa", "has no meaning for product %s", s.Product)
		}
	})
}

// maxURLs bounds what one key can cost.
const maxURLs = 200

// MostURLs is how many URLs a key can have, those included that are submitted
// where the API refuses IgnoreParams.
func (s *Spec) MostURLs() int {
	pages := 1 + len(s.Suffixes)
	switch {
	case s.IndexWithoutSlash && s.Index != nil:
		pages += 2
	case s.CleanURLs || s.Index != nil:
		pages++
	}
	return pages * (1 + len(s.Queries)) * (1 + bits.OnesCount16(uint16(s.respellings)))
}

// fewer says what would bring MostURLs down.
func (s *Spec) fewer() string {
	hint := "divide the queries or suffixes among several targets of the domain"
	if s.Spellings != SpellCanonical {
		hint += ", or set spellings: " + SpellCanonical
		if s.Spellings == SpellAll {
			hint += " or " + SpellCommon
		}
	}
	return hint
}

// refuse faults a key that makes no sense beside the target's type.
func (d *decoder) refuse(n *yaml.Node, key, why string) {
	if c := child(n, key); c != nil {
		d.in(step{key: key}, func() { d.fault(c, why, "has no meaning for this target's type") })
	}
}

// object reads the mapping n into the fields of a T. A key that is misspelt is
// read all the same, so that one mistake is one fault.
func object[T any](d *decoder, n *yaml.Node, fields []field[T], into *T) {
	if !d.is(n, aMapping) {
		return
	}
	seen := make([]bool, len(fields))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		at := slices.IndexFunc(fields, func(f field[T]) bool { return f.name == key.Value })
		if at < 0 || key.Kind != yaml.ScalarNode {
			meant, value := d.unknown(key, n.Content[i+1], names(fields))
			if meant == "" || child(n, meant) != nil {
				continue
			}
			key.Value, n.Content[i+1] = meant, value
			at = slices.Index(names(fields), meant)
		}
		if seen[at] {
			hint := map[string]string{
				"bucket": `begin a new rule with "- "`, "domain": `begin a new target with "- "`,
			}[key.Value]
			d.fault(key, hint, "the key %s is given twice", quote(key.Value))
			continue
		}
		seen[at] = true
		value := n.Content[i+1]
		d.in(step{key: key.Value}, func() { fields[at].decode(d, value, into) })
	}
	for i, f := range fields {
		if f.required != "" && !seen[i] {
			d.in(step{key: f.name}, func() { d.fault(n, "required: "+f.required, "is missing") })
		}
	}
}

func names[T any](fields []field[T]) []string {
	var all []string
	for _, f := range fields {
		all = append(all, f.name)
	}
	return all
}

// unknown faults a key that is not accepted, and returns the one that was meant
// and its value; "" where that is not known.
func (d *decoder) unknown(key, value *yaml.Node, accepted []string) (meant string, _ *yaml.Node) {
	hint := "accepted: " + strings.Join(accepted, ", ")
	if key.Kind != yaml.ScalarNode {
		d.fault(key, hint, "a key is %s", kindOf(key))
		return "", value
	}
	if m, ok := mistypedKey(key.Value, accepted); ok {
		d.fault(key, m.hint(), "%s", m.problem)
		if m.value != "" { // which YAML has read into the key
			text := *key
			text.Value, text.Tag = m.value, ""
			value = &text
		}
		return m.key, value
	}
	near := Nearest(key.Value, accepted)
	if near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	d.fault(key, hint, "unknown key %s", quote(key.Value))
	return near, value
}

// child returns the value of a key of the mapping n; nil if it has none.
func child(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Kind == yaml.ScalarNode && n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// list reads the items of the list n, of which there must be one at least.
func list[T any](d *decoder, n *yaml.Node, read func(d *decoder, n *yaml.Node, into *T)) []T {
	if !d.is(n, aList) {
		return nil
	}
	if len(n.Content) == 0 {
		d.fault(n, "write at least one", "is an empty list")
	}
	items := make([]T, len(n.Content))
	for i, item := range n.Content {
		d.in(step{index: i}, func() { read(d, item, &items[i]) })
	}
	return items
}

// distinct reads a list of short values, of which no two may be the same. It
// may be missing, but not empty, which could mean all as well as none.
func distinct[T comparable](d *decoder, n *yaml.Node, read func(*yaml.Node) T) []T {
	switch kind := kindOf(n); {
	case kind == aString:
		items := globsOf(n.Value)
		if items == nil && !strings.Contains(n.Value, "{") {
			items = listItems(n.Value, separator)
		}
		if items == nil {
			items = []string{n.Value}
		}
		d.fault(n, "write a list: "+listOf(items), "is %s", shown(n))
		return nil
	case kind == aList && len(n.Content) == 0:
		d.fault(n, "write at least one, or leave the key out", "is an empty list")
		return nil
	}
	seen := map[T]bool{}
	return list(d, n, func(d *decoder, item *yaml.Node, into *T) {
		before := len(d.faults)
		*into = read(item)
		if len(d.faults) > before { // it is not known what was meant
			return
		}
		if seen[*into] {
			d.fault(item, "leave it out", "%s is given twice", quote(item.Value))
		}
		seen[*into] = true
	})
}

// text reads a string that check finds nothing wrong with.
func (d *decoder) text(n *yaml.Node, check func(string) (problem, hint string)) string {
	s := asText(n)
	problem, hint := check(s)
	if hasVariable(s) {
		problem, hint = "has a variable, and the table knows no variables", "write the value itself"
	}
	if (s == n.Value || problem == "") && !d.is(n, aString) {
		return s
	}
	if problem != "" {
		d.fault(n, hint, "%s %s", quote(s), problem)
	}
	return n.Value
}

// asText returns the text that a scalar was written as, or "?v=1" for the
// mapping that YAML reads from that in a list.
func asText(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode && n.Style == yaml.FlowStyle &&
		len(n.Content) == 2 && kindOf(n.Content[1]) == "empty" {
		return "?" + n.Content[0].Value
	}
	return n.Value
}

func (d *decoder) texts(n *yaml.Node, check func(string) (problem, hint string)) []string {
	return distinct(d, n, func(item *yaml.Node) string { return d.text(item, check) })
}

func choice[T ~string](d *decoder, n *yaml.Node, words []word[T]) (v T) {
	if !d.is(n, aString) {
		return v
	}
	var accepted []string
	for _, w := range words {
		if w.name == n.Value {
			return w.value
		}
		accepted = append(accepted, w.name)
	}
	hint := "accepted: " + strings.Join(accepted, ", ")
	values := listItems(n.Value, separatorOrBlank)
	refused := func(s string) bool { return !slices.Contains(accepted, s) }
	if len(values) > 1 && !slices.ContainsFunc(values, refused) {
		hint = "write " + listOf(values)
	} else if near := Nearest(alias(asMeant(n.Value)), accepted); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	d.fault(n, hint, "%s is not one of the values", quote(n.Value))
	return v
}

// alias returns the word of the table for one that people write in its place.
func alias(word string) string {
	word = strings.ReplaceAll(strings.ToLower(word), "-", "_")
	switch word {
	case "deleted", "delete":
		return "removed"
	case "updated", "overwritten", "uploaded", "put":
		return "created"
	case "dir", "folder":
		return "directory"
	case "url":
		return "file"
	}
	return word
}

func choices[T ~string](d *decoder, n *yaml.Node, words []word[T]) []T {
	return distinct(d, n, func(item *yaml.Node) T { return choice(d, item, words) })
}

func (d *decoder) flag(n *yaml.Node) bool {
	return d.is(n, aBool) && strings.EqualFold(n.Value, "true")
}

// number is a field that holds a whole number within the bounds of its name. In
// a mapping of a product, that name begins with the product.
func number[T any](name string, at func(*T) *int) field[T] {
	key := name[strings.LastIndexByte(name, '.')+1:]
	return field[T]{key, "", func(d *decoder, n *yaml.Node, into *T) {
		b := bounds[name]
		v, err := strconv.Atoi(n.Value)
		if n.ShortTag() != "!!int" || err != nil || v < b.min || v > b.max {
			hint := fmt.Sprintf("accepted: a whole number from %d to %d", b.min, b.max)
			d.fault(n, hint, "is %s", shown(n))
			return
		}
		*at(into) = v
	}}
}

// The kinds of value, as faults call them.
const (
	aMapping = "a mapping"
	aList    = "a list"
	aString  = "a string"
	aBool    = "true or false"
)

// is reports whether n is of a kind, and faults it otherwise. An alias is of
// none, so that no table can expand into more than is written.
func (d *decoder) is(n *yaml.Node, kind string) bool {
	if kindOf(n) == kind {
		return true
	}
	hint := "accepted: " + kind
	switch s, tag := asText(n), n.ShortTag(); {
	case s == "" && strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!"):
		hint = hintBang + "'" + tag + "'"
	case kind == aString && kindOf(n) == aList:
		hint = d.oneEach()
	case kind == aString && s != "" && kindOf(n) != "empty":
		hint = "write it in quotes: " + quote(s)
	}
	d.fault(n, hint, "is %s", shown(n))
	return false
}

// oneEach says what to do about a list where one value belongs.
func (d *decoder) oneEach() string {
	switch key := d.path[len(d.path)-1].key; key {
	case "bucket", "prefix":
		return "write a rule for each " + key
	case "domain", "strip_prefix", "path", "type", "product":
		return "write a target for each " + key
	}
	return "accepted: " + aString
}

// shown is n as a fault describes it: a short scalar as written, otherwise its
// kind.
func shown(n *yaml.Node) string {
	kind := kindOf(n)
	if kind == aString {
		return quote(n.Value)
	}
	if n.Kind != yaml.ScalarNode || kind == "empty" {
		return kind
	}
	return fmt.Sprintf("%s (%s)", quote(n.Value), kind)
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return aMapping
	case yaml.SequenceNode:
		return aList
	case yaml.AliasNode:
		return "an alias (aliases are not supported)"
	}
	switch tag := n.ShortTag(); tag {
	case "!!str":
		return aString
	case "!!bool":
		if v := strings.ToLower(n.Value); v == "true" || v == "false" {
			return aBool
		}
		return "tagged " + tag
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	case "!!null":
		return "empty"
	default:
		return "tagged " + tag
	}
}

package account

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"oss-cdn-refresh/mapping"
)

// A Finding is what there is to say about a target of a table.
type Finding struct {
	mapping.Fault
	Differs bool // it loses a refresh, or spends quota on nothing; else it is a remark
}

// Compare tells where a table differs from what the domains of the account say.
// File is the table's name. The findings are in the order of the table.
func Compare(file string, table *mapping.Table, readings []Reading) []Finding {
	c := comparison{file: file, table: table, readings: readings}
	for i := range table.Rules {
		for j := range table.Rules[i].Targets {
			c.target(place{i, j})
		}
		c.absent(i)
	}
	c.unlisted()
	return c.findings
}

type comparison struct {
	file     string
	table    *mapping.Table
	readings []Reading
	findings []Finding
}

// A place is that of a target in the table.
type place struct{ rule, target int }

// differs adds what is wrong with a target, and what to write.
func (c *comparison) differs(at place, hint, format string, args ...any) {
	c.remark(at, hint, format, args...)
	c.findings[len(c.findings)-1].Differs = true
}

// remark adds what is worth knowing about a target.
func (c *comparison) remark(at place, hint, format string, args ...any) {
	c.findings = append(c.findings, Finding{Fault: mapping.Fault{
		File: c.file, Line: c.spec(at).Line,
		Path:    fmt.Sprintf("rules[%d].targets[%d]", at.rule, at.target),
		Message: oneLine(fmt.Sprintf(format, args...)), Hint: oneLine(hint),
	}})
}

func (c *comparison) spec(at place) *mapping.Spec {
	return &c.table.Rules[at.rule].Targets[at.target]
}

// target compares a target with its domain.
func (c *comparison) target(at place) {
	rule, spec := &c.table.Rules[at.rule], c.spec(at)
	r := c.find(spec.Domain, spec.Product)
	switch {
	case r == nil:
		c.stranger(at)
	case r.Site != spec.Site:
		c.differs(at, fmt.Sprintf("write site: %d", r.Site),
			"%s does not belong to the site %d", spec.Domain, spec.Site)
	case r.Verdict == NotServing:
		c.differs(at, "run this again when it is online, or take the target out",
			"%s is not in service: %s", spec.Domain, r.Reason)
	case r.Verdict == NoBucket:
		c.differs(at, "take the target out, or make the bucket its origin",
			"%s does not show the bucket %s: %s", spec.Domain, rule.Bucket, r.Reason)
	case r.Verdict == Undecided && len(r.Buckets) > 0 && !slices.Contains(r.Buckets, rule.Bucket),
		r.Verdict == Decided && r.Bucket != rule.Bucket:
		c.differs(at, "write bucket: "+strings.Join(r.Buckets, " or "),
			"%s does not show the bucket %s", spec.Domain, rule.Bucket)
	case r.Verdict == Undecided && r.Domain != spec.Domain:
		c.remark(at, "", "%s is not compared: the account has it as the wildcard %s",
			spec.Domain, r.Domain)
	case r.Verdict == Undecided:
		c.remark(at, "", "%s is not compared: %s", spec.Domain, r.Reason)
	case spec.Product == mapping.ESA:
		// Its rules, which were not read, may show an object at any path.
	default:
		c.path(at, r)
		if !c.differing(at) {
			c.index(at, r)
		}
		c.queries(at, r)
		c.brief(at, r)
	}
}

// find returns what is known of a domain: by its name or by a wildcard.
func (c *comparison) find(domain string, product mapping.Product) *Reading {
	var found *Reading
	for i := range c.readings {
		r := &c.readings[i]
		_, parent, _ := strings.Cut(domain, ".")
		switch {
		case r.Product != product:
		case r.Domain == domain:
			return r
		case strings.TrimLeft(r.Domain, "*.") == parent && r.Domain != parent:
			found = r
		}
	}
	return found
}

// stranger tells of a domain that the account does not have of the product.
func (c *comparison) stranger(at place) {
	spec := c.spec(at)
	for _, product := range []mapping.Product{mapping.DCDN, mapping.CDN, mapping.ESA} {
		r := c.find(spec.Domain, product)
		if product == spec.Product || r == nil {
			continue
		}
		write := "write product: " + string(product)
		if r.Site != 0 {
			write += fmt.Sprintf(" and site: %d", r.Site)
		}
		c.differs(at, write, "%s is a domain of %s", spec.Domain, strings.ToUpper(string(product)))
		return
	}
	c.differs(at, "write a domain of the account, or ask with credentials of its account",
		"%s is not a domain of this account's %s", spec.Domain, strings.ToUpper(string(spec.Product)))
}

// path compares where a target has its keys with where the domain shows them.
func (c *comparison) path(at place, r *Reading) {
	rule, spec := &c.table.Rules[at.rule], c.spec(at)
	var overlapping, shown []Mount // of these, the keys that are the rule's
	for _, m := range r.Mounts {
		if overlap(m.Key, rule.Prefix) {
			overlapping = append(overlapping, m)
			if c.owns(at.rule, longer(rule.Prefix, m.Key)) {
				shown = append(shown, m)
			}
		}
	}
	switch {
	case len(overlapping) == 0:
		c.differs(at, "write "+r.Mounts[0].fields(""), "%s does not show keys that begin with %q%s",
			spec.Domain, rule.Prefix, because(r.Mounts[0].By))
	case len(shown) == 0:
		c.differs(at, "take the target out: the keys that begin so have a rule of their own",
			"%s shows keys that begin with %q, which are not this rule's%s",
			spec.Domain, overlapping[0].Key, because(overlapping[0].By))
	case !slices.ContainsFunc(shown, func(m Mount) bool { return m.is(rule, spec) }):
		m := nearest(shown, rule.Prefix)
		key := longer(rule.Prefix, m.Key) + "…"
		c.differs(at, "write "+m.fields(rule.Prefix), "the key %q is shown at %s, not at %s%s",
			key, m.url(spec.Domain, key), urlOf(spec, key), because(m.By))
	}
}

// nearest returns the mount that has all keys of a prefix and is closest to it or,
// if none has all, the first one.
func nearest(mounts []Mount, prefix string) Mount {
	near := mounts[0]
	for _, m := range mounts {
		if strings.HasPrefix(prefix, m.Key) && len(m.Key) > len(near.Key) {
			near = m
		}
	}
	return near
}

func because(by string) string {
	if by == "" {
		return ""
	}
	return ": " + by
}

// is reports whether a target has the keys of the mount where the domain has them.
func (m Mount) is(rule *mapping.Rule, spec *mapping.Spec) bool {
	key := longer(rule.Prefix, m.Key)
	return m.url(spec.Domain, key) == urlOf(spec, key)
}

// url is where a domain shows a key, not encoded.
func (m Mount) url(domain, key string) string {
	return "https://" + domain + m.Path + strings.TrimPrefix(key, m.Key)
}

// urlOf is where a target has a key, not encoded.
func urlOf(spec *mapping.Spec, key string) string {
	return "https://" + spec.Domain + spec.Path + strings.TrimPrefix(key, spec.StripPrefix)
}

func longer(a, b string) string {
	if len(a) > len(b) {
		return a
	}
	return b
}

// fields are those of a rule and its target that have the mount. The rule's prefix
// may be longer than the mount's.
func (m Mount) fields(prefix string) string {
	text := "strip_prefix: " + quoted(m.Key) + ", path: " + quoted(m.Path)
	if prefix = longer(prefix, m.Key); prefix != "" {
		text = "prefix: " + quoted(prefix) + ", " + text
	}
	return text
}

// index tells of an index document that the domain shows at another URL too, which
// no target of the rule has.
func (c *comparison) index(at place, r *Reading) {
	spec := c.spec(at)
	for _, index := range r.Index {
		has := func(s mapping.Spec) bool {
			return s.Domain == spec.Domain && s.Product == spec.Product &&
				(s.Type != mapping.File || slices.Contains(s.Index, index.Name))
		}
		if !slices.ContainsFunc(c.table.Rules[at.rule].Targets, has) {
			c.differs(at, "add it to the target's index", "%s shows %s without its name too: %s",
				spec.Domain, index.Name, index.By)
		}
	}
}

// queries tells of a target that names queries although they make no other object
// of the cache.
func (c *comparison) queries(at place, r *Reading) {
	spec := c.spec(at)
	if spec.Type == mapping.IgnoreParams && r.Queries.Ignored {
		c.differs(at, "write type: file: the account has 100 URLs of ignore_params a day",
			"%s ignores queries in its cache key (set_hashkey_args)", spec.Domain)
		return
	}
	var needless []string
	for _, query := range spec.Queries {
		if r.Queries.Ignores(query) {
			needless = append(needless, query)
		}
	}
	if needless != nil {
		c.differs(at, "take them out of queries: each takes a URL of the day's quota",
			"%s ignores these queries in its cache key: %s", spec.Domain, strings.Join(needless, ", "))
	}
}

// brief tells of a target whose objects the cache keeps for so short a time that
// they need no refresh.
func (c *comparison) brief(at place, r *Reading) {
	rule, spec := &c.table.Rules[at.rule], c.spec(at)
	for _, ttl := range r.Brief {
		globs := ttl.globs()
		isAsked := func(glob string) bool { return !slices.Contains(rule.Exclude, glob) }
		hint := "exclude the keys below it to save quota"
		switch {
		case ttl.Path == "" && !slices.ContainsFunc(globs, isAsked):
			continue
		case ttl.Path == "":
			hint = "write exclude: ['" + strings.Join(globs, "', '") + "'] to save quota"
		case strings.HasPrefix(spec.Path, ttl.Path):
			hint = "take the target out to save quota"
		case !strings.HasPrefix(ttl.Path, spec.Path):
			continue
		}
		c.remark(at, hint, "the cache of %s %s", spec.Domain, ttl.text())
	}
}

// globs are those of the file types.
func (t TTL) globs() []string {
	var all []string
	for _, typ := range t.FileTypes {
		all = append(all, "**/*."+typ)
	}
	return all
}

// absent tells of domains that show keys of a rule at a URL that none of its
// targets has.
func (c *comparison) absent(i int) {
	rule := &c.table.Rules[i]
	for k := range c.readings {
		r := &c.readings[k]
		if r.Verdict != Decided || r.Bucket != rule.Bucket || !c.uses(r) {
			continue
		}
		at, right := c.targetOf(i, r)
		for _, m := range r.Mounts {
			key := longer(rule.Prefix, m.Key)
			switch {
			case !overlap(rule.Prefix, m.Key) || !c.owns(i, key) || c.has(i, r, m):
			case r.Product == mapping.ESA && at.target >= 0: // by its rules it may be elsewhere
			case at.target < 0:
				c.remark(place{i, 0}, "add a target for it, if visitors ask for these there",
					"keys that begin with %q are shown by %s too, for which this rule has no target",
					key, r.Domain)
			case right && m.By == "": // a path that is the key, and may well be nobody's
				c.remark(at, "add "+m.addition(rule.Prefix)+", if visitors ask for that",
					"keys that begin with %q are shown at %s too", key, m.url(r.Domain, key)+"…")
			case right:
				c.differs(at, "add "+m.addition(rule.Prefix),
					"keys that begin with %q are shown at %s too, which nothing refreshes: %s",
					key, m.url(r.Domain, key)+"…", m.By)
			}
		}
	}
}

// targetOf returns a target of the rule that has the domain, and whether no such
// target was found to differ; its index is -1 if there is none.
func (c *comparison) targetOf(i int, r *Reading) (at place, right bool) {
	at, right = place{i, -1}, true
	for j := range c.table.Rules[i].Targets {
		if spec := c.spec(place{i, j}); spec.Domain == r.Domain && spec.Product == r.Product {
			at.target = j
			right = right && !c.differing(at)
		}
	}
	return at, right
}

// has reports whether a target of the rule has the keys of a domain's mount.
func (c *comparison) has(i int, r *Reading, m Mount) bool {
	rule := &c.table.Rules[i]
	return slices.ContainsFunc(rule.Targets, func(s mapping.Spec) bool {
		return s.Domain == r.Domain && s.Product == r.Product && m.is(rule, &s)
	})
}

// addition is what a table with a rule of the prefix lacks of the mount.
func (m Mount) addition(prefix string) string {
	if len(m.Key) > len(prefix) {
		return "a rule with " + m.fields(prefix)
	}
	return "a target with strip_prefix: " + quoted(m.Key) + ", path: " + quoted(m.Path)
}

func overlap(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

// owns reports whether a key that begins so belongs to a rule.
func (c *comparison) owns(i int, key string) bool {
	rule := &c.table.Rules[i]
	return c.table.Map(mapping.Object{Bucket: rule.Bucket, Key: key}).Rule == rule
}

// differing reports whether a target was found to differ.
func (c *comparison) differing(at place) bool {
	path := "rules[" + strconv.Itoa(at.rule) + "].targets[" + strconv.Itoa(at.target) + "]"
	return slices.ContainsFunc(c.findings, func(f Finding) bool { return f.Path == path && f.Differs })
}

// uses reports whether the table has the domain.
func (c *comparison) uses(r *Reading) bool {
	return slices.ContainsFunc(c.table.Rules, func(rule mapping.Rule) bool {
		return slices.ContainsFunc(rule.Targets, func(s mapping.Spec) bool {
			return s.Domain == r.Domain && s.Product == r.Product
		})
	})
}

// names reports whether the table has the domain, of whichever product.
func (c *comparison) names(domain string) bool {
	return slices.ContainsFunc(c.table.Rules, func(rule mapping.Rule) bool {
		return slices.ContainsFunc(rule.Targets, func(s mapping.Spec) bool { return s.Domain == domain })
	})
}

// unlisted tells of domains that show a bucket of the table and are not in it.
func (c *comparison) unlisted() {
	for k := range c.readings {
		r := &c.readings[k]
		has := func(rule mapping.Rule) bool { return rule.Bucket == r.Bucket }
		i := slices.IndexFunc(c.table.Rules, has)
		if r.Verdict == Decided && i >= 0 && !c.names(r.Domain) {
			c.remark(place{i, 0}, "add a target for it, if its visitors need a refresh",
				"%s (%s) shows the bucket %s too, and the table does not have it",
				r.Domain, r.Product, r.Bucket)
		}
	}
}

package deployment

import (
	"slices"
	"strings"
)

// maxTriggers is how many OSS triggers a bucket may have (Function Compute: OSS
// triggers, usage notes).
const maxTriggers = 10

// The triggers of s.yaml as people deploy it by itself. The one for bursts is
// called so in a generated file too.
const (
	plainTrigger = "oss"
	burstTrigger = "burst"
)

// A Source is what one OSS trigger is for: the keys of a bucket that begin with a
// prefix.
type Source struct{ Bucket, Prefix string }

// trigger is the name of the source's trigger. It tells sources apart and stays
// the same when other rules of the table change: a trigger is never turned into
// another one.
func (s Source) trigger() string {
	return plainTrigger + "-" + short(s.Bucket+"\x00"+s.Prefix)
}

// Sources returns what OSS triggers must be for to see all that the table is
// about: each bucket's prefixes, less those that another one begins, since OSS
// forbids triggers that overlap. More than ten of a bucket become the longest
// prefix that they have in common.
func (s Settings) Sources() []Source {
	var all []Source
	for _, bucket := range s.Buckets() {
		prefixes := s.prefixes(bucket)
		if len(prefixes) > maxTriggers {
			prefixes = []string{common(prefixes)}
		}
		for _, prefix := range prefixes {
			all = append(all, Source{bucket, prefix})
		}
	}
	return all
}

func (s Settings) prefixes(bucket string) []string {
	var all []string
	for _, r := range s.Table.Rules {
		if r.Bucket == bucket {
			all = append(all, r.Prefix)
		}
	}
	slices.Sort(all)
	var kept []string
	for _, prefix := range all {
		if n := len(kept); n == 0 || !strings.HasPrefix(prefix, kept[n-1]) {
			kept = append(kept, prefix)
		}
	}
	return kept
}

// common returns the longest text that begins all of a sorted list.
func common(sorted []string) string {
	first, last := sorted[0], sorted[len(sorted)-1]
	n := 0
	for n < min(len(first), len(last)) && first[n] == last[n] {
		n++
	}
	return strings.ToValidUTF8(first[:n], "")
}

// Triggers returns the names of the function's triggers, sorted.
func (s Settings) Triggers() []string {
	if s.Burst {
		return []string{burstTrigger}
	}
	var names []string
	for _, source := range s.Sources() {
		names = append(names, source.trigger())
	}
	slices.Sort(names)
	return names
}

// triggers are those that a mark names: all that the function has ever had, the
// oldest dropped where there is no room. None is forgotten before, since whether
// one was removed is not known here.
func (p *planner) triggers(mark Mark) []string {
	mark.Triggers = knownTriggers(p.Settings, p.found)
	for _, name := range p.Triggers() {
		if !slices.Contains(mark.Triggers, name) {
			mark.Triggers = append(mark.Triggers, name)
		}
	}
	for len(mark.Triggers) > 0 && len(mark.String()) > maxDescription {
		mark.Triggers = mark.Triggers[1:]
	}
	return mark.Triggers
}

// newTriggers notes the buckets that get a trigger which the function has not had
// before. In a first deployment there was none to see their changes, unless it takes
// the place of an older version's.
func (p *planner) newTriggers() {
	known := knownTriggers(p.Settings, p.found)
	if p.Burst || len(known) == 0 && !p.succeeds() {
		return
	}
	for _, source := range p.Sources() {
		if !slices.Contains(known, source.trigger()) {
			p.unseen(source.Bucket)
		}
	}
}

func (p *planner) unseen(bucket string) {
	if !slices.Contains(p.plan.Unseen, bucket) {
		p.plan.Unseen = append(p.plan.Unseen, bucket)
	}
}

func knownTriggers(s Settings, f Found) []string {
	m, ok := parseMark(f.Roles[s.Names().TriggerRole].Description)
	if !ok || m.Owner != s.Name {
		return nil
	}
	return m.Triggers
}

// StaleTriggers returns the names of triggers that the function may have and
// should not: the other path's, those of an earlier table as far as the mark of the
// trigger's role knows them, and those that s.yaml by itself has deployed. Serverless Devs never removes one unasked,
// and with two triggers each change is refreshed twice. The burst trigger stays
// while its queue holds messages.
func StaleTriggers(s Settings, f Found, ofS []string) []string {
	stale := union([]string{plainTrigger, burstTrigger}, knownTriggers(s, f))
	stale = union(stale, ofS)
	return slices.DeleteFunc(stale, func(name string) bool {
		drains := name == burstTrigger && f.Queues[s.Names().Queue].Messages > 0
		return drains || slices.Contains(s.Triggers(), name)
	})
}

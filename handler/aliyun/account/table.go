package account

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// A rule is one of the table.
type rule struct {
	bucket, prefix string
	targets        []target
}

// A target is a mount of a domain.
type target struct {
	Mount
	reading *Reading
}

// rules makes a rule for each bucket and prefix of the domains that are decided.
// A key belongs to the rule of the longest prefix only, so a rule has the targets
// of the shorter prefixes too.
func rules(readings []Reading) []rule {
	var all []rule
	for i := range readings {
		for _, m := range readings[i].Mounts {
			bucket := readings[i].Bucket
			known := func(r rule) bool { return r.bucket == bucket && r.prefix == m.Key }
			if readings[i].Verdict == Decided && !slices.ContainsFunc(all, known) {
				all = append(all, rule{bucket: bucket, prefix: m.Key})
			}
		}
	}
	slices.SortFunc(all, func(a, b rule) int {
		return cmp.Or(strings.Compare(a.bucket, b.bucket), strings.Compare(a.prefix, b.prefix))
	})
	for i := range all {
		for j := range readings {
			if readings[j].Verdict != Decided || readings[j].Bucket != all[i].bucket {
				continue
			}
			for _, m := range readings[j].Mounts {
				if strings.HasPrefix(all[i].prefix, m.Key) {
					all[i].targets = append(all[i].targets, target{m, &readings[j]})
				}
			}
		}
	}
	return all
}

// Table returns the table that follows from what the domains say, in their order,
// with comments that tell where each line comes from and why a domain is not in
// it. It has no rule, and so is not valid, where no domain is decided. The head
// is put before it, as comments.
func Table(readings []Reading, head ...string) string {
	var w writer
	for _, line := range head {
		w.comment("", line)
	}
	w.line("")
	w.line("rules:")
	for _, r := range rules(readings) {
		w.rule(r)
	}
	w.left(readings)
	return w.String()
}

// A writer writes a table.
type writer struct{ strings.Builder }

func (w *writer) line(text string) { w.WriteString(strings.TrimRight(text, " ") + "\n") }

// comment writes foreign text so that it cannot end the comment.
func (w *writer) comment(indent, text string) {
	w.line(strings.TrimRight(indent+"# "+oneLine(text), " "))
}

func (w *writer) rule(r rule) {
	w.line("  - bucket: " + quoted(r.bucket))
	if r.prefix != "" {
		w.line("    prefix: " + quoted(r.prefix))
	}
	w.line("    targets:")
	for _, t := range r.targets {
		w.target(r, t)
	}
}

func (w *writer) target(r rule, t target) {
	const indent = "        "
	w.line("      - domain: " + quoted(t.reading.Domain))
	w.comment(indent, "of "+strings.ToUpper(string(t.reading.Product))+", "+t.reading.Origin)
	w.line(indent + "product: " + string(t.reading.Product))
	if t.reading.Site != 0 {
		w.line(indent + "site: " + strconv.FormatInt(t.reading.Site, 10))
	}
	if t.By != "" {
		w.comment(indent, t.By)
	}
	if r.prefix != "" {
		w.line(indent + "strip_prefix: " + quoted(t.Key)) // an empty one is meant
	}
	if t.Path != "/" {
		w.line(indent + "path: " + quoted(t.Path))
	}
	if len(t.reading.Index) > 0 {
		var names []string
		for _, index := range t.reading.Index {
			w.comment(indent, index.By)
			if !slices.Contains(names, quoted(index.Name)) {
				names = append(names, quoted(index.Name))
			}
		}
		w.line(indent + "index: [" + strings.Join(names, ", ") + "]")
	}
	for _, note := range t.reading.Notes {
		w.comment(indent, note)
	}
	for _, ttl := range t.reading.Brief {
		w.comment(indent, "The cache "+ttl.text()+": excluding it saves quota.")
	}
}

// left says which domains are not in the table, and why.
func (w *writer) left(readings []Reading) {
	title := "Not in the table:"
	for _, r := range readings {
		if r.Verdict == Decided {
			continue
		}
		if title != "" {
			w.line("")
			w.comment("", title)
			title = ""
		}
		reason := strings.TrimSuffix(r.Reason, ".")
		w.comment("", fmt.Sprintf("  %s (%s): %s.", r.Domain, r.Product, reason))
		if r.Verdict == Undecided && len(r.Buckets) > 0 {
			w.comment("", "    If it shows objects of "+strings.Join(r.Buckets, " or ")+
				", write a rule for it by hand.")
		}
	}
}

// text says what the cache keeps only briefly, as the end of a sentence.
func (t TTL) text() string {
	what := "what is below " + t.Path
	if t.Path == "" {
		what = "." + strings.Join(t.FileTypes, ", .")
	}
	if t.Seconds == 0 {
		return "does not keep " + what
	}
	return fmt.Sprintf("keeps %s for %d seconds only, which needs no refresh", what, t.Seconds)
}

var plainYAML = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9._/-]*$`)

// quoted returns text as a YAML string, in quotes where it needs some.
func quoted(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
	default:
		if plainYAML.MatchString(s) {
			return s
		}
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// oneLine returns foreign text without what could end a line or steer a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

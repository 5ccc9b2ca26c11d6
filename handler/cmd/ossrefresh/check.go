package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"oss-cdn-refresh/mapping"
)

type checkCommand struct {
	tableFlag
	liveFlag
	Brief bool `help:"Print faults and warnings only."`
}

func (*checkCommand) Help() string {
	return `Faults and warnings are printed one a line as FILE:LINE:COLUMN, for editors and CI. Only faults make the command fail. With --live, exit status 1 says too that the table differs from the account: a refresh would fail or miss a URL, or quota is spent on nothing.

Examples:

    ossrefresh check
    ossrefresh check --brief
    ossrefresh check --live
    ossrefresh check --mapping staging.yaml --json`
}

func (cmd *checkCommand) Run(ctx context.Context, c *console) error {
	table, warnings, err := cmd.check()
	var faults mapping.Faults
	if errors.As(err, &faults) && c.json {
		v := verdict{
			File: cmd.file(), Faults: newFaults(faults), Warnings: []fault{}, Notes: []string{},
			Targets: []sample{},
		}
		return errors.Join(c.show(v), err)
	}
	if err != nil {
		return err
	}
	if cmd.Live {
		return cmd.compare(ctx, c, cmd.file(), table, warnings)
	}
	v := newVerdict(cmd.file(), table, warnings)
	v.brief = cmd.Brief
	return c.show(v)
}

// A verdict is what there is to say about a table.
type verdict struct {
	File     string   `json:"file"`
	Rules    int      `json:"rules"`
	Domains  int      `json:"domains"`
	Faults   []fault  `json:"faults"`
	Warnings []fault  `json:"warnings"`
	Notes    []string `json:"notes"` // what may not be expected
	Targets  []sample `json:"targets"`

	brief bool // faults and warnings only
}

// A fault is a fault or a warning of the table.
type fault struct {
	Line    int    `json:"line"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`

	line string
}

// A sample shows what a target does to a likely key.
type sample struct {
	Rule    string   `json:"rule"`
	Bucket  string   `json:"bucket"`
	Prefix  string   `json:"prefix"`
	Domain  string   `json:"domain"`
	Product string   `json:"product"`
	Site    int64    `json:"site,omitempty"` // ESA only
	Type    string   `json:"type"`
	Key     string   `json:"key,omitempty"` // none: no likely key was found
	URLs    []string `json:"urls"`
}

func newFaults(faults mapping.Faults) []fault {
	all := []fault{}
	for _, f := range faults {
		if domain, ok := punycode(f.Domain); ok {
			f.Hint = "write " + strconv.Quote(domain)
		}
		all = append(all, fault{f.Line, f.Column, f.Path, f.Message, f.Hint, f.Error()})
	}
	return all
}

// newWarnings marks the lines of warnings, in the way of compilers.
func newWarnings(warnings mapping.Faults) []fault {
	all := newFaults(warnings)
	for i := range all {
		place, text, _ := strings.Cut(all[i].line, ": ")
		all[i].line = place + ": warning: " + text
	}
	return all
}

// punycode returns a domain beyond ASCII as DNS has it. It takes names of letters
// and digits only: of what else IDNA maps or drops, nobody knows what was meant.
func punycode(domain string) (name string, ok bool) {
	odd := func(r rune) bool {
		return r >= utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	if domain == "" || strings.ContainsFunc(domain, odd) {
		return "", false
	}
	name, err := idna.Lookup.ToASCII(domain)
	if problem, _ := mapping.CheckDomain(name); err != nil || problem != "" {
		return "", false
	}
	return name, true
}

func newVerdict(file string, table *mapping.Table, warnings mapping.Faults) verdict {
	v := verdict{
		File: file, Rules: len(table.Rules), Domains: len(domains(table, "")),
		Faults: []fault{}, Warnings: newWarnings(warnings), Notes: []string{}, Targets: []sample{},
	}
	if n := table.UnsetSpellings(); n > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("%s: names are refreshed in their common "+
			"spellings, the default; older versions refreshed one, as spellings: %s does",
			plural(n, "target"), mapping.SpellCanonical))
	}
	for i := range table.Rules {
		r := &table.Rules[i]
		for j := range r.Targets {
			v.Targets = append(v.Targets, newSample(file, table, r, &r.Targets[j]))
		}
	}
	return v
}

func newSample(file string, table *mapping.Table, r *mapping.Rule, s *mapping.Spec) sample {
	key, urls := table.Sample(r, s)
	return sample{
		place(file, r), r.Bucket, r.Prefix, s.Domain, string(s.Product), s.Site, string(s.Type),
		key, append([]string{}, urls...),
	}
}

func (v verdict) text(p *page) {
	if len(v.Faults) > 0 {
		return // they are the error
	}
	if v.brief {
		v.warningLines(p)
		return
	}
	p.line("%s: no fault; %s, %s, %s, %s", v.File, plural(v.Rules, "rule"),
		plural(len(v.Targets), "target"), plural(v.Domains, "domain"),
		plural(len(v.Warnings), "warning"))
	for _, note := range v.Notes {
		p.line("  note: %s", note)
	}
	p.title("RULES")
	p.rows(v.ruleRows())
	p.title("SAMPLES")
	for _, s := range v.Targets {
		s.text(p)
	}
	if len(v.Warnings) > 0 {
		p.title("WARNINGS")
	}
	v.warningLines(p)
}

func (v verdict) warningLines(p *page) {
	for _, w := range v.Warnings {
		p.line("%s", w.line)
	}
}

// ruleRows has a row for each rule, with the domains of its targets.
func (v verdict) ruleRows() [][]string {
	rows := [][]string{{"rule", "bucket", "prefix", "domains"}}
	last := ""
	for _, t := range v.Targets {
		domain := t.Domain + " (" + named(t.Product, t.Site) + ")"
		if t.Rule == last {
			row := rows[len(rows)-1]
			row[3] += ", " + domain
			continue
		}
		last = t.Rule
		rows = append(rows, []string{short(t.Rule), shown(t.Bucket), prefixOrAll(t.Prefix), domain})
	}
	return rows
}

func prefixOrAll(prefix string) string {
	if prefix == "" {
		return "(all keys)"
	}
	return shown(prefix)
}

func (s sample) text(p *page) {
	if s.Key == "" {
		p.line("  %s  %s: no sample key was found", short(s.Rule), s.Domain)
		return
	}
	p.line("  %s  %s %s", short(s.Rule), s.Bucket, shown(s.Key))
	for _, url := range s.URLs {
		p.line("       %s  %s  %s", named(s.Product, s.Site), s.Type, withName(url))
	}
}

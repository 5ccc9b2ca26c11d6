package main

import (
	"context"
	"errors"

	"oss-cdn-refresh/mapping"
)

type checkCommand struct {
	tableFlag
	liveFlag
}

func (*checkCommand) Help() string {
	return `Faults are printed one a line as FILE:LINE:COLUMN, for editors and CI. With --live, exit status 1 says that the table differs from the account: a refresh would fail or miss a URL, or quota is spent on nothing.

Examples:

    ossrefresh check
    ossrefresh check --live
    ossrefresh check --mapping staging.yaml --json`
}

func (cmd *checkCommand) Run(ctx context.Context, c *console) error {
	table, err := cmd.load()
	var faults mapping.Faults
	if errors.As(err, &faults) && c.json {
		return errors.Join(c.show(verdict{File: cmd.file(), Faults: newFaults(faults), Warnings: []fault{}, Targets: []sample{}}), err)
	}
	if err != nil {
		return err
	}
	if cmd.Live {
		return cmd.compare(ctx, c, cmd.file(), table)
	}
	return c.show(newVerdict(cmd.file(), table))
}

// A verdict is what there is to say about a table.
type verdict struct {
	File     string   `json:"file"`
	Rules    int      `json:"rules"`
	Domains  int      `json:"domains"`
	Faults   []fault  `json:"faults"`
	Warnings []fault  `json:"warnings"`
	Targets  []sample `json:"targets"`
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
	Type    string   `json:"type"`
	Key     string   `json:"key,omitempty"` // none: no likely key was found
	URLs    []string `json:"urls"`
}

func newFaults(faults mapping.Faults) []fault {
	all := []fault{}
	for _, f := range faults {
		all = append(all, fault{f.Line, f.Column, f.Path, f.Message, f.Hint, f.Error()})
	}
	return all
}

func newVerdict(file string, table *mapping.Table) verdict {
	v := verdict{
		File: file, Rules: len(table.Rules), Domains: len(domains(table, "")),
		Faults: []fault{}, Warnings: newFaults(table.Warnings()), Targets: []sample{},
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
	return sample{place(file, r), r.Bucket, r.Prefix, s.Domain, string(s.Product), string(s.Type), key, append([]string{}, urls...)}
}

func (v verdict) text(p *page) {
	if len(v.Faults) > 0 {
		return // they are the error
	}
	p.line("%s: no fault; %s, %s, %s, %s", v.File, plural(v.Rules, "rule"), plural(len(v.Targets), "target"), plural(v.Domains, "domain"), plural(len(v.Warnings), "warning"))
	p.title("RULES")
	p.rows(v.ruleRows())
	p.title("SAMPLES")
	for _, s := range v.Targets {
		s.text(p)
	}
	if len(v.Warnings) > 0 {
		p.title("WARNINGS")
	}
	for _, w := range v.Warnings {
		p.line("%s", w.line)
	}
}

// ruleRows has a row for each rule, with the domains of its targets.
func (v verdict) ruleRows() [][]string {
	rows := [][]string{{"rule", "bucket", "prefix", "domains"}}
	last := ""
	for _, t := range v.Targets {
		domain := t.Domain + " (" + t.Product + ")"
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
		p.line("       %s  %s  %s", s.Product, s.Type, url)
	}
}

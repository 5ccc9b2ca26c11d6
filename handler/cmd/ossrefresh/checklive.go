package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/aliyun/account"
	"oss-cdn-refresh/mapping"
)

// liveFlag compares the table with the account.
type liveFlag struct {
	Live    bool          `help:"Compare the table with the account's domains; this changes nothing."`
	Timeout time.Duration `default:"5m" help:"With --live: when to give up."`
}

// compare compares a table without faults with the account.
func (f liveFlag) compare(
	ctx context.Context, c *console, file string, table *mapping.Table, warnings mapping.Faults,
) error {
	if err := checkTimeout(f.Timeout); err != nil {
		return err
	}
	v, err := operatorFrom(c, "check --live")
	if err != nil {
		return err
	}
	return f.compareWith(ctx, v, file, table, warnings)
}

func (f liveFlag) compareWith(
	ctx context.Context, v survey, file string, table *mapping.Table, warnings mapping.Faults,
) error {
	c := v.console
	ctx, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	domains, refused, err := v.take(ctx, concerns(table))
	if err != nil {
		return err
	}
	for _, r := range refused {
		if hasProduct(table, r.product) {
			return hint(r.error, r.hint)
		}
		if r.hint == laterHint {
			c.hint(r.Error() + ": domains of " + string(r.product) + " are not compared")
		}
	}
	doc := liveVerdict{
		verdict: newVerdict(file, table, warnings), Findings: []liveFinding{}, Quotas: v.quotas(ctx, table),
	}
	for _, found := range account.Compare(file, table, read(domains)) {
		one := liveFinding{newFaults(mapping.Faults{found.Fault})[0], found.Differs}
		doc.Findings = append(doc.Findings, one)
		if one.Differs {
			doc.Differences++
		}
	}
	err = nil
	if doc.Differences > 0 {
		places := plural(doc.Differences, "place")
		err = hint(fmt.Errorf("%s differs from the account in %s", file, places),
			"each line ends with what to write; ossrefresh init --mapping FILE writes a whole table")
	}
	return errors.Join(c.show(doc), err)
}

// concerns returns which domains a table is to be compared with: its own, and
// those that show one of its buckets.
func concerns(table *mapping.Table) func(account.Domain) bool {
	names := domains(table, "")
	return func(d account.Domain) bool {
		shows := func(s aliyun.Source) bool {
			bucket := account.OfHost(s.Content)
			has := func(r mapping.Rule) bool { return r.Bucket == bucket }
			return slices.ContainsFunc(table.Rules, has)
		}
		return account.MayHaveBucket(d.Domain) &&
			(slices.Contains(names, d.Name) || slices.ContainsFunc(d.Sources, shows))
	}
}

func hasProduct(table *mapping.Table, product mapping.Product) bool {
	return len(domains(table, product)) > 0
}

// quotas asks what is left of the day, of each service of the table.
func (v survey) quotas(ctx context.Context, table *mapping.Table) []liveQuota {
	all := []liveQuota{}
	for _, service := range table.Services("") {
		q := liveQuota{quota: quota{string(service.Product), service.Site, []aliyun.Allowance{}}}
		allowances, err := allowancesOf(ctx, v.caller, service)
		if err != nil {
			q.Unknown = unanswered(err).Error()
		}
		q.Allowances = append(q.Allowances, allowances...)
		all = append(all, q)
	}
	return all
}

// A liveVerdict is a verdict with what the account says.
type liveVerdict struct {
	verdict
	Differences int           `json:"differences"`
	Findings    []liveFinding `json:"findings"`
	Quotas      []liveQuota   `json:"quotas"`
}

// A liveFinding is a difference from the account, or a remark.
type liveFinding struct {
	fault
	Differs bool `json:"differs"`
}

// A liveQuota is what is left of a product's day, if that is known.
type liveQuota struct {
	quota
	Unknown string `json:"unknown,omitempty"` // why it is not
}

func (v liveVerdict) text(p *page) {
	p.line("%s: %s and %s compared with the account: %s", v.File, plural(v.Rules, "rule"),
		plural(v.Domains, "domain"), plural(v.Differences, "difference"))
	for _, section := range []struct {
		title   string
		differs bool
	}{{"DIFFERENCES", true}, {"REMARKS", false}} {
		var found []string
		for _, f := range v.Findings {
			if f.Differs == section.differs {
				found = append(found, f.line)
			}
		}
		if found == nil {
			continue
		}
		p.title("%s", section.title)
		for _, line := range found {
			p.line("%s", line)
		}
	}
	if len(v.Warnings) > 0 {
		p.title("WARNINGS")
	}
	for _, w := range v.Warnings {
		p.line("%s", w.line)
	}
	for _, q := range v.Quotas {
		if q.Unknown != "" {
			p.title("%s: what is left of today's quota is not known: %s",
				named(q.Product, q.Site), q.Unknown)
			continue
		}
		q.quota.text(p)
	}
}

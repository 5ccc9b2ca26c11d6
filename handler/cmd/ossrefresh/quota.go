package main

import (
	"context"
	"errors"
	"fmt"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/mapping"
)

type quotaCommand struct {
	tableFlag
	serviceFlag
}

func (*quotaCommand) Help() string {
	return `The credentials are read from ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN. At what hour the quota of a day is reset is not documented.

Examples:

    ossrefresh quota
    ossrefresh quota --product cdn --json
    ossrefresh quota --product esa
    ossrefresh quota --product esa --site 123456789012345`
}

func (cmd *quotaCommand) Run(ctx context.Context, c *console) error {
	services, err := cmd.services(cmd.tableFlag)
	if err != nil {
		return err
	}
	caller, err := callerFrom(c.getenv)
	if err != nil {
		return err
	}
	doc := quotas{Allowances: []serviceAllowance{}}
	if len(services) == 1 {
		doc.Product, doc.Site = string(services[0].Product), services[0].Site
	}
	var failures []error
	for _, service := range services {
		allowances, err := allowancesOf(ctx, caller, service)
		if err != nil {
			err = fmt.Errorf("asking for the quota of %s: %w", service, unanswered(err))
			failures = append(failures, err)
			continue
		}
		doc.add(service, allowances)
	}
	if len(failures) == len(services) {
		return errors.Join(failures...)
	}
	return errors.Join(append([]error{c.show(doc)}, failures...)...)
}

// Quotas are what is left of the day, of one service or of several.
type quotas struct {
	Product    string             `json:"product,omitempty"` // where one service was asked
	Site       int64              `json:"site,omitempty"`
	Allowances []serviceAllowance `json:"allowances"`

	each []quota
}

// A serviceAllowance is an allowance with whose it is.
type serviceAllowance struct {
	Product string `json:"product"`
	Site    int64  `json:"site,omitempty"` // ESA only
	aliyun.Allowance
}

func (q *quotas) add(service mapping.Service, allowances []aliyun.Allowance) {
	one := quota{string(service.Product), service.Site, allowances}
	q.each = append(q.each, one)
	for _, a := range allowances {
		q.Allowances = append(q.Allowances, serviceAllowance{one.Product, one.Site, a})
	}
}

func (q quotas) text(p *page) {
	for _, one := range q.each {
		one.text(p)
	}
}

// allowancesOf asks what is left of a service's day.
func allowancesOf(
	ctx context.Context, caller *aliyun.Caller, service mapping.Service,
) ([]aliyun.Allowance, error) {
	if service.Site != 0 {
		return caller.SiteQuota(ctx, service.Site)
	}
	return caller.Quota(ctx, string(service.Product))
}

// A quota is what is left of a product's day, or of a site's.
type quota struct {
	Product    string             `json:"product"`
	Site       int64              `json:"site,omitempty"` // ESA only
	Allowances []aliyun.Allowance `json:"allowances"`
}

func (q quota) text(p *page) {
	p.title("%s: left of today's quota", mapping.Service{Product: mapping.Product(q.Product), Site: q.Site})
	var rows [][]string
	for _, a := range q.Allowances {
		rows = append(rows, []string{a.Type, fmt.Sprintf("%d of %d", a.Remain, a.Quota)})
	}
	p.rows(rows)
}
